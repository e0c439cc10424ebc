#ifndef SALLYPORT_JUDGE_H
#define SALLYPORT_JUDGE_H

#include "sallyport/settings.h"
#include "sallyport/websocket.h"

/* From a request's head to what it is about and what is thought of it: the same
 * code for a request that came over a connection and for one that an operator
 * asks about (`sallyport explain`). Pure. */

struct subject {
	struct url_target target;
	/* Empty segments, where they were accepted, are merged in here: most servers read
	 * them so, and nobody shall get round a route, a rule or a throttle by a slash more. */
	struct url_canon canon;
	/* target.query is what the origin gets and what is judged. This is what was sent, where a
	 * finding that the site rewrites made them differ; ptr NULL: they are the same. */
	struct span raw_query;
	struct span forward_path;  /* what the origin gets: the canonical path, with such segments kept */
	struct span host;          /* as the origin is told: Host field, or the authority of an absolute target */
	struct url_host host_name; /* the same, parsed; name.ptr NULL: none was said */
	const struct site *site;   /* NULL: none */
	const struct route *route;
	struct span client;        /* the visitor's address as text, set by the caller; ptr NULL: not known */
	uint64_t wall_us;          /* since 1970, set by the caller: exceptions end */
	bool is_challenge;         /* ACME's: the route is the internal one, and nothing may refuse or redirect it */
	bool is_tls;               /* the request came over TLS */
	enum shield_mode mode;     /* of the site's shield for this path; the caller may lower it */
};

/* For a path twice and a query once, which share the bytes of the target. */
#define JUDGE_ROOM(target_len) (2 * URL_CANON_ROOM(target_len))

/* Marks the head's hop-by-hop fields, splits and canonicalises its target, and
 * finds its site and route. room: JUDGE_ROOM(head->target_len) bytes; the
 * subject points into it and into the head. Whatever was found out before a reason
 * to refuse came up stays in *subject, for the log. REASON_UNSET: all is known. */
enum reason judge_locate(const struct settings *settings, struct http_head *head, bool is_tls, char *room,
			 struct subject *subject);

/* The verdict of the subject's site. buf: head->target_len + 1 bytes. */
void judge_verdict(const struct http_head *head, const struct subject *subject,
		   struct shield_scratch *scratch, char *buf, struct verdict *verdict);

/* Whether it asks for a WebSocket where the route lets it: what is malformed is refused, whatever the shield thinks. */
enum websocket_ask judge_upgrade(const struct http_head *head, const struct subject *subject);

/* The setting behind a limit that holds before a site is known, or for all of them, and its value:
 * bytes, a count, milliseconds or bytes a second. NULL, and *limit untouched: the reason is no such limit. */
const char *judge_limit(const struct settings *settings, enum reason reason, uint64_t *limit);

#endif
