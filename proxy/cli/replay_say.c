/* How replay says what it has counted: as text for a terminal, where no byte of a log arrives as it is, or
 * as JSON. */
#include "cli/replay.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/explain.h"

enum { ANSWER_MAX = 64 << 20, LINE_SHOWN = 200, EVIDENCE_SHOWN = 80 };

#define NOT_REPLAYED "content, cookies, fields that the log does not have, throttles and bans"

static const struct {
	const char *key, *title;
} classes[ROW_CLASSES] = {
    [ROW_REJECTED] = {"newly_rejected", "newly rejected"},
    [ROW_PASSED] = {"newly_passed", "newly passed"},
    [ROW_WATCHED] = {"watched", "watched, and would be rejected but for monitor mode"},
};

static const char *policy_name(const char *path)
{
	return path ? path : "the standard settings";
}

/* ---- text ---- */

static void add_shown(struct strbuf *out, struct span text, size_t max, bool is_cut)
{
	explain_add_shown(out, span_of(text.ptr, text.len < max ? text.len : max));
	if (is_cut || text.len > max)
		strbuf_add_str(out, " ...");
}

static void add_share(struct strbuf *out, uint64_t part, uint64_t all)
{
	if (part > 0)
		strbuf_addf(out, " (%.3f %%)", 100.0 * (double)part / (double)all);
}

/* A start that holds what decided, where there is one. */
static struct span around(const struct example *example)
{
	struct span text = example->request, part = example->evidence;
	const char *at = text.len > LINE_SHOWN && part.len > 0 ? memmem(text.ptr, text.len, part.ptr, part.len) : NULL;
	size_t start = at ? (size_t)(at - text.ptr) : 0;
	return start + part.len <= LINE_SHOWN ? text : span_from(text, start - (start > 40 ? 40 : start));
}

static void say_example(struct strbuf *out, const struct example *example)
{
	struct span shown = around(example);
	strbuf_add_str(out, "          ");
	explain_add_shown(out, example->log);
	strbuf_addf(out, ":%" PRIu64 "  ", example->line);
	if (shown.ptr != example->request.ptr)
		strbuf_add_str(out, "... ");
	add_shown(out, shown, LINE_SHOWN, example->is_cut);
	if (example->status > 0)
		strbuf_addf(out, "  %u", example->status);
	if (example->evidence.len > 0) {
		strbuf_add_str(out, example->name.len > 0 ? "; in " : "; at ");
		if (example->name.len > 0) {
			add_shown(out, example->name, EVIDENCE_SHOWN, false);
			strbuf_add_str(out, ": ");
		}
		add_shown(out, example->evidence, EVIDENCE_SHOWN, false);
	}
	strbuf_add_char(out, '\n');
}

static void say_row(struct strbuf *out, const struct row *row)
{
	strbuf_addf(out, "%8" PRIu64 " %7" PRIu64 " %7" PRIu64 "  %s%s: %s", row->count, row->clients, row->succeeded,
		    row->is_rule ? "rule " : "", row->name, row->about);
	if (row->setting)
		strbuf_addf(out, "   [%s]", row->setting);
	if (row->limit > 0)
		strbuf_addf(out, " the limit is %" PRIu64, row->limit);
	if (row->limit > 0 && row->value_max > 0)
		strbuf_addf(out, ", the most was %" PRIu64, row->value_max);
	strbuf_add_char(out, '\n');
	for (size_t i = 0; i < row->example_count; i++)
		say_example(out, row->examples[i]);
	if (row->exception)
		strbuf_addf(out, "          exceptions = ( %s );\n", row->exception);
}

static void say_class(struct strbuf *out, const struct replay *r, enum row_class class)
{
	uint64_t shown = 0, left = 0;
	if (r->tally.totals[class].count == 0)
		return;
	strbuf_addf(out, "\n%s\n   count clients 2xx/3xx  what\n", classes[class].title);
	for (const struct row *row = r->tally.rows; row; row = row->hh.next) {
		if (row->class != class)
			continue;
		if (shown < r->top)
			say_row(out, row);
		left += shown >= r->top;
		shown++;
	}
	if (left > 0)
		strbuf_addf(out, "          and %" PRIu64 " others (--top)\n", left);
}

static void say_count(struct strbuf *out, uint64_t count, const char *what)
{
	if (count > 0)
		strbuf_addf(out, "%8" PRIu64 " %s\n", count, what);
}

static void say_total(struct strbuf *out, const struct tally *tally, enum row_class class)
{
	const struct total *total = &tally->totals[class];
	strbuf_addf(out, "%8" PRIu64 " %s", total->count, classes[class].title);
	add_share(out, total->count, tally->requests);
	if (total->count > 0)
		strbuf_addf(out, ", from %s%" PRIu64 " client%s; %" PRIu64 " had been answered 2xx or 3xx",
			    tally->clients_full ? "at least " : "", total->clients, total->clients == 1 ? "" : "s",
			    total->succeeded);
	strbuf_add_char(out, '\n');
}

static void say_unread(struct strbuf *out, const struct tally *tally)
{
	say_count(out, tally->others, "tell of no request for a site");
	say_count(out, tally->elsewhere, "of other sites");
	say_count(out, tally->cut, "of which the log has a part only, not judged");
	say_count(out, tally->bad, "could not be read:");
	for (uint64_t i = 0; i < tally->bad && i < TALLY_NOTES_MAX; i++) {
		strbuf_add_str(out, "          ");
		explain_add_shown(out, span_from_str(tally->notes[i].log));
		strbuf_addf(out, ":%" PRIu64 "  ", tally->notes[i].line);
		explain_add_shown(out, span_from_str(tally->notes[i].why));
		strbuf_add_char(out, '\n');
	}
}

static void say_text(struct strbuf *out, const struct replay *r)
{
	const struct tally *tally = &r->tally;
	strbuf_addf(out, "%8" PRIu64 " requests replayed, of %" PRIu64 " lines, judged by %s", tally->requests, tally->lines,
		    policy_name(r->path));
	if (r->against)
		strbuf_addf(out, ", compared with %s", r->against);
	strbuf_add_str(out, "\n         not replayed: " NOT_REPLAYED "\n");
	say_unread(out, tally);
	say_count(out, tally->unseen, "refused then for what a log does not have, and pass as far as it shows");
	say_count(out, tally->refused_both, "rejected then and now");
	say_count(out, tally->passed_both, "passed then and now");
	for (int class = 0; class < ROW_CLASSES; class++)
		say_total(out, tally, (enum row_class)class);
	for (int class = 0; class < ROW_CLASSES; class++)
		say_class(out, r, (enum row_class)class);
}

/* ---- JSON ---- */

static void add_example(struct json_writer *json, const struct example *example)
{
	json_open_object(json, NULL);
	json_add_text(json, "log", example->log);
	json_add_number(json, "line", example->line);
	json_add_text(json, "request", example->request);
	json_add_bool(json, "cut", example->is_cut);
	json_add_bool(json, "latin1", !json_is_text(example->request));
	json_add_number(json, "status", example->status);
	json_add_text(json, "client", example->client);
	json_add_text(json, "name", example->name);
	json_add_text(json, "evidence", example->evidence);
	json_close(json);
}

static void add_row(struct json_writer *json, const struct row *row)
{
	json_open_object(json, NULL);
	json_add_text(json, row->is_rule ? "rule" : "reason", span_from_str(row->name));
	json_add_text(json, "about", span_from_str(row->about));
	json_add_number(json, "count", row->count);
	json_add_number(json, "clients", row->clients);
	json_add_number(json, "succeeded", row->succeeded);
	if (row->setting)
		json_add_text(json, "setting", span_from_str(row->setting));
	if (row->limit > 0)
		json_add_number(json, "limit", row->limit);
	if (row->limit > 0 && row->value_max > 0)
		json_add_number(json, "most", row->value_max);
	if (row->exception)
		json_add_text(json, "exception", span_from_str(row->exception));
	json_open_list(json, "examples");
	for (size_t i = 0; i < row->example_count; i++)
		add_example(json, row->examples[i]);
	json_close(json);
	json_close(json);
}

static void add_class(struct json_writer *json, const struct replay *r, enum row_class class)
{
	const struct total *total = &r->tally.totals[class];
	uint64_t shown = 0;
	json_open_object(json, classes[class].key);
	json_add_number(json, "count", total->count);
	json_add_number(json, "clients", total->clients);
	json_add_number(json, "succeeded", total->succeeded);
	json_open_list(json, "by");
	for (const struct row *row = r->tally.rows; row; row = row->hh.next) {
		if (row->class == class && shown++ < r->top)
			add_row(json, row);
	}
	json_close(json);
	json_close(json);
}

static void add_unread(struct json_writer *json, const struct tally *tally)
{
	json_open_list(json, "unread");
	for (uint64_t i = 0; i < tally->bad && i < TALLY_NOTES_MAX; i++) {
		json_open_object(json, NULL);
		json_add_text(json, "log", span_from_str(tally->notes[i].log));
		json_add_number(json, "line", tally->notes[i].line);
		json_add_text(json, "why", span_from_str(tally->notes[i].why));
		json_close(json);
	}
	json_close(json);
}

static bool say_json(struct strbuf *out, const struct replay *r)
{
	const struct tally *tally = &r->tally;
	const struct {
		const char *key;
		uint64_t count;
	} counts[] = {
	    {"lines", tally->lines},		{"requests", tally->requests},
	    {"unreadable", tally->bad},		{"no_requests", tally->others},
	    {"other_sites", tally->elsewhere},	{"cut", tally->cut},
	    {"rejected_unseen", tally->unseen}, {"rejected_both", tally->refused_both},
	    {"passed_both", tally->passed_both},
	};
	struct json_writer json;
	json_begin(&json);
	json_add_text(&json, "policy", span_from_str(r->path ? r->path : ""));
	json_add_text(&json, "against", span_from_str(r->against ? r->against : ""));
	json_add_text(&json, "not_replayed", span_from_str(NOT_REPLAYED));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_add_number(&json, counts[i].key, counts[i].count);
	json_add_bool(&json, "clients_are_exact", !tally->clients_full);
	for (int class = 0; class < ROW_CLASSES; class++)
		add_class(&json, r, (enum row_class)class);
	add_unread(&json, tally);
	if (!json_end(&json, out))
		return false;
	strbuf_add_char(out, '\n');
	return true;
}

bool replay_say(struct replay *r)
{
	struct strbuf out;
	strbuf_init(&out, ANSWER_MAX);
	tally_sort(&r->tally);
	bool ok = true;
	if (r->as_json)
		ok = say_json(&out, r);
	else
		say_text(&out, r);
	ok = ok && !out.truncated && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
	strbuf_release(&out);
	return ok;
}
