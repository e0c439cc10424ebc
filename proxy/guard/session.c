/* Who is anybody: a request without a sign that its visitor is in a session. Names of cookies are
 * compared without regard to case, since one too many in a session costs a copy, one too few
 * may show a visitor another's page. */
#include "sallyport/guard.h"
#include "sallyport/page_key.h"

/* "a=b; c=d" (RFC 6265 section 4.2.1). */
static bool has_session(struct span cookie, const struct policy_strings *cookies)
{
	while (cookie.len > 0) {
		size_t end = span_find(cookie, ';');
		struct span pair = span_trim_ows(span_of(cookie.ptr, end));
		struct span name = span_trim_ows(span_of(pair.ptr, span_find(pair, '=')));
		if (page_name_is_listed(cookies, name))
			return true;
		cookie = span_from(cookie, end + 1);
	}
	return false;
}

bool guard_is_anonymous(const struct http_head *request, const struct policy_strings *cookies)
{
	for (size_t i = 0; i < request->field_count; i++) {
		const struct http_field *field = &request->fields[i];
		if (field->id == HTTP_FIELD_AUTHORIZATION)
			return false;
		if (field->id == HTTP_FIELD_COOKIE && has_session(http_field_value(request, field), cookies))
			return false;
	}
	return true;
}
