/* Links in pages: whatever the text, what comes out is a canonical key or a plain host, and the same
 * text gives the same. */
#include "head_fuzz.h"
#include "sallyport/links.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned found;

static bool is_own(void *context, struct span host)
{
	(void)context;
	return host.len % 2 == 1;
}

static bool on_link(void *context, struct span key)
{
	struct url_target target;
	struct url_canon canon;
	enum reason reason;
	static char buf[URL_CANON_ROOM(PAGE_KEY_MAX)];
	(void)context;
	MUST(key.len > 0 && key.len <= PAGE_KEY_MAX && key.ptr[0] == '/');
	MUST(url_split(key, &target, &reason) && target.form == URL_ORIGIN);
	url_canon_path(target.path, buf, &canon);
	MUST(span_eq(canon.path, target.path));
	found++;
	return true;
}

static bool on_host(void *context, enum link_place place, struct span host)
{
	struct url_host read;
	enum reason reason;
	(void)context;
	MUST(place > LINK_ELSEWHERE && place < LINK_PLACES);
	MUST(url_parse_host(host, &read, &reason) && span_eq(read.name, host) && read.port == 0);
	for (size_t i = 0; i < host.len; i++)
		MUST(host.ptr[i] == ascii_lower(host.ptr[i]));
	found++;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct link_finder finder;
	struct span text = span_of((const char *)data, size);
	finder.page = (struct url_place){.tls = size % 2 != 0, .port = 443, .host = SPAN("shop.example"),
					 .path = SPAN("/dir/page.html"), .query = SPAN("q")};
	finder.sink = (struct link_sink){is_own, on_link, on_host, NULL};
	found = 0;
	links_in_html(&finder, text);
	unsigned at_first = found;
	links_in_css(&finder, text);
	links_in_reference(&finder, LINK_BASE, text);
	found = 0;
	links_in_html(&finder, text);
	MUST(found == at_first);
	return 0;
}
