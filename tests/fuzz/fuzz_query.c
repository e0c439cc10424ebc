/* A query of any bytes: scanned and decoded, judged by what must hold. */
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

/* A NUL in the decoded query came from one that was found, or stood there raw. */
static void check_nul(struct span decoded, unsigned findings)
{
	if (span_find(decoded, '\0') < decoded.len)
		must(findings & (URL_ESCAPE_NUL | URL_RAW_UNSAFE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span evidence;
	/* copies of just that size, so that a sanitizer sees a step past their end */
	char *text = malloc(size ? size : 1), *buf = malloc(size ? size : 1);
	must(text && buf);
	if (size > 0)
		memcpy(text, data, size);
	struct span query = span_of(text, size);
	unsigned findings = url_scan_query(query, &evidence);
	must((findings == 0) == (evidence.ptr == NULL));
	if (findings)
		must(evidence.len > 0 && evidence.ptr >= query.ptr &&
		     evidence.ptr + evidence.len <= query.ptr + query.len);
	struct span decoded = url_decode_query(query, buf);
	must(decoded.len <= query.len);
	must(url_query_prefix(query, decoded.len).len == query.len);
	check_nul(decoded, findings);
	free(buf);
	free(text);
	return 0;
}
