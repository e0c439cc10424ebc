/* Where a response would lead a browser. What counts is not what the text looks like but what a
 * browser makes of it, so it is read as the WHATWG URL standard reads a URL (sections 4.4 and
 * 3.5, as of 2024): tabs and line ends vanish anywhere, a backslash is a slash, any number of
 * slashes begin an authority, and user information in front of the host is nothing but
 * disguise. A host that is not plain after decoding, and any other scheme, is odd: nobody
 * can say where it leads, so it leads nowhere good. No allocation; the bytes are hostile. */
#include "sallyport/redirect.h"

#include "guard/markup.h"

enum { SCHEME_MAX = 8, PORT_MAX = 65535 };

/* Reads past what browsers take out of a URL before they look at it. */
struct cursor {
	struct span text;
	size_t at;
};

static bool is_removed(char c)
{
	return c == '\t' || c == '\n' || c == '\r';
}

/* The next byte that counts, or -1 at the end. */
static int peek(struct cursor *c)
{
	while (c->at < c->text.len && is_removed(c->text.ptr[c->at]))
		c->at++;
	return c->at < c->text.len ? (unsigned char)c->text.ptr[c->at] : -1;
}

static int next(struct cursor *c)
{
	int byte = peek(c);
	if (byte >= 0)
		c->at++;
	return byte;
}

static bool is_slash(int byte)
{
	return byte == '/' || byte == '\\';
}

static bool ends_authority(int byte)
{
	return byte < 0 || is_slash(byte) || byte == '?' || byte == '#';
}

static struct span without_controls_around(struct span s)
{
	while (s.len > 0 && (unsigned char)s.ptr[0] <= 0x20)
		s = span_from(s, 1);
	while (s.len > 0 && (unsigned char)s.ptr[s.len - 1] <= 0x20)
		s.len--;
	return s;
}

enum scheme { SCHEME_NONE, SCHEME_HTTP, SCHEME_HTTPS, SCHEME_OTHER };

static bool is_scheme_byte(int byte, size_t index)
{
	bool is_alpha = byte >= 0 && ascii_lower((char)byte) >= 'a' && ascii_lower((char)byte) <= 'z';
	bool is_other = byte >= 0 && (ascii_is_digit((char)byte) || byte == '+' || byte == '-' || byte == '.');
	return is_alpha || (index > 0 && is_other);
}

/* Leaves the cursor behind the colon; NONE: at the start. */
static enum scheme take_scheme(struct cursor *c)
{
	struct cursor from = *c;
	char name[SCHEME_MAX];
	size_t len = 0;
	int byte;
	while (is_scheme_byte(byte = next(c), len)) {
		if (len < sizeof(name))
			name[len] = ascii_lower((char)byte);
		len++;
	}
	if (byte != ':' || len == 0) {
		*c = from;
		return SCHEME_NONE;
	}
	struct span found = span_of(name, len < sizeof(name) ? len : sizeof(name));
	if (span_eq(found, SPAN("http")))
		return SCHEME_HTTP;
	return span_eq(found, SPAN("https")) ? SCHEME_HTTPS : SCHEME_OTHER;
}

/* How many of the next two are slashes. */
static unsigned slashes_ahead(struct cursor c)
{
	if (!is_slash(next(&c)))
		return 0;
	return is_slash(next(&c)) ? 2 : 1;
}

/* Behind the last "@" of the authority. */
static void skip_user_information(struct cursor *c)
{
	struct cursor look = *c;
	int byte;
	while (!ends_authority(byte = next(&look)))
		if (byte == '@')
			*c = look;
}

/* One byte of a host, percent-decoded. -1: it is no host's. */
static int take_host_byte(struct cursor *c)
{
	int byte = next(c);
	if (byte != '%')
		return byte;
	int high = peek(c) >= 0 ? ascii_hex((char)next(c)) : -1;
	int low = peek(c) >= 0 ? ascii_hex((char)next(c)) : -1;
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool may_follow(struct cursor *c)
{
	unsigned long port = 0;
	if (peek(c) != ':')
		return ends_authority(peek(c));
	next(c);
	while (!ends_authority(peek(c))) {
		int byte = next(c);
		if (!ascii_is_digit((char)byte) || (port = port * 10 + (unsigned)(byte - '0')) > PORT_MAX)
			return false;
	}
	return true;
}

/* Fills out->host, in lower case. */
static bool take_host(struct cursor *c, struct redirect *out)
{
	bool literal = peek(c) == '[';
	struct url_host host;
	enum reason reason;
	out->host_len = 0;
	while (!ends_authority(peek(c)) && (literal || peek(c) != ':')) {
		int byte = literal ? next(c) : take_host_byte(c);
		/* A colon can only be an encoded one here; url_parse_host would find a port in it. */
		if (byte <= 0x20 || byte >= 0x7f || (byte == ':' && !literal) ||
		    out->host_len == sizeof(out->host))
			return false;
		out->host[out->host_len++] = ascii_lower((char)byte);
		if (literal && byte == ']')
			break;
	}
	if (!may_follow(c) || !url_parse_host(span_of(out->host, out->host_len), &host, &reason))
		return false;
	out->host_len = host.name.len;
	return true;
}

void redirect_read(struct span value, bool from_https, struct redirect *out)
{
	struct cursor c = {without_controls_around(value), 0};
	enum scheme scheme = take_scheme(&c);
	bool same_scheme = scheme == SCHEME_NONE || (scheme == SCHEME_HTTPS) == from_https;
	out->kind = REDIRECT_ODD;
	if (scheme == SCHEME_OTHER)
		return;
	if (same_scheme && slashes_ahead(c) < 2) {
		out->kind = REDIRECT_STAYS;
		return;
	}
	while (is_slash(peek(&c)))
		next(&c);
	skip_user_information(&c);
	if (take_host(&c, out))
		out->kind = REDIRECT_HOST;
}

static struct span skip_spaces(struct span s)
{
	while (s.len > 0 && markup_is_space(s.ptr[0]))
		s = span_from(s, 1);
	return s;
}

static struct span skip_number(struct span s)
{
	while (s.len > 0 && (ascii_is_digit(s.ptr[0]) || s.ptr[0] == '.'))
		s = span_from(s, 1);
	return s;
}

static struct span unquote(struct span s)
{
	if (s.len == 0 || (s.ptr[0] != '"' && s.ptr[0] != '\''))
		return s;
	struct span inner = span_from(s, 1);
	return span_of(inner.ptr, span_find(inner, s.ptr[0]));
}

enum refresh refresh_read(struct span value, struct span *url)
{
	struct span s = skip_spaces(value), number = skip_number(s);
	if (s.len == 0)
		return REFRESH_STAYS;
	if (number.len == s.len)
		return REFRESH_ODD;
	s = number;
	if (s.len == 0)
		return REFRESH_STAYS;
	if (s.ptr[0] != ';' && s.ptr[0] != ',' && !markup_is_space(s.ptr[0]))
		return REFRESH_ODD;
	s = skip_spaces(s);
	if (s.len > 0 && (s.ptr[0] == ';' || s.ptr[0] == ','))
		s = skip_spaces(span_from(s, 1));
	if (s.len == 0)
		return REFRESH_STAYS;
	*url = unquote(s);
	if (!span_istarts(s, SPAN("url")))
		return REFRESH_URL;
	struct span rest = skip_spaces(span_from(s, 3));
	if (rest.len > 0 && rest.ptr[0] == '=')
		*url = unquote(skip_spaces(span_from(rest, 1)));
	return REFRESH_URL;
}

bool host_matches(const struct policy_strings *patterns, struct span host)
{
	for (size_t i = 0; i < patterns->n; i++) {
		struct span pattern = span_from_str(patterns->items[i]);
		if (span_starts(pattern, SPAN("*."))) {
			struct span suffix = span_from(pattern, 1);
			if (host.len > suffix.len && span_iends(host, suffix))
				return true;
		} else if (span_ieq(pattern, host)) {
			return true;
		}
	}
	return false;
}

static bool is_known_host(const struct redirect_scope *scope, struct span host)
{
	if (span_ieq(host, scope->visitor_host) || host_matches(scope->hosts, host) ||
	    host_matches(scope->redirects, host))
		return true;
	return scope->baseline && baseline_knows_host(scope->baseline, scope->site, host);
}

/* Whether the visitor came by http or https is known to who ends his TLS: perhaps not to us. */
bool redirect_is_allowed(const struct redirect_scope *scope, struct span value)
{
	struct redirect to;
	for (int from_https = 0; from_https <= 1; from_https++) {
		redirect_read(value, from_https != 0, &to);
		if (to.kind == REDIRECT_ODD)
			return false;
		if (to.kind == REDIRECT_HOST && !is_known_host(scope, span_of(to.host, to.host_len)))
			return false;
	}
	return true;
}

static bool refresh_is_allowed(const struct redirect_scope *scope, struct span value)
{
	struct span url;
	switch (refresh_read(value, &url)) {
	case REFRESH_STAYS: return true;
	case REFRESH_URL: return redirect_is_allowed(scope, url);
	default: return false;
	}
}

bool redirects_are_allowed(const struct redirect_scope *scope, const struct http_head *head,
			   struct span *evidence)
{
	bool leads_on = head->status >= 300 && head->status <= 399;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		*evidence = http_field_value(head, field);
		if (field->id == HTTP_FIELD_LOCATION) {
			if (leads_on && !redirect_is_allowed(scope, *evidence))
				return false;
		} else if (field->name_len == 7 && span_ieq(http_field_name(head, field), SPAN("refresh"))) {
			if (!refresh_is_allowed(scope, *evidence))
				return false;
		}
	}
	return true;
}

/* "h3=\":443\"; ma=3600": each quoted text begins with the colon of a port, which leaves out the host. */
static bool stays_at_host(struct span value)
{
	bool quoted = false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '\\')
			return false;
		if (value.ptr[i] != '"')
			continue;
		quoted = !quoted;
		if (quoted && (i + 1 == value.len || value.ptr[i + 1] != ':'))
			return false;
	}
	return !quoted;
}

void redirects_drop_alternatives(struct http_head *head)
{
	for (size_t i = 0; i < head->field_count; i++) {
		struct http_field *field = &head->fields[i];
		if (field->name_len == 7 && span_ieq(http_field_name(head, field), SPAN("alt-svc")) &&
		    !stays_at_host(http_field_value(head, field)))
			field->dropped = true;
	}
}
