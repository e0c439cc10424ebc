/* sallyport replay: what a policy would have made of the requests in access logs, by the same code that
 * judges live ones, and what that changes: newly rejected, newly passed, by rule. Opens no socket and
 * needs no right but to read the logs.
 *
 * What a log does not have is not replayed, and the answer says so: content, cookies, most fields,
 * and how often somebody asked. */
#include "cli/replay.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/replay_source.h"
#include "sallyport/cli.h"

enum { OPTION_AGAINST = 256, OPTION_FORMAT, OPTION_SITE, OPTION_JSON, OPTION_TOP, OPTION_SHOW };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"against", required_argument, NULL, OPTION_AGAINST},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"site", required_argument, NULL, OPTION_SITE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"top", required_argument, NULL, OPTION_TOP},
    {"show", required_argument, NULL, OPTION_SHOW},
    {NULL, 0, NULL, 0},
};

static bool read_format(const char *word, enum log_dialect *dialect)
{
	static const char *const words[] = {[DIALECT_AUTO] = "auto", [DIALECT_COMBINED] = "combined", [DIALECT_JSON] = "json",
					    [DIALECT_SALLYPORT] = "sallyport"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], word) == 0) {
			*dialect = (enum log_dialect)i;
			return true;
		}
	}
	return false;
}

static bool read_count(const char *text, uint64_t max, uint64_t *out)
{
	return span_to_u64(span_from_str(text), max, out);
}

static int read_option(int option, struct replay *r)
{
	switch (option) {
	case 'c': r->path = optarg; break;
	case OPTION_AGAINST: r->against = optarg; break;
	case OPTION_SITE: r->site = optarg; break;
	case OPTION_JSON: r->as_json = true; break;
	case OPTION_FORMAT:
		if (!read_format(optarg, &r->dialect))
			return cli_wrong_use("replay", "--format is auto, combined, json or sallyport, not \"%s\"", optarg);
		break;
	case OPTION_TOP:
		if (!read_count(optarg, TALLY_ROWS_MAX, &r->top))
			return cli_wrong_use("replay", "--top is a number up to %d", TALLY_ROWS_MAX);
		break;
	case OPTION_SHOW:
		if (!read_count(optarg, TALLY_SHOW_MAX, &r->show))
			return cli_wrong_use("replay", "--show is a number up to %d", TALLY_SHOW_MAX);
		break;
	default: return CLI_WRONG_USE;
	}
	return CLI_DONE;
}

static int read_options(int argc, char **argv, struct replay *r)
{
	int option;
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":c:", options, NULL)) != -1) {
		if (option == ':' || option == '?')
			return cli_refuse_option("replay", option, argv[optind - 1], options);
		int status = read_option(option, r);
		if (status != CLI_DONE)
			return status;
	}
	if (optind == argc)
		return cli_wrong_use("replay", "which log? Name files, or - for standard input");
	r->logs = argv + optind;
	r->log_count = (size_t)(argc - optind);
	return CLI_DONE;
}

/* ---- requests ---- */

/* One request, what was thought of it then and what is thought now. */
struct seen {
	struct tally_entry entry;
	struct opinion now, was;
	enum then then;
	char rule[TALLY_NAME_MAX]; /* was.rule, of our own log */
};

static const char *about(const struct replay *r, enum row_class class, const struct opinion *opinion)
{
	const struct replay_judge *judge = class == ROW_PASSED ? r->old : r->judge;
	const char *text = opinion->rule && judge ? replay_judge_message(judge, opinion->rule) : NULL;
	return text ? text : reason_text(opinion->reason);
}

/* The exception that would have let it pass: of a rule that refuses what had been answered well. */
static bool suggest(struct replay *r, struct row *row, const struct seen *seen)
{
	struct strbuf text;
	if (row->exception || row->succeeded == 0 || seen->entry.opinion != &seen->now)
		return true;
	strbuf_init(&text, TALLY_EXAMPLE_MAX);
	replay_judge_suggest(r->judge, &seen->now, &text);
	row->exception = text.len > 0 && !text.truncated ? strdup(text.data) : NULL;
	bool ok = text.len == 0 || text.truncated || row->exception;
	strbuf_release(&text);
	return ok;
}

static bool count(struct replay *r, enum row_class class, struct seen *seen)
{
	struct tally_entry entry = seen->entry;
	entry.class = class;
	entry.opinion = class == ROW_PASSED ? &seen->was : &seen->now;
	seen->entry.opinion = entry.opinion;
	struct row *row = tally_add(&r->tally, &entry);
	if (!row)
		return false;
	if (!row->about)
		row->about = about(r, class, entry.opinion);
	return suggest(r, row, seen);
}

/* What refused by our own log, as if a policy had said so. */
static void opinion_then(struct seen *seen)
{
	const struct logged_verdict *verdict = &seen->entry.request->verdict;
	struct span name = verdict->rule;
	seen->was = (struct opinion){
	    .refused = true, .reason = reason_lookup(verdict->reason), .evidence = verdict->evidence};
	if (name.len == 0)
		return;
	size_t len = name.len < TALLY_NAME_MAX ? name.len : TALLY_NAME_MAX - 1;
	memcpy(seen->rule, name.ptr, len);
	seen->rule[len] = '\0';
	ascii_replace_controls(seen->rule, len);
	seen->was.rule = seen->rule;
}

static void judge_then(struct replay *r, struct seen *seen)
{
	if (!r->old) {
		opinion_then(seen);
		seen->then = replay_then(seen->entry.request);
		return;
	}
	replay_judge_ask(r->old, seen->entry.request, &seen->was);
	seen->then = seen->was.refused ? THEN_REFUSED : THEN_PASSED;
}

/* False: no memory. */
static bool compare(struct replay *r, struct seen *seen)
{
	struct tally *tally = &r->tally;
	replay_judge_ask(r->judge, seen->entry.request, &seen->now);
	if (seen->now.is_elsewhere) {
		tally->elsewhere++;
		return true;
	}
	judge_then(r, seen);
	bool refused = seen->now.refused, was_refused = seen->then == THEN_REFUSED || seen->then == THEN_REFUSED_UNSEEN;
	tally->requests++;
	tally->refused_both += was_refused && refused;
	tally->passed_both += !was_refused && !refused;
	tally->unseen += seen->then == THEN_REFUSED_UNSEEN && !refused;
	if (refused && !was_refused)
		return count(r, ROW_REJECTED, seen);
	if (seen->now.watched && !count(r, ROW_WATCHED, seen))
		return false;
	return refused || seen->then != THEN_REFUSED || count(r, ROW_PASSED, seen);
}

static bool take_line(struct replay *r, const char *log, uint64_t number, char *line, size_t len)
{
	struct logged request;
	struct err err = {"not understood"};
	struct seen seen;
	switch (line_read(&r->reader, line, len, &request, &err)) {
	case LINE_BAD: tally_bad(&r->tally, log, number, err.text); return true;
	case LINE_REQUEST: break;
	default: r->tally.others++; return true;
	}
	if (request.is_egress) {
		r->tally.others++;
		return true;
	}
	if (request.is_cut) {
		r->tally.cut++;
		return true;
	}
	seen.entry = (struct tally_entry){.request = &request, .log = log, .line = number};
	return compare(r, &seen);
}

/* ---- logs ---- */

static bool take_log(struct replay *r, struct log_source *source, const char *log, struct err *err)
{
	char *line = NULL;
	size_t len = 0;
	for (;;) {
		enum source_line kind = log_source_next(source, &line, &len, err);
		if (kind == SOURCE_FAILED || kind == SOURCE_END)
			return kind == SOURCE_END;
		r->tally.lines++;
		if (kind == SOURCE_TOO_LONG)
			tally_bad(&r->tally, log, log_source_number(source), "longer than 256 KiB");
		else if (!take_line(r, log, log_source_number(source), line, len))
			return err_set(err, "out of memory");
	}
}

/* False: it could not be read to its end. */
static bool read_log(struct replay *r, const char *log)
{
	struct err err = {"cannot be read"};
	const char *name = strcmp(log, "-") == 0 ? "standard input" : log;
	struct log_source *source = log_source_open(log, &err);
	bool ok = source && take_log(r, source, name, &err);
	if (!ok)
		fprintf(stderr, "sallyport replay: %s: %s\n", name, err.text);
	log_source_close(source);
	return ok;
}

static int run(struct replay *r)
{
	bool ok = true;
	for (size_t i = 0; i < r->log_count; i++)
		ok &= read_log(r, r->logs[i]);
	const struct tally *tally = &r->tally;
	if (tally->lines > 0 && tally->requests + tally->elsewhere + tally->cut == 0) {
		fprintf(stderr, "sallyport replay: not one line tells of a request; --format says which form is meant\n");
		ok = false;
	}
	if (!replay_say(r)) {
		fprintf(stderr, "sallyport replay: cannot write the answer\n");
		ok = false;
	}
	if (!ok)
		return CLI_WRONG_USE;
	return tally->totals[ROW_REJECTED].count > 0 ? CLI_NO : CLI_DONE;
}

static bool prepare(struct replay *r)
{
	r->judge = replay_judge_new(r->path, r->site);
	if (!r->judge)
		return false;
	r->old = r->against ? replay_judge_new(r->against, NULL) : NULL;
	return !r->against || r->old;
}

int cli_replay(int argc, char **argv)
{
	struct replay r = {.top = 20, .show = 3};
	int status = read_options(argc, argv, &r);
	if (status != CLI_DONE)
		return status;
	status = CLI_WRONG_USE;
	if (!line_reader_init(&r.reader, r.dialect) || !tally_init(&r.tally, (size_t)r.show))
		fprintf(stderr, "sallyport replay: out of memory\n");
	else if (prepare(&r))
		status = run(&r);
	replay_judge_free(r.judge);
	replay_judge_free(r.old);
	tally_release(&r.tally);
	line_reader_release(&r.reader);
	return status;
}
