/* What POST /api/vault/VERB says is taken whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "serve/console_vault.h"

static bool reads(const char *verb, const char *content, struct vault_order *out, struct err *err)
{
	char path[64];
	snprintf(path, sizeof(path), "/api/vault/%s", verb);
	return console_read_vault(console_vault_verb(path), span_from_str(content), out, err);
}

static const struct {
	const char *verb, *content;
} good[] = {
    {"approve", "{\"site\":\"shop\",\"url\":\"/a?b=c\"}"},
    {"approve", "{\"site\":\"shop\",\"all\":true,\"why\":\"release 7\"}"},
    {"approve", "{\"site\":\"shop\",\"url\":\"/\",\"version\":3}"},
    {"reject", "{\"site\":\"shop\",\"all\":true}"},
    {"rollback", "{\"site\":\"shop\",\"time_s\":1700000000}"},
    {"rollback", "{\"site\":\"shop\",\"url\":\"/\",\"version\":2}"},
    {"pin", "{\"site\":\"shop\",\"url\":\"/\"}"},
    {"publish", "{\"site\":\"shop\",\"duration_ms\":600000}"},
    {"publish", "{\"site\":\"shop\",\"token\":\"abc\"}"},
    {"token", "{\"site\":\"shop\",\"duration_ms\":1,\"valid_ms\":1}"},
    {"enrol", "{\"site\":\"shop\"}"},
    {"seal", "{\"site\":\"shop\"}"},
    {"release", "{\"site\":\"shop\"}"},
};

static const struct {
	const char *verb, *content, *said;
} bad[] = {
    {"approve", "", "not JSON"},
    {"approve", "[]", "no JSON object"},
    {"approve", "{\"url\":\"/\"}", "site"},
    {"approve", "{\"site\":\"shop\"}", "url of a page, or all"},
    {"approve", "{\"site\":\"shop\",\"url\":\"/\",\"all\":true}", "url of a page, or all"},
    {"approve", "{\"site\":\"shop\",\"url\":\"http://x/\"}", "url"},
    {"approve", "{\"site\":\"shop\",\"url\":\"/\\u0000x\"}", "url"},
    {"approve", "{\"site\":\"shop\",\"url\":\"/\\nx\"}", "control bytes"},
    {"approve", "{\"site\":\"shop\",\"url\":\"/\",\"version\":-1}", "version"},
    {"approve", "{\"site\":\"shop\",\"url\":\"/\",\"version\":\"1\"}", "version"},
    {"rollback", "{\"site\":\"shop\"}", "to go back to"},
    {"rollback", "{\"site\":\"shop\",\"version\":1}", "needs its url"},
    {"rollback", "{\"site\":\"shop\",\"url\":\"/\",\"version\":1,\"time_s\":1}", "to go back to"},
    {"pin", "{\"site\":\"shop\"}", "url of a page"},
    {"publish", "{\"site\":\"shop\",\"duration_ms\":86400001}", "duration_ms"},
    {"token", "{\"site\":\"shop\"}", "time that its window lasts"},
};

static void a_sound_order_is_read(void **state)
{
	(void)state;
	static struct vault_order order;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = {{0}};
		if (!reads(good[i].verb, good[i].content, &order, &err))
			fail_msg("%s %s: %s", good[i].verb, good[i].content, err.text);
		assert_string_equal(order.site, "shop");
		assert_string_equal(vault_verb_name(order.verb), good[i].verb);
	}
}

static void another_is_refused_with_a_reason(void **state)
{
	(void)state;
	static struct vault_order order;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = {{0}};
		if (reads(bad[i].verb, bad[i].content, &order, &err) || !strstr(err.text, bad[i].said))
			fail_msg("%s %s: %s", bad[i].verb, bad[i].content, err.text);
	}
}

static void an_order_without_an_end_is_refused(void **state)
{
	(void)state;
	static struct vault_order order;
	struct err err;
	memset(&order, 'x', sizeof(order));
	order.verb = VERB_SEAL;
	assert_false(vault_order_check(&order, &err));
	order.verb = VERB_COUNT;
	assert_false(vault_order_check(&order, &err));
}

static void only_verbs_have_paths(void **state)
{
	(void)state;
	static const char *const paths[] = {"/api/vault/", "/api/vault", "/api/vault/bless", "/api/vault/approve/",
					    "/api/approve", "/"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(console_vault_verb(paths[i]), VERB_UNSET);
	assert_int_equal(console_vault_verb("/api/vault/approve"), VERB_APPROVE);
	assert_string_equal(vault_verb_name(VERB_UNSET), "-");
	assert_string_equal(vault_verb_name(VERB_COUNT), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sound_order_is_read),
	    cmocka_unit_test(another_is_refused_with_a_reason),
	    cmocka_unit_test(an_order_without_an_end_is_refused),
	    cmocka_unit_test(only_verbs_have_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
