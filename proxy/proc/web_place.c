/* URLs of the policy, split for a fetch. */
#include "proc/web_place.h"

#include <stdio.h>
#include <string.h>

#include "sallyport/url.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443 };

bool web_place_of(const char *url, struct web_place *out)
{
	const struct span text = span_from_str(url);
	struct url_target target;
	struct url_host host;
	enum reason reason;
	*out = (struct web_place){.tls = span_istarts(text, SPAN("https://"))};
	if (text.len >= WEB_URL_SIZE || !(out->tls || span_istarts(text, SPAN("http://"))) ||
	    !url_split(text, &target, &reason) || target.form != URL_ABSOLUTE ||
	    !url_parse_host(target.authority, &host, &reason))
		return false;
	out->port = host.port ? host.port : out->tls ? PORT_HTTPS : PORT_HTTP;
	snprintf(out->origin, sizeof(out->origin), "%.*s", SPAN_ARG(url_host_bare(&host)));
	snprintf(out->authority, sizeof(out->authority), "%.*s", SPAN_ARG(target.authority));
	snprintf(out->target, sizeof(out->target), "%.*s%s%.*s", SPAN_ARG(target.path), target.query.ptr ? "?" : "",
		 SPAN_ARG(target.query));
	return true;
}
