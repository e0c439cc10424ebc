/* Hosts in a policy: checked as those of requests are (url_parse_host), and brought to one spelling. */
#include "sallyport/policy_hosts.h"

#include <string.h>

#include "sallyport/url.h"

static bool parse(struct span text, struct url_host *out)
{
	enum reason reason;

	return url_parse_host(text, out, &reason) && out->port == 0 && text.ptr[text.len - 1] != ':';
}

const char *policy_host(const char *text, struct arena *arena)
{
	const size_t skip = strncmp(text, "*.", 2) == 0 ? 2 : 0;
	struct url_host host;
	char *copy;

	if (!parse(span_from_str(text + skip), &host) || (skip > 0 && host.name.ptr[0] == '['))
		return NULL;
	copy = arena_alloc(arena, skip + host.name.len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, skip);
	for (size_t i = 0; i < host.name.len; i++)
		copy[skip + i] = ascii_lower(host.name.ptr[i]);
	copy[skip + host.name.len] = '\0';
	return copy;
}

/* What is often meant by it. */
static const char *hint_of(const char *host, const char *setting)
{
	if (strcmp(host, "*") == 0 && strcmp(setting, "hosts") == 0)
		return "; the site for every host is named by default_site";
	for (; *host; host++)
		if ((unsigned char)*host >= 0x80)
			return "; a name beyond ASCII is written as browsers send it: xn--…";
	return "";
}

void policy_hosts(struct policy_strings *hosts, const char *setting, const char *example,
		  struct policy_context *context)
{
	size_t n = 0;

	for (size_t i = 0; i < hosts->n; i++) {
		const char *host = policy_host(hosts->items[i], context->arena);

		if (host)
			hosts->items[n++] = host;
		else
			policy_error_in(context, hosts->where, setting,
					"\"%.64s\" is not a host without port, such as \"%s\" or \"*.%s\"%s",
					hosts->items[i], example, example, hint_of(hosts->items[i], setting));
	}
	hosts->n = n;
}
