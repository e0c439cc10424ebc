/* sallyport egress quarantine and release: an operator decides about an egress origin. The server checks the
 * origin; what can be wrong on the command line is wrong use and never sent. */
#include <getopt.h>
#include <string.h>

#include "cli/control.h"
#include "cli/egress.h"
#include "sallyport/cli.h"
#include "sallyport/egress_order.h"
#include "sallyport/units.h"

enum { WAIT_S = 10 };
enum { OPTION_SOCKET = 256, OPTION_STAGE, OPTION_FOR };

static const struct option options_known[] = {
    {"config", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"stage", required_argument, NULL, OPTION_STAGE},
    {"for", required_argument, NULL, OPTION_FOR},
    {NULL, 0, NULL, 0},
};

struct line {
	const char *socket, *policy, *origin;
	enum egress_stage stage;
	uint64_t duration_ms;
};

static int read_stage(const char *text, enum egress_stage *out)
{
	*out = strcmp(text, "1") == 0   ? EGRESS_LISTED_ONLY
	       : strcmp(text, "2") == 0 ? EGRESS_REPLIES_ONLY
					: egress_stage_lookup(text);
	if (*out == EGRESS_LISTED_ONLY || *out == EGRESS_REPLIES_ONLY)
		return CLI_DONE;
	return cli_wrong_use("egress", "--stage: \"%.32s\" is none: 1 (listed-only) and 2 (replies-only) are", text);
}

static int read_duration(const char *text, uint64_t *out)
{
	if (units_parse_time(span_from_str(text), out) && *out > 0 && *out <= EGRESS_ORDER_MAX_MS)
		return CLI_DONE;
	return cli_wrong_use("egress", "--for: \"%.32s\" is no duration of at most 365d, such as 30min or 12h; without "
				       "--for it lasts until released",
			     text);
}

static int take_option(int option, struct line *line, bool is_quarantine, const char *name)
{
	switch (option) {
	case 'c': line->policy = optarg; return CLI_DONE;
	case OPTION_SOCKET: line->socket = optarg; return CLI_DONE;
	case OPTION_STAGE:
		if (is_quarantine)
			return read_stage(optarg, &line->stage);
		break;
	case OPTION_FOR:
		if (is_quarantine)
			return read_duration(optarg, &line->duration_ms);
		break;
	default: break;
	}
	return cli_refuse_option("egress", option, name, options_known);
}

static int read_line(int argc, char **argv, bool is_quarantine, struct line *line)
{
	int option, status = CLI_DONE;
	*line = (struct line){.stage = EGRESS_LISTED_ONLY};
	opterr = 0;
	optind = 1;
	while (status == CLI_DONE && (option = getopt_long(argc, argv, ":c:", options_known, NULL)) != -1)
		status = take_option(option, line, is_quarantine, argv[optind - 1]);
	if (status != CLI_DONE)
		return status;
	if (argc - optind != 1)
		return cli_wrong_use("egress", "%s takes one ORIGIN, an address of egress.origins", argv[0]);
	line->origin = argv[optind];
	if (!line->origin[0] || strlen(line->origin) >= EGRESS_NAME_SIZE)
		return cli_wrong_use("egress", "\"%.64s\" is no egress origin", line->origin);
	if (line->socket && line->policy)
		return cli_wrong_use("egress", "--socket and -c exclude each other");
	return CLI_DONE;
}

int egress_cli_order(int argc, char **argv)
{
	bool is_quarantine = strcmp(argv[0], "quarantine") == 0;
	struct control_options options;
	struct json_writer json;
	struct line line;
	int status = read_line(argc, argv, is_quarantine, &line);
	if (status == CLI_DONE)
		status = control_find_server("egress", line.socket, line.policy, &options);
	if (status != CLI_DONE)
		return status;
	json_begin(&json);
	json_add_text(&json, "origin", span_from_str(line.origin));
	if (is_quarantine) {
		json_add_text(&json, "stage", span_from_str(egress_stage_name(line.stage)));
		json_add_number(&json, "duration_ms", line.duration_ms);
	}
	return control_order_json("egress", &options, is_quarantine ? "/api/egress/quarantine" : "/api/egress/release", &json,
				  WAIT_S, NULL);
}
