/* A query of any bytes, and the same as a cookie or field: scanned and decoded, judged by what must
 * hold. */
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

/* Into a buffer of just the room that is asked for. */
static struct span rewrite(struct span query, unsigned findings)
{
	char *buf = malloc(URL_REWRITE_ROOM(query.len) + 1);
	must(buf != NULL);
	struct span out = url_rewrite_query(query, findings, buf);
	must(out.len <= URL_REWRITE_ROOM(query.len));
	return out;
}

static struct span decode(struct span query)
{
	char *buf = malloc(query.len + 1);
	must(buf != NULL);
	struct span decoded = url_decode_query(query, buf);
	if (decoded.ptr == buf)
		return decoded;
	memcpy(buf, decoded.ptr, decoded.len);
	return span_of(buf, decoded.len);
}

/* What was rewritten is gone for good; where there was nothing, not a byte has changed. */
static void check_rewriting(struct span query, unsigned which)
{
	struct span evidence, once = rewrite(query, which), twice = rewrite(once, which);
	must(span_eq(once, twice));
	must(url_scan_query(once, which, &evidence) == 0);
	if (url_scan_query(query, which | URL_RAW_UNSAFE, &evidence) == 0)
		must(span_eq(once, query));
	free((char *)(uintptr_t)once.ptr);
	free((char *)(uintptr_t)twice.ptr);
}

/* Spelling alone: whoever decodes it reads what was sent. */
static void check_meaning(struct span query)
{
	struct span once = rewrite(query, URL_ESCAPE_INVALID | URL_ESCAPE_UNICODE | URL_RAW_BYTE);
	struct span sent = decode(query), read = decode(once);
	must(span_eq(sent, read));
	free((char *)(uintptr_t)once.ptr);
	free((char *)(uintptr_t)sent.ptr);
	free((char *)(uintptr_t)read.ptr);
}

/* What is found is found alone, too, within the text, and not where a glance saw nothing. */
static void check_text(struct span text)
{
	struct span evidence;
	unsigned findings = url_scan_text(text, URL_FINDINGS_ALL, 0, &evidence), sum = 0;
	must((findings == 0) == (evidence.ptr == NULL));
	must(findings == 0 || !url_text_is_plain(text));
	for (int i = 0; i < URL_FINDING_KINDS; i++) {
		unsigned found = url_scan_text(text, 1u << i, 1u << i, &evidence);
		sum |= found;
		if (found)
			must(evidence.len > 0 && evidence.ptr >= text.ptr &&
			     evidence.ptr + evidence.len <= text.ptr + text.len);
	}
	must(sum == findings);
	must(!(findings & URL_HEAD_SPLIT) || findings & URL_ESCAPE_CONTROL);
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
	unsigned findings = url_scan_query(query, URL_FINDINGS_SPELLING, &evidence);
	must((findings == 0) == (evidence.ptr == NULL));
	if (findings)
		must(evidence.len > 0 && evidence.ptr >= query.ptr &&
		     evidence.ptr + evidence.len <= query.ptr + query.len);
	struct span decoded = url_decode_query(query, buf);
	must(decoded.len <= query.len);
	must(url_query_prefix(query, decoded.len).len == query.len);
	check_nul(decoded, findings);
	check_rewriting(query, URL_FINDINGS_OF_QUERY_REWRITABLE);
	for (unsigned bit = 1; bit <= URL_FINDINGS_OF_QUERY_REWRITABLE; bit <<= 1)
		check_rewriting(query, bit & URL_FINDINGS_OF_QUERY_REWRITABLE);
	check_meaning(query);
	check_text(query);
	free(buf);
	free(text);
	return 0;
}
