/* sallyport status: how the running server is, as a table or, with --json, as the server
 * says it. Exit status 1 where no server answers or it is not ready. */
#include "sallyport/cli.h"

#include <inttypes.h>

#include "cli/control.h"
#include "cli/egress.h"
#include "cli/rules_age.h"

enum { WAIT_S = 10 };

static void print_server(const struct json_value *status)
{
	fputs("sallyport ", stdout);
	control_print(stdout, json_text(status, "version", "?"));
	printf(": %s\n", json_bool(status, "ready") ? "ready" : "not ready");
	struct span policy = json_text(status, "policy", "");
	fputs("  policy        ", stdout);
	control_print(stdout, policy.len > 0 ? policy : SPAN("no file"));
	printf("\n  generation    %" PRIu64 ", up for ", json_number(status, "generation"));
	control_print_duration(json_number(status, "uptime_s"));
	puts("");
}

static void print_paused(const struct json_value *status)
{
	const struct json_value *paused = json_member(status, "paused");
	uint64_t others = json_number(status, "paused_count");
	for (size_t i = 0; i < json_count(paused); i++) {
		const struct json_value *pause = json_element(paused, i);
		fputs("  paused        ", stdout);
		control_print(stdout, json_text(pause, "leg", "-"));
		if (json_member(pause, "site")) {
			fputs(" of ", stdout);
			control_print(stdout, json_text(pause, "site", "-"));
		}
		fputs(" for another ", stdout);
		control_print_duration(json_number(pause, "left_s"));
		fputs(", until ", stdout);
		control_print(stdout, json_text(pause, "until", "-"));
		puts("");
	}
	if (others > json_count(paused))
		printf("  paused        %" PRIu64 " others\n", others - json_count(paused));
}

static void print_exceptions(const struct json_value *status)
{
	uint64_t ended = json_number(status, "exceptions_ended");
	if (ended > 0)
		printf("  exceptions    %" PRIu64 ", of them ended %" PRIu64 ": sallyport check names them\n",
		       json_number(status, "exceptions"), ended);
}

static void print_guarded_site(const struct json_value *site)
{
	fputs("  guard         ", stdout);
	control_print(stdout, json_text(site, "site", "-"));
	fputs(": ", stdout);
	control_print(stdout, json_text(site, "state", "-"));
	if (span_eq(json_text(site, "mode", ""), SPAN("monitor")))
		fputs(", only watched", stdout);
	struct span why = json_text(site, "why", "");
	if (why.len > 0) {
		fputs(" (", stdout);
		control_print(stdout, why);
		fputs(")", stdout);
	}
	printf("\n                %" PRIu64 " of %" PRIu64 " pages known, %" PRIu64
	       " being learned, %" PRIu64 " varying, %" PRIu64 " held",
	       json_number(site, "exact"), json_number(site, "pages"), json_number(site, "learning"),
	       json_number(site, "varying"), json_number(site, "held"));
	if (!json_bool(site, "enrolled"))
		printf("; enrolling, %" PRIu64 " to be fetched", json_number(site, "waiting"));
	if (!json_bool(site, "confirmed"))
		fputs("; waits for approval of its first baseline", stdout);
	puts("");
	if (json_number(site, "learning") > 0) {
		fputs("                what is being learned counts by itself (HTML after guard.settle), or by 'sallyport vault approve ", stdout);
		control_print(stdout, json_text(site, "site", "-"));
		puts(" --all'");
	}
	fputs("                last look ", stdout);
	control_print(stdout, json_text(site, "looked", "never"));
	if (json_number(site, "origins_down") > 0)
		printf(", %" PRIu64 " of its origins do not answer", json_number(site, "origins_down"));
	if (json_member(site, "window_until")) {
		fputs(", publish window until ", stdout);
		control_print(stdout, json_text(site, "window_until", "-"));
	}
	puts("");
}

static void print_guard(const struct json_value *guard)
{
	const struct json_value *sites = json_member(guard, "sites");
	if (!guard)
		return;
	printf("  baseline      %" PRIu64 ", made ", json_number(guard, "baseline"));
	control_print(stdout, json_text(guard, "baseline_made", "never"));
	puts(json_bool(guard, "scout_ok") ? "" : "; no scout runs");
	if (!json_bool(guard, "vault_ok") || json_text(guard, "vault_error", "").len > 0) {
		fputs("  vault         ", stdout);
		control_print(stdout, json_text(guard, "vault_error", "is not open"));
		puts("");
	}
	for (size_t i = 0; i < json_count(sites); i++)
		print_guarded_site(json_element(sites, i));
}

static void print_counters(const struct json_value *counters)
{
	printf("  requests      %" PRIu64 ", of them refused %" PRIu64
	       ", failed by an origin %" PRIu64 ", under way %" PRIu64 "\n",
	       json_number(counters, "requests"), json_number(counters, "requests_rejected"),
	       json_number(counters, "origin_failures"), json_number(counters, "exchanges"));
	printf("  connections   %" PRIu64 ", of them idle %" PRIu64 ", accepted in all %" PRIu64
	       "\n",
	       json_number(counters, "connections"), json_number(counters, "connections_idle"),
	       json_number(counters, "connections_accepted"));
	printf("  to origins    connections %" PRIu64 ", of them in the pool %" PRIu64 "\n",
	       json_number(counters, "origin_open"), json_number(counters, "origin_idle"));
	printf("  content       %" PRIu64 " bytes in, %" PRIu64 " bytes out\n",
	       json_number(counters, "bytes_in"), json_number(counters, "bytes_out"));
	if (json_number(counters, "log_dropped") > 0)
		printf("  log           %" PRIu64 " records dropped\n",
		       json_number(counters, "log_dropped"));
}

static void print_processes(const struct json_value *processes)
{
	if (json_count(processes) == 0)
		return;
	printf("\n%-12s %8s %5s %9s  %s\n", "ROLE", "PROCESS", "SLOT", "RESTARTS", "STATE");
	for (size_t i = 0; i < json_count(processes); i++) {
		const struct json_value *process = json_element(processes, i);
		control_print_cell(process, "role", 13);
		printf("%7" PRIu64 " %5" PRIu64 " %9" PRIu64 "  ", json_number(process, "pid"),
		       json_number(process, "slot"), json_number(process, "restarts"));
		control_print(stdout, json_text(process, "state", "-"));
		puts("");
	}
}

static void print_reasons(const struct json_value *reasons)
{
	if (json_count(reasons) == 0)
		return;
	printf("\n%10s  %-24s %s\n", "COUNT", "REASON", "WHAT IT MEANS");
	for (size_t i = 0; i < json_count(reasons); i++) {
		const struct json_value *reason = json_element(reasons, i);
		printf("%10" PRIu64 "  ", json_number(reason, "count"));
		control_print_cell(reason, "name", 25);
		control_print(stdout, json_text(reason, "text", ""));
		puts("");
	}
}

static int print_status(const struct control_options *options, const struct control_answer *answer)
{
	struct span body = strbuf_span(&answer->body);
	struct err err = {""};
	struct json_value *status = json_read(body, &err);
	bool is_ready = answer->status == 200 && json_bool(status, "ready");
	if (options->as_json && status) {
		fwrite(body.ptr, 1, body.len, stdout);
		puts("");
	} else if (answer->status == 200 && status) {
		print_server(status);
		print_paused(status);
		print_exceptions(status);
		rules_age_print(json_member(status, "rules"));
		egress_cli_print(json_member(status, "egress"));
		print_guard(json_member(status, "guard"));
		print_counters(json_member(status, "counters"));
		print_processes(json_member(status, "processes"));
		print_reasons(json_member(status, "reasons"));
	} else {
		fprintf(stderr,
			"sallyport status: the server answered with status %ld: ", answer->status);
		control_print(stderr, json_text(status, "errors", err.text));
		fputc('\n', stderr);
	}
	json_free(status);
	return is_ready ? CLI_DONE : CLI_NO;
}

int cli_status(int argc, char **argv)
{
	struct control_options options;
	struct control_answer answer;
	struct err err;
	int status = control_read_options(argc, argv, true, &options);
	if (status != CLI_DONE)
		return status;
	if (control_ask(&options, "GET", "/api/status", NULL, WAIT_S, &answer, &err)) {
		status = print_status(&options, &answer);
	} else {
		fprintf(stderr, "sallyport status: %s\n", err.text);
		status = CLI_NO;
	}
	control_answer_release(&answer);
	return status;
}
