/* The section as a policy has it: what is left out is safe, what is wrong is named. */
#include "egress_policy.h"

static void the_smallest_section_has_safe_defaults(void **unused)
{
	(void)unused;
	struct section *section =
	    section_of("proxy = \"10.0.0.1:3128\"; origins = ( \"10.0.0.5\" ); allow = ( \"packages.example:443\" );");
	const struct egress_policy *egress = &section->egress;
	assert_int_equal(egress->mode, EGRESS_ENFORCE);
	assert_int_equal(egress->kernel, EGRESS_KERNEL_AUTO);
	assert_int_equal(addr_port(&egress->proxy_addr), 3128);
	assert_int_equal(egress->origin_count, 1);
	assert_int_equal(egress->strict_port_count, 3);
	assert_int_equal(egress->new_destinations.interval_us, 1000000);
	assert_int_equal(egress->new_destinations.burst, 10);
	assert_int_equal(egress->new_destinations.tolerance_us, 9000000);
	assert_int_equal(egress->origin_requests.interval_us, 10000);
	assert_int_equal(egress->origin_requests.burst, 200);
	assert_int_equal(egress->quarantine_ms, 600000);
	assert_int_equal(egress->wait_ms, 3000);
	section_free(section);
}

/* Each number by a value that no other has. */
static void what_is_set_counts_where_it_says(void **unused)
{
	(void)unused;
	struct section *section = section_of(
	    "origins = ( \"10.0.0.5\" ); strikes = 7; strike_window = \"2 min\"; quarantine = \"3 min\"; quarantine_max = \"4 h\";\n"
	    "remember = \"5 min\"; wait = \"6 s\"; relay_connections = \"8/s\"; relay_messages = \"9/s\"; dns_names = \"11/s\";\n"
	    "flows = { new_connections = \"12/s\"; listed_packets = \"13/s\"; target_packets = \"14/s\"; datagram_packets = \"15/s\";\n"
	    "listed_bytes = \"16 B/s\"; target_bytes = \"17 B/s\"; datagram_bytes = \"18 B/s\"; hourly_bytes = \"19 B\"; };\n"
	    "limits = { requests = \"20/s\"; host_requests = \"10/s\"; connections = 22; host_connections = 21;\n"
	    "bytes = \"24 B/s\"; host_bytes = \"23 B/s\"; };");
	const struct egress_policy *egress = &section->egress;
	const struct {
		uint64_t is, expected;
	} rows[] = {
	    {egress->strikes, 7},
	    {egress->strike_window_ms, 120000},
	    {egress->quarantine_ms, 180000},
	    {egress->quarantine_max_ms, 4 * 3600000},
	    {egress->remember_ms, 300000},
	    {egress->wait_ms, 6000},
	    {egress->relay_connections.setting.count, 8},
	    {egress->relay_messages.setting.count, 9},
	    {egress->dns_names.setting.count, 11},
	    {egress->new_connections.setting.count, 12},
	    {egress->new_connections.burst, 24},
	    {egress->listed_packets.setting.count, 13},
	    {egress->target_packets.setting.count, 14},
	    {egress->datagram_packets.setting.count, 15},
	    {egress->listed_bytes_per_s, 16},
	    {egress->target_bytes_per_s, 17},
	    {egress->datagram_bytes_per_s, 18},
	    {egress->hourly_bytes, 19},
	    {egress->origin_requests.setting.count, 20},
	    {egress->host_requests.setting.count, 10},
	    {egress->origin_connections, 22},
	    {egress->host_connections, 21},
	    {egress->origin_bytes_per_s, 24},
	    {egress->host_bytes_per_s, 23},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].is != rows[i].expected)
			fail_msg("row %zu: %llu, not %llu", i, (unsigned long long)rows[i].is, (unsigned long long)rows[i].expected);
	section_free(section);
}

static void without_the_section_there_is_none(void **unused)
{
	(void)unused;
	struct section *section = section_new(NULL);
	const struct addr addr = address("10.0.0.5", 0);
	assert_int_equal(section->errors, 0);
	assert_int_equal(section->egress.mode, EGRESS_UNSET);
	assert_null(egress_origin_of(&section->egress, &addr));
	section_free(section);
}

static void origins_are_found_by_each_of_their_addresses(void **unused)
{
	(void)unused;
	struct section *section =
	    section_of("origins = ( \"10.0.0.5\", \"10.0.1.7  fd00::7\", \"10.0.2.0/24\" );\n"
		       "bindings = ( { address = \"fd00::7\"; mac = \"02:00:5e:10:00:ff\"; interface = \"eth1\"; } );");
	static const struct {
		const char *ip, *name;
	} rows[] = {{"10.0.0.5", "10.0.0.5"}, {"10.0.1.7", "10.0.1.7"}, {"fd00::7", "10.0.1.7"}, {"10.0.2.99", "10.0.2.0/24"},
		    {"10.0.0.6", NULL},       {"fd00::8", NULL},        {"::ffff:10.0.0.5", "10.0.0.5"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct addr addr = address(rows[i].ip, 999);
		const struct egress_origin *origin = egress_origin_of(&section->egress, &addr);
		if (!rows[i].name)
			assert_null(origin);
		else
			assert_string_equal(origin->name, rows[i].name);
	}
	const struct egress_origin *bound = &section->egress.origins[1];
	static const uint8_t mac[6] = {0x02, 0x00, 0x5e, 0x10, 0x00, 0xff};
	assert_true(bound->has_mac);
	assert_memory_equal(bound->mac, mac, 6);
	assert_string_equal(bound->interface, "eth1");
	assert_int_equal(bound->index, 1);
	assert_false(section->egress.origins[0].has_mac);
	section_free(section);
}

struct listed_count {
	unsigned networks, names, opening;
};

static void count_listed(void *context, const struct egress_listed *listed)
{
	struct listed_count *count = context;
	count->networks += listed->network != NULL;
	count->names += listed->name != NULL;
	count->opening += listed->opens != NULL;
	if (listed->name && strcmp(listed->name, "packages.example") == 0)
		assert_int_equal(listed->port_min, 443);
	if (listed->opens)
		assert_string_equal(listed->opens, "private (RFC 1918)");
}

static void the_kernel_leg_is_told_names_and_networks(void **unused)
{
	(void)unused;
	struct section *section = section_of("origins = ( \"10.0.0.5\" );\n"
					     "allow = ( \"Packages.Example:443\", \"*.cdn.example\", \"9.9.9.9\", \"10.1.0.0/16:5432\", \"*:123\" );");
	struct listed_count count = {0};
	egress_each_listed(section->egress.allow, count_listed, &count);
	assert_int_equal(count.networks, 4); /* any host is two of them */
	assert_int_equal(count.names, 1);
	assert_int_equal(count.opening, 1);
	assert_int_equal(egress_list_count(section->egress.allow), 5);
	assert_int_equal(egress_list_count(NULL), 0);
	section_free(section);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_smallest_section_has_safe_defaults),
	    cmocka_unit_test(what_is_set_counts_where_it_says),
	    cmocka_unit_test(without_the_section_there_is_none),
	    cmocka_unit_test(origins_are_found_by_each_of_their_addresses),
	    cmocka_unit_test(the_kernel_leg_is_told_names_and_networks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
