/* Finds what a page leads to. Which attribute of which element is a reference stands in a table;
 * everything is read as a browser would read it, and what a script would only build is not
 * found: workers nominate what visitors ask for. */
#include "sallyport/links.h"

#include "guard/markup.h"
#include "sallyport/redirect.h"

const char *link_place_name(enum link_place place)
{
	static const char *const names[LINK_PLACES] = {"-",    "link",    "script", "frame",
						       "form", "refresh", "base"};
	return place < LINK_PLACES ? names[place] : "-";
}

/* ---- references ---- */

static bool is_own(const struct link_finder *f, const struct url_place *to)
{
	if (to->port != (to->tls ? 443 : 80) && to->port != f->page.port)
		return false;
	return span_eq(to->host, f->page.host) ||
	       (f->sink.is_own && f->sink.is_own(f->sink.context, to->host));
}

static void report_link(struct link_finder *f, const struct url_place *to)
{
	size_t path = to->path.len, query = to->query.ptr ? to->query.len + 1 : 0;
	if (path + query > sizeof(f->key))
		return;
	memcpy(f->key, to->path.ptr, path);
	if (query > 0) {
		f->key[path] = '?';
		memcpy(f->key + path + 1, to->query.ptr, query - 1);
	}
	f->ended |= !f->sink.on_link(f->sink.context, span_of(f->key, path + query));
}

static void report_host(struct link_finder *f, enum link_place place, struct span host)
{
	if (f->sink.on_host)
		f->ended |= !f->sink.on_host(f->sink.context, place, host);
}

enum follow { FOLLOW_UNSET = 0, FOLLOW, FOLLOW_NOT };

static void report(struct link_finder *f, enum link_place place, enum follow follow,
		   struct span reference)
{
	struct url_place to;
	if (f->ended || !reference.ptr ||
	    !reference_resolve(reference, &f->base, f->resolved, &to))
		return;
	if (!is_own(f, &to)) {
		if (place > LINK_ELSEWHERE)
			report_host(f, place, to.host);
	} else if (follow == FOLLOW) {
		report_link(f, &to);
	}
}

static void begin(struct link_finder *f)
{
	f->base = f->page;
	f->has_base = f->ended = false;
}

void links_in_reference(struct link_finder *f, enum link_place place, struct span reference)
{
	begin(f);
	report(f, place, FOLLOW, reference);
}

/* ---- style sheets (CSS Syntax Level 3, as far as url() and @import go) ---- */

static size_t skip_css_comment(struct span css, size_t at)
{
	for (at += 2; at + 1 < css.len; at++)
		if (css.ptr[at] == '*' && css.ptr[at + 1] == '/')
			return at + 2;
	return css.len;
}

/* From the opening quote on; *string is what stands between. A line's end ends it, too. */
static size_t take_css_string(struct span css, size_t at, struct span *string)
{
	char quote = css.ptr[at];
	size_t from = ++at;
	for (; at < css.len && css.ptr[at] != quote && css.ptr[at] != '\n'; at++)
		at += css.ptr[at] == '\\' && at + 1 < css.len;
	*string = span_of(css.ptr + from, at - from);
	return at < css.len ? at + 1 : at;
}

static size_t skip_css_spaces(struct span css, size_t at)
{
	while (at < css.len && markup_is_space(css.ptr[at]))
		at++;
	return at;
}

/* From behind "url(" on. */
static size_t take_css_url(struct span css, size_t at, struct span *url)
{
	at = skip_css_spaces(css, at);
	if (at < css.len && (css.ptr[at] == '"' || css.ptr[at] == '\''))
		return take_css_string(css, at, url);
	size_t from = at;
	while (at < css.len && css.ptr[at] != ')' && !markup_is_space(css.ptr[at]))
		at++;
	*url = span_of(css.ptr + from, at - from);
	return at;
}

/* What begins at css.ptr[at] and is no comment; url.ptr is set where it was a reference. */
static size_t take_css_token(struct span css, size_t at, struct span *url)
{
	struct span here = span_from(css, at);
	struct span plain;
	if (span_istarts(here, SPAN("url(")))
		return take_css_url(css, at + 4, url);
	if (span_istarts(here, SPAN("@import"))) {
		at = skip_css_spaces(css, at + 7);
		bool is_string = at < css.len && (css.ptr[at] == '"' || css.ptr[at] == '\'');
		return is_string ? take_css_string(css, at, url) : at;
	}
	if (here.ptr[0] == '"' || here.ptr[0] == '\'')
		return take_css_string(css, at, &plain);
	return at + 1;
}

static void find_in_css(struct link_finder *f, struct span css)
{
	for (size_t at = 0; at < css.len && !f->ended;) {
		struct span url = {0};
		if (span_starts(span_from(css, at), SPAN("/*")))
			at = skip_css_comment(css, at);
		else
			at = take_css_token(css, at, &url);
		if (url.len > 0)
			report(f, LINK_ELSEWHERE, FOLLOW, url);
	}
}

void links_in_css(struct link_finder *f, struct span text)
{
	begin(f);
	find_in_css(f, text);
}

/* ---- elements ---- */

enum attribute {
	ATTRIBUTE_HREF, ATTRIBUTE_XLINK_HREF, ATTRIBUTE_SRC, ATTRIBUTE_SRCSET, ATTRIBUTE_POSTER, ATTRIBUTE_DATA,
	ATTRIBUTE_BACKGROUND, ATTRIBUTE_ACTION, ATTRIBUTE_FORMACTION, ATTRIBUTE_METHOD, ATTRIBUTE_REL,
	ATTRIBUTE_HTTP_EQUIV, ATTRIBUTE_CONTENT, ATTRIBUTE_STYLE, ATTRIBUTE_COUNT
};

static const char *const attribute_names[ATTRIBUTE_COUNT] = {
    "href", "xlink:href", "src", "srcset", "poster", "data", "background", "action", "formaction",
    "method", "rel", "http-equiv", "content", "style"};

/* Raw values; ptr NULL: not there. The first of a name counts. */
struct attributes {
	struct span of[ATTRIBUTE_COUNT];
};

static bool read_attributes(struct markup *markup, struct attributes *out)
{
	struct markup_attribute found;
	bool whole;
	*out = (struct attributes){0};
	while (markup_next_attribute(markup, &found, &whole)) {
		for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++)
			if (!out->of[i].ptr && span_ieq(found.name, span_from_str(attribute_names[i])))
				out->of[i] = found.value;
	}
	return whole;
}

/* Decoded; ptr NULL where it is too long for a reference. */
static struct span decoded(struct link_finder *f, struct span value)
{
	if (value.len > sizeof(f->value))
		return span_of(NULL, 0);
	return markup_decode(value, f->value);
}

/* Behind the descriptors of a candidate: at the next comma that stands in no parentheses. */
static size_t skip_descriptors(struct span value, size_t at)
{
	bool in_parentheses = false;
	for (; at < value.len && (value.ptr[at] != ',' || in_parentheses); at++) {
		if (value.ptr[at] == '(' || value.ptr[at] == ')')
			in_parentheses = value.ptr[at] == '(';
	}
	return at;
}

/* WHATWG HTML, section 4.8.4.2: URLs, each with descriptors up to a comma. A URL ends in no comma:
 * one that stands there ends the candidate. */
static void find_in_srcset(struct link_finder *f, struct span value)
{
	for (size_t at = 0; at < value.len;) {
		while (at < value.len && (markup_is_space(value.ptr[at]) || value.ptr[at] == ','))
			at++;
		size_t from = at;
		while (at < value.len && !markup_is_space(value.ptr[at]))
			at++;
		struct span url = span_of(value.ptr + from, at - from);
		bool has_descriptors = !span_ends(url, SPAN(","));
		while (span_ends(url, SPAN(",")))
			url.len--;
		if (url.len > 0)
			report(f, LINK_ELSEWHERE, FOLLOW, decoded(f, url));
		if (has_descriptors)
			at = skip_descriptors(value, at);
	}
}

static void find_in_meta(struct link_finder *f, const struct attributes *attributes)
{
	struct span url = {0};
	if (!span_ieq(attributes->of[ATTRIBUTE_HTTP_EQUIV], SPAN("refresh")))
		return;
	struct span content = decoded(f, attributes->of[ATTRIBUTE_CONTENT]);
	if (content.ptr && refresh_read(content, &url) == REFRESH_URL)
		report(f, LINK_REFRESH, FOLLOW, url);
}

static void heed_base(struct link_finder *f, const struct attributes *attributes)
{
	struct url_place base;
	struct span href = attributes->of[ATTRIBUTE_HREF];
	if (f->has_base || !href.ptr)
		return;
	f->has_base = true;
	href = decoded(f, href);
	if (!href.ptr || !reference_resolve(href, &f->page, f->base_resolved, &base) ||
	    base.path.len > REFERENCE_MAX)
		return;
	f->base = base;
	if (!is_own(f, &base))
		report_host(f, LINK_BASE, base.host);
}

/* A form that GETs asks for a page like any link; what another method would do is nobody's to try. */
static void find_in_form(struct link_finder *f, const struct attributes *attributes)
{
	struct span method = attributes->of[ATTRIBUTE_METHOD];
	bool asks = method.len == 0 || span_ieq(method, SPAN("get"));
	if (attributes->of[ATTRIBUTE_ACTION].ptr)
		report(f, LINK_FORM, asks ? FOLLOW : FOLLOW_NOT,
		       decoded(f, attributes->of[ATTRIBUTE_ACTION]));
}

/* A host that is only to be got ready is asked for nothing. */
static bool is_hint(struct span rel)
{
	return span_ieq(rel, SPAN("preconnect")) || span_ieq(rel, SPAN("dns-prefetch"));
}

static const struct {
	const char *element;
	enum attribute attribute;
	enum link_place place;
	enum follow follow;
} references[] = {
    {"a", ATTRIBUTE_HREF, LINK_ELSEWHERE, FOLLOW},
    {"area", ATTRIBUTE_HREF, LINK_ELSEWHERE, FOLLOW},
    {"link", ATTRIBUTE_HREF, LINK_ELSEWHERE, FOLLOW},
    {"use", ATTRIBUTE_HREF, LINK_ELSEWHERE, FOLLOW},
    {"use", ATTRIBUTE_XLINK_HREF, LINK_ELSEWHERE, FOLLOW},
    {"image", ATTRIBUTE_HREF, LINK_ELSEWHERE, FOLLOW},
    {"image", ATTRIBUTE_XLINK_HREF, LINK_ELSEWHERE, FOLLOW},
    {"script", ATTRIBUTE_SRC, LINK_SCRIPT, FOLLOW},
    {"script", ATTRIBUTE_HREF, LINK_SCRIPT, FOLLOW},
    {"script", ATTRIBUTE_XLINK_HREF, LINK_SCRIPT, FOLLOW},
    {"iframe", ATTRIBUTE_SRC, LINK_FRAME, FOLLOW},
    {"frame", ATTRIBUTE_SRC, LINK_FRAME, FOLLOW},
    {"embed", ATTRIBUTE_SRC, LINK_FRAME, FOLLOW},
    {"object", ATTRIBUTE_DATA, LINK_FRAME, FOLLOW},
    {"img", ATTRIBUTE_SRC, LINK_ELSEWHERE, FOLLOW},
    {"source", ATTRIBUTE_SRC, LINK_ELSEWHERE, FOLLOW},
    {"video", ATTRIBUTE_SRC, LINK_ELSEWHERE, FOLLOW},
    {"video", ATTRIBUTE_POSTER, LINK_ELSEWHERE, FOLLOW},
    {"audio", ATTRIBUTE_SRC, LINK_ELSEWHERE, FOLLOW},
    {"track", ATTRIBUTE_SRC, LINK_ELSEWHERE, FOLLOW},
    {"input", ATTRIBUTE_SRC, LINK_ELSEWHERE, FOLLOW},
    {"input", ATTRIBUTE_FORMACTION, LINK_FORM, FOLLOW_NOT},
    {"button", ATTRIBUTE_FORMACTION, LINK_FORM, FOLLOW_NOT},
    {"body", ATTRIBUTE_BACKGROUND, LINK_ELSEWHERE, FOLLOW},
    {"table", ATTRIBUTE_BACKGROUND, LINK_ELSEWHERE, FOLLOW},
    {"td", ATTRIBUTE_BACKGROUND, LINK_ELSEWHERE, FOLLOW},
};

static void find_in_element(struct link_finder *f, struct span element,
			    const struct attributes *attributes)
{
	if (span_ieq(element, SPAN("link")) && is_hint(attributes->of[ATTRIBUTE_REL]))
		return;
	for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
		struct span value = attributes->of[references[i].attribute];
		if (value.ptr && span_ieq(element, span_from_str(references[i].element)))
			report(f, references[i].place, references[i].follow, decoded(f, value));
	}
	if (span_ieq(element, SPAN("img")) || span_ieq(element, SPAN("source")))
		find_in_srcset(f, attributes->of[ATTRIBUTE_SRCSET]);
	if (attributes->of[ATTRIBUTE_STYLE].ptr)
		find_in_css(f, decoded(f, attributes->of[ATTRIBUTE_STYLE]));
	if (span_ieq(element, SPAN("form")))
		find_in_form(f, attributes);
	else if (span_ieq(element, SPAN("meta")))
		find_in_meta(f, attributes);
	else if (span_ieq(element, SPAN("base")))
		heed_base(f, attributes);
}

void links_in_html(struct link_finder *f, struct span text)
{
	struct markup markup = {.text = text};
	struct markup_tag tag;
	struct attributes attributes;
	begin(f);
	while (!f->ended && markup_next_tag(&markup, &tag)) {
		if (!read_attributes(&markup, &attributes) || tag.is_end)
			continue;
		find_in_element(f, tag.name, &attributes);
		struct span raw = markup_raw_text(&markup, tag.name);
		if (span_ieq(tag.name, SPAN("style")))
			find_in_css(f, raw);
	}
}
