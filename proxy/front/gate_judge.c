/* What an egress origin asks for, and what the policy says of it: from the head to a destination that may be
 * looked for. The order: whose request it is, what the message is, where it goes, how much of it there is. */
#include "front/gate.h"

enum { HOPS_MAX = 5 };

void gate_target(const struct visit *visit, char out[GATE_TARGET_SIZE])
{
	egress_destination_text(&visit->destination, out);
}

bool gate_objects(struct visit *visit, enum reason reason, const char *setting, const char *entry)
{
	struct verdict *verdict = &visit->x->verdict;
	if (visit->is_enforced) {
		*verdict = (struct verdict){.setting = setting, .evidence = span_from_str(entry)};
		return true;
	}
	if (verdict->reason != REASON_UNSET)
		return false; /* the log has the first */
	*verdict = (struct verdict){
	    .action = VERDICT_REJECT, .reason = reason, .setting = setting, .evidence = span_from_str(entry)};
	stat_add(&visit->x->front->stats->reasons[reason], 1);
	gate_note(visit, reason, setting);
	return false;
}

/* ---- the message ---- */

/* A Host that is there names the same host; where it says no port, it says nothing of it: CONNECT has no scheme
 * that would. */
static bool agrees(const struct http_head *head, const struct url_host *target, enum reason *reason)
{
	struct span field = http_find(head, HTTP_FIELD_HOST);
	struct url_host other;
	if (!field.ptr)
		return true; /* HTTP/1.0 */
	if (!url_parse_host(field, &other, reason))
		return false;
	*reason = REASON_HOST_MISMATCH;
	return span_ieq(target->name, other.name) && (other.port == 0 || other.port == target->port);
}

/* Content before the tunnel stands would be a request to some and the tunnel's to others. */
static bool has_content(const struct http_head *head)
{
	return head->framing == HTTP_FRAMING_CHUNKED || head->content_length > 0;
}

static enum reason locate_tunnel(const struct http_head *head, struct subject *s)
{
	enum reason reason = REASON_UNSET;
	if (!url_split_authority(http_target(head), &s->target, &s->host_name, &reason) ||
	    !agrees(head, &s->host_name, &reason))
		return reason;
	s->host = s->target.authority;
	return has_content(head) ? REASON_EGRESS_TARGET : REASON_UNSET;
}

/* RFC 9112 section 3.2.4: OPTIONS of a URL without path and query is of the whole server. */
static bool is_of_server(const struct http_head *head, const struct url_target *target)
{
	struct span whole = http_target(head);
	return head->method == HTTP_OPTIONS && target->authority.ptr + target->authority.len == whole.ptr + whole.len;
}

static enum reason locate_url(const struct http_head *head, struct subject *s)
{
	enum reason reason = REASON_UNSET;
	if (head->method == HTTP_TRACE)
		return REASON_METHOD_TRACE;
	if (!url_split(http_target(head), &s->target, &reason))
		return reason == REASON_TARGET_INVALID ? REASON_EGRESS_TARGET : reason;
	if (s->target.form != URL_ABSOLUTE || !span_istarts(http_target(head), SPAN("http:")))
		return REASON_EGRESS_TARGET;
	if (!judge_authority(head, s, &reason))
		return reason;
	/* The receiver gets path and query as they were sent: whoever signed them would miss a byte. */
	s->forward_path = is_of_server(head, &s->target) ? SPAN("*") : s->target.path;
	return REASON_UNSET;
}

/* A request that was redirected is one for a server, not for a proxy; its port is the one that it went to. */
static enum reason locate_redirected(const struct client *c, const struct http_head *head, struct subject *s)
{
	enum reason reason = REASON_UNSET;
	struct addr to;
	if (head->method == HTTP_TRACE)
		return REASON_METHOD_TRACE;
	if (head->method == HTTP_CONNECT)
		return REASON_EGRESS_TARGET;
	if (!url_split(http_target(head), &s->target, &reason))
		return reason;
	if (s->target.form == URL_ABSOLUTE || (s->target.form == URL_ASTERISK && head->method != HTTP_OPTIONS))
		return REASON_EGRESS_TARGET;
	if (!judge_authority(head, s, &reason))
		return reason;
	if (s->host_name.name.len == 0 || !redirected_to(c, &to) ||
	    (s->host_name.port != 0 && s->host_name.port != addr_port(&to)))
		return REASON_EGRESS_TARGET;
	s->host_name.port = addr_port(&to);
	s->forward_path = s->target.path;
	return REASON_UNSET;
}

static bool was_redirected(const struct client *c)
{
	return c->listen && c->listen->transparent && !c->is_mute;
}

static enum reason locate(struct exchange *x)
{
	struct http_head *head = &x->request;
	struct subject *s = &x->subject;
	enum reason reason = REASON_UNSET;
	if (!http_mark_hop_by_hop(head, &reason))
		return reason;
	if (was_redirected(x->client))
		reason = locate_redirected(x->client, head, s);
	else
		reason = head->method == HTTP_CONNECT ? locate_tunnel(head, s) : locate_url(head, s);
	if (reason == REASON_UNSET && http_via_hops(head) > HOPS_MAX)
		return REASON_LOOP;
	return reason;
}

/* ---- the destination ---- */

/* Logins that a server ties to the connection, not to the request (RFC 4559): whoever comes next on it would
 * come as the same user. */
static bool is_tied(const struct http_head *head)
{
	struct span value = http_find(head, HTTP_FIELD_AUTHORIZATION);
	return span_istarts(value, SPAN("negotiate")) || span_istarts(value, SPAN("ntlm"));
}

/* A literal address has one spelling from here on. */
static struct visit *begin_visit(struct exchange *x, struct gate_origin *origin)
{
	const struct url_host *host = &x->subject.host_name;
	uint16_t port = host->port ? host->port : 80;
	char text[ADDR_TEXT_SIZE];
	struct addr addr;
	struct span name = url_host_bare(host);
	bool is_literal = addr_parse_ip(name, port, &addr);
	if (is_literal)
		name = span_of(text, addr_format_ip(&addr, text));
	struct visit *visit = gate_visit_new(x, origin, name);
	if (!visit)
		return NULL;
	visit->is_tunnel = x->request.method == HTTP_CONNECT;
	visit->is_single = visit->is_tunnel || is_tied(&x->request);
	visit->destination.port = port;
	visit->destination.is_literal = is_literal;
	if (is_literal)
		visit->destination.addr = addr;
	return visit;
}

bool gate_name_is_good(struct visit *visit, enum reason *reason)
{
	visit->named = gate_judge_name(visit);
	if (visit->named.kind != EGRESS_VERDICT_REFUSED)
		return true;
	*reason = visit->named.reason;
	if (gate_objects(visit, visit->named.reason, visit->named.setting, visit->named.entry))
		return false;
	visit->named = (struct egress_verdict){.kind = EGRESS_VERDICT_UNLISTED};
	return true;
}

/* By its name, then by how much there is. REASON_UNSET: it goes on. */
static enum reason weigh(struct visit *visit)
{
	enum reason reason;
	const struct gate *gate = visit->origin->gate;
	visit->is_enforced = !egress_only_reports(gate->policy->mode, gate->states, gate_now_ms(gate));
	return gate_name_is_good(visit, &reason) && gate_takes_request(visit, &reason) ? REASON_UNSET : reason;
}

enum step_result gate_judge(struct exchange *x)
{
	struct front *f = x->front;
	struct gate_origin *origin = gate_origin_of(f->gate, &x->client->peer);
	x->subject.site = f->settings->egress_site;
	x->subject.route = &f->settings->egress_site->root;
	if (!origin)
		return exchange_refuse(x, REASON_EGRESS_CLIENT);
	atomic_fetch_add_explicit(&origin->state->gate_requests, 1, memory_order_relaxed);
	enum reason reason = locate(x);
	x->subject.canon.path = x->subject.target.path;
	if (reason != REASON_UNSET)
		return exchange_refuse(x, reason);
	struct visit *visit = front_has_room(f) ? begin_visit(x, origin) : NULL;
	if (!visit)
		return exchange_refuse(x, REASON_OVERLOAD);
	reason = weigh(visit);
	if (reason != REASON_UNSET)
		return exchange_refuse(x, reason);
	if (x->verdict.action == VERDICT_UNSET)
		x->verdict = (struct verdict){.action = VERDICT_ALLOW, .enforced = true};
	exchange_begin_content(x);
	x->close = x->request.close || visit->is_tunnel;
	x->claim.route = x->subject.route;
	x->step = STEP_ADMIT;
	return STEP_MORE;
}
