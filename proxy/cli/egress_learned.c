/* sallyport egress learned, approve and forget: what origins taught, and what an operator says of it. The
 * server's texts are printed without control characters: an infected origin chose them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/control.h"
#include "cli/egress.h"
#include "sallyport/cli.h"

enum { WAIT_S = 10 };

static void print_lesson(const struct json_value *lesson)
{
	control_print_cell(lesson, "origin", 20);
	control_print_cell(lesson, "destination", 40);
	control_print_cell(lesson, "state", 11);
	control_print_cell(lesson, "first_use", 25);
	control_print_cell(lesson, "last_use", 25);
	printf("%8" PRIu64 "\n", json_number(lesson, "uses"));
}

static void print_learned(const struct json_value *answer)
{
	const struct json_value *lessons = json_member(answer, "learned");
	struct span learning = json_text(answer, "learning", "none");
	if (span_eq(learning, SPAN("none"))) {
		puts("The policy in force has no egress guard.");
		return;
	}
	if (span_eq(learning, SPAN("off")))
		puts("egress.learning is \"off\": nothing is learned, and nothing of this counts.");
	else if (json_count(lessons) == 0)
		puts("Nothing is learned yet.");
	if (json_count(lessons) == 0)
		return;
	printf("%-20s%-40s%-11s%-25s%-25s%8s\n", "ORIGIN", "DESTINATION", "STATE", "FIRST USE", "LAST USE", "USES");
	for (size_t i = 0; i < json_count(lessons); i++)
		print_lesson(json_element(lessons, i));
}

int egress_cli_learned(int argc, char **argv)
{
	static const struct egress_view view = {"learned", "/api/egress/learned", print_learned};
	return egress_cli_show(argc, argv, &view);
}

int egress_cli_decide(int argc, char **argv)
{
	static char command[] = "egress";
	const bool approves = strcmp(argv[0], "approve") == 0;
	struct control_options options;
	struct json_writer json;
	const char *operands[2];
	argv[0] = command;
	int status = control_read_operands(argc, argv, "ORIGIN HOST:PORT", operands, 2, &options);
	if (status != CLI_DONE)
		return status;
	json_begin(&json);
	json_add_text(&json, "origin", span_from_str(operands[0]));
	json_add_text(&json, "destination", span_from_str(operands[1]));
	return control_order_json(command, &options, approves ? "/api/egress/approve" : "/api/egress/forget", &json, WAIT_S, NULL);
}
