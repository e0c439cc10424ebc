#ifndef SALLYPORT_REDIRECT_H
#define SALLYPORT_REDIRECT_H

#include "sallyport/baseline.h"
#include "sallyport/http_head.h"
#include "sallyport/policy.h"
#include "sallyport/url.h"

/* The rule about redirects: Location and Refresh lead to hosts that the site is known for, on
 * every path, also where nothing else is known of it. Pure. */

enum { REDIRECT_HOST_MAX = 256 };

enum redirect_kind {
	REDIRECT_UNSET = 0,
	REDIRECT_STAYS, /* on the host that the visitor is on */
	REDIRECT_HOST,
	REDIRECT_ODD,   /* another scheme, or no host that could be told */
};

struct redirect {
	enum redirect_kind kind;
	size_t host_len;
	char host[REDIRECT_HOST_MAX]; /* HOST: in lower case, without port and trailing dot */
};

/* What a browser makes of a reference, from a page of http or https: the WHATWG URL standard
 * (https://url.spec.whatwg.org/#url-parsing), not RFC 3986. */
void redirect_read(struct span value, bool from_https, struct redirect *out);

enum refresh { REFRESH_UNSET = 0, REFRESH_STAYS, REFRESH_URL, REFRESH_ODD };

/* The value of Refresh, or of a meta element (WHATWG HTML, "shared declarative refresh steps").
 * ODD: it is no delay and reference; browsers differ about what they do then. */
enum refresh refresh_read(struct span value, struct span *url);

/* The host is one of them; "*.x" stands for any name below x. */
bool host_matches(const struct policy_strings *patterns, struct span host);

struct redirect_scope {
	struct span visitor_host;               /* that he asked for, without port */
	const struct policy_strings *hosts;     /* the site's */
	const struct policy_strings *redirects; /* guard.redirects */
	const struct baseline *baseline;        /* NULL: nothing was learned */
	uint64_t site;
};

bool redirect_is_allowed(const struct redirect_scope *scope, struct span value);
/* Location of a 3xx, and Refresh, of a response; *evidence is the value that is not. */
bool redirects_are_allowed(const struct redirect_scope *scope, const struct http_head *head,
			   struct span *evidence);
/* Alt-Svc (RFC 7838) leads browsers to another server under the same name, unseen and for as long as it says, with
 * no certificate but one for that name. Fields that name a host, or may, are dropped: not forwarded. */
void redirects_drop_alternatives(struct http_head *head);

#endif
