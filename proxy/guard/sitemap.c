/* Sitemaps by expat, robots.txt by hand. The text is hostile: no document type is
 * taken, so no entity can grow or be fetched, and it is parsed in one piece, so that no token is
 * looked at twice. Memory: a few times the text at most. */
#include "sallyport/sitemap.h"

#include <expat.h>
#include <limits.h>

struct reading {
	XML_Parser parser;
	sitemap_on_url *on_url;
	void *context;
	struct err *err;
	unsigned depth, urls;
	enum link_kind kind; /* of what it names, by its root */
	bool refused;    /* err says why */
	bool in_url;
	bool too_long;
	size_t len;
	char url[SITEMAP_URL_MAX];
};

static struct span trim(struct span s)
{
	while (s.len > 0 && (unsigned char)s.ptr[0] <= ' ')
		s = span_from(s, 1);
	while (s.len > 0 && (unsigned char)s.ptr[s.len - 1] <= ' ')
		s.len--;
	return s;
}

/* True where more may come. */
static bool tell(enum link_kind kind, struct span url, unsigned *urls, sitemap_on_url *on_url,
		 void *context)
{
	url = trim(url);
	if (url.len == 0 || url.len > SITEMAP_URL_MAX)
		return true;
	return on_url(context, kind, url) && ++*urls < SITEMAP_URLS_MAX;
}

static void stop(struct reading *reading)
{
	XML_StopParser(reading->parser, XML_FALSE);
}

static void refuse(struct reading *reading, const char *what)
{
	if (!reading->refused)
		err_set(reading->err, "line %lu: %s", XML_GetCurrentLineNumber(reading->parser), what);
	reading->refused = true;
	stop(reading);
}

/* Without the prefix of its namespace. */
static struct span local_name(const char *name)
{
	struct span s = span_from_str(name);
	size_t colon = span_find(s, ':');
	return colon < s.len ? span_from(s, colon + 1) : s;
}

static enum link_kind kind_of_root(struct span name)
{
	if (span_eq(name, SPAN("sitemapindex")))
		return LINK_TO_SITEMAP;
	return span_eq(name, SPAN("urlset")) ? LINK_TO_PAGE : LINK_UNSET;
}

static void XMLCALL on_start(void *context, const char *qualified, const char **attributes)
{
	struct reading *reading = context;
	struct span name = local_name(qualified);
	(void)attributes;
	if (++reading->depth > SITEMAP_DEPTH_MAX)
		refuse(reading, "elements are nested too deep");
	if (reading->depth == 1) {
		reading->kind = kind_of_root(name);
		if (reading->kind == LINK_UNSET)
			stop(reading);
	}
	reading->in_url = span_eq(name, SPAN("loc"));
	reading->too_long = false;
	reading->len = 0;
}

static void XMLCALL on_text(void *context, const char *text, int len)
{
	struct reading *reading = context;
	size_t n = (size_t)len;
	if (!reading->in_url)
		return;
	if (n > sizeof(reading->url) - reading->len) {
		reading->too_long = true;
		return;
	}
	memcpy(reading->url + reading->len, text, n);
	reading->len += n;
}

static void XMLCALL on_end(void *context, const char *name)
{
	struct reading *reading = context;
	(void)name;
	reading->depth--;
	if (reading->in_url && !reading->too_long &&
	    !tell(reading->kind, span_of(reading->url, reading->len), &reading->urls,
		  reading->on_url, reading->context))
		stop(reading);
	reading->in_url = false;
}

static void XMLCALL on_doctype(void *context, const char *name, const char *system,
			       const char *public, int has_subset)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	refuse(context, "it has a document type");
}

static bool parse(struct reading *reading, struct span text)
{
	XML_SetUserData(reading->parser, reading);
	XML_SetElementHandler(reading->parser, on_start, on_end);
	XML_SetCharacterDataHandler(reading->parser, on_text);
	XML_SetStartDoctypeDeclHandler(reading->parser, on_doctype);
	enum XML_Status status = XML_Parse(reading->parser, text.ptr, (int)text.len, XML_TRUE);
	enum XML_Error error = XML_GetErrorCode(reading->parser);
	if (reading->refused)
		return false;
	/* XML_ERROR_ABORTED: we had enough of it */
	if (status == XML_STATUS_OK || error == XML_ERROR_ABORTED)
		return true;
	return err_set(reading->err, "line %lu: %s", XML_GetCurrentLineNumber(reading->parser),
		       XML_ErrorString(error));
}

static bool read_xml(struct span text, sitemap_on_url *on_url, void *context, struct err *err)
{
	struct reading reading = {.on_url = on_url, .context = context, .err = err};
	reading.parser = XML_ParserCreate(NULL);
	if (!reading.parser)
		return err_set(err, "no memory for a parser");
	bool done = parse(&reading, text);
	XML_ParserFree(reading.parser);
	return done;
}

static struct span take_line(struct span *text)
{
	size_t len = 0;
	while (len < text->len && text->ptr[len] != '\n' && text->ptr[len] != '\r')
		len++;
	struct span line = span_of(text->ptr, len);
	*text = span_from(*text, len + 1);
	return line;
}

static void read_lines(struct span text, sitemap_on_url *on_url, void *context)
{
	unsigned urls = 0;
	while (text.len > 0) {
		struct span line = trim(take_line(&text));
		bool is_url = span_istarts(line, SPAN("http://")) || span_istarts(line, SPAN("https://"));
		if (is_url && !tell(LINK_TO_PAGE, line, &urls, on_url, context))
			return;
	}
}

bool sitemap_read(struct span text, sitemap_on_url *on_url, void *context, struct err *err)
{
	if (text.len > INT_MAX)
		return err_set(err, "it is too large");
	struct span start = trim(span_starts(text, SPAN("\xef\xbb\xbf")) ? span_from(text, 3) : text);
	bool is_text = span_istarts(start, SPAN("http://")) || span_istarts(start, SPAN("https://"));
	if (!is_text)
		return read_xml(text, on_url, context, err);
	read_lines(start, on_url, context);
	return true;
}

void robots_read(struct span text, sitemap_on_url *on_url, void *context)
{
	unsigned urls = 0;
	if (span_starts(text, SPAN("\xef\xbb\xbf")))
		text = span_from(text, 3);
	while (text.len > 0) {
		struct span line = trim(take_line(&text));
		size_t colon = span_find(line, ':');
		struct span name = trim(span_of(line.ptr, colon));
		struct span value = span_from(line, colon + 1);
		if (span_ieq(name, SPAN("sitemap")) && !tell(LINK_TO_SITEMAP, value, &urls, on_url, context))
			return;
	}
}
