/* Bans by order: networks of every length, their ends, a full list, and readers beside a writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sallyport/ban_list.h"

static struct cidr network(const char *text)
{
	struct cidr cidr;
	assert_true(cidr_parse(span_from_str(text), &cidr, NULL));
	return cidr;
}

static uint64_t find(const struct ban_list *list, const char *text, uint64_t now_ms)
{
	struct addr addr;
	assert_true(addr_parse_ip(span_from_str(text), 0, &addr));
	return ban_list_find(list, &addr, now_ms);
}

static bool add(struct ban_list *list, const char *text, uint64_t until_ms, uint64_t now_ms)
{
	const struct cidr cidr = network(text);
	return ban_list_add(list, &cidr, until_ms, now_ms);
}

static void an_address_is_banned_by_each_network_it_is_in(void **state)
{
	(void)state;
	static struct ban_list list;
	assert_int_equal(find(&list, "10.0.0.1", 5), 0);
	assert_int_equal(find(NULL, "10.0.0.1", 5), 0);
	assert_true(add(&list, "10.0.0.0/8", 100, 5));
	assert_true(add(&list, "10.1.0.0/16", 200, 5));
	assert_true(add(&list, "2001:db8::/32", BAN_FOR_EVER, 5));
	assert_int_equal(find(&list, "10.0.0.1", 5), 100);
	assert_int_equal(find(&list, "10.1.0.1", 5), 200);
	assert_int_equal(find(&list, "11.0.0.1", 5), 0);
	assert_true(find(&list, "2001:db8:ffff::1", 5) == BAN_FOR_EVER);
	assert_int_equal(find(&list, "2001:db9::1", 5), 0);
	assert_int_equal(find(&list, "10.0.0.1", 100), 0);
	const struct cidr wide = network("10.0.0.0/8"), other = network("10.0.0.0/9");
	assert_false(ban_list_lift(&list, &other, 5));
	assert_true(ban_list_lift(&list, &wide, 5));
	assert_false(ban_list_lift(&list, &wide, 5));
	assert_int_equal(find(&list, "10.0.0.1", 5), 0);
	assert_int_equal(find(&list, "10.1.0.1", 5), 200);
}

static void every_prefix_bans_what_cidr_has(void **state)
{
	(void)state;
	static const char *const addresses[] = {"2001:db8:1234:5678:9abc:def0:1234:5678", "192.0.2.77", "::", "2001:db8::1"};
	for (unsigned prefix = 0; prefix <= 128; prefix++) {
		struct ban_list *list = calloc(1, sizeof(*list));
		struct addr addr;
		struct cidr cidr = {.prefix = (uint8_t)prefix};
		assert_true(addr_parse_ip(span_from_str(addresses[0]), 0, &addr));
		assert_true(addr_mapped_bytes(&addr, cidr.bytes));
		for (unsigned bit = prefix; bit < 128; bit++)
			cidr.bytes[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
		assert_true(ban_list_add(list, &cidr, 9, 1));
		for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
			assert_true(addr_parse_ip(span_from_str(addresses[i]), 0, &addr));
			assert_int_equal(ban_list_find(list, &addr, 1), cidr_has(&cidr, &addr) ? 9 : 0);
		}
		free(list);
	}
}

static void a_full_list_takes_no_more_until_one_ends(void **state)
{
	(void)state;
	static struct ban_list list;
	char text[32];
	for (unsigned i = 0; i < BANS_MAX; i++) {
		snprintf(text, sizeof(text), "10.0.%u.%u", i / 256, i % 256);
		assert_true(add(&list, text, i == 7 ? 50 : BAN_FOR_EVER, 1));
	}
	assert_false(add(&list, "11.0.0.1", 100, 1));
	assert_true(add(&list, "10.0.0.3", 100, 1)); /* it has a place already */
	assert_int_equal(find(&list, "10.0.0.3", 1), 100);
	assert_true(add(&list, "11.0.0.1", 200, 50));
	assert_int_equal(find(&list, "11.0.0.1", 50), 200);
	assert_int_equal(find(&list, "10.0.0.7", 50), 0);
	unsigned n = 0;
	for (unsigned i = 0; i < BANS_MAX; i++) {
		struct cidr cidr;
		uint64_t until_ms;
		n += ban_list_get(&list, i, 150, &cidr, &until_ms);
	}
	assert_int_equal(n, BANS_MAX - 1); /* but for 10.0.0.3 */
}

static void networks_are_written_as_they_are_read(void **state)
{
	(void)state;
	static const char *const texts[] = {"10.0.0.0/8", "0.0.0.0/0", "192.0.2.7", "2001:db8::/32", "::/0", "2001:db8::7"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char out[CIDR_TEXT_SIZE];
		const struct cidr cidr = network(texts[i]);
		cidr_format(&cidr, out);
		assert_string_equal(out, texts[i]);
	}
}

static void spoiled_memory_harms_no_reader(void **state)
{
	(void)state;
	static struct ban_list list;
	memset(&list, 0xff, sizeof(list));
	(void)find(&list, "10.0.0.1", 5);
	(void)find(&list, "2001:db8::1", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_is_banned_by_each_network_it_is_in),
	    cmocka_unit_test(every_prefix_bans_what_cidr_has),
	    cmocka_unit_test(a_full_list_takes_no_more_until_one_ends),
	    cmocka_unit_test(networks_are_written_as_they_are_read),
	    cmocka_unit_test(spoiled_memory_harms_no_reader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
