/* Where a Location leads: whatever the bytes are, a host that comes out is one that we would take for a
 * host, it does not depend on tabs and line ends in between, and a Refresh leads where its URL does. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "sallyport/redirect.h"

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "fuzz_redirect: %s\n", what);
	abort();
}

static void check_host(const struct redirect *to)
{
	struct url_host host;
	enum reason reason;
	struct span name = span_of(to->host, to->host_len);
	if (to->kind != REDIRECT_HOST)
		return;
	if (!url_parse_host(name, &host, &reason) || !span_eq(host.name, name) || host.port != 0)
		die("a host that is none");
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] != ascii_lower(name.ptr[i]) || (unsigned char)name.ptr[i] <= 0x20)
			die("a host that is not plain");
}

static bool is_same(const struct redirect *a, const struct redirect *b)
{
	return a->kind == b->kind &&
	       (a->kind != REDIRECT_HOST ||
		span_eq(span_of(a->host, a->host_len), span_of(b->host, b->host_len)));
}

/* Browsers take them out before they look at anything. */
static size_t spread(const uint8_t *data, size_t size, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < size; i++) {
		out[len++] = (char)data[i];
		out[len++] = i % 3 == 0 ? '\t' : i % 3 == 1 ? '\n' : '\r';
	}
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[2 * 4096 + 16];
	if (size > 4096)
		return 0;
	struct span value = span_of((const char *)data, size), url;
	for (int from_https = 0; from_https <= 1; from_https++) {
		struct redirect plain, spaced;
		redirect_read(value, from_https != 0, &plain);
		check_host(&plain);
		redirect_read(span_of(text, spread(data, size, text)), from_https != 0, &spaced);
		if (!is_same(&plain, &spaced))
			die("tabs and line ends change where it leads");
	}
	if (refresh_read(value, &url) == REFRESH_URL &&
	    (url.ptr < value.ptr || url.ptr + url.len > value.ptr + value.len))
		die("a URL that is not part of the value");
	return 0;
}
