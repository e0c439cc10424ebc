/* sallyport vault approve, reject, rollback, pin, …: an operator decides what is known to be good. The
 * command only writes the order down; the running server's keeper carries it out. */
#include "sallyport/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <time.h>

#include "cli/control.h"
#include "cli/vault.h"
#include "sallyport/clock.h"
#include "sallyport/units.h"
#include "sallyport/url.h"
#include "sallyport/vault_order.h"

enum { WAIT_S = 60 };
enum {
	OPTION_SOCKET = 256, OPTION_URL, OPTION_ALL, OPTION_VERSION, OPTION_TO, OPTION_FOR,
	OPTION_VALID, OPTION_TOKEN, OPTION_WHY,
};

static const struct option options_known[] = {
    {"config", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"url", required_argument, NULL, OPTION_URL},
    {"all", no_argument, NULL, OPTION_ALL},
    {"version", required_argument, NULL, OPTION_VERSION},
    {"to", required_argument, NULL, OPTION_TO},
    {"for", required_argument, NULL, OPTION_FOR},
    {"valid", required_argument, NULL, OPTION_VALID},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"why", required_argument, NULL, OPTION_WHY},
    {NULL, 0, NULL, 0},
};

/* ---- values ---- */

/* As pages are named: the canonical path, and the query as it is. */
static bool read_url(const char *text, char *out, size_t room, struct err *err)
{
	struct span given = span_from_str(text);
	struct url_target target;
	struct url_canon canon;
	enum reason reason;
	if (given.len > PAGE_KEY_MAX || !url_split(given, &target, &reason) ||
	    (target.form != URL_ORIGIN && target.form != URL_ABSOLUTE))
		return err_set(err, "--url: \"%.64s\" is no path, such as /news?page=2", text);
	char *buf = malloc(URL_CANON_ROOM(target.path.len));
	if (!buf)
		return err_set(err, "out of memory");
	url_canon_path(target.path, buf, &canon);
	int len = snprintf(out, room, "%.*s%s%.*s", SPAN_ARG(canon.path), target.query.ptr ? "?" : "",
			   (int)target.query.len, target.query.ptr ? target.query.ptr : "");
	free(buf);
	return (len > 0 && (size_t)len < room) || err_set(err, "--url: it is too long");
}

static bool read_duration(const char *option, const char *text, uint64_t *out, struct err *err)
{
	if (units_parse_time(span_from_str(text), out) && *out <= PUBLISH_MAX_MS)
		return true;
	return err_set(err, "%s: \"%.32s\" is no duration of at most a day, such as 10min", option,
		       text);
}

static bool read_version(const char *option, const char *text, uint32_t *out, struct err *err)
{
	uint64_t number;
	if (!span_to_u64(span_from_str(text), UINT32_MAX, &number) || number == 0)
		return err_set(err, "%s: \"%.32s\" is no number of a version", option, text);
	*out = (uint32_t)number;
	return true;
}

static bool read_iso(const char *text, uint64_t *out)
{
	struct tm when = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &when);
	if (!end)
		end = strptime(text, "%Y-%m-%d %H:%M:%S", &when);
	if (!end)
		end = strptime(text, "%Y-%m-%d", &when);
	if (!end || (*end && strcmp(end, "Z") != 0))
		return false;
	time_t seconds = timegm(&when);
	*out = seconds > 0 ? (uint64_t)seconds : 0;
	return seconds > 0;
}

/* A version, a time (UTC), or how long ago. */
static bool read_goal(const char *text, struct vault_order *order, struct err *err)
{
	uint64_t ago_ms, now_s = clock_wall_us() / 1000000, unused;
	if (span_to_u64(span_from_str(text), UINT32_MAX, &unused))
		return read_version("--to", text, &order->version, err);
	if (read_iso(text, &order->time_s))
		return true;
	if (!units_parse_time(span_from_str(text), &ago_ms) || ago_ms / 1000 >= now_s)
		return err_set(err, "--to: \"%.32s\" is no version, no time such as "
				    "2026-11-23T21:08:24Z, and not how long ago, such as 2h",
			       text);
	order->time_s = now_s - ago_ms / 1000;
	return true;
}

static bool copy(const char *option, const char *text, char *out, size_t room, struct err *err)
{
	if (strlen(text) >= room)
		return err_set(err, "%s: it has at most %zu bytes", option, room - 1);
	memcpy(out, text, strlen(text) + 1);
	return true;
}

/* ---- the command line ---- */

struct line {
	struct vault_order order;
	const char *socket, *policy;
	bool has_duration;
};

static bool take_option(struct line *line, int option, struct err *err)
{
	struct vault_order *order = &line->order;
	switch (option) {
	case 'c': line->policy = optarg; return true;
	case OPTION_SOCKET: line->socket = optarg; return true;
	case OPTION_URL: return read_url(optarg, order->url, sizeof(order->url), err);
	case OPTION_ALL: order->all = 1; return true;
	case OPTION_VERSION: return read_version("--version", optarg, &order->version, err);
	case OPTION_TO: return read_goal(optarg, order, err);
	case OPTION_FOR:
		line->has_duration = true;
		return read_duration("--for", optarg, &order->duration_ms, err);
	case OPTION_VALID: return read_duration("--valid", optarg, &order->valid_ms, err);
	case OPTION_TOKEN: return copy("--token", optarg, order->token, sizeof(order->token), err);
	case OPTION_WHY: return copy("--why", optarg, order->why, sizeof(order->why), err);
	default: return false;
	}
}

static bool read_line(int argc, char **argv, struct line *line, struct err *err)
{
	int option;
	char fault[CLI_FAULT_SIZE];
	*line = (struct line){.order.verb = vault_verb_lookup(argv[0])};
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":c:", options_known, NULL)) != -1) {
		if (option == ':' || option == '?')
			return err_set(err, "%s", cli_option_fault(option, argv[optind - 1], options_known, fault));
		if (!take_option(line, option, err))
			return false;
	}
	if (argc - optind != 1)
		return err_set(err, "it takes the name of one site");
	if (line->socket && line->policy)
		return err_set(err, "--socket and -c exclude each other");
	if (line->order.verb == VERB_PUBLISH && !line->has_duration && !line->order.token[0])
		return err_set(err, "for how long? --for 10min opens a window, --for 0s ends it");
	return copy("SITE", argv[optind], line->order.site, sizeof(line->order.site), err) &&
	       vault_order_check(&line->order, err);
}

/* ---- the order ---- */

static int send_order(const char *command, const struct control_options *options,
		      const struct vault_order *order)
{
	struct json_writer json;
	char path[64];
	snprintf(path, sizeof(path), "/api/vault/%s", vault_verb_name(order->verb));
	json_begin(&json);
	json_add_text(&json, "site", span_from_str(order->site));
	json_add_text(&json, "url", span_from_str(order->url));
	json_add_text(&json, "token", span_from_str(order->token));
	json_add_text(&json, "why", span_from_str(order->why));
	json_add_bool(&json, "all", order->all != 0);
	json_add_number(&json, "version", order->version);
	json_add_number(&json, "time_s", order->time_s);
	json_add_number(&json, "duration_ms", order->duration_ms);
	json_add_number(&json, "valid_ms", order->valid_ms);
	return control_order_json(command, options, path, &json, WAIT_S, NULL);
}

int vault_order(int argc, char **argv)
{
	static struct line line;
	struct control_options options;
	struct err err;
	char command[64];
	snprintf(command, sizeof(command), "vault %.32s", argv[0]);
	if (!read_line(argc, argv, &line, &err)) {
		fprintf(stderr, "sallyport %s: %s\nSee: sallyport help vault\n", command, err.text);
		return CLI_WRONG_USE;
	}
	int status = control_find_server(command, line.socket, line.policy, &options);
	return status == CLI_DONE ? send_order(command, &options, &line.order) : status;
}
