/* One text of a list of destinations. Takes what can match something and nothing else, and
 * says of the rest what was probably meant. */
#include "egress/list.h"
#include "sallyport/url.h"

#include <string.h>

static const struct egress_ports any_port = {0, UINT16_MAX};

bool egress_ports_parse(struct span text, struct egress_ports *out, struct err *err)
{
	size_t dash = span_find(text, '-');
	uint64_t min, max;
	if (!span_to_u64(span_of(text.ptr, dash), UINT16_MAX, &min))
		return err_set(err, "\"%.*s\" is no port: write 443, or 8000-8080", SPAN_ARG(text));
	max = min;
	if (dash < text.len && !span_to_u64(span_from(text, dash + 1), UINT16_MAX, &max))
		return err_set(err, "\"%.*s\" is no range of ports: write 8000-8080", SPAN_ARG(text));
	if (min == 0)
		return err_set(err, "there is no port 0");
	if (min > max)
		return err_set(err, "%.*s ends before it begins: did you mean %u-%u?", SPAN_ARG(text), (unsigned)max,
			       (unsigned)min);
	*out = (struct egress_ports){(uint16_t)min, (uint16_t)max};
	return true;
}

/* ---- where the host ends ---- */

static size_t count(struct span s, char c)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == c;
	return n;
}

/* ports.ptr NULL: there are none. */
static bool split_brackets(struct span text, struct span *host, struct span *ports, struct err *err)
{
	size_t end = span_find(text, ']');
	struct span rest = span_from(text, end + 1);
	if (end == text.len || (rest.len > 0 && rest.ptr[0] != ':'))
		return err_set(err, "'%.*s': write an IPv6 address with ports as [2001:db8::1]:443", SPAN_ARG(text));
	*host = span_of(text.ptr + 1, end - 1);
	if (count(*host, ':') < 2)
		return err_set(err, "'%.*s': brackets are for IPv6 addresses", SPAN_ARG(text));
	*ports = rest.len > 0 ? span_from(rest, 1) : (struct span){0};
	return true;
}

static bool split(struct span text, struct span *host, struct span *ports, struct err *err)
{
	if (text.ptr[0] == '[')
		return split_brackets(text, host, ports, err);
	size_t colon = span_find(text, ':');
	*host = text;
	*ports = (struct span){0};
	if (colon < text.len && count(text, ':') == 1) {
		*host = span_of(text.ptr, colon);
		*ports = span_from(text, colon + 1);
	}
	return true;
}

/* ---- hosts ---- */

static bool is_url(struct span text)
{
	return memmem(text.ptr, text.len, "://", 3) != NULL;
}

/* A name only: neither ports nor an address, which both have colons. */
static bool take_name(struct span name, struct egress_entry *out, struct arena *arena)
{
	struct url_host host;
	enum reason reason;
	if (span_find(name, ':') < name.len || !url_parse_host(name, &host, &reason))
		return false;
	char *lower = arena_alloc(arena, host.name.len + 1);
	for (size_t i = 0; lower && i < host.name.len; i++)
		lower[i] = ascii_lower(host.name.ptr[i]);
	out->host = span_of(lower, host.name.len);
	return lower != NULL;
}

static bool parse_wildcard(struct span host, struct egress_entry *out, struct arena *arena, struct err *err)
{
	out->kind = host.len == 1 ? EGRESS_ENTRY_ANY : EGRESS_ENTRY_BELOW;
	struct addr addr;
	struct span name = span_from(host, 2);
	if (out->kind == EGRESS_ENTRY_ANY)
		return true;
	if (!span_starts(host, SPAN("*.")) || span_find(name, '*') < name.len || addr_parse_ip(name, 0, &addr) ||
	    !take_name(name, out, arena))
		return err_set(err, "'%.*s' never matches: a wildcard stands for whole labels at the beginning, as in *.example",
			       SPAN_ARG(host));
	return true;
}

static bool parse_name(struct span host, struct egress_entry *out, struct arena *arena, struct err *err)
{
	out->kind = EGRESS_ENTRY_NAME;
	if (take_name(host, out, arena))
		return true;
	return err_set(err, "'%.*s' is neither a host, a wildcard such as *.example, an address nor a network",
		       SPAN_ARG(host));
}

/* The dot of the root: hosts are compared without it. */
static struct span without_root(struct span host)
{
	bool has_root = host.len > 1 && span_ends(host, SPAN(".")) && !span_ends(host, SPAN("..")) && !span_ends(host, SPAN("*."));
	return span_of(host.ptr, host.len - has_root);
}

static bool parse_host(struct span host, struct egress_entry *out, struct arena *arena, struct err *err)
{
	struct addr addr;
	host = without_root(host);
	if (host.len == 0)
		return err_set(err, "the host is missing: for any host write *:443");
	if (span_find(host, '*') < host.len)
		return parse_wildcard(host, out, arena, err);
	if (span_find(host, '/') == host.len && !addr_parse_ip(host, 0, &addr))
		return parse_name(host, out, arena, err);
	out->kind = EGRESS_ENTRY_NETWORK;
	return cidr_parse(host, &out->network, err);
}

bool egress_entry_parse(const char *text, struct egress_entry *out, struct arena *arena, struct err *err)
{
	struct span whole = span_from_str(text), host = {0}, ports = {0};
	struct err inner = {0};
	*out = (struct egress_entry){.text = text, .ports = any_port};
	if (is_url(whole))
		return err_set(err, "'%s' is a URL: write the host alone, or host:port", text);
	if (!split(whole, &host, &ports, err))
		return false;
	if (ports.ptr && !egress_ports_parse(ports, &out->ports, &inner))
		return err_set(err, "'%s': %s", text, inner.text);
	return parse_host(host, out, arena, err);
}
