/* What the verbs that only show something have in common: they ask the server, and print its answer as it came or
 * as a table. */
#include <stdio.h>

#include "cli/control.h"
#include "cli/egress.h"
#include "sallyport/cli.h"

enum { WAIT_S = 10 };

static int print_answer(const struct egress_view *view, bool as_json, const struct control_answer *answer)
{
	struct span body = strbuf_span(&answer->body);
	struct err err = {""};
	struct json_value *value = json_read(body, &err);
	int status = CLI_DONE;
	if (answer->status != 200 || !value) {
		fprintf(stderr, "sallyport egress %s: the server answered with status %ld: ", view->verb, answer->status);
		control_print(stderr, json_text(value, "errors", err.text));
		fputc('\n', stderr);
		status = CLI_NO;
	} else if (as_json) {
		fwrite(body.ptr, 1, body.len, stdout);
		puts("");
	} else {
		view->print(value);
	}
	json_free(value);
	return status;
}

int egress_cli_show(int argc, char **argv, const struct egress_view *view)
{
	static char command[] = "egress";
	struct control_options options;
	struct control_answer answer;
	struct err err;
	argv[0] = command;
	int status = control_read_options(argc, argv, true, &options);
	if (status != CLI_DONE)
		return status;
	if (control_ask(&options, "GET", view->path, NULL, WAIT_S, &answer, &err)) {
		status = print_answer(view, options.as_json, &answer);
	} else {
		fprintf(stderr, "sallyport egress %s: %s\n", view->verb, err.text);
		status = CLI_NO;
	}
	control_answer_release(&answer);
	return status;
}
