/* From a head to a verdict, a site and a route. The order: what the message is
 * (hop-by-hop fields, target, Host), whose site it is for, whether its client may
 * ask there now, and what the site's shield says of it. */
#include "sallyport/judge.h"

#include <string.h>

#include "front/gate.h"
#include "front/guard.h"
#include "sallyport/challenge.h"

/* As many sallyports may stand one behind the other. */
enum { HOPS_MAX = 5 };

/* The authority of an absolute-form target wins, and a Host field that says
 * something else is refused rather than overruled (RFC 9112 section 3.2.2). */
bool judge_authority(const struct http_head *head, struct subject *s, enum reason *reason)
{
	struct span field = http_find(head, HTTP_FIELD_HOST);
	bool absolute = s->target.form == URL_ABSOLUTE;
	struct url_host other;
	s->host = absolute ? s->target.authority : field;
	if (!s->host.ptr)
		return true; /* HTTP/1.0 without Host: the default site's affair */
	if (!url_parse_host(s->host, &s->host_name, reason))
		return false;
	if (!absolute || !field.ptr)
		return true;
	if (!url_parse_host(field, &other, reason))
		return false;
	uint16_t standard = s->is_tls ? 443 : 80;
	uint16_t port = s->host_name.port ? s->host_name.port : standard;
	uint16_t other_port = other.port ? other.port : standard;
	if (span_ieq(s->host_name.name, other.name) && port == other_port)
		return true;
	*reason = REASON_HOST_MISMATCH;
	return false;
}

/* As the shield of its site reads paths; of no site, plainly, for the log. */
static void canonicalise(struct subject *s, char *room)
{
	if (s->target.form == URL_ASTERISK)
		s->canon = (struct url_canon){.path = s->target.path, .decoded = s->target.path};
	else if (s->site)
		url_canon_path_as(s->target.path, shield_canon_options(s->site->shield), room, &s->canon);
	else
		url_canon_path(s->target.path, room, &s->canon);
}

/* Into out, of s.len bytes; s itself where there is nothing to merge. */
static struct span merge_slashes(struct span s, char *out)
{
	size_t len = 0;
	if (!memmem(s.ptr, s.len, "//", 2))
		return s;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '/' || len == 0 || out[len - 1] != '/')
			out[len++] = s.ptr[i];
	}
	return span_of(out, len);
}

static void merge_empty_segments(struct subject *s, char *room)
{
	s->forward_path = s->canon.path;
	/* "//host/x" is a reference to another host to some: see url/canon.c. */
	while (span_starts(s->forward_path, SPAN("//")))
		s->forward_path = span_from(s->forward_path, 1);
	s->canon.path = merge_slashes(s->canon.path, room);
	s->canon.decoded = merge_slashes(s->canon.decoded, room + s->canon.path.len);
}

/* Where the site enforces: who only watches changes nothing. */
static void rewrite_query(struct subject *s, char *room)
{
	unsigned rewrite = shield_canon_options(s->site->shield)->query_rewrite;
	struct span query = s->target.query, evidence;
	if (!rewrite || s->mode != SHIELD_ENFORCE || !query.ptr ||
	    !url_scan_query(query, rewrite, &evidence))
		return;
	s->raw_query = query;
	s->target.query = url_rewrite_query(query, rewrite, room);
}

/* Where empty segments are forwarded there are two readings: the stricter counts. */
static enum shield_mode stricter_mode(const struct subject *s)
{
	struct url_canon kept = s->canon;
	kept.path = s->forward_path;
	enum shield_mode merged = shield_mode_at(s->site->shield, &s->canon);
	if (span_eq(kept.path, s->canon.path))
		return merged;
	enum shield_mode other = shield_mode_at(s->site->shield, &kept);
	return other > merged ? other : merged;
}

/* What certificates hang on: an ACME challenge, spelt plainly and without content. */
static bool is_challenge(const struct settings *settings, const struct http_head *head, const struct subject *s)
{
	struct span token;
	return settings->internals[INTERNAL_CHALLENGES] && s->site->acme &&
	       (head->method == HTTP_GET || head->method == HTTP_HEAD) && head->framing == HTTP_FRAMING_NONE &&
	       span_eq(s->forward_path, s->canon.path) && challenge_token(s->canon.path, &token);
}

enum reason judge_locate(const struct settings *settings, struct http_head *head, bool is_tls, char *room,
			 struct subject *s)
{
	enum reason reason = REASON_UNSET;
	*s = (struct subject){.is_tls = is_tls};
	if (head->method == HTTP_CONNECT)
		return REASON_METHOD_CONNECT;
	if (!http_mark_hop_by_hop(head, &reason) || !url_split(http_target(head), &s->target, &reason) ||
	    !judge_authority(head, s, &reason))
		return reason;
	if (http_via_hops(head) > HOPS_MAX)
		return REASON_LOOP;
	/* https over a connection that is not (RFC 9110 section 7.4), or the other way round */
	if (s->target.form == URL_ABSOLUTE && span_istarts(http_target(head), SPAN("https:")) != is_tls)
		return REASON_TARGET_INVALID;
	if (s->target.form == URL_ASTERISK && head->method != HTTP_OPTIONS)
		return REASON_TARGET_INVALID;
	s->site = site_lookup(settings->table, s->host_name.name);
	canonicalise(s, room);
	_Static_assert(2 * URL_CANON_ROOM(1) >= 2 * URL_CANON_ROOM(0) + URL_REWRITE_ROOM(1),
		       "a byte of the target has room wherever it stands");
	size_t path_room = URL_CANON_ROOM(s->target.path.len);
	merge_empty_segments(s, room + path_room);
	if (!s->site)
		return REASON_HOST_UNKNOWN;
	s->is_challenge = is_challenge(settings, head, s);
	s->route = s->is_challenge ? settings->internals[INTERNAL_CHALLENGES] : site_route(s->site, s->canon.path);
	s->mode = stricter_mode(s);
	rewrite_query(s, room + 2 * path_room);
	return REASON_UNSET;
}

void judge_verdict(const struct http_head *head, const struct subject *s, struct shield_scratch *scratch,
		   char *buf, struct verdict *verdict)
{
	struct shield_request request = {
	    .head = head, .target = &s->target, .canon = &s->canon, .forward_path = s->forward_path,
	    .host = s->host_name.name,	    .client = s->client,      .wall_us = s->wall_us,	       .buf = buf,
	    .mode = s->mode};
	shield_judge(s->site->shield, scratch, &request, verdict);
}

enum websocket_ask judge_upgrade(const struct http_head *head, const struct subject *subject)
{
	return subject->route->websocket ? websocket_request(head) : WEBSOCKET_NOT_ASKED; /* Upgrade is not passed on */
}

const char *judge_limit(const struct settings *s, enum reason reason, uint64_t *limit)
{
	const struct {
		enum reason reason;
		const char *setting;
		uint64_t limit;
	} limits[] = {
	    {REASON_HEAD_TOO_LARGE, "limits.head", s->limits.head_bytes},
	    {REASON_FIELD_TOO_LARGE, "limits.field", s->limits.field_bytes},
	    {REASON_TOO_MANY_FIELDS, "limits.fields", s->limits.fields},
	    {REASON_URL_TOO_LONG, "limits.url", s->limits.target_bytes},
	    {REASON_HEAD_TIMEOUT, "timeouts.head", s->timeouts.head},
	    {REASON_TLS_HANDSHAKE_TIMEOUT, "timeouts.handshake", s->timeouts.handshake},
	    {REASON_BODY_TIMEOUT, "timeouts.min_rate", s->timeouts.min_rate},
	    {REASON_SEND_TIMEOUT, "timeouts.min_rate", s->timeouts.min_rate},
	    {REASON_OVERLOAD, "quotas.memory", s->quotas.memory},
	    {REASON_ORIGIN_CONNECT_TIMEOUT, "timeouts.connect", s->timeouts.connect},
	    {REASON_ORIGIN_TIMEOUT, "timeouts.first_byte", s->timeouts.first_byte},
	    {REASON_TUNNEL_IDLE, "timeouts.tunnel", s->timeouts.tunnel},
	    {REASON_ORIGIN_STALLED, "timeouts.between_bytes", s->timeouts.between_bytes},
	    {REASON_ORIGIN_HEAD_TOO_LARGE, "limits.response_head", s->limits.response_head_bytes},
	    {REASON_EGRESS_CLIENT, "egress.origins", 0},
	    {REASON_EGRESS_NEW_DESTINATION, "egress.new_destinations", s->egress.new_destinations.setting.count},
	};
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].reason != reason)
			continue;
		*limit = limits[i].limit;
		return limits[i].setting;
	}
	return NULL;
}

void exchange_begin_content(struct exchange *x)
{
	x->up_framing = x->request.framing;
	x->up_left = x->request.framing == HTTP_FRAMING_LENGTH ? x->request.content_length : 0;
	x->up_read = x->request.framing == HTTP_FRAMING_NONE ||
		     (x->request.framing == HTTP_FRAMING_LENGTH && x->up_left == 0);
}

static void watch_only(struct subject *s)
{
	s->mode = SHIELD_MONITOR;
	if (s->raw_query.ptr)
		s->target.query = s->raw_query;
	s->raw_query = (struct span){0};
}

/* A paused shield watches: what it refuses goes on. Framing is none of its affairs. */
static void heed_pause(struct exchange *x)
{
	const struct site_link *link = &x->front->site_links[x->subject.site->index];
	if (x->subject.mode == SHIELD_ENFORCE &&
	    site_is_paused(link, LEG_SHIELD, loop_now_ms(x->front->loop)))
		watch_only(&x->subject);
}

static void note_monitored(struct exchange *x)
{
	if (x->verdict.action == VERDICT_ALLOW || x->verdict.enforced)
		return;
	stat_add(&x->front->stats->reasons[x->verdict.reason], 1);
	evidence_keep(x);
}

static void judge_admission(struct exchange *x)
{
	struct front *f = x->front;
	const struct shield_policy *policy = &x->subject.site->shield_policy;
	const struct admission_request request = {.visitor = &x->visitor,
						  .path = x->subject.canon.path,
						  .now_us = loop_now_us(f->loop),
						  .mode = (int)x->subject.mode,
						  .method = http_method(&x->request),
						  .head = &x->request};
	struct admission_notes notes;
	admission_judge(&policy->addresses, &policy->throttle, f->throttle, &request, &x->verdict, &notes);
	stat_add(&f->stats->throttle_crowded, notes.crowded);
	stat_add(&f->stats->clients_banned, notes.newly_banned);
	if (notes.login)
		login_begin(x, notes.login);
}

/* By an operator, for all sites: before all that a site says. */
static bool is_banned(struct exchange *x)
{
	const struct site_states *states = x->front->setup.memory.sites;
	const struct throttle_policy *throttle = &x->subject.site->shield_policy.throttle;
	const uint64_t now_ms = loop_now_ms(x->front->loop);
	const uint64_t until_ms = x->subject.mode == SHIELD_OFF ? 0 : ban_list_find(states ? &states->bans : NULL, &x->visitor, now_ms);
	if (until_ms == 0)
		return false;
	x->verdict = (struct verdict){.action = VERDICT_REJECT, .reason = REASON_BANNED,
				      .status = (uint16_t)reason_status(REASON_BANNED),
				      .evidence = SPAN("by order"), .enforced = x->subject.mode == SHIELD_ENFORCE};
	if (until_ms != BAN_FOR_EVER)
		x->verdict.retry_after_s = (uint32_t)((until_ms - now_ms + 999) / 1000);
	if (throttle->ban_action != VERDICT_UNSET)
		x->verdict.action = (enum verdict_action)throttle->ban_action;
	return true;
}

/* Who asks, how often, and how much at once: before what costs more. True: refused. What is only noted, and not
 * enforced, stays in x->verdict. */
static bool refuses_client(struct exchange *x)
{
	if (is_banned(x))
		return x->verdict.enforced;
	const struct shield_policy *policy = &x->subject.site->shield_policy;
	const bool is_on = admission_is_on(&policy->addresses, &policy->throttle);
	if (!is_on && !policy->throttle.has_concurrent)
		return false;
	x->verdict = (struct verdict){.action = VERDICT_ALLOW, .enforced = true};
	if (is_on)
		judge_admission(x);
	if (x->verdict.action == VERDICT_ALLOW && policy->throttle.has_concurrent && concurrency_begin(x))
		return false;
	if (x->verdict.reason != REASON_BANNED)
		shield_answer(x->subject.site->shield, &x->verdict);
	return x->verdict.action != VERDICT_ALLOW && x->verdict.enforced;
}

void note_excepted(struct exchange *x, const struct verdict *verdict)
{
	x->verdict.excepted = verdict->excepted;
	x->verdict.excepted_rule = verdict->excepted_rule;
}

/* Two that would have refused: the log has the first. */
static void judge_request(struct exchange *x)
{
	const struct rule_set *rules = x->front->settings->rule_set;
	const struct verdict first = x->verdict;
	char client[ADDR_TEXT_SIZE];
	if (rule_set_wants(rules, TARGET_CLIENT))
		x->subject.client = span_of(client, addr_format_ip(&x->visitor, client));
	x->subject.wall_us = x->wall_us;
	judge_verdict(&x->request, &x->subject, x->front->scratch, x->front->out, &x->verdict);
	x->rules_asked = true;
	x->subject.client = (struct span){0};
	if (first.reason == REASON_UNSET || (x->verdict.action != VERDICT_ALLOW && x->verdict.enforced))
		return;
	const struct verdict second = x->verdict;
	x->verdict = first;
	note_excepted(x, &second);
}

/* Who is named in the query; who is named in content is seen when it comes. */
static bool refuses_user(struct exchange *x)
{
	struct verdict verdict;
	login_read_query(x);
	if (!login_is_refused(x, &verdict))
		return false;
	x->verdict = verdict;
	return verdict.enforced;
}

static bool is_refused(struct exchange *x)
{
	heed_pause(x);
	if (refuses_client(x) || (x->login.rule && refuses_user(x)))
		return true;
	judge_request(x);
	return x->verdict.action != VERDICT_ALLOW && x->verdict.enforced;
}

enum step_result step_judge(struct exchange *x)
{
	struct front *f = x->front;
	if (f->gate)
		return gate_judge(x);
	x->visitor = x->client->peer_trusted
			 ? visitor_of(f->settings, &x->client->peer, &x->request)
			 : x->client->peer;
	/* Behind the head that keep_head() copied there is room for the canonical path. */
	enum reason reason = judge_locate(f->settings, &x->request, stream_is_tls(&x->client->stream),
					  x->text + x->request.len, &x->subject);
	if (reason != REASON_UNSET)
		return exchange_refuse(x, reason);
	if (!x->subject.is_challenge && !is_redirected(x) && is_misdirected(x))
		return exchange_refuse(x, REASON_TLS_MISDIRECTED);
	if (x->subject.is_challenge)
		x->verdict = (struct verdict){.action = VERDICT_ALLOW, .enforced = true};
	else if (is_refused(x))
		return exchange_refuse(x, x->verdict.reason);
	note_monitored(x);
	if (!x->subject.is_challenge)
		reply_flow_begin(x);
	if (!x->subject.is_challenge && is_redirected(x)) {
		exchange_begin_content(x);
		x->close = x->request.close;
		return redirect(x);
	}
	if (!tunnel_judge(x))
		return exchange_refuse(x, REASON_UPGRADE_INVALID);
	if (!front_has_room(f))
		return exchange_refuse(x, REASON_OVERLOAD);
	exchange_begin_content(x);
	if (!x->up_read && !inspect_begin(x))
		return exchange_refuse(x, x->verdict.reason);
	x->close = x->request.close;
	x->claim.route = x->subject.route;
	x->step = x->up_read ? STEP_ORIGIN : STEP_COLLECT;
	return f->guard && x->subject.site->guard.mode != GUARD_OFF ? guard_enter(x) : STEP_MORE;
}
