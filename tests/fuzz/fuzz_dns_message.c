/* DNS questions: what is taken for one has a host's name and nothing besides it; the answer repeats its question,
 * is as long as its client takes at most, and is itself never taken for a question. */
#include <stdlib.h>
#include <string.h>

#include "head_fuzz.h"
#include "sallyport/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const struct dns_query *query)
{
	size_t len = strlen(query->name);
	MUST(len > 0 && len <= 253 && query->question.len == len + 2 + 4);
	for (size_t i = 0; i < len; i++) {
		char c = query->name[i];
		MUST(ascii_is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.');
		MUST(c == '.' ? i > 0 && query->name[i - 1] != '.' : c == ascii_lower(query->question.ptr[i + 1]));
	}
	MUST(query->name[len - 1] != '.');
}

static void check_answer(const struct dns_query *query, enum dns_code code)
{
	struct addr addrs[16];
	struct dns_query again;
	uint8_t out[DNS_ANSWER_MAX];
	for (size_t i = 0; i < 16; i++)
		MUST(addr_parse_ip(i % 2 ? SPAN("192.0.2.7") : SPAN("2001:db8::7"), 0, &addrs[i]));
	size_t len = dns_answer_write(query, code, addrs, 16, 30, out);
	MUST(len <= (query->has_edns ? DNS_ANSWER_MAX : DNS_PLAIN_MAX));
	MUST(len >= 12 + query->question.len);
	MUST(memcmp(out + 12, query->question.ptr, query->question.len) == 0);
	MUST(!dns_query_parse(span_of((const char *)out, len), &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_query query;
	char *copy = malloc(size ? size : 1);
	MUST(copy);
	memcpy(copy, data, size);
	if (dns_query_parse(span_of(copy, size), &query)) {
		MUST(size <= DNS_QUERY_MAX);
		check_name(&query);
		check_answer(&query, DNS_NOERROR);
		check_answer(&query, DNS_REFUSED);
	}
	free(copy);
	return 0;
}
