/* Hosts with their ports: as a visitor names them (RFC 9110 section 7.2), and as an
 * operator names an origin. Accepts fewer spellings than RFC 3986 does: no user information,
 * no percent-encoding, no short or hexadecimal IPv4 address. Resolves nothing. */
#include "sallyport/url.h"

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63, PORT_DIGITS_MAX = 5 };

static bool is_label_byte(char c)
{
	char lower = ascii_lower(c);
	return ascii_is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '-' || c == '_';
}

static bool is_label(struct span label)
{
	for (size_t i = 0; i < label.len; i++) {
		if (!is_label_byte(label.ptr[i]))
			return false;
	}
	return label.len > 0 && label.len <= LABEL_MAX_BYTES;
}

/* Decimal, or hexadecimal with 0x: what inet_aton() would take for a number. */
static bool is_number(struct span label)
{
	bool hex = span_istarts(label, SPAN("0x"));
	for (size_t i = hex ? 2 : 0; i < label.len; i++) {
		if (hex ? ascii_hex(label.ptr[i]) < 0 : !ascii_is_digit(label.ptr[i]))
			return false;
	}
	return true;
}

/* A registered name or an IPv4 address; a trailing dot is gone already. */
static bool is_name(struct span name)
{
	struct addr addr;
	struct span label = {0};
	if (name.len > NAME_MAX_BYTES)
		return false;
	for (size_t at = 0; at <= name.len; at += label.len + 1) {
		struct span rest = span_from(name, at);
		label = span_of(rest.ptr, span_find(rest, '.'));
		if (!is_label(label))
			return false;
	}
	return !is_number(label) || addr_parse_ip(name, 0, &addr);
}

/* Where the host ends and ":" port or nothing follows. */
static size_t host_len(struct span host)
{
	if (host.len == 0 || host.ptr[0] != '[')
		return span_find(host, ':');
	size_t bracket = span_find(host, ']');
	return bracket < host.len ? bracket + 1 : bracket;
}

/* text: empty, or from the colon on. */
static bool parse_port(struct span text, uint16_t *port)
{
	uint64_t value;
	*port = 0;
	if (text.len == 0)
		return true;
	if (text.ptr[0] != ':' || text.len - 1 > PORT_DIGITS_MAX)
		return false;
	if (text.len == 1)
		return true;
	if (!span_to_u64(span_from(text, 1), UINT16_MAX, &value) || value == 0)
		return false;
	*port = (uint16_t)value;
	return true;
}

bool url_parse_host(struct span host, struct url_host *out, enum reason *reason)
{
	size_t len = host_len(host);
	struct span name = span_of(host.ptr, len);
	struct addr addr;
	bool literal = name.len > 0 && name.ptr[0] == '[';
	*reason = span_find(host, '@') < host.len ? REASON_HOST_USERINFO : REASON_HOST_INVALID;
	if (*reason == REASON_HOST_USERINFO || !parse_port(span_from(host, len), &out->port))
		return false;
	if (!literal && name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;
	if (!(literal ? addr_parse_ip(name, 0, &addr) : is_name(name)))
		return false;
	*reason = REASON_UNSET;
	out->name = name;
	return true;
}

struct span url_host_bare(const struct url_host *host)
{
	struct span name = host->name;
	return name.len > 0 && name.ptr[0] == '[' ? span_of(name.ptr + 1, name.len - 2) : name;
}

static bool bad_origin(struct err *err, struct span text, const char *what)
{
	return err_set(err,
		       "'%.*s' %s: an origin is written as http://host:port or https://host:port",
		       SPAN_ARG(text), what);
}

bool url_parse_origin(struct span text, struct url_origin *out, struct err *err)
{
	struct url_host host;
	enum reason reason;
	bool tls = span_istarts(text, SPAN("https://"));
	if (!tls && !span_istarts(text, SPAN("http://")))
		return bad_origin(err, text, "does not start with http:// or https://");
	struct span authority = span_from(text, tls ? 8 : 7);
	size_t slash = span_find(authority, '/');
	if (slash + 1 < authority.len)
		return bad_origin(err, text, "has a path");
	authority.len = slash;
	if (!url_parse_host(authority, &host, &reason))
		return bad_origin(err, text,
				  reason == REASON_HOST_USERINFO ? "carries user information"
								 : "has no valid host and port");
	out->tls = tls;
	out->host = url_host_bare(&host);
	out->port = host.port ? host.port : tls ? 443 : 80;
	return true;
}
