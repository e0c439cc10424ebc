#ifndef SALLYPORT_RULE_FETCH_H
#define SALLYPORT_RULE_FETCH_H

#include "sallyport/settings.h"

/* Gets rule_pack.url, once, over HTTPS with its certificate verified: no redirect is followed, no proxy asked, no
 * cookie sent. A process of its own does it, confined as the scout is: no file, no right, that one port and DNS, and
 * nothing of the policy's secrets. What
 * comes is appended to out, unverified. False: err says why. */
MUST_CHECK bool rule_fetch(struct settings *settings, struct strbuf *out, struct err *err);

#endif
