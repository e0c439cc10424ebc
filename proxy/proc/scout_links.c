/* Finds links in what the scout fetched, by its kind: HTML, style sheets, sitemaps (also as .gz),
 * robots.txt; and where a response leads by Location and Refresh. Each is told once: a set of
 * digests remembers what was, so that no page can make two of its links look like one but by breaking
 * SHA-256. */
#include "proc/scout_links.h"

#include "sallyport/coding.h"
#include "sallyport/links.h"
#include "sallyport/redirect.h"
#include "sallyport/sitemap.h"
#include "sallyport/strbuf.h"

enum {
	SET_SIZE = 4096,          /* a power of two, and twice LINKS_MAX at least */
	OWN_HOSTS_MAX = 256,
	UNPACKED_MAX = 50 << 20,  /* of a sitemap, by the protocol */
	LINKS_TEXT_MAX = 1 << 19, /* of one job: what is left out is found another time, or nominated */
};

_Static_assert(SET_SIZE >= 2 * LINKS_MAX, "the set of links has room");
_Static_assert(LINK_KINDS <= 4, "a kind fits into two bits");

/* One at a time: it is large, and this is a single thread. */
static struct finding {
	const struct scout_job *job;
	scout_send_links *send;
	void *context;
	uint32_t found;
	size_t text_bytes;
	enum link_kind kind;        /* of what is being reported */
	uint64_t seen[SET_SIZE];    /* 0: free */
	struct scout_links links[LINK_KINDS]; /* being filled, by kind */
	char own_text[JOB_HOSTS_SIZE];
	const char *own_items[OWN_HOSTS_MAX];
	struct policy_strings own;
	struct link_finder finder;
} finding;

static void flush(enum link_kind kind)
{
	struct scout_links *links = &finding.links[kind];
	if (links->n > 0)
		finding.send(finding.context, links);
	*links = (struct scout_links){.id = finding.job->id, .kind = kind};
}

/* False: it was there. */
static bool remember(enum link_kind kind, struct span text)
{
	uint8_t sum[DIGEST_SIZE];
	uint64_t mark;
	digest(text.ptr, text.len, sum);
	memcpy(&mark, sum, sizeof(mark));
	mark = (mark & ~UINT64_C(3)) | kind; /* never 0, and another one for each kind */
	size_t i = mark / 4 % SET_SIZE;
	for (; finding.seen[i] != 0; i = (i + 1) % SET_SIZE)
		if (finding.seen[i] == mark)
			return false;
	finding.seen[i] = mark;
	return true;
}

/* False: enough was found. */
static bool report(enum link_kind kind, struct span before, struct span text)
{
	struct scout_links *links = &finding.links[kind];
	size_t len = before.len + text.len + 1;
	if (finding.found >= finding.job->links_max || finding.text_bytes + len > LINKS_TEXT_MAX)
		return false;
	if (len > sizeof(links->text) - links->bytes)
		flush(kind);
	char *at = links->text + links->bytes;
	memcpy(at, before.ptr, before.len);
	memcpy(at + before.len, text.ptr, text.len);
	at[len - 1] = '\0';
	if (!remember(kind, span_of(at, len - 1)))
		return true;
	links->bytes += (uint32_t)len;
	links->n++;
	finding.found++;
	finding.text_bytes += len;
	return true;
}

static bool on_link(void *context, struct span key)
{
	(void)context;
	return report(finding.kind, SPAN(""), key);
}

static bool on_host(void *context, enum link_place place, struct span host)
{
	char before[16];
	(void)context;
	int n = snprintf(before, sizeof(before), "%s ", link_place_name(place));
	return report(LINK_TO_HOST, span_of(before, (size_t)n), host);
}

static bool is_own(void *context, struct span host)
{
	(void)context;
	return host_matches(&finding.own, host);
}

static bool on_named(void *context, enum link_kind kind, struct span url)
{
	(void)context;
	finding.kind = kind;
	links_in_reference(&finding.finder, LINK_ELSEWHERE, url);
	return !finding.finder.ended;
}

/* ---- what came ---- */

static struct span field(const struct fetch_result *result, enum page_field id)
{
	return result->page->head.fields[id];
}

static bool is_type(const struct fetch_result *result, const char *type)
{
	struct span value = field(result, PAGE_FIELD_CONTENT_TYPE);
	return span_istarts(value, span_from_str(type));
}

static void find_in_head(const struct fetch_result *result)
{
	struct span url, refresh = field(result, PAGE_FIELD_REFRESH);
	struct span location = field(result, PAGE_FIELD_LOCATION);
	finding.kind = LINK_TO_PAGE;
	if (location.len > 0)
		links_in_reference(&finding.finder, LINK_ELSEWHERE, location);
	if (refresh.len > 0 && refresh_read(refresh, &url) == REFRESH_URL)
		links_in_reference(&finding.finder, LINK_REFRESH, url);
}

/* A page without a type is looked at: browsers do, too. */
static void find_in_page(const struct fetch_result *result)
{
	if (is_type(result, "text/css"))
		links_in_css(&finding.finder, result->content);
	else if (is_type(result, "text/html") || is_type(result, "application/xhtml+xml") ||
		 field(result, PAGE_FIELD_CONTENT_TYPE).len == 0)
		links_in_html(&finding.finder, result->content);
}

static bool keep(void *context, const uint8_t *bytes, size_t len)
{
	struct strbuf *out = context;
	strbuf_add(out, bytes, len);
	return !out->truncated;
}

/* sitemap.xml.gz is a file that is gzip, not one that is sent so. */
static bool unpack(struct span packed, struct strbuf *out)
{
	const struct coding_list list = {1, {CODING_GZIP}};
	const struct coding_limits limits = {UNPACKED_MAX, CODING_RATIO};
	const struct coding_sink sink = {keep, out};
	struct coding_decoder *decoder = coding_new(&list, &limits, &sink, NULL);
	if (!decoder)
		return false;
	coding_feed(decoder, packed.ptr, packed.len);
	bool whole = coding_end(decoder) == CODING_DONE;
	coding_free(decoder);
	return whole;
}

static void find_in_sitemap(struct span text)
{
	struct strbuf unpacked;
	struct err err;
	strbuf_init(&unpacked, UNPACKED_MAX);
	if (!span_starts(text, SPAN("\x1f\x8b")) || unpack(text, &unpacked)) {
		if (unpacked.len > 0)
			text = strbuf_span(&unpacked);
		/* One that is malformed gives what stood before its fault: the sample is there all the same. */
		bool is_whole = sitemap_read(text, on_named, NULL, &err);
		(void)is_whole;
	}
	strbuf_release(&unpacked);
}

static void read_own_hosts(const struct scout_job *job)
{
	struct span rest = span_from_str(job->hosts), host;
	size_t used = 0;
	finding.own = (struct policy_strings){.items = finding.own_items};
	while (finding.own.n < OWN_HOSTS_MAX && span_next_element(&rest, &host)) {
		char *copy = finding.own_text + used;
		memcpy(copy, host.ptr, host.len);
		copy[host.len] = '\0';
		used += host.len + 1;
		finding.own_items[finding.own.n++] = copy;
	}
}

/* host was read by url_parse_host before the job was taken. */
static void set_page(const struct scout_job *job)
{
	struct url_target target;
	struct url_host host = {0};
	enum reason reason;
	static char name[JOB_HOST_SIZE];
	struct url_place *page = &finding.finder.page;
	if (!url_parse_host(span_from_str(job->host), &host, &reason) ||
	    !url_split(span_from_str(job->target), &target, &reason))
		return;
	for (size_t i = 0; i < host.name.len; i++)
		name[i] = ascii_lower(host.name.ptr[i]);
	*page = (struct url_place){.tls = job->tls, .port = host.port, .host = span_of(name, host.name.len),
				   .path = target.path, .query = target.query};
	if (page->port == 0)
		page->port = job->tls ? 443 : 80;
}

uint32_t scout_links_find(const struct scout_job *job, const struct fetch_result *result,
			  scout_send_links *send, void *context)
{
	finding.job = job;
	finding.send = send;
	finding.context = context;
	finding.found = 0;
	finding.text_bytes = 0;
	memset(finding.seen, 0, sizeof(finding.seen));
	for (int kind = LINK_UNSET + 1; kind < LINK_KINDS; kind++)
		finding.links[kind] = (struct scout_links){.id = job->id, .kind = (uint32_t)kind};
	finding.finder.sink = (struct link_sink){is_own, on_link, on_host, NULL};
	read_own_hosts(job);
	set_page(job);
	find_in_head(result);
	if (job->links == JOB_LINKS_PAGE)
		find_in_page(result);
	else if (job->links == JOB_LINKS_SITEMAP)
		find_in_sitemap(result->content);
	else
		robots_read(result->content, on_named, NULL);
	for (int kind = LINK_UNSET + 1; kind < LINK_KINDS; kind++)
		flush((enum link_kind)kind);
	return finding.found;
}
