/* sallyport egress list: how egress origins stand, who is in quarantine first. The server's texts are printed
 * without control characters; numbers are numbers. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/egress.h"
#include "sallyport/cli.h"

enum { COMMAND_INDENT = 16 };

static void print_text(const char *before, const struct json_value *object, const char *key, const char *after)
{
	fputs(before, stdout);
	control_print(stdout, json_text(object, key, "-"));
	fputs(after, stdout);
}

static bool is_free(const struct json_value *origin)
{
	return span_eq(json_text(origin, "stage", ""), SPAN("free"));
}

/* ---- the legs ---- */

static void print_legs(const struct json_value *egress, int indent)
{
	const struct json_value *paused = json_member(egress, "paused");
	print_text("", egress, "mode", json_bool(egress, "gate") ? "; gate on" : "; no gate");
	if (json_bool(egress, "kernel_active")) {
		puts("; kernel leg on");
	} else {
		print_text("; kernel leg off: ", egress, "kernel_why", "\n");
		printf("%*s", indent, "");
		print_text("that leaves open: ", egress, "left_open", "\n");
	}
	if (!paused)
		return;
	printf("%*spaused: everything is only reported for another ", indent, "");
	control_print_duration(json_number(paused, "left_s"));
	print_text(", until ", paused, "until", "\n");
}

/* ---- in the status ---- */

static void print_sentence(const struct json_value *origin)
{
	print_text("  quarantine    ", origin, "origin", ": ");
	print_text("", origin, "stage", ", ");
	print_text("", origin, "offence", ", since ");
	print_text("", origin, "since", "");
	if (json_member(origin, "until")) {
		fputs(", for another ", stdout);
		control_print_duration(json_number(origin, "left_s"));
	} else {
		fputs(", until it is released", stdout);
	}
	puts("");
}

void egress_cli_print(const struct json_value *egress)
{
	const struct json_value *origins = json_member(egress, "origins");
	size_t held = 0;
	if (!egress)
		return;
	for (size_t i = 0; i < json_count(origins); i++)
		if (!is_free(json_element(origins, i))) {
			print_sentence(json_element(origins, i));
			held++;
		}
	fputs("  egress        ", stdout);
	print_legs(egress, COMMAND_INDENT);
	printf("%*s%zu origin%s, %zu of them in quarantine\n", COMMAND_INDENT, "", json_count(origins),
	       json_count(origins) == 1 ? "" : "s", held);
}

/* ---- the list ---- */

static void print_end(const struct json_value *origin)
{
	if (is_free(origin))
		printf("%-25s", "-");
	else if (json_member(origin, "until"))
		control_print_cell(origin, "until", 25);
	else
		printf("%-25s", "when released");
}

static void print_origin(const struct json_value *origin)
{
	const struct json_value *counters = json_member(origin, "counters");
	uint64_t refused = json_number(counters, "gate_refused") + json_number(counters, "dns_refused");
	uint64_t packets = json_number(counters, "kernel_packets") + json_number(counters, "kernel_listed_packets");
	control_print_cell(origin, "origin", 20);
	control_print_cell(origin, "stage", 13);
	control_print_cell(origin, is_free(origin) ? "last_offence" : "offence", 12);
	print_end(origin);
	printf(" %9" PRIu64 " %8" PRIu64 " %9" PRIu64 " %8" PRIu64 " %6" PRIu64 "\n", json_number(counters, "gate_requests"),
	       refused, packets, json_number(counters, "kernel_dropped"),
	       json_number(counters, "gate_new") + json_number(counters, "kernel_new"));
}

static void print_list(const struct json_value *egress)
{
	const struct json_value *origins = json_member(egress, "origins");
	if (span_eq(json_text(egress, "mode", "none"), SPAN("none"))) {
		puts("The policy in force has no egress guard.");
		return;
	}
	fputs("egress: ", stdout);
	print_legs(egress, 8);
	printf("\n%-20s%-13s%-12s%-25s %9s %8s %9s %8s %6s\n", "ORIGIN", "STAGE", "OFFENCE", "ENDS", "REQUESTS", "REFUSED",
	       "PACKETS", "DROPPED", "NEW");
	for (size_t i = 0; i < json_count(origins); i++)
		print_origin(json_element(origins, i));
}

int egress_cli_list(int argc, char **argv)
{
	static const struct egress_view view = {"list", "/api/egress", print_list};
	return egress_cli_show(argc, argv, &view);
}
