/* A logged request becomes the head that it was, as far as the log has it, and that is judged as `explain`
 * judges one: head, target, host, site, address, verdict. Opens no socket. */
#include "cli/replay_judge.h"

#include <stdio.h>
#include <stdlib.h>

#include "sallyport/admission.h"
#include "sallyport/clock.h"
#include "sallyport/exception.h"

enum { ERRORS_MAX = 1 << 20, HEAD_ROOM = 2 * HTTP_HEAD_MAX };

struct replay_judge {
	struct settings *settings;
	const struct site *site; /* that alone is asked about; NULL: all are */
	const char *host;        /* where a log has none */
	struct shield_scratch *scratch;
	struct strbuf text;
	struct http_head head;
	struct subject subject;
	struct verdict verdict;
	char client[ADDR_TEXT_SIZE];
	char room[JUDGE_ROOM(HTTP_HEAD_MAX)];
	char query[HTTP_HEAD_MAX + 1];
};

/* ---- a policy ---- */

static struct settings *load(const char *path)
{
	struct settings_overrides overrides = {.leaves_files = true};
	struct policy_errors *errors = policy_errors_new();
	struct strbuf text;
	if (!path) { /* a site for the asking */
		overrides.origin = "http://127.0.0.1:80";
		overrides.listen = ":8080";
	}
	struct settings *settings = errors ? settings_load(path, &overrides, errors) : NULL;
	strbuf_init(&text, ERRORS_MAX);
	if (errors && !settings) {
		policy_errors_print(errors, &text);
		fputs(text.data ? text.data : "", stderr);
	}
	strbuf_release(&text);
	policy_errors_free(errors);
	return settings;
}

static const struct site *site_named(const struct settings *settings, const char *name)
{
	const struct site *sites = settings->sites.items;
	for (size_t i = 0; i < settings->sites.n; i++) {
		if (strcmp(sites[i].name, name) == 0)
			return &sites[i];
	}
	return NULL;
}

/* Some host that leads there: an exact one, or something below a wildcard. */
static const char *host_of(const struct site *site, struct arena *arena)
{
	const char *found = NULL;
	for (size_t i = 0; i < site->hosts.n && !found; i++)
		found = site->hosts.items[i][0] != '*' ? site->hosts.items[i] : NULL;
	if (found || site->hosts.n == 0)
		return found ? found : "localhost";
	const char *below = site->hosts.items[0] + 1; /* ".shop.example" */
	size_t len = strlen(below);
	char *host = arena_alloc(arena, len + sizeof("www"));
	if (!host)
		return "localhost";
	memcpy(host, "www", 3);
	memcpy(host + 3, below, len + 1);
	return host;
}

static bool prepare(struct replay_judge *judge, const char *site, struct err *err)
{
	const struct settings *settings = judge->settings;
	if (settings->sites.n == 0)
		return err_set(err, "the policy has no site");
	judge->site = site ? site_named(settings, site) : NULL;
	if (site && !judge->site)
		return err_set(err, "the policy has no site \"%s\"", site);
	judge->host = host_of(judge->site ? judge->site : settings->sites.items, settings->arena);
	const struct shield *const *shields = (const struct shield *const *)settings->shields;
	judge->scratch = shield_scratch_new(shields, settings->shield_count, err);
	return judge->scratch != NULL;
}

struct replay_judge *replay_judge_new(const char *path, const char *site)
{
	struct replay_judge *judge = calloc(1, sizeof(*judge));
	struct err err = {"out of memory"};
	if (!judge) {
		fprintf(stderr, "sallyport replay: %s\n", err.text);
		return NULL;
	}
	strbuf_init(&judge->text, HEAD_ROOM);
	judge->settings = load(path);
	if (judge->settings && prepare(judge, site, &err))
		return judge;
	if (judge->settings)
		fprintf(stderr, "sallyport replay: %s: %s\n", path ? path : "standard settings", err.text);
	replay_judge_free(judge);
	return NULL;
}

void replay_judge_free(struct replay_judge *judge)
{
	if (!judge)
		return;
	shield_scratch_free(judge->scratch);
	settings_free(judge->settings);
	strbuf_release(&judge->text);
	free(judge);
}

/* ---- a head ---- */

static bool has_line_end(struct span text)
{
	return text.len > 0 && memchr(text.ptr, '\n', text.len) != NULL;
}

/* A line end in a text would begin another line of the head here, which it did not then. */
static bool is_one_line_each(const struct logged *request)
{
	bool is_split = has_line_end(request->method) || has_line_end(request->target) || has_line_end(request->host);
	for (size_t i = 0; i < request->field_count; i++)
		is_split |= has_line_end(request->fields[i].name) || has_line_end(request->fields[i].value);
	return !is_split;
}

/* HTTP/2 and HTTP/3 say the same in other bytes; sallyport's visitors would have used HTTP/1.1. */
static struct span version_of(const struct logged *request)
{
	struct span version = request->version;
	bool is_later = version.len > 5 && (version.ptr[5] == '2' || version.ptr[5] == '3');
	return is_later ? SPAN("HTTP/1.1") : version;
}

/* What the log says; else what the target does, else a host of the site. */
static struct span host_asked(const struct replay_judge *judge, const struct logged *request)
{
	struct span target = request->target;
	size_t start = span_istarts(target, SPAN("http://"))    ? strlen("http://")
		       : span_istarts(target, SPAN("https://")) ? strlen("https://")
								 : 0;
	if (request->host.ptr)
		return request->host;
	if (start == 0)
		return span_from_str(judge->host);
	target = span_from(target, start);
	target.len = span_find(target, '/');
	return target;
}

static void add_field(struct strbuf *text, struct span name, struct span value)
{
	strbuf_add_span(text, name);
	strbuf_add_str(text, ": ");
	strbuf_add_span(text, value);
	strbuf_add_str(text, "\r\n");
}

static void write_head(struct replay_judge *judge, const struct logged *request)
{
	struct strbuf *text = &judge->text;
	struct span version = version_of(request);
	strbuf_reset(text);
	strbuf_add_span(text, request->method);
	if (request->target.ptr) {
		strbuf_add_char(text, ' ');
		strbuf_add_span(text, request->target);
	}
	if (version.len > 0) {
		strbuf_add_char(text, ' ');
		strbuf_add_span(text, version);
	}
	strbuf_add_str(text, "\r\n");
	add_field(text, SPAN("Host"), host_asked(judge, request));
	for (size_t i = 0; i < request->field_count; i++)
		add_field(text, request->fields[i].name, request->fields[i].value);
	strbuf_add_str(text, "\r\n");
}

/* ---- a verdict ---- */

static void refuse(struct replay_judge *judge, enum reason reason, struct span evidence)
{
	struct verdict *verdict = &judge->verdict;
	*verdict = (struct verdict){.action = VERDICT_REJECT, .reason = reason, .enforced = true, .evidence = evidence};
	verdict->setting = reason == REASON_HOST_UNKNOWN ? "default_site"
							 : judge_limit(judge->settings, reason, &verdict->limit);
}

/* Nobody is throttled: how often somebody asks is not replayed. */
static void judge_address(struct replay_judge *judge, const struct addr *visitor)
{
	static const struct throttle_policy none;
	const struct subject *s = &judge->subject;
	struct admission_notes notes;
	const struct admission_request request = {.visitor = visitor, .path = s->canon.path, .mode = (int)s->mode};
	admission_judge(&s->site->shield_policy.addresses, &none, NULL, &request, &judge->verdict, &notes);
}

/* As front/judge.c: an address that is only watched does not end it, and is told where nothing else refuses. */
static void judge_site(struct replay_judge *judge, const struct logged *request)
{
	struct addr visitor;
	bool is_known = request->client.ptr && addr_parse_ip(request->client, 0, &visitor);
	judge->verdict = (struct verdict){.action = VERDICT_ALLOW, .enforced = true};
	if (judge->subject.is_challenge)
		return;
	if (is_known)
		judge_address(judge, &visitor);
	const struct verdict first = judge->verdict;
	if (first.action != VERDICT_ALLOW && first.enforced)
		return;
	if (is_known)
		judge->subject.client = span_of(judge->client, addr_format_ip(&visitor, judge->client));
	judge->subject.wall_us = clock_wall_us(); /* by what counts now */
	judge_verdict(&judge->head, &judge->subject, judge->scratch, judge->query, &judge->verdict);
	if (first.action != VERDICT_ALLOW && (judge->verdict.action == VERDICT_ALLOW || !judge->verdict.enforced))
		judge->verdict = first;
}

static void judge_head(struct replay_judge *judge, const struct logged *request)
{
	const struct limit_settings *l = &judge->settings->limits;
	const struct http_limits limits = {(uint32_t)l->head_bytes, (uint32_t)l->target_bytes, (uint32_t)l->fields,
					   (uint32_t)l->field_bytes};
	enum reason reason = REASON_UNSET;
	struct span evidence = {0};
	judge->subject.site = NULL;
	if (!is_one_line_each(request))
		return refuse(judge, REASON_BARE_LF, evidence);
	write_head(judge, request);
	if (judge->text.truncated)
		return refuse(judge, REASON_HEAD_TOO_LARGE, evidence);
	if (http_parse_request(judge->text.data, judge->text.len, 0, &limits, &judge->head, &reason, &evidence) !=
	    HTTP_PARSE_DONE)
		return refuse(judge, reason ? reason : REASON_REQUEST_LINE, evidence);
	reason = judge_locate(judge->settings, &judge->head, request->is_tls, judge->room, &judge->subject);
	if (reason != REASON_UNSET)
		return refuse(judge, reason, evidence);
	judge_site(judge, request);
}

const char *replay_judge_message(const struct replay_judge *judge, const char *rule)
{
	const struct settings *settings = judge->settings;
	for (size_t i = 0; i < settings->rule_count; i++) {
		if (strcmp(settings->rule_specs[i].id, rule) == 0)
			return settings->rule_specs[i].message;
	}
	return NULL;
}

static const struct rule_hit *hit_of(const struct replay_judge *judge, const char *rule)
{
	const struct rule_tally *tally = shield_tally(judge->scratch);
	for (uint32_t i = 0; rule && i < tally->hit_count; i++) {
		if (strcmp(rule_set_get(judge->settings->rule_set, tally->hits[i].rule)->id, rule) == 0)
			return &tally->hits[i];
	}
	return NULL;
}

void replay_judge_suggest(const struct replay_judge *judge, const struct opinion *opinion, struct strbuf *out)
{
	const struct rule_hit *hit = opinion->hit;
	if (!hit || memchr(hit->name.len ? hit->name.ptr : "", '%', hit->name.len) ||
	    memchr(hit->name.len ? hit->name.ptr : "", '+', hit->name.len))
		return;
	const struct exception_place place = {
	    .rule = opinion->rule,
	    .path = judge->subject.canon.path,
	    .method = http_method(&judge->head),
	    .target = hit->target,
	    .name = hit->name,
	    .now_us = clock_wall_us(),
	};
	exception_suggest(&place, out);
}

void replay_judge_ask(struct replay_judge *judge, const struct logged *request, struct opinion *opinion)
{
	const struct verdict *verdict = &judge->verdict;
	judge_head(judge, request);
	bool objects = verdict->action != VERDICT_ALLOW;
	*opinion = (struct opinion){
	    .refused = objects && verdict->enforced,
	    .watched = objects && !verdict->enforced,
	    .is_elsewhere = judge->site && request->host.ptr && judge->subject.site != judge->site &&
			    (judge->subject.site || verdict->reason == REASON_HOST_UNKNOWN),
	};
	if (!objects)
		return;
	opinion->reason = verdict->reason;
	opinion->rule = verdict->rule;
	opinion->setting = verdict->setting;
	opinion->limit = verdict->setting ? verdict->limit : 0;
	opinion->value = verdict->setting ? verdict->value : 0;
	opinion->evidence = verdict->evidence;
	opinion->name = verdict->name;
	opinion->hit = hit_of(judge, verdict->rule);
}

/* ---- then ---- */

static bool stands_in(struct span part, struct span text)
{
	return text.len >= part.len && part.len > 0 && memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

/* What decided then: is it in what the log has of the request? */
static bool is_logged(const struct logged *request)
{
	struct span evidence = request->verdict.evidence;
	if (evidence.len == 0 || stands_in(evidence, request->target) || stands_in(evidence, request->method) ||
	    stands_in(evidence, request->verdict.canonical) || stands_in(evidence, request->host) ||
	    stands_in(evidence, request->client))
		return true;
	for (size_t i = 0; i < request->field_count; i++) {
		if (stands_in(evidence, request->fields[i].value))
			return true;
	}
	return false;
}

/* Reasons that are found in a head; framing, content, time and rates are not in a log. */
static bool is_of_head(enum reason reason)
{
	return (reason >= REASON_URL_TOO_LONG && reason <= REASON_ARGUMENT_REPEATED && reason != REASON_CONTENT_TOO_LARGE) ||
	       (reason >= REASON_TARGET_INVALID && reason <= REASON_SCORE) ||
	       (reason >= REASON_RULE && reason <= REASON_QUERY_SEQUENCE && reason != REASON_CONTENT_TYPE_DENIED) ||
	       reason == REASON_SITE_FIELD_TOO_LARGE || reason == REASON_FIELD_RULE_TOO_LARGE ||
	       reason == REASON_FIELD_SEQUENCE || reason == REASON_HOST_UNKNOWN || reason == REASON_ADDRESS_DENIED ||
	       reason == REASON_ADDRESS_NOT_ALLOWED;
}

/* It had passed the shield: what came later, an origin, the guard, or nobody, answered it. */
static bool is_of_answer(enum reason reason)
{
	return (reason >= REASON_ORIGIN_UNRESOLVED && reason <= REASON_GUARD_FULL) || reason == REASON_ORIGIN_TLS ||
	       reason == REASON_ORIGIN_CERTIFICATE || reason == REASON_SEND_TIMEOUT || reason == REASON_CLIENT_GONE ||
	       reason == REASON_TUNNEL_IDLE || reason == REASON_NO_SOCKET || reason == REASON_HTTPS_REDIRECT;
}

enum then replay_then(const struct logged *request)
{
	enum reason reason = reason_lookup(request->verdict.reason);
	if (!request->is_ours)
		return THEN_UNKNOWN;
	if (!request->verdict.refused || is_of_answer(reason))
		return THEN_PASSED;
	return is_of_head(reason) && is_logged(request) ? THEN_REFUSED : THEN_REFUSED_UNSEEN;
}
