/* Resolves references. Whether a reference leads to another host, and to which, is redirect.c's
 * affair, so that pages and redirects are read in one way only; here stands where it leads on
 * that host: path and query, in the form in which a browser would ask for them.
 *
 *   buf:  │ reference, cleaned │ host │ path, merged │ path, canonical │ query, encoded │
 */
#include "sallyport/reference.h"

#include "sallyport/redirect.h"

/* What no visitor's browser would get through with. */
enum { NO_PATH = URL_ESCAPE_NUL | URL_UTF8_OVERLONG | URL_ESCAPE_CONTROL };

struct scratch {
	char *at;
};

static char *take(struct scratch *scratch, size_t len)
{
	char *from = scratch->at;
	scratch->at += len;
	return from;
}

/* Without what browsers take out before they look (WHATWG URL, section 4.4), and without the fragment. */
static struct span clean(struct span text, struct scratch *scratch)
{
	while (text.len > 0 && (unsigned char)text.ptr[0] <= ' ')
		text = span_from(text, 1);
	while (text.len > 0 && (unsigned char)text.ptr[text.len - 1] <= ' ')
		text.len--;
	size_t len = 0;
	for (size_t i = 0; i < text.len && text.ptr[i] != '#'; i++) {
		char c = text.ptr[i];
		if (c != '\t' && c != '\n' && c != '\r')
			scratch->at[len++] = c;
	}
	return span_of(take(scratch, len), len);
}

static bool is_slash(char c)
{
	return c == '/' || c == '\\';
}

static bool ends_authority(char c)
{
	return is_slash(c) || c == '?';
}

static struct span skip_scheme(struct span text, bool *tls)
{
	if (span_istarts(text, SPAN("https:"))) {
		*tls = true;
		return span_from(text, 6);
	}
	if (span_istarts(text, SPAN("http:"))) {
		*tls = false;
		return span_from(text, 5);
	}
	return text;
}

/* Of an authority that redirect_read took for one: what follows the last colon, if not within brackets. */
static uint16_t port_of(struct span authority, bool tls)
{
	uint64_t port = 0;
	size_t colon = authority.len;
	for (size_t i = 0; i < authority.len; i++) {
		if (authority.ptr[i] == ':')
			colon = i;
		else if (authority.ptr[i] == ']' || authority.ptr[i] == '@')
			colon = authority.len;
	}
	if (!span_to_u64(span_from(authority, colon + 1), UINT16_MAX, &port) || port == 0)
		port = tls ? 443 : 80;
	return (uint16_t)port;
}

/* Cuts the authority off; what is left is a path and a query. */
static struct span take_authority(struct span text, struct url_place *out)
{
	size_t len = 0;
	while (text.len > 0 && is_slash(text.ptr[0]))
		text = span_from(text, 1);
	while (len < text.len && !ends_authority(text.ptr[len]))
		len++;
	out->port = port_of(span_of(text.ptr, len), out->tls);
	return span_from(text, len);
}

/* RFC 3986 section 5.2.3; dot segments are taken away with the rest of what is not canonical. */
static struct span merge(struct span path, const struct url_place *base, bool is_absolute,
			 struct scratch *scratch)
{
	size_t kept = is_absolute || (path.len > 0 && is_slash(path.ptr[0])) ? 0 : base->path.len;
	while (kept > 0 && base->path.ptr[kept - 1] != '/')
		kept--;
	bool needs_slash = kept == 0 && (path.len == 0 || !is_slash(path.ptr[0]));
	size_t len = kept + needs_slash + path.len;
	char *merged = take(scratch, len), *to = merged + kept;
	memcpy(merged, base->path.ptr, kept);
	if (needs_slash)
		*to++ = '/';
	for (size_t i = 0; i < path.len; i++)
		to[i] = path.ptr[i] == '\\' ? '/' : path.ptr[i];
	return span_of(merged, len);
}

/* The special-query percent-encode set (WHATWG URL, section 1.3). */
static bool is_raw_in_query(char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '#' && c != '<' && c != '>' && c != '\'';
}

static struct span encode_query(struct span query, struct scratch *scratch)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t len = 0;
	for (size_t i = 0; i < query.len; i++) {
		unsigned char byte = (unsigned char)query.ptr[i];
		if (is_raw_in_query(query.ptr[i])) {
			scratch->at[len++] = query.ptr[i];
			continue;
		}
		scratch->at[len++] = '%';
		scratch->at[len++] = digits[byte >> 4];
		scratch->at[len++] = digits[byte & 0xf];
	}
	return span_of(take(scratch, len), len);
}

/* rest: "path?query" of the reference. */
static bool resolve_path(struct span rest, const struct url_place *base, bool is_absolute,
			 struct scratch *scratch, struct url_place *out)
{
	struct url_canon canon;
	size_t question = span_find(rest, '?');
	struct span path = span_of(rest.ptr, question);
	out->path = base->path;
	if (is_absolute || path.len > 0) {
		struct span merged = merge(path, base, is_absolute, scratch);
		url_canon_path(merged, take(scratch, URL_CANON_ROOM(merged.len)), &canon);
		if (canon.findings & NO_PATH)
			return false;
		out->path = canon.path;
	}
	if (question < rest.len)
		out->query = encode_query(span_from(rest, question + 1), scratch);
	else
		out->query = is_absolute || path.len > 0 ? (struct span){NULL, 0} : base->query;
	return true;
}

bool reference_resolve(struct span text, const struct url_place *base, char *buf,
		       struct url_place *out)
{
	struct scratch scratch = {buf};
	struct redirect to;
	if (text.len > REFERENCE_MAX || base->path.len > REFERENCE_MAX)
		return false;
	struct span rest = clean(text, &scratch);
	redirect_read(rest, base->tls, &to);
	if (to.kind == REDIRECT_ODD)
		return false;
	*out = *base;
	rest = skip_scheme(rest, &out->tls);
	bool is_absolute = to.kind == REDIRECT_HOST;
	if (is_absolute) {
		char *host = take(&scratch, to.host_len);
		memcpy(host, to.host, to.host_len);
		out->host = span_of(host, to.host_len);
		rest = take_authority(rest, out);
	}
	return resolve_path(rest, base, is_absolute, &scratch, out);
}
