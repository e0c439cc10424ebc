/* Whether a path lies under another, as its origin reads names: what is said about a path in a policy
 * must not be got round by a spelling that reaches the same thing. Trusts that both are
 * canonical. */
#include "sallyport/url.h"

static bool is_same(char a, char b, unsigned reading)
{
	return reading & URL_READ_CASELESS ? ascii_lower(a) == ascii_lower(b) : a == b;
}

/* Over the parameters that stand here, unless a ";" is what is looked for. */
static size_t skip_parameters(struct span path, size_t at, unsigned reading, char wanted)
{
	if (!(reading & URL_READ_NO_PARAMETERS) || at == path.len || path.ptr[at] != ';' ||
	    wanted == ';')
		return at;
	return at + span_find(span_from(path, at), '/');
}

bool url_is_under(struct span path, struct span under, unsigned reading)
{
	size_t at = 0;
	for (size_t i = 0; i < under.len; i++, at++) {
		at = skip_parameters(path, at, reading, under.ptr[i]);
		if (at == path.len || !is_same(path.ptr[at], under.ptr[i], reading))
			return false;
	}
	at = skip_parameters(path, at, reading, '/');
	return at == path.len || path.ptr[at] == '/' || under.ptr[under.len - 1] == '/';
}
