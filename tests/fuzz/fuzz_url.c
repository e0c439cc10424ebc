/* A request-target of any bytes: split, made canonical, judged by what must hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sallyport/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool is_within(struct span inner, struct span outer)
{
	return inner.ptr >= outer.ptr && inner.ptr + inner.len <= outer.ptr + outer.len;
}

static bool is_dot_segment(struct span rest)
{
	rest.len = span_find(rest, '/');
	return span_eq(rest, SPAN(".")) || span_eq(rest, SPAN(".."));
}

static void check_canonical(struct span path)
{
	must(path.len > 0 && path.ptr[0] == '/');
	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];
		must(c > 0x20 && c < 0x7f && !strchr("\"<>\\^`{|}[]?#", c));
		if (c == '%') {
			must(path.len - i >= 3);
			must(ascii_hex(path.ptr[i + 1]) >= 0 && ascii_hex(path.ptr[i + 2]) >= 0);
		}
		must(c != '/' || !is_dot_segment(span_from(path, i + 1)));
	}
}

static void check_path(struct span path)
{
	struct url_canon once, twice;
	char *buf = malloc(URL_CANON_ROOM(path.len));
	must(buf != NULL);
	url_canon_path(path, buf, &once);
	if (!span_eq(path, SPAN("*")))
		check_canonical(once.path);
	must(once.findings ? is_within(once.evidence, path) : once.evidence.ptr == NULL);
	char *again = malloc(URL_CANON_ROOM(once.path.len));
	must(again != NULL);
	url_canon_path(once.path, again, &twice);
	must(span_eq(once.path, twice.path) && span_eq(once.decoded, twice.decoded));
	must((twice.findings & (URL_ABOVE_ROOT | URL_DOT_SEGMENT | URL_ESCAPE_NEEDLESS |
				URL_ESCAPE_INVALID | URL_RAW_BYTE | URL_RAW_UNSAFE)) == 0);
	free(again);
	free(buf);
}

/* The same for every finding and rewriting that there is. */
static void check_options(struct span path)
{
	static const struct url_canon_options every[] = {
	    {.heeded = URL_FINDINGS_ALL},
	    {.heeded = URL_FINDINGS_ALL, .rewrite = URL_FINDINGS_REWRITABLE, .last_dots = true},
	    {.rewrite = URL_PARAMETER | URL_EMPTY_SEGMENT},
	};
	for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++) {
		struct url_canon once, twice;
		char *buf = malloc(URL_CANON_ROOM(path.len));
		must(buf != NULL);
		url_canon_path_as(path, &every[i], buf, &once);
		must((once.findings & ~every[i].heeded) == 0);
		must(once.path.len <= 3 * path.len + 1 && once.decoded.len <= path.len + 1);
		char *again = malloc(URL_CANON_ROOM(once.path.len));
		must(again != NULL);
		url_canon_path_as(once.path, &every[i], again, &twice);
		must(span_eq(once.path, twice.path));
		must((twice.findings & every[i].rewrite) == 0);
		free(again);
		free(buf);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct url_target target;
	struct url_host host;
	enum reason reason = REASON_UNSET;
	/* a copy of just that size, so that a sanitizer sees a read past its end */
	char *text = malloc(size ? size : 1);
	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	struct span input = span_of(text, size);
	if (url_split(input, &target, &reason)) {
		must(target.path.len > 0);
		check_path(target.path);
		if (target.form == URL_ABSOLUTE && url_parse_host(target.authority, &host, &reason))
			must(is_within(host.name, input) && host.name.len > 0);
	} else {
		must(reason != REASON_UNSET);
	}
	check_path(input);
	check_options(input);
	free(text);
	return 0;
}
