/* Named sets of addresses: what files and databases make of them, against what libmaxminddb itself says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dice.h"
#include "sallyport/settings.h"
#include "shield/address_ranges.h"

static char dir[] = "/tmp/sallyport-sets-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
}

static void make_database(const char *name, const char *arguments)
{
	char command[1024];
	snprintf(command, sizeof(command), "python3 tests/mmdb.py %s %s", path_of(name), arguments);
	assert_int_equal(system(command), 0);
}

static struct settings *load(const char *sets, const char *shield)
{
	char text[4096], filled[4096];
	struct policy_errors *errors = policy_errors_new();
	struct strbuf out;
	snprintf(text, sizeof(text),
		 "listen = ( { address = \":8080\"; } ); default_site = \"shop\"; rules = ( ); address_sets = ( %s );"
		 "sites = ( { name = \"shop\"; origins = ( \"http://10.0.0.5\" ); shield = { %s }; } );",
		 sets, shield);
	/* DIR in it is where files are made */
	size_t n = 0;
	for (const char *at = text; *at && n + sizeof(dir) < sizeof(filled);) {
		if (strncmp(at, "DIR", 3) != 0) {
			filled[n++] = *at++;
			continue;
		}
		memcpy(filled + n, dir, strlen(dir));
		n += strlen(dir);
		at += 3;
	}
	filled[n] = '\0';
	struct settings *settings = settings_load_text(filled, NULL, errors);
	strbuf_init(&out, 1 << 16);
	policy_errors_print(errors, &out);
	if (!settings)
		fail_msg("%s", out.data ? out.data : "no settings");
	strbuf_release(&out);
	policy_errors_free(errors);
	return settings;
}

static struct addr address(const char *text)
{
	struct addr addr;
	assert_true(addr_parse_ip(span_from_str(text), 0, &addr));
	return addr;
}

static enum reason reason_of(const struct settings *settings, const char *visitor)
{
	const struct site *site = settings->sites.items;
	const struct addr addr = address(visitor);
	const struct admission_request request = {.visitor = &addr, .path = SPAN("/"), .mode = SHIELD_ENFORCE};
	struct admission_notes notes;
	struct verdict verdict;
	admission_judge(&site->shield_policy.addresses, &site->shield_policy.throttle, NULL, &request, &verdict, &notes);
	return verdict.reason;
}

static void a_list_has_its_networks_and_those_of_its_sets(void **state)
{
	(void)state;
	write_file("drop.txt", "# drop\r\n192.0.2.0/25 ; SBL1\n192.0.2.128/25\n\t2001:db8::/32 \n\n198.51.100.7");
	struct settings *settings = load("{ name = \"drop\"; files = \"DIR/drop.txt\"; networks = ( \"203.0.113.0/24\" ); }, "
					 "{ name = \"own\"; networks = ( \"10.0.0.0/8\" ); }",
					 "deny_addresses = ( \"set:drop\", \"172.16.0.0/12\" ); "
					 "allow_addresses = ( \"set:own\", \"set:drop\", \"172.16.0.0/12\" );");
	const struct address_set *sets = settings->address_sets.items;
	assert_int_equal(sets[0].set.n, 4); /* two of the five touch */
	static const char *const denied[] = {"192.0.2.1", "192.0.2.200", "2001:db8::5", "198.51.100.7", "203.0.113.9",
					     "172.20.0.1"};
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		assert_int_equal(reason_of(settings, denied[i]), REASON_ADDRESS_DENIED);
	assert_int_equal(reason_of(settings, "10.2.3.4"), REASON_UNSET);
	assert_int_equal(reason_of(settings, "198.51.100.8"), REASON_ADDRESS_NOT_ALLOWED);
	settings_free(settings);
}

static void only_sets_without_a_network_allow_nobody(void **state)
{
	(void)state;
	write_file("none.txt", "# nothing yet\n");
	struct settings *settings =
	    load("{ name = \"none\"; files = \"DIR/none.txt\"; }", "allow_addresses = ( \"set:none\" );");
	assert_int_equal(reason_of(settings, "10.2.3.4"), REASON_ADDRESS_NOT_ALLOWED);
	settings_free(settings);
	settings = load("{ name = \"none\"; files = \"DIR/none.txt\"; }", "deny_addresses = ( \"set:none\" );");
	assert_int_equal(reason_of(settings, "10.2.3.4"), REASON_UNSET);
	settings_free(settings);
}

static void a_list_that_begins_a_throttles_allow_is_not_counted(void **state)
{
	(void)state;
	struct settings *settings = load("{ name = \"watch\"; networks = ( \"10.0.0.0/8\" ); }",
					 "throttle = { per_client = \"1/d\"; burst = 1; allow = ( \"set:watch\" ); };");
	/* without a table: whoever were counted would crash */
	assert_int_equal(reason_of(settings, "10.2.3.4"), REASON_UNSET);
	settings_free(settings);
}

/* ---- countries ---- */

static bool is_of(MMDB_s *db, const struct addr *addr, const char *code)
{
	int error = 0;
	MMDB_entry_data_s data;
	MMDB_lookup_result_s found = MMDB_lookup_sockaddr(db, &addr->u.sa, &error);
	return error == MMDB_SUCCESS && found.found_entry &&
	       MMDB_get_value(&found.entry, &data, "country", "iso_code", NULL) == MMDB_SUCCESS && data.has_data &&
	       data.data_size == 2 && memcmp(data.utf8_string, code, 2) == 0;
}

static uint64_t dice = 7;

static void any_address(bool v4, struct addr *out)
{
	char text[64];
	if (v4)
		snprintf(text, sizeof(text), "%u.%u.%u.%u", dice_below(&dice, 4) * 64 + dice_below(&dice, 2), dice_below(&dice, 4), dice_below(&dice, 256), dice_below(&dice, 256));
	else
		snprintf(text, sizeof(text), "24%u%u:%x::%x", dice_below(&dice, 2), dice_below(&dice, 4), dice_below(&dice, 4), dice_below(&dice, 65536));
	*out = address(text);
}

static void add_any_network(char *text, size_t room, bool v4)
{
	static const char *const codes[] = {"DE", "FR", "US", "--", "~~", ""};
	const size_t used = strlen(text);
	const char *code = codes[dice_below(&dice, 6)];
	if (v4) {
		const unsigned prefix = 1 + dice_below(&dice, 24);
		const uint32_t bits = (dice_below(&dice, 4) * 64 + dice_below(&dice, 2)) << 24 | dice_below(&dice, 4) << 16 | dice_below(&dice, 256) << 8;
		const uint32_t net = bits & (UINT32_MAX << (32 - prefix));
		snprintf(text + used, room - used, " %u.%u.%u.%u/%u=%s", net >> 24, net >> 16 & 255, net >> 8 & 255,
			 net & 255, prefix, code);
	} else {
		snprintf(text + used, room - used, " 24%u%u:%x::/32=%s", dice_below(&dice, 2), dice_below(&dice, 4), dice_below(&dice, 4), code);
	}
}

static void compare(const char *path, bool v4_only)
{
	static const char *const codes[] = {"DE", "FR"};
	struct address_ranges ranges = {.max = 10000};
	struct err err = {{0}};
	MMDB_s db;
	if (!address_countries_read(path, codes, 2, &ranges, &err))
		fail_msg("%s", err.text);
	assert_int_equal(MMDB_open(path, MMDB_MODE_MMAP, &db), MMDB_SUCCESS);
	const struct cidr_set set = cidr_set_of(ranges.items, ranges.n);
	for (unsigned i = 0; i < 2000; i++) {
		struct addr addr;
		char text[ADDR_TEXT_SIZE];
		any_address(v4_only || dice_below(&dice, 2) == 0, &addr);
		addr_format_ip(&addr, text);
		if (cidr_set_has(&set, &addr) != (is_of(&db, &addr, "DE") || is_of(&db, &addr, "FR")))
			fail_msg("%s in %s", text, path);
	}
	MMDB_close(&db);
	address_ranges_release(&ranges);
}

static void countries_are_those_that_libmaxminddb_finds(void **state)
{
	(void)state;
	static const char *const kinds[] = {"--bits 24", "--bits 28", "--bits 32", "--v4"};
	for (unsigned round = 0; round < 12; round++) {
		const bool v4_only = round % 4 == 3;
		char arguments[900];
		snprintf(arguments, sizeof(arguments), "%s", kinds[round % 4]);
		for (unsigned i = 0; i < 20; i++)
			add_any_network(arguments, sizeof(arguments), v4_only || dice_below(&dice, 2) == 0);
		make_database("any.mmdb", arguments);
		compare(path_of("any.mmdb"), v4_only);
	}
}

static void a_leaf_above_all_of_ipv4_has_ipv4(void **state)
{
	(void)state;
	static const char *const codes[] = {"DE"};
	struct address_ranges ranges = {.max = 100};
	const struct addr v4 = address("192.0.2.1"), v6 = address("::7:1"), other = address("8000::");
	make_database("shallow.mmdb", "--shallow DE");
	assert_true(address_countries_read(path_of("shallow.mmdb"), codes, 1, &ranges, NULL));
	const struct cidr_set set = cidr_set_of(ranges.items, ranges.n);
	assert_true(cidr_set_has(&set, &v4));
	assert_true(cidr_set_has(&set, &v6));
	assert_false(cidr_set_has(&set, &other));
	address_ranges_release(&ranges);
}

static void refuse_database(const char *arguments, const char *expected)
{
	static const char *const codes[] = {"DE"};
	struct address_ranges ranges = {.max = 3};
	struct err err = {{0}};
	make_database("bad.mmdb", arguments);
	assert_false(address_countries_read(path_of("bad.mmdb"), codes, 1, &ranges, &err));
	assert_string_equal(err.text, expected);
	address_ranges_release(&ranges);
}

static void bad_databases_end_in_an_error(void **state)
{
	(void)state;
	refuse_database("--broken circle 10.0.0.0/8=DE", "its tree is none");
	refuse_database("--broken pointer 10.0.0.0/8=DE", "a record of its tree leads nowhere");
	refuse_database("10.0.0.0/8=DE 12.0.0.0/8=DE 14.0.0.0/8=DE 16.0.0.0/8=DE", "more than 3 networks, which is networks_max");
}

static void a_set_by_country_denies(void **state)
{
	(void)state;
	make_database("country.mmdb", "10.0.0.0/8=DE 10.1.0.0/16=FR 2001:db8::/32=DE");
	struct settings *settings = load("{ name = \"de\"; database = \"DIR/country.mmdb\"; countries = ( \"DE\" ); }",
					 "deny_addresses = ( \"set:de\" );");
	assert_int_equal(reason_of(settings, "10.2.3.4"), REASON_ADDRESS_DENIED);
	assert_int_equal(reason_of(settings, "10.1.3.4"), REASON_UNSET);
	assert_int_equal(reason_of(settings, "2001:db8::1"), REASON_ADDRESS_DENIED);
	settings_free(settings);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"drop.txt", "none.txt", "any.mmdb", "shallow.mmdb", "bad.mmdb", "country.mmdb"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_of(names[i]));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_list_has_its_networks_and_those_of_its_sets),
	    cmocka_unit_test(only_sets_without_a_network_allow_nobody),
	    cmocka_unit_test(a_list_that_begins_a_throttles_allow_is_not_counted),
	    cmocka_unit_test(countries_are_those_that_libmaxminddb_finds),
	    cmocka_unit_test(a_leaf_above_all_of_ipv4_has_ipv4),
	    cmocka_unit_test(bad_databases_end_in_an_error),
	    cmocka_unit_test(a_set_by_country_denies),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
