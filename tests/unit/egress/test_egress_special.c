/* Which addresses are not the public internet. */
#include "egress_policy.h"

struct row {
	const char *ip;
	const char *purpose; /* a part of what must be said; NULL: public */
};

static const struct row rows[] = {
    {"0.0.0.0", "this network"}, {"0.255.255.255", "this network"}, {"1.0.0.0", NULL},
    {"9.255.255.255", NULL}, {"10.0.0.0", "private"}, {"10.255.255.255", "private"}, {"11.0.0.0", NULL},
    {"100.63.255.255", NULL}, {"100.64.0.0", "shared"}, {"100.127.255.255", "shared"}, {"100.128.0.0", NULL},
    {"100.100.100.200", "metadata"}, {"126.255.255.255", NULL}, {"127.0.0.1", "loopback"}, {"127.255.255.255", "loopback"},
    {"128.0.0.0", NULL}, {"168.63.129.16", "metadata"}, {"168.63.129.17", NULL}, {"169.253.255.255", NULL},
    {"169.254.0.1", "link-local"}, {"169.254.169.254", "metadata"}, {"169.254.170.2", "metadata"}, {"169.255.0.0", NULL},
    {"172.15.255.255", NULL}, {"172.16.0.0", "private"}, {"172.31.255.255", "private"}, {"172.32.0.0", NULL},
    {"192.0.0.1", "IETF"}, {"192.0.0.192", "metadata"}, {"192.0.1.0", NULL}, {"192.0.2.1", "documentation"},
    {"192.0.3.0", NULL}, {"192.88.99.1", "6to4"}, {"192.88.98.255", NULL}, {"192.167.255.255", NULL},
    {"192.168.0.1", "private"}, {"192.169.0.0", NULL}, {"198.17.255.255", NULL}, {"198.18.0.0", "benchmarking"},
    {"198.19.255.255", "benchmarking"}, {"198.20.0.0", NULL}, {"198.51.100.1", "documentation"},
    {"203.0.113.255", "documentation"}, {"203.0.114.0", NULL}, {"223.255.255.255", NULL}, {"224.0.0.1", "multicast"},
    {"239.255.255.255", "multicast"}, {"240.0.0.1", "reserved"}, {"255.255.255.254", "reserved"},
    {"255.255.255.255", "broadcast"}, {"8.8.8.8", NULL},
    {"::", "unspecified"}, {"::1", "loopback"}, {"::2", "compatible"}, {"::7f00:1", "compatible"},
    {"::ffff:8.8.8.8", NULL}, {"::ffff:10.0.0.1", "private"}, {"::ffff:0:10.0.0.1", "reserved"},
    {"64:ff9b::8.8.8.8", NULL}, {"64:ff9b::10.0.0.1", "private"}, {"64:ff9b::127.0.0.1", "loopback"},
    {"64:ff9b::169.254.169.254", "metadata"}, {"64:ff9b:0:0:1::8.8.8.8", "reserved"}, {"64:ff9b:1::8.8.8.8", "NAT64"},
    {"64:ff9b:1:ffff::1", "NAT64"}, {"64:ff9b:2::1", "reserved"}, {"100::1", "discard"}, {"100:0:0:1::1", "reserved"},
    {"2001::1", "Teredo"}, {"2001:0:ffff::1", "Teredo"}, {"2001:2::1", "IETF"}, {"2001:10::1", "IETF"},
    {"2001:1ff:ffff::1", "IETF"}, {"2001:200::1", NULL}, {"2001:db7:ffff::1", NULL}, {"2001:db8::1", "documentation"},
    {"2001:db9::1", NULL}, {"2002:a00:1::1", "6to4"}, {"2002:808:808::1", "6to4"}, {"2003::1", NULL},
    {"2600::1", NULL}, {"3ffe::1", NULL}, {"3fff::1", "documentation"}, {"3fff:fff::1", "documentation"},
    {"3fff:1000::1", NULL}, {"4000::1", "reserved"}, {"5f00::1", "segment routing"}, {"8000::1", "reserved"},
    {"fbff::1", "reserved"}, {"fc00::1", "unique local"}, {"fd00:ec2::254", "metadata"}, {"fd00:ec2::253", "unique local"},
    {"fd20:ce::254", "metadata"}, {"fdff::1", "unique local"}, {"fe00::1", "reserved"}, {"fe80::1", "link-local"},
    {"febf::1", "link-local"}, {"fec0::1", "site-local"}, {"ff02::1", "multicast"}, {"ffff::1", "multicast"},
};

static void each_block_ends_where_the_registry_says(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct addr addr = address(rows[i].ip, 80);
		const char *purpose = egress_special_purpose(&addr);
		bool is_right = rows[i].purpose ? purpose && strstr(purpose, rows[i].purpose) : purpose == NULL;
		if (!is_right)
			fail_msg("%s is %s", rows[i].ip, purpose ? purpose : "public");
	}
}

static void an_address_of_no_family_is_not_public(void **unused)
{
	(void)unused;
	const struct addr none = {0};
	assert_non_null(egress_special_purpose(&none));
}

/* The table is looked through from its beginning: a block before a smaller one in it would hide that. */
static void no_block_hides_a_smaller_one(void **unused)
{
	(void)unused;
	size_t n;
	const struct egress_special *blocks = egress_special_blocks(&n);
	for (size_t i = 0; i < n; i++) {
		struct addr first = {.u.in6 = {.sin6_family = AF_INET6}};
		memcpy(&first.u.in6.sin6_addr, blocks[i].network.bytes, 16);
		assert_true(blocks[i].network.prefix > 0);
		for (size_t j = 0; j < i; j++) {
			bool is_within = blocks[i].network.prefix >= blocks[j].network.prefix && cidr_has(&blocks[j].network, &first);
			assert_false(is_within);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_block_ends_where_the_registry_says),
	    cmocka_unit_test(an_address_of_no_family_is_not_public),
	    cmocka_unit_test(no_block_hides_a_smaller_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
