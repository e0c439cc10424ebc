/* What a request's transport means for it: redirects to https, and sites that ask for a
 * certificate which this connection's client was not asked for. */
#include <stdio.h>
#include <string.h>

#include "front/front.h"

bool is_secure(const struct exchange *x)
{
	if (stream_is_tls(&x->client->stream))
		return true;
	return x->client->peer_trusted &&
	       span_ieq(http_find(&x->request, HTTP_FIELD_X_FORWARDED_PROTO), SPAN("https"));
}

bool is_redirected(const struct exchange *x)
{
	const struct listen_settings *listen = x->client->listen;
	const struct site *site = x->subject.site;
	return (site->tls.redirect || (listen && listen->redirect_https)) && !is_secure(x) &&
	       x->subject.host_name.name.ptr && x->subject.target.form != URL_ASTERISK;
}

/* A connection's client was asked for a certificate by the name in its handshake; the request may name
 * another site. Only where both ask for the same may it pass: certificates of one site's CA say
 * nothing to another, and no site's demand may be got round by asking for it over a connection
 * that was opened for its neighbour (RFC 9110 section 15.5.20). */
bool is_misdirected(const struct exchange *x)
{
	const struct client *c = x->client;
	const struct tls_demand_settings *demand = &x->subject.site->tls.clients;
	const struct tls_clients *wanted = demand->loaded, *asked = tls_clients_of(&c->stream);
	if (!stream_is_tls(&c->stream))
		return tls_clients_demand(wanted) == TLS_DEMAND_REQUIRED;
	if (demand->demand == TLS_DEMAND_UNSET)
		wanted = c->listen->tls.clients.loaded;
	return !tls_clients_eq(wanted, asked);
}

enum step_result redirect(struct exchange *x)
{
	bool is_safe = x->request.method == HTTP_GET || x->request.method == HTTP_HEAD;
	x->verdict.status = is_safe ? 301 : 308;
	return exchange_refuse(x, REASON_HTTPS_REDIRECT);
}

static int write_port(const struct exchange *x, char *out, size_t room)
{
	uint64_t port = x->subject.site->tls.port;
	if (port == 443) {
		out[0] = '\0';
		return 0;
	}
	return snprintf(out, room, ":%llu", (unsigned long long)port);
}

/* The same URL, as it would be forwarded: host and path were checked, the query has no byte that
 * could end a line. */
size_t redirect_location(const struct exchange *x, char *out, size_t room)
{
	const struct subject *s = &x->subject;
	char port[8];
	if (x->verdict.reason != REASON_HTTPS_REDIRECT)
		return 0;
	write_port(x, port, sizeof(port));
	int n = snprintf(out, room, "Location: https://%.*s%s%.*s%s%.*s\r\n", SPAN_ARG(s->host_name.name), port,
			 SPAN_ARG(s->forward_path), s->target.query.ptr ? "?" : "", SPAN_ARG(s->target.query));
	return n < 0 || (size_t)n >= room ? 0 : (size_t)n;
}

const struct http_added_field *hsts_of(const struct exchange *x)
{
	const struct site *site = x->subject.site;
	return site && site->tls.hsts.line.len > 0 && is_secure(x) ? &site->tls.hsts : NULL;
}

enum reason client_cause(const struct exchange *x, enum reason reason, struct span *evidence)
{
	struct tls_fault fault = tls_fault(&x->client->stream);
	if (reason != REASON_CLIENT_GONE || fault.reason == REASON_UNSET)
		return reason;
	*evidence = span_from_str(fault.text);
	return fault.reason;
}
