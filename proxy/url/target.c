/* Splits a request-target (RFC 9112 section 3.2) into its parts. Looks at every byte
 * once, for what may be in no part at all; what the parts mean is canon.c's, query.c's and
 * host.c's affair. authority-form is CONNECT's alone, and has an entry of its own: everywhere else
 * it would be a path without its slash. */
#include "url/class.h"

#include "sallyport/url.h"

static bool fail(enum reason *reason, enum reason why)
{
	*reason = why;
	return false;
}

/* Cuts the part before the first "?" off; the query is what follows it. */
static void cut_query(struct span s, size_t question, struct url_target *out)
{
	out->path = span_of(s.ptr, question);
	out->query = question < s.len ? span_from(s, question + 1) : (struct span){NULL, 0};
}

static size_t scheme_len(struct span target)
{
	if (span_istarts(target, SPAN("http://")))
		return 7;
	return span_istarts(target, SPAN("https://")) ? 8 : 0;
}

static bool split_absolute(struct span target, struct url_target *out, enum reason *reason)
{
	size_t scheme = scheme_len(target);
	if (scheme == 0)
		return fail(reason, REASON_TARGET_INVALID);
	struct span rest = span_from(target, scheme);
	size_t question = span_find(rest, '?');
	size_t slash = span_find(span_of(rest.ptr, question), '/');
	out->form = URL_ABSOLUTE;
	out->authority = span_of(rest.ptr, slash);
	cut_query(span_from(rest, slash), question - slash, out);
	if (out->path.len == 0)
		out->path = SPAN("/");
	return out->authority.len > 0 || fail(reason, REASON_TARGET_INVALID);
}

/* Where the first "?" stands; *bad: the first byte that may stand nowhere, or the end. */
static size_t scan_bytes(struct span target, size_t *bad)
{
	size_t question = target.len, i = 0;
	for (; i < target.len; i++) {
		char c = target.ptr[i];
		if (url_class_of(c) & URL_CLASS_UNSAFE || c == '#')
			break;
		if (c == '?' && question == target.len)
			question = i;
	}
	*bad = i;
	return question;
}

bool url_split(struct span target, struct url_target *out, enum reason *reason)
{
	size_t bad;
	*out = (struct url_target){0};
	size_t question = scan_bytes(target, &bad);
	if (bad < target.len)
		return fail(reason, target.ptr[bad] == '#' ? REASON_FRAGMENT : REASON_TARGET_BYTE);
	if (span_eq(target, SPAN("*"))) {
		out->form = URL_ASTERISK;
		out->path = target;
		return true;
	}
	if (target.len == 0 || target.ptr[0] != '/')
		return split_absolute(target, out, reason);
	out->form = URL_ORIGIN;
	cut_query(target, question, out);
	return true;
}

/* Plain decimal and without a zero before it, so that it reads the same everywhere. */
static bool is_port(struct span port)
{
	for (size_t i = 0; i < port.len; i++) {
		if (!ascii_is_digit(port.ptr[i]))
			return false;
	}
	return port.len > 0 && port.ptr[0] != '0';
}

bool url_split_authority(struct span target, struct url_target *out, struct url_host *host, enum reason *reason)
{
	size_t bad;
	*out = (struct url_target){0};
	(void)scan_bytes(target, &bad);
	if (bad < target.len)
		return fail(reason, target.ptr[bad] == '#' ? REASON_FRAGMENT : REASON_TARGET_BYTE);
	const char *colon = target.len > 0 ? memrchr(target.ptr, ':', target.len) : NULL;
	if (!colon || !is_port(span_from(target, (size_t)(colon - target.ptr) + 1)))
		return fail(reason, REASON_EGRESS_TARGET);
	if (!url_parse_host(target, host, reason))
		return false;
	out->form = URL_AUTHORITY;
	out->authority = target;
	return host->port != 0 || fail(reason, REASON_EGRESS_TARGET);
}
