/* sallyport pause and resume: for a while a leg only watches, so that an operator gets out of trouble without
 * a new policy. Shield and guard are of a site, egress is of the server as a whole. The server checks the site;
 * what can be wrong on the command line is wrong use and never sent. */
#include "sallyport/cli.h"

#include "cli/control.h"
#include "sallyport/site_state.h"
#include "sallyport/units.h"

enum { WAIT_S = 10 };

struct target {
	const char *leg;
	const char *site; /* NULL: of the leg egress, which has none */
};

/* "The shield of shop", "Egress" */
static void describe(const struct target *target, char *out, size_t room)
{
	if (target->site)
		snprintf(out, room, "The %s of %s", target->leg, target->site);
	else
		snprintf(out, room, "Egress");
}

static int order(const char *command, const struct control_options *options, const struct target *target,
		 uint64_t duration_ms, const char *done)
{
	struct json_writer json;
	json_begin(&json);
	json_add_text(&json, "leg", span_from_str(target->leg));
	if (target->site)
		json_add_text(&json, "site", span_from_str(target->site));
	json_add_number(&json, "duration_ms", duration_ms);
	return control_order_json(command, options, "/api/pause", &json, WAIT_S, done);
}

/* operands: of n, without the duration. */
static int read_target(const char *command, const char *const *operands, int n, struct target *out)
{
	enum leg leg = leg_lookup(operands[0]);
	*out = (struct target){operands[0], n > 1 ? operands[1] : NULL};
	if (leg == LEG_UNSET)
		return cli_wrong_use(command, "\"%s\" cannot be paused, \"shield\", \"guard\" and \"egress\" can",
				     out->leg);
	if (leg == LEG_EGRESS && out->site)
		return cli_wrong_use(command, "egress has no site: it is paused as a whole, such as: sallyport %s egress%s", command,
				     strcmp(command, "pause") == 0 ? " 30min" : "");
	if (leg != LEG_EGRESS && !out->site)
		return cli_wrong_use(command, "whose %s? The name of a site belongs after it", out->leg);
	if (out->site && (!out->site[0] || strlen(out->site) >= SITE_NAME_SIZE))
		return cli_wrong_use(command, "\"%.64s\" is no name of a site", out->site);
	return CLI_DONE;
}

static int read_duration(const char *command, const char *text, uint64_t *ms)
{
	if (!units_parse_time(span_from_str(text), ms))
		return cli_wrong_use(command, "\"%s\" is no duration, such as 90s, 30min, 2h or 1d", text);
	if (*ms > PAUSE_MAX_MS)
		return cli_wrong_use(command, "a pause lasts at most 7d");
	return CLI_DONE;
}

static void say_resumed(const struct target *target, char *done, size_t room)
{
	char what[128];
	describe(target, what, sizeof(what));
	snprintf(done, room, "%s is not paused.", what);
}

int cli_pause(int argc, char **argv)
{
	struct control_options options;
	struct target target;
	const char *operands[3];
	char done[256], what[128];
	uint64_t ms = 0;
	int n, status = control_read_some_operands(argc, argv, "shield SITE, guard SITE or egress, and a DURATION", operands,
						   2, 3, &n, &options);
	if (status == CLI_DONE)
		status = read_target(argv[0], operands, n - 1, &target);
	if (status == CLI_DONE)
		status = read_duration(argv[0], operands[n - 1], &ms);
	if (status != CLI_DONE)
		return status;
	describe(&target, what, sizeof(what));
	if (ms > 0)
		snprintf(done, sizeof(done), "%s only watches for %.32s.", what, operands[n - 1]);
	else
		say_resumed(&target, done, sizeof(done));
	return order(argv[0], &options, &target, ms, done);
}

int cli_resume(int argc, char **argv)
{
	struct control_options options;
	struct target target;
	const char *operands[2];
	char done[256];
	int n, status = control_read_some_operands(argc, argv, "shield SITE, guard SITE or egress", operands, 1, 2, &n,
						   &options);
	if (status == CLI_DONE)
		status = read_target(argv[0], operands, n, &target);
	if (status != CLI_DONE)
		return status;
	say_resumed(&target, done, sizeof(done));
	return order(argv[0], &options, &target, 0, done);
}
