/* sallyport bans: networks that nobody is to hear from for a while, on the running server. */
#include <string.h>

#include "cli/control.h"
#include "sallyport/ban_list.h"
#include "sallyport/cli.h"
#include "sallyport/units.h"

enum { WAIT_S = 10 };

static void print_ban(const struct json_value *ban)
{
	control_print_cell(ban, "network", 40);
	if (json_member(ban, "left_s")) {
		fputs(" for another ", stdout);
		control_print_duration(json_number(ban, "left_s"));
		fputs(", until ", stdout);
		control_print(stdout, json_text(ban, "until", "-"));
		puts("");
	} else {
		puts(" until it is lifted");
	}
}

static int list(const char *command, const struct control_options *options)
{
	struct control_answer answer;
	struct err err = {{0}};
	bool ok = control_ask(options, "GET", "/api/status", NULL, WAIT_S, &answer, &err);
	struct json_value *status = ok ? json_read(strbuf_span(&answer.body), &err) : NULL;
	const struct json_value *bans = status ? json_member(status, "bans") : NULL;
	for (size_t i = 0; bans && i < json_count(bans); i++)
		print_ban(json_element(bans, i));
	if (!bans)
		fprintf(stderr, "sallyport %s: the server does not say: %s\n", command, err.text);
	else if (json_count(bans) == 0)
		puts("Nobody is banned by order.");
	json_free(status);
	control_answer_release(&answer);
	return bans ? CLI_DONE : CLI_NO;
}

static int check(const char *command, const char *network, const char *duration, uint64_t *ms)
{
	struct cidr cidr;
	struct err err = {{0}};
	*ms = 0;
	if (!cidr_parse(span_from_str(network), &cidr, &err) || strlen(network) >= BAN_TEXT_SIZE)
		return cli_wrong_use(command, "%s", err.text);
	if (duration && (!units_parse_time(span_from_str(duration), ms) || *ms == 0 || *ms > BAN_MAX_MS))
		return cli_wrong_use(command, "\"%s\" is no duration, such as 90s, 30min, 2h or 30d, of at most 365d", duration);
	return CLI_DONE;
}

static int order(const char *command, const struct control_options *options, const char *path, const char *network,
		 uint64_t ms)
{
	struct json_writer json;
	json_begin(&json);
	json_add_text(&json, "network", span_from_str(network));
	if (ms > 0)
		json_add_number(&json, "duration_ms", ms);
	return control_order_json(command, options, path, &json, WAIT_S, NULL);
}

int cli_bans(int argc, char **argv)
{
	static const char synopsis[] = "list, add NETWORK [DURATION] or lift NETWORK";
	struct control_options options;
	const char *operands[3] = {0};
	uint64_t ms = 0;
	int n, status = control_read_some_operands(argc, argv, synopsis, operands, 1, 3, &n, &options);
	if (status != CLI_DONE)
		return status;
	if (strcmp(operands[0], "list") == 0 && n == 1)
		return list(argv[0], &options);
	const bool adds = strcmp(operands[0], "add") == 0 && n >= 2, lifts = strcmp(operands[0], "lift") == 0 && n == 2;
	if (!adds && !lifts)
		return cli_wrong_use(argv[0], "%s", synopsis);
	status = check(argv[0], operands[1], n > 2 ? operands[2] : NULL, &ms);
	return status != CLI_DONE ? status
				  : order(argv[0], &options, adds ? "/api/bans/add" : "/api/bans/lift", operands[1], ms);
}
