/* Sitemaps and robots.txt: whatever the text, URLs are short, trimmed and few, and an error is said. */
#include "head_fuzz.h"
#include "sallyport/sitemap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_url(void *context, enum link_kind kind, struct span url)
{
	MUST(kind == LINK_TO_PAGE || kind == LINK_TO_SITEMAP);
	MUST(url.len > 0 && url.len <= SITEMAP_URL_MAX);
	MUST((unsigned char)url.ptr[0] > ' ' && (unsigned char)url.ptr[url.len - 1] > ' ');
	MUST(++*(unsigned *)context <= SITEMAP_URLS_MAX);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct err err = {{0}};
	unsigned urls = 0;
	MUST(sitemap_read(text, on_url, &urls, &err) || err.text[0] != '\0');
	urls = 0;
	robots_read(text, on_url, &urls);
	return 0;
}
