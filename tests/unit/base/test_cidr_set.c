/* Sets of networks against the plain question to each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "dice.h"
#include "sallyport/cidr_set.h"

enum { NETWORKS_MAX = 400 };

static uint64_t dice = 20;

static struct cidr parsed(const char *text)
{
	struct cidr cidr;
	assert_true(cidr_parse(span_from_str(text), &cidr, NULL));
	return cidr;
}

static struct addr address(const char *text)
{
	struct addr addr;
	assert_true(addr_parse_ip(span_from_str(text), 0, &addr));
	return addr;
}

/* Few different bytes, so that networks overlap, touch and contain one another. */
static struct cidr random_network(void)
{
	struct cidr cidr = {.prefix = (uint8_t)(dice_next(&dice) % 129)};
	bool v4 = dice_next(&dice) % 2;
	if (v4) {
		memset(cidr.bytes + 10, 0xff, 2);
		cidr.prefix = (uint8_t)(96 + dice_next(&dice) % 33);
	}
	for (unsigned i = v4 ? 12 : 0; i < 16; i++)
		cidr.bytes[i] = (uint8_t)(dice_next(&dice) % 3 * 127);
	for (unsigned bit = cidr.prefix; bit < 128; bit++)
		cidr.bytes[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
	return cidr;
}

static struct addr random_address(void)
{
	struct addr addr = {.u.in6 = {.sin6_family = AF_INET6}};
	if (dice_next(&dice) % 2) {
		addr = (struct addr){.u.in4 = {.sin_family = AF_INET}};
		uint8_t bytes[4];
		for (unsigned i = 0; i < 4; i++)
			bytes[i] = (uint8_t)(dice_next(&dice) % 3 * 127 + dice_next(&dice) % 2);
		memcpy(&addr.u.in4.sin_addr, bytes, 4);
		return addr;
	}
	for (unsigned i = 0; i < 16; i++)
		addr.u.in6.sin6_addr.s6_addr[i] = (uint8_t)(dice_next(&dice) % 3 * 127 + dice_next(&dice) % 2);
	return addr;
}

static void set_says_what_each_network_says(void **state)
{
	(void)state;
	static struct cidr networks[NETWORKS_MAX];
	static struct cidr_range ranges[NETWORKS_MAX];
	for (unsigned round = 0; round < 300; round++) {
		size_t n = dice_next(&dice) % (round % 2 ? NETWORKS_MAX : 6);
		for (size_t i = 0; i < n; i++) {
			do /* a short prefix in every second round only, since it covers all others */
				networks[i] = random_network();
			while (round % 3 && networks[i].prefix < 20);
			ranges[i] = cidr_range_of(&networks[i]);
		}
		struct cidr_set set = cidr_set_of(ranges, n);
		for (unsigned trial = 0; trial < 200; trial++) {
			struct addr addr = random_address();
			bool expected = false;
			for (size_t i = 0; i < n && !expected; i++)
				expected = cidr_has(&networks[i], &addr);
			assert_int_equal(cidr_set_has(&set, &addr), expected);
		}
	}
}

static void ranges_that_touch_become_one(void **state)
{
	(void)state;
	struct cidr halves[] = {parsed("10.0.128.0/17"), parsed("10.0.0.0/17"),
				parsed("10.0.7.0/24")};
	struct cidr_range ranges[3];
	for (unsigned i = 0; i < 3; i++)
		ranges[i] = cidr_range_of(&halves[i]);
	struct cidr_set set = cidr_set_of(ranges, 3);
	assert_int_equal(set.n, 1);
	struct addr in = address("10.0.255.255"), out = address("10.1.0.0"),
		    before = address("9.255.255.255");
	assert_true(cidr_set_has(&set, &in));
	assert_false(cidr_set_has(&set, &out));
	assert_false(cidr_set_has(&set, &before));
}

static void the_whole_of_ipv6_has_no_end_that_wraps(void **state)
{
	(void)state;
	struct cidr networks[] = {parsed("::/0"), parsed("ffff::/16"), parsed("::1")};
	struct cidr_range ranges[3];
	for (unsigned i = 0; i < 3; i++)
		ranges[i] = cidr_range_of(&networks[i]);
	struct cidr_set set = cidr_set_of(ranges, 3);
	assert_int_equal(set.n, 1);
	struct addr last = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
		    v4 = address("192.0.2.1");
	assert_true(cidr_set_has(&set, &last));
	assert_true(cidr_set_has(&set, &v4));
}

static void nothing_is_in_no_set_and_no_address_in_any(void **state)
{
	(void)state;
	struct cidr all = parsed("::/0");
	struct cidr_range range = cidr_range_of(&all);
	struct cidr_set none = cidr_set_of(NULL, 0), every = cidr_set_of(&range, 1);
	struct addr addr = address("192.0.2.1"), nowhere = {0};
	assert_false(cidr_set_has(&none, &addr));
	assert_false(cidr_set_has(&every, &nowhere));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(set_says_what_each_network_says),
	    cmocka_unit_test(ranges_that_touch_become_one),
	    cmocka_unit_test(the_whole_of_ipv6_has_no_end_that_wraps),
	    cmocka_unit_test(nothing_is_in_no_set_and_no_address_in_any),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
