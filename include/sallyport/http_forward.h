#ifndef SALLYPORT_HTTP_FORWARD_H
#define SALLYPORT_HTTP_FORWARD_H

#include "sallyport/http_head.h"

/* Heads are written anew from what was understood: one framing field, the
 * canonical path, hop-by-hop fields (RFC 9110 section 7.6.1) and those that
 * Connection names left out, our own version. Nothing here allocates. */

/* Our name in Via (RFC 9110 section 7.6.3). */
#define HTTP_PSEUDONYM "sallyport"

/* Marks head->fields[i].dropped for every hop-by-hop field (among them what is meant
 * for a proxy: Proxy-Authorization, -Authenticate, -Authentication-Info) and every field that
 * Connection names, of which there may be 32. False (CONNECTION_FIELD) where Connection is malformed or names
 * a field whose loss would change the message: Host, Content-Length, Transfer-Encoding,
 * Cookie, Authorization, Content-Type, X-Forwarded-*, Forwarded, Via, … */
bool http_mark_hop_by_hop(struct http_head *head, enum reason *reason);

/* How often our name stands in Via and CDN-Loop: how many sallyports a request came through.
 * A chain of a few is somebody's design; a long one is a loop. */
unsigned http_via_hops(const struct http_head *head);

struct http_forward_request {
	const struct http_head *head;   /* marked */
	struct span path, query;        /* canonical path; query raw, ptr NULL: no "?" */
	struct span host;               /* Host for the origin */
	struct span visitor_host;       /* X-Forwarded-Host */
	struct span peer;               /* address of the connection's peer, text without port (IPv6 without brackets) */
	bool peer_trusted;              /* its X-Forwarded-* and Forwarded are kept and appended to; else replaced */
	bool tls;                       /* the visitor came by TLS */
	struct span client_fields;      /* lines about the visitor's certificate, X-Client-Cert-…; where there are any, a
					 * trusted peer's own are dropped too */
	enum http_framing framing;      /* NONE, LENGTH or CHUNKED */
	bool say_length;                /* framing NONE: say Content-Length: 0 where the request had it or the method wants it */
	uint64_t content_length;
	bool forward_expect;            /* Expect: 100-continue goes on to the origin */
	bool bare;                      /* for a process of ours: the request line, Host, framing and request id alone */
	bool outbound;                  /* by a forward proxy: nothing is said about who is behind us; see below */
	bool upgrade;                   /* a WebSocket is asked for */
	bool hide_via;                  /* no Via: loops end by CDN-Loop (RFC 8586) instead */
	struct span accept_encoding;    /* in place of the visitor's, whose field is dropped; ptr NULL: none */
	const char *request_id;         /* X-Request-Id, NUL-terminated; NULL: none. A visitor's own is replaced */
};

/* HTTP/1.1 request head for the origin, "Connection" left out (keep-alive). Via is
 * "1.1 sallyport" (appended, with the version received), or with hide_via CDN-Loop "sallyport". 0: it does not fit in room.
 *
 * What a proxy says about the visitor (RFC 7239 and its forerunners; proxy/http/fields.def
 * has the list) is believed from a trusted peer only:
 *                                    from a trusted peer     from anybody else
 *   X-Forwarded-For, Forwarded       kept, ours added        replaced
 *   X-Forwarded-Proto, -Host         kept, or ours           replaced
 *   X-Client-Cert-*                  kept where client_fields has none, else replaced; dropped
 *   X-Real-IP, Client-IP, X-Forward*, X-Original-*, X-SSL-*, X-Remote-*, Client-Cert, …
 *                                    kept                    dropped
 *   Via                              kept, ours added        kept, ours added (loops end by it)
 *   CDN-Loop                         kept                    kept; with hide_via ours added
 *   X-Request-Id                     replaced, or dropped where request_id is NULL
 *   X-Original-URL, X-Rewrite-URL, Proxy: always dropped, since back ends that know them
 *   take them in place of the URL that was judged, or (CVE-2016-5385) as their own setting.
 * outbound: the receiver is not ours, and what stands behind us is none of its business. Of all those fields only
 * CDN-Loop and the sender's own X-Request-Id are kept, nothing is added but Via, and of a Via that came no element but
 * our own (which end loops): others name hosts of the inside (RFC 9110 section 7.6.3).
 * Fields that a visitor may use to change the method (X-HTTP-Method-Override) are passed on. */
size_t http_forward_request(const struct http_forward_request *forward, char *buf, size_t room);

/* A field of our own, for responses that have none of that name. */
struct http_added_field {
	struct span name;
	struct span line; /* "Name: value\r\n" */
};

/* Of a method CONNECT: what its tunnel begins with. No framing field, whatever else (RFC 9110 section 9.3.6). */
#define HTTP_TUNNEL_OPEN "HTTP/1.1 200 Connection established\r\n\r\n"

struct http_forward_response {
	const struct http_head *head;   /* marked; 1xx too */
	bool upgrade;                   /* a 101 that changes to WebSocket */
	bool via;                       /* our name is added to Via, as a forward proxy has to (RFC 9110 section 7.6.3) */
	enum http_framing framing;      /* towards the client: NONE, LENGTH, CHUNKED or CLOSE */
	bool say_length;                /* framing NONE, but content_length is said (HEAD, 304; never in 204) */
	uint64_t content_length;
	bool close;                     /* Connection: close */
	enum http_version client_version; /* HTTP/1.0 with keep-alive gets Connection: keep-alive */
	struct span date;               /* IMF-fixdate, added where the origin sent no Date */
	const struct http_added_field *added; /* added_count of them; not to 1xx */
	size_t added_count;
	const struct http_added_field *hsts; /* one more; NULL: none */
};

/* HTTP/1.1 response head for the client (our own version, the origin's status and phrase). 0: no room. */
size_t http_forward_response(const struct http_forward_response *forward, char *buf, size_t room);

#endif
