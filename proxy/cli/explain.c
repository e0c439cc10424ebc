/* sallyport explain: what would become of a request, step by step, offline and
 * by the same code that judges live requests: head, target, host, path, site,
 * route, verdict. Opens no socket and needs no rights.
 *
 * The URL is taken byte for byte: nothing is normalised before it is judged. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/explain.h"
#include "sallyport/cli.h"
#include "sallyport/clock.h"
#include "sallyport/judge.h"

enum { OPTION_JSON = 256, OPTION_FROM, OPTION_REQUEST_ID };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'}, {"request", required_argument, NULL, 'X'},
    {"header", required_argument, NULL, 'H'}, {"json", no_argument, NULL, OPTION_JSON},
    {"from", required_argument, NULL, OPTION_FROM}, {"data", required_argument, NULL, 'd'},
    {"request-id", required_argument, NULL, OPTION_REQUEST_ID},
    {NULL, 0, NULL, 0},
};

static int read_options(int argc, char **argv, struct explain *e)
{
	int option;
	opterr = 0;
	optind = 1;
	settings_overrides_from_environment(&e->overrides);
	e->overrides.leaves_files = true;
	while ((option = getopt_long(argc, argv, ":c:X:H:d:", options, NULL)) != -1) {
		switch (option) {
		case 'c': e->path = optarg; break;
		case 'X': e->method = optarg; break;
		case 'd': e->data = optarg; break;
		case 'H':
			if (e->field_count == FIELDS_GIVEN)
				return cli_wrong_use("explain", "at most %d fields", FIELDS_GIVEN);
			e->fields[e->field_count++] = optarg;
			break;
		case OPTION_JSON: e->as_json = true; break;
		case OPTION_FROM: e->from = optarg; break;
		case OPTION_REQUEST_ID: e->request_id = optarg; break;
		default: return cli_refuse_option("explain", option, argv[optind - 1], options);
		}
	}
	if (e->from && !addr_parse_ip(span_from_str(e->from), 0, &e->visitor))
		return cli_wrong_use("explain", "\"%s\" is no address", e->from);
	if (!explain_read_content(e))
		return cli_wrong_use("explain", "%s cannot be read, or is larger than 16 MiB", e->data + 1);
	if (e->request_id && (optind != argc || e->method || e->data || e->from || e->field_count > 0))
		return cli_wrong_use("explain", "--request-id says all about the request");
	if (!e->request_id && optind + 1 != argc)
		return cli_wrong_use("explain", "one URL is needed, or --request-id");
	e->url = argv[optind];
	/* A site for the asking, where nothing names one. */
	if (!e->path && !e->overrides.origin)
		e->overrides.origin = "http://127.0.0.1:80";
	if (!e->path && !e->overrides.listen)
		e->overrides.listen = ":8080";
	return CLI_DONE;
}

static bool is_given(const struct explain *e, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < e->field_count; i++) {
		if (span_istarts(span_from_str(e->fields[i]), span_of(name, len)) && e->fields[i][len] == ':')
			return true;
	}
	return false;
}

static const char *first_host(const struct settings *settings)
{
	const struct site *sites = settings->sites.items;
	for (size_t i = 0; i < settings->sites.n; i++) {
		for (size_t j = 0; j < sites[i].hosts.n; j++) {
			if (sites[i].hosts.items[j][0] != '*')
				return sites[i].hosts.items[j];
		}
	}
	return "localhost";
}

/* The head as a client would send it: the authority of an http URL becomes Host. */
static void write_head(struct explain *e)
{
	struct span url = span_from_str(e->url), host = span_from_str(first_host(e->settings));
	e->is_tls = span_istarts(url, SPAN("https://"));
	if (e->is_tls || span_istarts(url, SPAN("http://"))) {
		struct span rest = span_from(url, strlen(e->is_tls ? "https://" : "http://"));
		size_t end = strcspn(rest.ptr, "/?#");
		host = span_of(rest.ptr, end);
		url = span_from(rest, end);
	}
	strbuf_addf(&e->head, "%s ", e->method ? e->method : e->data ? "POST" : "GET");
	if (url.len == 0 || url.ptr[0] == '?')
		strbuf_add_char(&e->head, '/');
	strbuf_add_span(&e->head, url);
	strbuf_add_str(&e->head, " HTTP/1.1\r\n");
	if (!is_given(e, "Host")) {
		strbuf_add_str(&e->head, "Host: ");
		strbuf_add_span(&e->head, host);
		strbuf_add_str(&e->head, "\r\n");
	}
	for (size_t i = 0; i < e->field_count; i++)
		strbuf_addf(&e->head, "%s\r\n", e->fields[i]);
	if (e->data && !is_given(e, "Content-Type"))
		strbuf_add_str(&e->head, "Content-Type: application/x-www-form-urlencoded\r\n");
	if (e->data && !is_given(e, "Content-Length") && !is_given(e, "Transfer-Encoding"))
		strbuf_addf(&e->head, "Content-Length: %zu\r\n", e->content_len);
	strbuf_add_str(&e->head, "\r\n");
}

static void say_path(struct explain *e, const struct subject *s)
{
	static const char *const forms[] = {
	    [URL_ORIGIN] = "origin-form", [URL_ABSOLUTE] = "absolute-form", [URL_ASTERISK] = "asterisk-form"};
	if (s->target.form == URL_FORM_UNSET)
		return;
	explain_sayf(e, "target", NULL, "%s", forms[s->target.form]);
	if (!s->canon.path.ptr)
		return;
	explain_span(e, "path", s->target.path);
	if (!span_eq(s->canon.path, s->target.path))
		explain_span(e, "canonical", s->canon.path);
	if (!span_eq(s->canon.decoded, s->canon.path))
		explain_span(e, "decoded", s->canon.decoded);
	if (!span_eq(s->forward_path, s->canon.path))
		explain_span(e, "forwarded", s->forward_path);
	if (s->target.query.ptr)
		explain_span(e, "query", s->raw_query.ptr ? s->raw_query : s->target.query);
	if (s->raw_query.ptr)
		explain_span(e, "rewritten", s->target.query);
}

/* No host of the site stands for the one that was asked for. */
static bool is_default(const struct explain *e, const struct subject *s)
{
	if (!e->settings->default_site || strcmp(e->settings->default_site, s->site->name) != 0)
		return false;
	for (size_t i = 0; i < s->site->hosts.n; i++) {
		struct span host = span_from_str(s->site->hosts.items[i]);
		if (host.ptr[0] == '*' ? span_iends(s->host_name.name, span_from(host, 1))
				       : span_ieq(s->host_name.name, host))
			return false;
	}
	return true;
}

static void say_place(struct explain *e, const struct subject *s)
{
	if (s->host.ptr)
		explain_span(e, "host", s->host);
	if (!s->site)
		return;
	explain_sayf(e, "site", is_default(e, s) ? "default_site" : "sites[].hosts", "%s", s->site->name);
	static const char *const modes[] = {
	    [SHIELD_OFF] = "off", [SHIELD_MONITOR] = "monitor", [SHIELD_ENFORCE] = "enforce"};
	if (s->mode != SHIELD_MODE_UNSET)
		explain_sayf(e, "mode",
			     (int)s->mode == s->site->shield_policy.mode ? "sites[].shield.mode"
									 : "sites[].shield.paths",
			     "%s", modes[s->mode]);
	if (s->route)
		explain_sayf(e, "route", s->route->prefix_len > 1 ? "sites[].routes[].path" : "sites[].origins", "%s to %s%s", s->route->prefix, s->route->origins[0].url,
		     s->route->origin_count > 1 ? " and others" : "");
}

/* What of the answer depends on how the visitor came: https, or a plain connection. */
static void say_tls(struct explain *e, const struct subject *s)
{
	static const char *const demands[] = {
	    [TLS_DEMAND_OFF] = "off", [TLS_DEMAND_OPTIONAL] = "optional", [TLS_DEMAND_REQUIRED] = "required"};
	if (!s->site || s->is_challenge)
		return;
	if (!s->is_tls && s->site->tls.redirect)
		explain_sayf(e, "redirect", "sites[].tls.redirect", "what passes is sent to https, port %llu",
			     (unsigned long long)s->site->tls.port);
	else if (s->site->tls.clients.demand != TLS_DEMAND_UNSET)
		explain_sayf(e, "client", "sites[].tls.client_certificate", "certificate %s",
			     demands[s->site->tls.clients.demand]);
}

/* "reject 403", "would close without a word". */
static void add_action(struct strbuf *text, const struct verdict *v)
{
	strbuf_add_str(text, v->enforced ? "" : "would ");
	if (v->action == VERDICT_CLOSE)
		strbuf_add_str(text, "close without a word");
	else if (v->action == VERDICT_TARPIT)
		strbuf_addf(text, "tarpit (hold, then close; reject %u where many are held)", v->status);
	else
		strbuf_addf(text, "reject %u", v->status);
}

static const char *verdict_setting(const struct verdict *v)
{
	return v->action == VERDICT_ALLOW && v->score > 0 ? "sites[].shield.limits.score" : v->setting;
}

static void say_verdict(struct explain *e, const struct verdict *v)
{
	struct strbuf text;
	strbuf_init(&text, 4 * SHOWN_MAX + 1024);
	if (v->action == VERDICT_ALLOW) {
		strbuf_add_str(&text, "allow");
		if (v->score > 0)
			strbuf_addf(&text, "; the score is %u", v->score);
		if (v->excepted)
			strbuf_addf(&text, "; but for an exception %s would have refused it",
				    v->excepted_rule ? v->excepted_rule : v->excepted->finding);
	} else {
		add_action(&text, v);
		strbuf_addf(&text, ", reason %s: %s", reason_name(v->reason), reason_text(v->reason));
		if (v->rule)
			strbuf_addf(&text, "; rule %s", v->rule);
		if (v->setting && v->limit)
			strbuf_addf(&text, "; the limit is %llu", (unsigned long long)v->limit);
		if (v->setting && v->limit && v->value)
			strbuf_addf(&text, ", the value %llu", (unsigned long long)v->value);
		if (v->name.ptr) {
			strbuf_add_str(&text, "; in ");
			explain_add_shown(&text, v->name);
		}
		if (v->evidence.ptr) {
			strbuf_add_str(&text, "; evidence ");
			explain_add_shown(&text, v->evidence);
		}
		if (!v->enforced)
			strbuf_add_str(&text, "; monitor mode: the request goes on");
	}
	explain_say(e, "verdict", verdict_setting(v), &text);
	strbuf_release(&text);
}

static struct verdict refusal(const struct settings *settings, enum reason reason, struct span evidence)
{
	struct verdict verdict = {
	    .action = VERDICT_REJECT,
	    .reason = reason,
	    .status = (uint16_t)reason_status(reason),
	    .enforced = true,
	    .evidence = evidence,
	};
	verdict.setting = reason == REASON_HOST_UNKNOWN ? "default_site"
							: judge_limit(settings, reason, &verdict.limit);
	return verdict;
}

/* True where the visitor's address, if it was told, is refused. */
static bool judge_address(struct explain *e, const struct subject *s, struct verdict *verdict)
{
	const struct address_policy *addresses = &s->site->shield_policy.addresses;
	static const struct throttle_policy none; /* nobody has asked yet */
	struct admission_notes notes;
	struct admission_request request = {.visitor = &e->visitor, .path = s->canon.path, .mode = (int)s->mode};
	if (!e->from)
		return false;
	admission_judge(addresses, &none, NULL, &request, verdict, &notes);
	shield_answer(s->site->shield, verdict);
	return verdict->action != VERDICT_ALLOW;
}

/* Asked of what passes, and is not sent to https first. */
static bool is_malformed_upgrade(const struct http_head *head, const struct subject *s, const struct verdict *verdict)
{
	bool passes = verdict->action == VERDICT_ALLOW || !verdict->enforced;
	return passes && (s->is_tls || !s->site->tls.redirect) && judge_upgrade(head, s) == WEBSOCKET_MALFORMED;
}

static bool judge_head(struct explain *e, const struct http_head *head, const struct subject *s,
		       struct shield_scratch *scratch, struct rule_story *story, struct verdict *verdict)
{
	char *buf = malloc((size_t)head->target_len + 1);
	if (!buf)
		return false;
	explain_ask_exceptions(head, s, &story->asked);
	judge_verdict(head, s, scratch, buf, verdict);
	explain_rules(e, s, story, shield_tally(scratch));
	bool ok = true;
	if (is_malformed_upgrade(head, s, verdict)) {
		*verdict = refusal(e->settings, REASON_UPGRADE_INVALID, (struct span){0});
		shield_answer(s->site->shield, verdict);
	}
	if (verdict->action == VERDICT_ALLOW)
		ok = explain_content(e, head, s, scratch, story, verdict, say_verdict);
	else
		say_verdict(e, verdict);
	free(buf);
	return ok;
}

static bool judge_site(struct explain *e, const struct http_head *head, const struct subject *s,
		       struct verdict *verdict, struct err *err)
{
	const struct shield *shield = s->site->shield;
	struct shield_scratch *scratch = shield_scratch_new(&shield, 1, err);
	struct rule_story story = {.matches = scratch ? explain_watch(scratch) : NULL};
	struct subject asked = *s;
	char client[ADDR_TEXT_SIZE];
	if (e->from)
		asked.client = span_of(client, addr_format_ip(&e->visitor, client));
	bool ok = story.matches && judge_head(e, head, &asked, scratch, &story, verdict);
	ok = explain_watch_end(story.matches) && ok;
	shield_scratch_free(scratch);
	return ok;
}

static bool judge_place(struct explain *e, const struct http_head *head, const struct subject *s,
			struct verdict *verdict, struct err *err)
{
	if (s->is_challenge) { /* whoever asks, and however often */
		explain_sayf(e, "challenge", "acme_webroot", "an ACME challenge, answered from %s",
			     e->settings->acme_webroot);
		*verdict = (struct verdict){.action = VERDICT_ALLOW, .enforced = true};
		say_verdict(e, verdict);
		return true;
	}
	explain_admission(e, head, s);
	if (judge_address(e, s, verdict)) {
		say_verdict(e, verdict);
		return true;
	}
	return judge_site(e, head, s, verdict, err) &&
	       (verdict->action != VERDICT_ALLOW && verdict->enforced ? true : explain_guard(e, head, s));
}

/* Every step of one request. False: something here failed, not the request. */
static bool walk(struct explain *e, struct verdict *verdict, struct err *err)
{
	const struct limit_settings *l = &e->settings->limits;
	const struct http_limits limits = {(uint32_t)l->head_bytes, (uint32_t)l->target_bytes,
					   (uint32_t)l->fields, (uint32_t)l->field_bytes};
	struct http_head head = {0};
	struct subject subject;
	struct span evidence = {0};
	enum reason reason = REASON_UNSET;
	if (http_parse_request(e->head.data, e->head.len, 0, &limits, &head, &reason, &evidence) !=
	    HTTP_PARSE_DONE) {
		/* Nothing of it is missing: what is not whole holds an empty line too early. */
		*verdict = refusal(e->settings, reason ? reason : REASON_REQUEST_LINE, evidence);
		say_verdict(e, verdict);
		return true;
	}
	explain_sayf(e, "head", NULL, "well-formed: %u fields, %u bytes", head.field_count, head.len);
	char *room = malloc(JUDGE_ROOM((size_t)head.target_len));
	if (!room)
		return err_set(err, "out of memory");
	reason = judge_locate(e->settings, &head, e->is_tls, room, &subject);
	subject.wall_us = clock_wall_us();
	say_path(e, &subject);
	say_place(e, &subject);
	say_tls(e, &subject);
	if (subject.site && subject.canon.path.ptr && subject.target.form != URL_ASTERISK)
		explain_findings(e, &head, &subject);
	bool ok = true;
	if (reason != REASON_UNSET) {
		*verdict = refusal(e->settings, reason, (struct span){0});
		say_verdict(e, verdict);
	} else {
		ok = judge_place(e, &head, &subject, verdict, err);
	}
	free(room);
	return ok;
}

static bool load(struct explain *e)
{
	struct policy_errors *errors = policy_errors_new();
	struct strbuf text;
	e->settings = errors ? settings_load(e->path, &e->overrides, errors) : NULL;
	strbuf_init(&text, OUTPUT_MAX);
	if (errors && !e->settings) {
		policy_errors_print(errors, &text);
		fputs(text.data ? text.data : "", stderr);
	}
	strbuf_release(&text);
	policy_errors_free(errors);
	return e->settings != NULL;
}

static const char *action_name(enum verdict_action action)
{
	switch (action) {
	case VERDICT_ALLOW: return "allow";
	case VERDICT_CLOSE: return "close";
	case VERDICT_TARPIT: return "tarpit";
	default: return "reject";
	}
}

static bool finish(struct explain *e, const struct verdict *verdict)
{
	if (e->as_json) {
		json_close(&e->json);
		json_add_bool(&e->json, "allowed", verdict->action == VERDICT_ALLOW || !verdict->enforced);
		json_add_text(&e->json, "action", span_from_str(action_name(verdict->action)));
		json_add_bool(&e->json, "enforced", verdict->enforced);
		json_add_text(&e->json, "reason", span_from_str(reason_name(verdict->reason)));
		json_add_number(&e->json, "status", verdict->status);
		if (verdict->rule)
			json_add_text(&e->json, "rule", span_from_str(verdict->rule));
		if (!json_end(&e->json, &e->out))
			return false;
		strbuf_add_char(&e->out, '\n');
	}
	return !e->out.truncated && fwrite(e->out.data, 1, e->out.len, stdout) == e->out.len &&
	       fflush(stdout) == 0;
}

static int explain(struct explain *e)
{
	struct err err = {"cannot write the answer"};
	struct verdict verdict = {0};
	write_head(e);
	if (e->as_json) {
		json_begin(&e->json);
		json_open_list(&e->json, "steps");
	}
	explain_span(e, "request", span_of(e->head.data, strcspn(e->head.data, "\r\n")));
	if (!walk(e, &verdict, &err) || !finish(e, &verdict)) {
		fprintf(stderr, "sallyport explain: %s\n", err.text);
		return CLI_NO;
	}
	return verdict.action == VERDICT_ALLOW || !verdict.enforced ? CLI_DONE : CLI_NO;
}

static int explain_kept(struct explain *e)
{
	struct verdict verdict = {0};
	if (!explain_stored(e, say_verdict, walk, &verdict))
		return CLI_NO;
	if (finish(e, &verdict))
		return CLI_DONE;
	fputs("sallyport explain: cannot write the answer\n", stderr);
	return CLI_NO;
}

int cli_explain(int argc, char **argv)
{
	struct explain e = {0};
	int status = read_options(argc, argv, &e);
	if (status != CLI_DONE) {
		free(e.content);
		return status;
	}
	strbuf_init(&e.head, HTTP_HEAD_MAX);
	strbuf_init(&e.out, OUTPUT_MAX);
	status = !load(&e) ? CLI_NO : e.request_id ? explain_kept(&e) : explain(&e);
	settings_free(e.settings);
	free(e.content);
	strbuf_release(&e.head);
	strbuf_release(&e.out);
	return status;
}
