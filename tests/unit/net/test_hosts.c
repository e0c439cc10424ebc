/* Names of /etc/hosts, from a table, and the file itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>
#include "guard_page.h"
#include "net/hosts.h"

static const char file[] = "127.0.0.1 localhost vm\n"
			   "::1\tlocalhost  ip6-localhost # not-a-name\n"
			   "# 10.0.0.1 commented\n"
			   "  10.0.0.2   Shop.Example\tother.example\r\n"
			   "10.0.0.3 shop.example\n"
			   "10.0.0 short\nname-alone\n300.0.0.1 wrong\n\n"
			   "10.0.0.4 last";

static void names_have_the_addresses_of_their_lines(void **state)
{
	(void)state;
	static const struct {
		const char *name, *addresses;
	} rows[] = {
	    {"localhost", "127.0.0.1:80 [::1]:80"},
	    {"LOCALHOST", "127.0.0.1:80 [::1]:80"},
	    {"vm", "127.0.0.1:80"},
	    {"ip6-localhost", "[::1]:80"},
	    {"shop.example", "10.0.0.2:80 10.0.0.3:80"},
	    {"other.example", "10.0.0.2:80"},
	    {"last", "10.0.0.4:80"},
	    {"commented", ""}, {"not-a-name", ""}, {"short", ""}, {"name-alone", ""}, {"wrong", ""},
	    {"local", ""}, {"127.0.0.1", ""}, {"", ""},
	};
	char *text = guarded_copy(file, sizeof(file) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr addrs[RESOLVE_MAX_ADDRS];
		char found[512] = "", one[ADDR_TEXT_SIZE];
		unsigned n = hosts_find(span_of(text, sizeof(file) - 1), span_from_str(rows[i].name), 80, addrs);
		for (unsigned j = 0; j < n; j++) {
			addr_format(&addrs[j], one);
			size_t len = strlen(found);
			snprintf(found + len, sizeof(found) - len, "%s%s", j ? " " : "", one);
		}
		assert_string_equal(found, rows[i].addresses);
	}
	guarded_free(text, sizeof(file) - 1);
}

static void no_more_than_the_most_are_taken(void **state)
{
	(void)state;
	char text[2000];
	size_t len = 0;
	struct addr addrs[RESOLVE_MAX_ADDRS];
	for (unsigned i = 0; i < RESOLVE_MAX_ADDRS + 5; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "10.0.0.%u many\n", i);
	assert_int_equal(hosts_find(span_of(text, len), SPAN("many"), 80, addrs), RESOLVE_MAX_ADDRS);
}

static void a_file_is_read_whole_or_not_at_all(void **state)
{
	(void)state;
	size_t len = 1;
	char path[] = "/tmp/sallyport-hosts-XXXXXX";
	int fd = mkstemp(path);
	assert_null(hosts_read("/nonexistent", &len));
	assert_int_equal(len, 0);
	assert_null(hosts_read(path, &len)); /* empty */
	assert_int_equal(write(fd, file, sizeof(file)), sizeof(file));
	char *text = hosts_read(path, &len);
	assert_int_equal(len, sizeof(file));
	assert_memory_equal(text, file, len);
	free(text);
	assert_int_equal(ftruncate(fd, HOSTS_BYTES_MAX + 1), 0);
	assert_null(hosts_read(path, &len));
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_have_the_addresses_of_their_lines),
	    cmocka_unit_test(no_more_than_the_most_are_taken),
	    cmocka_unit_test(a_file_is_read_whole_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
