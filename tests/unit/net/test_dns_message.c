/* DNS questions: sound ones, and everything that is none; answers byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "guard_page.h"
#include "sallyport/dns_message.h"

#define HEAD "\x12\x34\x01\0\0\x01\0\0\0\0\0\0"
#define HEAD_EDNS "\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01"
#define QUESTION "\x04Shop\x07" "example\0\0\x01\0\x01"
#define OPT "\0\0\x29\x04\xd0\0\0\0\0\0\0"

static bool parse(struct span bytes, struct dns_query *query)
{
	char *copy = guarded_copy(bytes.ptr, bytes.len);
	bool is_query = dns_query_parse(span_of(copy, bytes.len), query);
	query->question.ptr = bytes.ptr + (query->question.ptr - copy);
	guarded_free(copy, bytes.len);
	return is_query;
}

static void a_question_is_read(void **state)
{
	(void)state;
	struct dns_query query;
	assert_true(parse(SPAN(HEAD QUESTION), &query));
	assert_string_equal(query.name, "shop.example");
	assert_int_equal(query.id, 0x1234);
	assert_int_equal(query.type, DNS_TYPE_A);
	assert_true(query.wants_recursion && !query.has_edns);
	assert_true(span_eq(query.question, SPAN(QUESTION)));
	assert_true(parse(SPAN(HEAD_EDNS QUESTION OPT), &query));
	assert_true(query.has_edns);
	/* an option, such as a cookie */
	assert_true(parse(SPAN(HEAD_EDNS QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\x04\0\x0a\0\0"), &query));
	assert_true(parse(SPAN("\0\0\0\0\0\x01\0\0\0\0\0\0\x01"
			       "a\0\0\xff\0\x01"), &query));
	assert_string_equal(query.name, "a");
	assert_false(query.wants_recursion);
	assert_int_equal(query.type, 255);
}

static void every_part_of_a_question_is_none(void **state)
{
	(void)state;
	static const char whole[] = HEAD_EDNS QUESTION OPT;
	struct dns_query query;
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		assert_false(parse(span_of(whole, len), &query));
	assert_true(parse(span_of(whole, sizeof(whole) - 1), &query));
}

static void what_is_malformed_gets_no_answer(void **state)
{
	(void)state;
	static const struct span messages[] = {
	    SPAN("\x12\x34\x81\0\0\x01\0\0\0\0\0\0" QUESTION), /* an answer */
	    SPAN("\x12\x34\x29\0\0\x01\0\0\0\0\0\0" QUESTION), /* UPDATE */
	    SPAN("\x12\x34\x03\0\0\x01\0\0\0\0\0\0" QUESTION), /* truncated */
	    SPAN("\x12\x34\x05\0\0\x01\0\0\0\0\0\0" QUESTION), /* authoritative */
	    SPAN("\x12\x34\x01\x40\0\x01\0\0\0\0\0\0" QUESTION), /* the reserved bit */
	    SPAN("\x12\x34\x01\x03\0\x01\0\0\0\0\0\0" QUESTION), /* with a response code */
	    SPAN("\x12\x34\x01\0\0\0\0\0\0\0\0\0" QUESTION),   /* no question */
	    SPAN("\x12\x34\x01\0\0\x02\0\0\0\0\0\0" QUESTION QUESTION),
	    SPAN("\x12\x34\x01\0\0\x01\0\x01\0\0\0\0" QUESTION), /* an answer in a question */
	    SPAN("\x12\x34\x01\0\0\x01\0\0\0\x01\0\0" QUESTION),
	    SPAN(HEAD QUESTION "x"),                           /* something behind it */
	    SPAN(HEAD_EDNS QUESTION OPT "x"),
	    SPAN(HEAD_EDNS QUESTION "\x01" "a" "\0\x29\x04\xd0\0\0\0\0\0\0"), /* an OPT with a name */
	    SPAN(HEAD_EDNS QUESTION "\0\0\x01\0\x01\0\0\0\0\0\0"), /* no OPT */
	    SPAN("\x12\x34\x01\0\0\x01\0\0\0\0\0\x02" QUESTION OPT OPT),
	    SPAN(HEAD "\xc0\x0c\0\x01\0\x01"),                 /* a pointer */
	    SPAN(HEAD "\x01" "a\xc0\x0c\0\x01\0\x01"),
	    SPAN(HEAD "\x40" "a\0\0\x01\0\x01"),
	    SPAN(HEAD "\0\0\x01\0\x01"),                       /* the root */
	    SPAN(HEAD "\x02" "a\0\0\0\x01\0\x01"),             /* NUL in a label */
	    SPAN(HEAD "\x03" "a.b\0\0\x01\0\x01"),             /* a dot in a label */
	    SPAN(HEAD "\x02" "a \0\0\x01\0\x01"),
	    SPAN(HEAD "\x02" "a\xff\0\0\x01\0\x01"),
	    SPAN(HEAD "\x01" "a\0\0\x01\0\x03"),               /* CHAOS */
	};
	struct dns_query query;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (parse(messages[i], &query))
			fail_msg("message %zu is taken for a question", i);
}

/* A question with `labels` labels of 49 bytes, and one of `last`. */
static struct span long_question(char out[DNS_QUERY_MAX], size_t labels, size_t last)
{
	size_t at = sizeof(HEAD) - 1;
	memcpy(out, HEAD, at);
	for (size_t i = 0; i <= labels; i++) {
		size_t len = i < labels ? 49 : last;
		out[at++] = (char)len;
		memset(out + at, 'a', len);
		at += len;
	}
	memcpy(out + at, "\0\0\x01\0\x01", 5);
	return span_of(out, at + 5);
}

static void a_name_has_255_bytes_at_most(void **state)
{
	(void)state;
	char bytes[DNS_QUERY_MAX];
	struct dns_query query;
	assert_true(parse(long_question(bytes, 5, 3), &query)); /* 250 + 4 + 1 */
	assert_int_equal(strlen(query.name), 253);
	assert_false(parse(long_question(bytes, 5, 4), &query));
	assert_false(parse(long_question(bytes, 6, 49), &query));
	assert_true(parse(long_question(bytes, 0, 63), &query));
}

static size_t answer_to(struct span bytes, enum dns_code code, const char *const *texts, size_t count,
			uint8_t out[DNS_ANSWER_MAX])
{
	struct dns_query query;
	struct addr addrs[40];
	assert_true(dns_query_parse(bytes, &query));
	assert_true(count <= sizeof(addrs) / sizeof(addrs[0]));
	for (size_t i = 0; i < count; i++)
		assert_true(addr_parse_ip(span_from_str(texts[i]), 0, &addrs[i]));
	return dns_answer_write(&query, code, addrs, count, 30, out);
}

static void an_answer_has_the_addresses_of_its_type(void **state)
{
	(void)state;
	static const char *const texts[] = {"192.0.2.7", "2001:db8::7", "192.0.2.8"};
	static const char expected[] = "\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0" QUESTION
				       "\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\xc0\0\x02\x07"
				       "\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\xc0\0\x02\x08";
	static const char refused[] = "\x12\x34\x81\x85\0\x01\0\0\0\0\0\x01" QUESTION "\0\0\x29\x04\xd0\0\0\0\0\0\0";
	uint8_t out[DNS_ANSWER_MAX];
	assert_int_equal(answer_to(SPAN(HEAD QUESTION), DNS_NOERROR, texts, 3, out), sizeof(expected) - 1);
	assert_memory_equal(out, expected, sizeof(expected) - 1);
	assert_int_equal(answer_to(SPAN(HEAD_EDNS QUESTION OPT), DNS_REFUSED, texts, 0, out), sizeof(refused) - 1);
	assert_memory_equal(out, refused, sizeof(refused) - 1);
}

static void an_answer_is_never_longer_than_its_client_takes(void **state)
{
	(void)state;
	const char *texts[40];
	char question[DNS_QUERY_MAX], with_opt[DNS_QUERY_MAX + sizeof(OPT)];
	uint8_t out[DNS_ANSWER_MAX];
	for (size_t i = 0; i < 40; i++)
		texts[i] = "192.0.2.7";
	struct span plain = long_question(question, 5, 3);
	assert_in_range(answer_to(plain, DNS_NOERROR, texts, 40, out), DNS_PLAIN_MAX - 40, DNS_PLAIN_MAX);
	memcpy(with_opt, plain.ptr, plain.len);
	memcpy(with_opt + plain.len, OPT, sizeof(OPT) - 1);
	with_opt[11] = 1;
	assert_in_range(answer_to(span_of(with_opt, plain.len + sizeof(OPT) - 1), DNS_NOERROR, texts, 40, out),
			DNS_PLAIN_MAX, DNS_ANSWER_MAX);
	assert_int_equal(out[7], 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_question_is_read),
	    cmocka_unit_test(every_part_of_a_question_is_none),
	    cmocka_unit_test(what_is_malformed_gets_no_answer),
	    cmocka_unit_test(a_name_has_255_bytes_at_most),
	    cmocka_unit_test(an_answer_has_the_addresses_of_its_type),
	    cmocka_unit_test(an_answer_is_never_longer_than_its_client_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
