/* A sentence in copies of HTML, for sites whose operator wants visitors to know. It stands where the
 * body begins; the rest of the page is untouched. */
#include "front/guard.h"

static const char banner[] =
    "<div role=\"status\" style=\"all:initial;display:block;box-sizing:border-box;padding:.5em 1em;"
    "background:#fff4ce;color:#000;font:14px/1.4 sans-serif;border-bottom:1px solid #c9a400\">"
    "This is the last known good copy of this page.</div>";

static bool is_name_end(char c)
{
	return c == '>' || c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == '/';
}

/* Behind the ">" of the body's tag; 0: there is none. Quoted values may hold a ">". */
static size_t body_begin(struct span html)
{
	char quote = 0;
	size_t at = 0;
	while (at + 5 < html.len &&
	       !(span_istarts(span_from(html, at), SPAN("<body")) && is_name_end(html.ptr[at + 5])))
		at++;
	if (at + 5 >= html.len)
		return 0;
	for (at += 5; at < html.len; at++) {
		char c = html.ptr[at];
		if (quote ? c == quote : c == '"' || c == '\'')
			quote = quote ? 0 : c;
		else if (!quote && c == '>')
			return at + 1;
	}
	return 0;
}

struct content *banner_put(const struct content *html, struct memory *memory)
{
	size_t at = body_begin(span_of(html->bytes, html->len)), len = sizeof(banner) - 1;
	struct content *out = at > 0 ? content_new(memory, html->len + len) : NULL;
	if (!out)
		return NULL;
	memcpy(out->bytes, html->bytes, at);
	memcpy(out->bytes + at, banner, len);
	memcpy(out->bytes + at + len, html->bytes + at, html->len - at);
	out->len = html->len + len;
	return out;
}
