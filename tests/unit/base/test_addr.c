/* Addresses and networks as text: what is taken, what is refused and how it reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>
#include "guard_page.h"
#include "sallyport/addr.h"

static void addr_with_port_is_parsed_or_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *formatted; /* NULL: refused */
	} rows[] = {
	    {"10.0.0.5:80", "10.0.0.5:80"},
	    {"255.255.255.255:65535", "255.255.255.255:65535"},
	    {"[::1]:80", "[::1]:80"},
	    {"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443"},
	    {"[::ffff:10.0.0.5]:80", "10.0.0.5:80"},
	    {":80", "[::]:80"},
	    {"*:0", "[::]:0"},
	    {"[::]:80", "[::]:80"},
	    {"0.0.0.0:80", "0.0.0.0:80"},
	    {"", NULL},
	    {"10.0.0.5", NULL},
	    {"10.0.0.5:", NULL},
	    {"10.0.0.5:65536", NULL},
	    {"10.0.0.5:+80", NULL},
	    {"10.0.0.5:80 ", NULL},
	    {" 10.0.0.5:80", NULL},
	    {"10.0.5:80", NULL},
	    {"010.0.0.5:80", NULL},
	    {"0x0a.0.0.5:80", NULL},
	    {"256.0.0.1:80", NULL},
	    {"::1:80", NULL},
	    {"[::1]", NULL},
	    {"[::1]80", NULL},
	    {"[10.0.0.5]:80", NULL},
	    {"[::1:80", NULL},
	    {"::1]:80", NULL},
	    {"[]:80", NULL},
	    {"[fe80::1%lo]:80", NULL},
	    {"localhost:80", NULL},
	    {"[1111:2222:3333:4444:5555:6666:7777:8888:9999]:80", NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);
		char *copy = guarded_copy(rows[i].text, len), text[ADDR_TEXT_SIZE];
		struct addr addr;
		struct err err = {{0}};
		bool good = addr_parse(span_of(copy, len), &addr, &err);
		if (good != (rows[i].formatted != NULL))
			fail_msg("'%s'", rows[i].text);
		if (good) {
			assert_int_equal(addr_format(&addr, text), strlen(rows[i].formatted));
			assert_string_equal(text, rows[i].formatted);
		} else {
			assert_true(strlen(err.text) > 10);
		}
		guarded_free(copy, len);
	}
	struct addr addr;
	assert_false(addr_parse(span_of("10.0.0.5\0:80", 12), &addr, NULL));
}

static void addr_error_says_how_to_write_it(void **state)
{
	(void)state;
	struct addr addr;
	struct err err;
	assert_false(addr_parse(SPAN("::1:80"), &addr, &err));
	assert_non_null(strstr(err.text, "brackets"));
	assert_false(addr_parse(SPAN("8080"), &addr, &err));
	assert_non_null(strstr(err.text, "ADDRESS:PORT"));
}

static void addr_text_of_the_longest_address_fits(void **state)
{
	(void)state;
	static const char longest[] = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535";
	struct addr addr;
	char text[ADDR_TEXT_SIZE];
	assert_true(
	    addr_parse(SPAN("[1111:2222:3333:4444:5555:6666:7777:8888]:65535"), &addr, NULL));
	assert_int_equal(addr_format(&addr, text), sizeof(longest) - 1);
	assert_string_equal(text, longest);
}

static void addr_ip_takes_literals_only(void **state)
{
	(void)state;
	struct addr addr;
	char text[ADDR_TEXT_SIZE];
	assert_true(addr_parse_ip(SPAN("::1"), 80, &addr));
	assert_true(addr_parse_ip(SPAN("[::1]"), 80, &addr));
	assert_int_equal(addr_port(&addr), 80);
	assert_int_equal(addr_len(&addr), sizeof(struct sockaddr_in6));
	assert_true(addr_parse_ip(SPAN("10.0.0.5"), 81, &addr));
	assert_int_equal(addr_len(&addr), sizeof(struct sockaddr_in));
	assert_int_equal(addr_format_ip(&addr, text), 8);
	assert_string_equal(text, "10.0.0.5");
	assert_false(addr_parse_ip(SPAN("shop.example"), 80, &addr));
	assert_false(addr_parse_ip(SPAN(""), 80, &addr));
	assert_false(addr_parse_ip(SPAN("["), 80, &addr));
	assert_false(addr_parse_ip(span_of("10.0.0.5\0x", 10), 80, &addr));
}

static void addr_from_sockaddr_folds_mapped_addresses(void **state)
{
	(void)state;
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	struct addr addr, four;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.5", &mapped.sin6_addr), 1);
	assert_true(addr_from_sockaddr((const struct sockaddr *)&mapped, sizeof(mapped), &addr));
	assert_true(addr_parse(SPAN("10.0.0.5:80"), &four, NULL));
	assert_true(addr_eq(&addr, &four));
	assert_false(
	    addr_from_sockaddr((const struct sockaddr *)&mapped, sizeof(mapped) - 1, &addr));
	assert_false(addr_from_sockaddr((const struct sockaddr *)&mapped, 0, &addr));
	mapped.sin6_family = AF_UNIX;
	assert_false(addr_from_sockaddr((const struct sockaddr *)&mapped, sizeof(mapped), &addr));
}

static void addr_equality_is_with_the_port(void **state)
{
	(void)state;
	static const char *const texts[] = {"10.0.0.5:80", "10.0.0.5:81", "10.0.0.6:80", "[::1]:80",
					    "[::1]:81",    "[::2]:80",    ":80"};
	enum { N = sizeof(texts) / sizeof(texts[0]) };
	struct addr addrs[N];
	for (size_t i = 0; i < N; i++)
		assert_true(addr_parse(span_from_str(texts[i]), &addrs[i], NULL));
	for (size_t i = 0; i < N; i++)
		for (size_t k = 0; k < N; k++)
			assert_int_equal(addr_eq(&addrs[i], &addrs[k]), i == k);
}

static uint64_t key_of(const char *ip)
{
	struct addr addr;
	assert_true(addr_parse_ip(span_from_str(ip), 1234, &addr));
	return addr_client_key(&addr);
}

static void addr_client_key_counts_ipv6_by_64_bits(void **state)
{
	(void)state;
	assert_true(key_of("2001:db8:1:2::1") == key_of("2001:db8:1:2:ffff::9"));
	assert_true(key_of("2001:db8:1:2::1") != key_of("2001:db8:1:3::1"));
	assert_true(key_of("10.0.0.5") != key_of("10.0.0.6"));
	assert_true(key_of("10.0.0.5") == key_of("::ffff:10.0.0.5"));
	assert_true(key_of("0.0.0.1") != key_of("0:0:0:1::"));
	assert_true(key_of("0.0.0.0") != 0 && key_of("::") != 0 && key_of("::1") != 0);
}

static void addr_that_is_none_reads_as_none(void **state)
{
	(void)state;
	struct addr none;
	struct cidr all;
	char text[ADDR_TEXT_SIZE];
	memset(&none, 0xff, sizeof(none));
	assert_int_equal(addr_format(&none, text), 3);
	assert_string_equal(text, "-:0");
	assert_true(cidr_parse(SPAN("::/0"), &all, NULL));
	assert_false(cidr_has(&all, &none));
	assert_true(addr_client_key(&none) != 0);
}

static void cidr_has_what_is_inside(void **state)
{
	(void)state;
	static const struct {
		const char *cidr, *ip;
		bool inside;
	} rows[] = {
	    {"10.0.0.0/8", "10.255.255.255", true},
	    {"10.0.0.0/8", "11.0.0.0", false},
	    {"10.0.0.0/8", "::ffff:10.1.2.3", true},
	    {"10.1.2.3", "10.1.2.3", true},
	    {"10.1.2.3", "10.1.2.2", false},
	    {"10.1.2.2/31", "10.1.2.3", true},
	    {"10.1.2.2/31", "10.1.2.4", false},
	    {"0.0.0.0/0", "255.1.2.3", true},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"::/0", "2001:db8::1", true},
	    {"::/0", "10.0.0.1", true},
	    {"2001:db8::/33", "2001:db8:7fff::1", true},
	    {"2001:db8::/33", "2001:db8:8000::1", false},
	    {"2001:db8::1", "2001:db8::1", true},
	    {"2001:db8::1/128", "2001:db8::2", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cidr cidr;
		struct addr addr;
		assert_true(cidr_parse(span_from_str(rows[i].cidr), &cidr, NULL));
		assert_true(addr_parse_ip(span_from_str(rows[i].ip), 0, &addr));
		if (cidr_has(&cidr, &addr) != rows[i].inside)
			fail_msg("%s in %s", rows[i].ip, rows[i].cidr);
	}
}

static void cidr_with_errors_is_refused_with_the_remedy(void **state)
{
	(void)state;
	static const struct {
		const char *text, *said;
	} rows[] = {
	    {"10.0.0.1/8", "10.0.0.0/8"},
	    {"10.0.0.1/0", "0.0.0.0/0"},
	    {"2001:db8::1/64", "2001:db8::/64"},
	    {"2001:db8:8000::/32", "2001:db8::/32"},
	    {"10.0.0.0/33", "0 to 32"},
	    {"::/129", "0 to 128"},
	    {"10.0.0.0/", "0 to 32"},
	    {"10.0.0.0/8/8", "0 to 32"},
	    {"10.0.0.0/-1", "0 to 32"},
	    {"/8", "neither"},
	    {"", "neither"},
	    {"[::1]/128", "neither"},
	    {"10.0.0/8", "neither"},
	    {"shop.example", "neither"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cidr cidr;
		struct err err;
		assert_false(cidr_parse(span_from_str(rows[i].text), &cidr, &err));
		if (!strstr(err.text, rows[i].said))
			fail_msg("'%s': %s", rows[i].text, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addr_with_port_is_parsed_or_refused),
	    cmocka_unit_test(addr_error_says_how_to_write_it),
	    cmocka_unit_test(addr_text_of_the_longest_address_fits),
	    cmocka_unit_test(addr_ip_takes_literals_only),
	    cmocka_unit_test(addr_from_sockaddr_folds_mapped_addresses),
	    cmocka_unit_test(addr_equality_is_with_the_port),
	    cmocka_unit_test(addr_client_key_counts_ipv6_by_64_bits),
	    cmocka_unit_test(addr_that_is_none_reads_as_none),
	    cmocka_unit_test(cidr_has_what_is_inside),
	    cmocka_unit_test(cidr_with_errors_is_refused_with_the_remedy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
