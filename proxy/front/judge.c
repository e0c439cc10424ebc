/* From a head to a verdict, a site and a route. The order: what the message is
 * (hop-by-hop fields, target, Host), whose site it is for, and what that site's
 * shield says of it. */
#include <string.h>

#include "front/front.h"

/* As many sallyports may stand one behind the other. */
enum { HOPS_MAX = 5 };

/* The authority of an absolute-form target wins, and a Host field that says
 * something else is refused rather than overruled (RFC 9112 section 3.2.2). */
static bool find_host(struct exchange *x, struct url_host *host, enum reason *reason)
{
	struct span field = http_find(&x->request, HTTP_FIELD_HOST);
	struct span authority = x->target.authority;
	bool absolute = x->target.form == URL_ABSOLUTE;
	struct url_host other;
	*host = (struct url_host){0};
	x->host = absolute ? authority : field;
	if (!x->host.ptr)
		return true; /* HTTP/1.0 without Host: the default site's affair */
	if (!url_parse_host(x->host, host, reason))
		return false;
	if (!absolute || !field.ptr)
		return true;
	if (!url_parse_host(field, &other, reason))
		return false;
	uint16_t port = host->port ? host->port : 80, other_port = other.port ? other.port : 80;
	if (span_ieq(host->name, other.name) && port == other_port)
		return true;
	*reason = REASON_HOST_MISMATCH;
	return false;
}

static void canonicalise(struct exchange *x)
{
	/* Behind the head that keep_head() copied there is room for this. */
	char *room = x->text + x->request.len;
	if (x->target.form == URL_ASTERISK)
		x->canon = (struct url_canon){.path = x->target.path, .decoded = x->target.path};
	else
		url_canon_path(x->target.path, room, &x->canon);
}

static void begin_content(struct exchange *x)
{
	x->up_framing = x->request.framing;
	x->up_left = x->request.framing == HTTP_FRAMING_LENGTH ? x->request.content_length : 0;
	x->up_read = x->request.framing == HTTP_FRAMING_NONE ||
		     (x->request.framing == HTTP_FRAMING_LENGTH && x->up_left == 0);
}

/* Where the request belongs, whatever is thought of it: the log wants to know. */
static enum reason locate(struct exchange *x)
{
	enum reason reason = REASON_UNSET;
	struct url_host host;
	if (x->request.method == HTTP_CONNECT)
		return REASON_METHOD_CONNECT;
	if (!http_mark_hop_by_hop(&x->request, &reason) ||
	    !url_split(http_target(&x->request), &x->target, &reason) || !find_host(x, &host, &reason))
		return reason;
	if (http_via_hops(&x->request) > HOPS_MAX)
		return REASON_LOOP;
	if (x->target.form == URL_ASTERISK && x->request.method != HTTP_OPTIONS)
		return REASON_TARGET_INVALID;
	canonicalise(x);
	x->site = site_lookup(x->front->settings->table, host.name);
	if (!x->site)
		return REASON_HOST_UNKNOWN;
	x->route = site_route(x->site, x->canon.path);
	return REASON_UNSET;
}

static void note_monitored(struct exchange *x)
{
	if (x->verdict.action != VERDICT_ALLOW && !x->verdict.enforced)
		stat_add(&x->front->stats->reasons[x->verdict.reason], 1);
}

enum step_result step_judge(struct exchange *x)
{
	struct front *f = x->front;
	x->visitor = x->client->peer_trusted
			 ? visitor_of(f->settings, &x->client->peer, &x->request)
			 : x->client->peer;
	enum reason reason = locate(x);
	if (reason != REASON_UNSET)
		return exchange_refuse(x, reason);
	struct shield_request request = {
	    .head = &x->request, .target = &x->target, .canon = &x->canon, .buf = f->out};
	shield_judge(x->site->shield, f->scratch, &request, &x->verdict);
	if (x->verdict.action != VERDICT_ALLOW && x->verdict.enforced)
		return exchange_refuse(x, x->verdict.reason);
	note_monitored(x);
	if (memory_is_tight(&f->memory))
		return exchange_refuse(x, REASON_OVERLOAD);
	begin_content(x);
	x->close = x->request.close;
	x->claim.route = x->route;
	x->step = x->up_read ? STEP_ORIGIN : STEP_COLLECT;
	return STEP_MORE;
}
