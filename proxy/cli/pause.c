/* sallyport pause and resume: for a while a leg of a site only watches, so that an operator gets
 * out of trouble without a new policy. The server checks the site; what can be wrong on the command
 * line is wrong use and never sent. */
#include "sallyport/cli.h"

#include "cli/control.h"
#include "sallyport/site_state.h"
#include "sallyport/units.h"

enum { WAIT_S = 10 };

static int order(const char *command, const struct control_options *options, const char *leg,
		 const char *site, uint64_t duration_ms, const char *done)
{
	struct json_writer json;
	struct strbuf content;
	strbuf_init(&content, 4096);
	json_begin(&json);
	json_add_text(&json, "leg", span_from_str(leg));
	json_add_text(&json, "site", span_from_str(site));
	json_add_number(&json, "duration_ms", duration_ms);
	int status = CLI_NO;
	if (json_end(&json, &content))
		status = control_order(command, options, "/api/pause", content.data, WAIT_S, done);
	else
		fprintf(stderr, "sallyport %s: the order is too long\n", command);
	strbuf_release(&content);
	return status;
}

static int check_target(const char *command, const char *leg, const char *site)
{
	if (leg_lookup(leg) == LEG_UNSET)
		return cli_wrong_use(command, "\"%s\" cannot be paused, \"shield\" and \"guard\" can", leg);
	if (!site[0] || strlen(site) >= SITE_NAME_SIZE)
		return cli_wrong_use(command, "\"%.64s\" is no name of a site", site);
	return CLI_DONE;
}

int cli_pause(int argc, char **argv)
{
	struct control_options options;
	const char *operands[3];
	char done[256];
	uint64_t ms;
	int status = control_read_operands(argc, argv, "LEG SITE DURATION", operands, 3, &options);
	if (status == CLI_DONE)
		status = check_target(argv[0], operands[0], operands[1]);
	if (status != CLI_DONE)
		return status;
	if (!units_parse_time(span_from_str(operands[2]), &ms))
		return cli_wrong_use(argv[0], "\"%s\" is no duration, such as 90s, 30min, 2h or 1d",
				     operands[2]);
	if (ms > PAUSE_MAX_MS)
		return cli_wrong_use(argv[0], "a pause lasts at most 7d");
	if (ms > 0)
		snprintf(done, sizeof(done), "The %s of %s only watches for %.32s.", operands[0],
			 operands[1], operands[2]);
	else
		snprintf(done, sizeof(done), "The %s of %s is not paused.", operands[0],
			 operands[1]);
	return order(argv[0], &options, operands[0], operands[1], ms, done);
}

int cli_resume(int argc, char **argv)
{
	struct control_options options;
	const char *operands[2];
	char done[256];
	int status = control_read_operands(argc, argv, "LEG SITE", operands, 2, &options);
	if (status == CLI_DONE)
		status = check_target(argv[0], operands[0], operands[1]);
	if (status != CLI_DONE)
		return status;
	snprintf(done, sizeof(done), "The %s of %s is not paused.", operands[0], operands[1]);
	return order(argv[0], &options, operands[0], operands[1], 0, done);
}
