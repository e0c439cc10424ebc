/* Networks within networks, against a search through all of them. */
#include "dice.h"
#include "egress/networks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 2000 };

static uint64_t dice = 42;

/* Few bits vary, so that many lie in one another. */
static struct cidr random_network(void)
{
	char text[64];
	struct cidr cidr;
	struct err err;
	bool is_v4 = dice_below(&dice, 2);
	uint8_t prefix = (uint8_t)dice_below(&dice, is_v4 ? 33 : 129);
	if (is_v4)
		snprintf(text, sizeof(text), "10.%u.%u.%u", dice_below(&dice, 3), dice_below(&dice, 3), dice_below(&dice, 4));
	else
		snprintf(text, sizeof(text), "%x:%x::%x", 0x2001 + dice_below(&dice, 2), dice_below(&dice, 3), dice_below(&dice, 4));
	assert_true(cidr_parse(span_from_str(text), &cidr, &err));
	cidr.prefix = is_v4 ? (uint8_t)(96 + prefix) : prefix;
	for (unsigned bit = cidr.prefix; bit < 128; bit++)
		cidr.bytes[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	return cidr;
}

static bool is_ipv4(const struct cidr *cidr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return cidr->prefix >= 96 && memcmp(cidr->bytes, mapped, sizeof(mapped)) == 0;
}

static struct addr random_address(void)
{
	struct cidr cidr = random_network();
	char text[64];
	struct addr addr = {.u.in6 = {.sin6_family = AF_INET6}};
	for (unsigned i = 13; i < 16; i++)
		cidr.bytes[i] |= (uint8_t)dice_below(&dice, 4);
	memcpy(&addr.u.in6.sin6_addr, cidr.bytes, 16);
	struct addr folded;
	addr_format_ip(&addr, text);
	assert_true(addr_parse_ip(span_from_str(text), 0, &folded));
	return folded;
}

/* How many have it, the smallest prefix last. */
static unsigned count_slowly(const struct cidr *all, size_t n, const struct addr *addr, uint8_t *longest)
{
	unsigned count = 0;
	for (size_t i = 0; i < n; i++) {
		bool same_family = is_ipv4(&all[i]) == (addr->u.sa.sa_family == AF_INET);
		if (!same_family || !cidr_has(&all[i], addr))
			continue;
		if (count++ == 0 || all[i].prefix > *longest)
			*longest = all[i].prefix;
	}
	return count;
}

static void lookups_find_what_a_search_through_all_finds(void **unused)
{
	(void)unused;
	static struct cidr all[MANY];
	for (size_t n = 0; n <= MANY; n = n * 3 + 1) {
		struct arena *arena = arena_new(1 << 20);
		struct egress_networks networks;
		assert_true(egress_networks_init(&networks, n, arena));
		for (size_t i = 0; i < n; i++) {
			all[i] = random_network();
			egress_networks_add(&networks, &all[i], (uint32_t)i);
		}
		egress_networks_sort(&networks);
		for (unsigned i = 0; i < 2000; i++) {
			struct addr addr = random_address();
			uint8_t longest = 0;
			unsigned expected = count_slowly(all, n, &addr, &longest), count = 0;
			const struct egress_network *at = egress_networks_find(&networks, &addr);
			if (at)
				assert_int_equal(at->prefix, longest);
			for (; at; at = egress_networks_outer(&networks, at), count++)
				assert_true(cidr_has(&all[at->value], &addr));
			assert_int_equal(count, expected);
		}
		arena_free(arena);
	}
}

static void more_than_there_is_room_for_are_left_out(void **unused)
{
	(void)unused;
	struct arena *arena = arena_new(1 << 20);
	struct egress_networks networks;
	const struct cidr cidr = random_network();
	assert_true(egress_networks_init(&networks, 1, arena));
	egress_networks_add(&networks, &cidr, 1);
	egress_networks_add(&networks, &cidr, 2);
	egress_networks_sort(&networks);
	assert_int_equal(networks.n, 1);
	assert_int_equal(networks.items[0].value, 1);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lookups_find_what_a_search_through_all_finds),
	    cmocka_unit_test(more_than_there_is_room_for_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
