/* PROXY headers: any bytes give the same answer whole and byte by byte; a header that was
 * understood, written anew in either version, names the same addresses. */
#include <stdlib.h>
#include <string.h>

#include "head_fuzz.h"
#include "sallyport/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum proxy_parse parse_copy(const uint8_t *data, size_t len, struct proxy_header *header,
				   enum reason *reason)
{
	char *copy = malloc(len ? len : 1);
	MUST(copy);
	memcpy(copy, data, len);
	*reason = REASON_UNSET;
	enum proxy_parse parse = proxy_header_parse(span_of(copy, len), header, reason);
	free(copy);
	MUST((parse == PROXY_PARSE_BAD) == (*reason != REASON_UNSET));
	MUST(parse != PROXY_PARSE_DONE || (header->len <= len && header->len <= PROXY_HEADER_MAX));
	return parse;
}

static void check_written_anew(const struct proxy_header *header, enum proxy_version version)
{
	struct proxy_header again;
	enum reason reason = REASON_UNSET;
	char out[PROXY_WRITE_MAX];
	size_t len = proxy_header_write(version, &header->source, &header->destination, out);
	MUST(len > 0 && len < sizeof(out));
	MUST(proxy_header_parse(span_of(out, len), &again, &reason) == PROXY_PARSE_DONE);
	MUST(again.len == len && again.has_source && addr_eq(&again.source, &header->source) &&
	     addr_eq(&again.destination, &header->destination));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	enum reason whole_reason, part_reason = REASON_UNSET;
	if (size > 2 * PROXY_HEADER_MAX)
		return 0;
	enum proxy_parse parse = parse_copy(data, size, &whole, &whole_reason);
	enum proxy_parse bytewise = PROXY_PARSE_MORE;
	for (size_t len = 0; len <= size && bytewise == PROXY_PARSE_MORE; len++)
		bytewise = parse_copy(data, len, &part, &part_reason);
	MUST(bytewise == parse && part_reason == whole_reason);
	if (parse != PROXY_PARSE_DONE)
		return 0;
	MUST(part.len == whole.len && part.has_source == whole.has_source);
	if (!whole.has_source)
		return 0;
	MUST(addr_eq(&part.source, &whole.source) && addr_eq(&part.destination, &whole.destination));
	check_written_anew(&whole, PROXY_VERSION_1);
	check_written_anew(&whole, PROXY_VERSION_2);
	return 0;
}
