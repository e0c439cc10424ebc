#ifndef SALLYPORT_HTTP_HEAD_H
#define SALLYPORT_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>
#include "sallyport/reason.h"
#include "sallyport/span.h"

/* Strict HTTP/1 heads (RFC 9112), indexed in place: a head keeps offsets into
 * the bytes it was parsed from, so that the bytes may move and only `base`
 * changes. No allocation, one pass, no byte looked at past `len`. */

enum {
	HTTP_HEAD_MAX = 65535, /* bytes; offsets are 16 bits wide */
	HTTP_FIELDS_MAX = 128,
};

enum http_version { HTTP_VERSION_UNSET = 0, HTTP_1_0, HTTP_1_1 };

enum http_method {
	HTTP_METHOD_UNSET = 0,
	HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS, HTTP_PATCH, HTTP_TRACE,
	HTTP_CONNECT,
	HTTP_METHOD_OTHER, /* a token that is none of these: see head.method */
};

/* Fields that sallyport itself understands; every other is HTTP_FIELD_OTHER. */
enum http_field_id {
	HTTP_FIELD_OTHER = 0,
	HTTP_FIELD_HOST, HTTP_FIELD_CONTENT_LENGTH, HTTP_FIELD_TRANSFER_ENCODING,
	HTTP_FIELD_CONNECTION, HTTP_FIELD_KEEP_ALIVE, HTTP_FIELD_PROXY_CONNECTION, HTTP_FIELD_TE,
	HTTP_FIELD_TRAILER, HTTP_FIELD_UPGRADE, HTTP_FIELD_EXPECT, HTTP_FIELD_VIA, HTTP_FIELD_CDN_LOOP,
	HTTP_FIELD_FORWARDED, HTTP_FIELD_X_FORWARDED_FOR, HTTP_FIELD_X_FORWARDED_PROTO,
	HTTP_FIELD_X_FORWARDED_HOST, HTTP_FIELD_USER_AGENT, HTTP_FIELD_REFERER,
	HTTP_FIELD_CONTENT_TYPE, HTTP_FIELD_COOKIE, HTTP_FIELD_AUTHORIZATION,
	HTTP_FIELD_PROXY_AUTHORIZATION, HTTP_FIELD_PROXY_AUTHENTICATE, HTTP_FIELD_DATE,
	HTTP_FIELD_SERVER, HTTP_FIELD_LOCATION, HTTP_FIELD_PROXY_AUTHENTICATION_INFO,
	HTTP_FIELD_HTTP2_SETTINGS, HTTP_FIELD_X_FORWARDED_PORT, HTTP_FIELD_X_REAL_IP,
	HTTP_FIELD_X_REQUEST_ID,
	HTTP_FIELD_CLAIM,    /* says who the client is, and back ends believe it: see proxy/http/fields.def */
	HTTP_FIELD_OVERRIDE, /* changes behind our back what was judged: X-Original-URL, Proxy, … */
	HTTP_FIELD_CLIENT_CERT, /* X-Client-Cert-…: what sallyport says of a visitor's certificate */
	HTTP_FIELD_METHOD_OVERRIDE, /* the method that a framework shall take: X-HTTP-Method-Override, … */
	HTTP_FIELD_COUNT
};

struct http_field {
	uint16_t name_off, name_len;
	uint16_t value_off, value_len; /* without the white space around it */
	uint8_t id;                    /* enum http_field_id */
	bool dropped;                  /* hop-by-hop: not forwarded */
};

/* How a message's content is delimited (RFC 9112 section 6.3). */
enum http_framing {
	HTTP_FRAMING_UNSET = 0,
	HTTP_FRAMING_NONE,    /* no content */
	HTTP_FRAMING_LENGTH,  /* content_length bytes */
	HTTP_FRAMING_CHUNKED,
	HTTP_FRAMING_CLOSE,   /* responses only: until the connection closes */
};

struct http_head {
	const char *base;
	uint16_t len; /* with the empty line at its end */
	uint16_t method_len;
	uint16_t target_off, target_len; /* request-target, raw */
	uint16_t phrase_off, phrase_len; /* reason phrase */
	uint16_t status;                 /* 100 to 599 */
	uint16_t field_count;
	uint8_t method;  /* enum http_method */
	uint8_t version; /* enum http_version */
	uint8_t framing; /* enum http_framing */
	bool close;          /* Connection: close, or HTTP/1.0 without keep-alive */
	bool keep_alive;     /* Connection: keep-alive was said */
	bool expect_continue;
	bool upgrade;        /* Connection: upgrade with an Upgrade field */
	uint16_t host_index; /* of the Host field, plus 1; 0: none */
	uint64_t content_length;
	struct http_field fields[HTTP_FIELDS_MAX];
};

struct http_limits {
	uint32_t head_bytes;   /* whole head; at most HTTP_HEAD_MAX */
	uint32_t target_bytes; /* request-target */
	uint32_t fields;       /* how many; at most HTTP_FIELDS_MAX */
	uint32_t field_bytes;  /* one field line */
};

enum http_parse { HTTP_PARSE_UNSET = 0, HTTP_PARSE_MORE, HTTP_PARSE_DONE, HTTP_PARSE_BAD };

/* Parses the request head at the start of buf. MORE: no whole head in len bytes
 * yet, and nothing wrong so far (whatever can be refused early is); *head says
 * nothing. DONE: *head is filled, head->len bytes belong to it, what follows is
 * content. BAD: *reason says why, head->base and the target are set as far as
 * they were read (for the log), *evidence names the place: at most 64 bytes of buf.
 * The answer does not depend on how the bytes were cut into calls.
 * Empty lines before the request line: at most one CRLF is skipped (RFC 9112
 * section 2.2). seen: how many bytes of this head an earlier call that gave MORE
 * had looked at, so that a head sent byte by byte costs linear time; 0 at first,
 * and always a right answer.
 *
 * Stricter than RFC 9112 and 9110 ask:
 * - Content-Length: plain digits, at most 19, up to 2^63 - 1; no list, not even of
 *   equal numbers; stands once. With Transfer-Encoding it is refused, not overruled.
 * - Transfer-Encoding: exactly "chunked" in any case, once, in HTTP/1.1.
 * - Methods have at most 32 bytes. The first byte of another protocol (a TLS
 *   ClientHello) is METHOD_SYNTAX at once.
 * - FIELD_CONFUSABLE: CGI, WSGI, PHP and their like turn field names into names of
 *   variables, in which "-", "_" and, in some, any other mark are one. So a name
 *   with such a mark that would otherwise be one of proxy/http/fields.def (say,
 *   Content_Length, X.Forwarded.For) is refused: it would reach a back end as a
 *   field that was never checked. Other names with marks pass.
 * Not judged here: request-target and Host as URLs (url.h), fields of the
 * Connection field (http_forward.h), methods and the like that a policy allows.
 * Content-Length: 0 gives HTTP_FRAMING_LENGTH. expect_continue is set only in
 * HTTP/1.1 and where content follows. */
enum http_parse http_parse_request(const char *buf, size_t len, size_t seen,
				   const struct http_limits *limits, struct http_head *head,
				   enum reason *reason, struct span *evidence);

/* The same for a response. request_method decides whether content follows (HEAD; 1xx,
 * 204, 304 have none; a Content-Length on HEAD and 304 is kept in content_length, framing is NONE:
 * http_find tells whether there was one). No empty line is skipped.
 * Reasons: ORIGIN_STATUS_LINE (also HTTP/0.9), ORIGIN_HEAD, ORIGIN_HEAD_TOO_LARGE (any of the
 * limits; the status line counts as a field line) and ORIGIN_FRAMING: as for requests, so two
 * equal Content-Length fields are refused, too; and Transfer-Encoding or Content-Length in 1xx or
 * 204, but for Content-Length: 0 in 204, which servers send and no reader takes for anything else.
 * A missing phrase may come without the space before it. Confusable names are refused only
 * where they mean framing. close is set where framing is HTTP_FRAMING_CLOSE. */
enum http_parse http_parse_response(const char *buf, size_t len, size_t seen,
				    const struct http_limits *limits,
				    enum http_method request_method, struct http_head *head,
				    enum reason *reason, struct span *evidence);

static inline struct span http_field_name(const struct http_head *h, const struct http_field *f)
{
	return span_of(h->base + f->name_off, f->name_len);
}
static inline struct span http_field_value(const struct http_head *h, const struct http_field *f)
{
	return span_of(h->base + f->value_off, f->value_len);
}
static inline struct span http_target(const struct http_head *h)
{
	return span_of(h->base + h->target_off, h->target_len);
}
/* Method as it was sent. A request's method stands right before its target. */
static inline struct span http_method(const struct http_head *h)
{
	return span_of(h->base + h->target_off - h->method_len - 1, h->method_len);
}
/* Value of the first field with that id; an empty span with ptr NULL where there is none. */
struct span http_find(const struct http_head *head, enum http_field_id id);

enum http_field_id http_field_lookup(struct span name);
enum http_method http_method_lookup(struct span name);
/* GET, HEAD, OPTIONS, TRACE, PUT, DELETE (RFC 9110 section 9.2.2). */
bool http_method_is_idempotent(enum http_method method);
/* "Not Found"; "" for a code that is not registered. */
const char *http_status_phrase(unsigned status);

/* A token (RFC 9110 section 5.6.2), at least one byte. */
bool http_is_token(struct span s);

#endif
