/* Packs within a policy: whose rule of one id counts, what is refused, and how old rules are. And rules as text, which
 * tells a changed rule from one that is the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "sallyport/keys.h"
#include "sallyport/rules_age.h"

enum { POLICY_ROOM = 4096 };

static struct sign_key *signer;
static char public_hex[KEY_HEX_SIZE];

static void make_pack(const char *text, uint64_t created_s, struct strbuf *out)
{
	struct rule_pack pack = {.name = "shop", .version = 3, .created_s = created_s,
				 .files = {{SPAN("a.cfg"), span_from_str(text)}}, .file_count = 1};
	struct err err = {""};
	strbuf_init(out, RULE_PACK_BYTES_MAX);
	if (!rule_pack_write(&pack, signer, out, &err))
		fail_msg("%s", err.text);
}

/* `more` stands beside listener, site and the key. */
static struct settings *load_with(const struct rule_pack_given *given, const char *more, struct policy_errors *errors)
{
	const struct settings_overrides overrides = {.listen = ":81", .origin = "http://a", .pack = given,
						     .rules_wanted = RULES_READ};
	char text[POLICY_ROOM];
	snprintf(text, sizeof(text), "%s rule_pack = { keys = ( \"%s\" ); max_size = \"4 KiB\"; max_age = \"2 d\"; };", more,
		 public_hex);
	return settings_load_text(text, &overrides, errors);
}

static const struct rule_spec *rule_of(const struct settings *settings, const char *id)
{
	for (size_t i = 0; i < settings->rule_count; i++)
		if (strcmp(settings->rule_specs[i].id, id) == 0)
			return &settings->rule_specs[i];
	fail_msg("there is no rule %s", id);
	return NULL;
}

static void assert_refused(const char *text, const char *words)
{
	struct policy_errors *errors = policy_errors_new();
	struct strbuf pack, said;
	make_pack(text, 1795694400, &pack);
	const struct rule_pack_given given = {strbuf_span(&pack)};
	struct settings *settings = load_with(&given, "", errors);
	strbuf_init(&said, 1 << 16);
	policy_errors_print(errors, &said);
	if (settings || !strstr(said.data, words))
		fail_msg("\"%s\" is not said: %s", words, said.data ? said.data : "nothing");
	settings_free(settings);
	policy_errors_free(errors);
	strbuf_release(&pack);
	strbuf_release(&said);
}

#define ONE_RULE(id, path) "{ id = \"" id "\"; where = \"path\"; equals = \"" path "\"; message = \"m\"; }"

static void of_one_id_the_policys_own_rule_counts_then_the_packs_then_a_files(void **state)
{
	struct policy_errors *errors = policy_errors_new();
	struct strbuf pack;
	(void)state;
	make_pack("rules = ( " ONE_RULE("own.rule", "/pack") ", " ONE_RULE("worm.code-red", "/pack") ", "
		  ONE_RULE("pack.rule", "/pack") " );\n", 1795694400, &pack);
	const struct rule_pack_given given = {strbuf_span(&pack)};
	struct settings *settings =
	    load_with(&given, "rules = ( " ONE_RULE("own.rule", "/own") " ); rule_files = ( \"policy.d\" );", errors);
	assert_non_null(settings);
	assert_string_equal(rule_of(settings, "own.rule")->conditions[0].texts[0], "/own");
	assert_string_equal(rule_of(settings, "worm.code-red")->conditions[0].texts[0], "/pack");
	assert_string_equal(rule_of(settings, "worm.code-red")->where.file, "pack shop 3/a.cfg");
	assert_string_equal(rule_of(settings, "pack.rule")->conditions[0].texts[0], "/pack");
	assert_non_null(strstr(rule_of(settings, "worm.root-exe")->where.file, "worms.cfg"));
	assert_true(settings->rules_dates.pack_rules == 2);
	settings_free(settings);
	policy_errors_free(errors);
	strbuf_release(&pack);
}

static void no_pack_given_is_no_pack(void **state)
{
	const struct rule_pack_given none = {{NULL, 0}};
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings = load_with(&none, "", errors);
	(void)state;
	assert_non_null(settings);
	assert_int_equal(settings->rule_count, 0);
	assert_string_equal(settings->rules_dates.pack, "");
	settings_free(settings);
	policy_errors_free(errors);
}

static void what_a_pack_may_not_say_is_refused_with_its_file_and_line(void **state)
{
	static char large[5000];
	(void)state;
	assert_refused("\n@include \"/etc/hostname\"\n", "pack shop 3/a.cfg:2: error: this text may not include files");
	assert_refused("rules = ( );\nsites = ( );\n", "pack shop 3/a.cfg:2: error: unknown setting 'sites'");
	assert_refused("rules = ( { id = \"x\"; } );\n", "pack shop 3/a.cfg:1: error:");
	assert_refused("rules = ( " ONE_RULE("a", "/a") ",\n" ONE_RULE("a", "/b") " );\n",
		       "pack shop 3/a.cfg:2: error: rules[1].id: \"a\" is another's already");
	assert_refused("rules = ( );\nupdated = \"yesterday\";\n", "is no day such as");
	memset(large, '\n', sizeof(large) - 1);
	assert_refused(large, "more than rule_pack.max_size = \"4 KiB\"");
}

static void settings_of_packs_that_make_no_sense_are_errors(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
	    {"rule_pack = { keys = \"12\"; };", "rule_pack.keys: \"12\" is no public key"},
	    {"rule_pack = { url = \"https://a.example/\"; };", "without keys no pack would count"},
	    {"rule_pack = { url = \"http://a.example/\"; };", "rule_pack.url: \"http://a.example/\" is no URL such as https"},
	    {"rule_pack = { ca = \"a.pem\"; };", "rule_pack.ca: it is the url's"},
	    {"rule_pack = { max_size = \"5 MiB\"; };", "rule_pack.max_size"},
	};
	const struct settings_overrides overrides = {.listen = ":81", .origin = "http://a"};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_errors *errors = policy_errors_new();
		struct strbuf said;
		assert_null(settings_load_text(rows[i].text, &overrides, errors));
		strbuf_init(&said, 1 << 16);
		policy_errors_print(errors, &said);
		if (!strstr(said.data, rows[i].said))
			fail_msg("\"%s\" is not said: %s", rows[i].said, said.data);
		strbuf_release(&said);
		policy_errors_free(errors);
	}
}

/* ---- age ---- */

static bool says(const struct rules_age *age, uint64_t now_s, const char *part)
{
	struct json_writer json;
	struct strbuf text;
	strbuf_init(&text, 4096);
	json_begin(&json);
	rules_age_describe(age, now_s, &json);
	assert_true(json_end(&json, &text));
	bool found = strstr(text.data, part) != NULL;
	strbuf_release(&text);
	return found;
}

static void rules_are_old_once_they_are_older_than_the_policy_wants(void **state)
{
	struct rules_age age = {.rules = 5, .max_age_ms = 2000, .dates = {.updated_s = 1000}};
	(void)state;
	assert_true(says(&age, 1002, "\"age_s\":2,\"old\":false"));
	assert_true(says(&age, 1003, "\"age_s\":3,\"old\":true"));
	assert_true(says(&age, 999, "\"age_s\":0,\"old\":false")); /* a clock that was set back */
	assert_true(rules_age_made_s(&age) == 1000);
	memcpy(age.dates.pack, "shop", 5);
	age.dates.pack_created_s = 5000;
	assert_true(rules_age_made_s(&age) == 5000);
	assert_true(says(&age, 5001, "\"age_s\":4001,\"old\":false")); /* where there is a pack, it decides */
	assert_true(says(&age, 5001, "\"age_s\":1,\"old\":false"));
	assert_true(says(&age, 5003, "\"age_s\":3,\"old\":true"));
	age.max_age_ms = 0;
	assert_false(says(&age, 500000, "\"old\":true"));
}

static void a_policy_says_of_when_its_rules_are(void **state)
{
	const struct settings_overrides overrides = {.listen = ":81", .origin = "http://a", .rules_wanted = RULES_READ};
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings = settings_load(NULL, &overrides, errors);
	struct strbuf pack;
	(void)state;
	assert_non_null(settings);
	assert_true(settings->rules_dates.updated_s >= 1795651200); /* 2026-11-26 */
	settings_free(settings);
	make_pack("rules = ( );\n", 1795694400, &pack);
	const struct rule_pack_given given = {strbuf_span(&pack)};
	settings = load_with(&given, "", errors);
	assert_non_null(settings);
	const struct rules_age age = rules_age_of(settings);
	assert_true(rules_age_made_s(&age) == 1795694400);
	assert_true(age.max_age_ms == UINT64_C(2) * 24 * 3600 * 1000);
	settings_free(settings);
	policy_errors_free(errors);
	strbuf_release(&pack);
}

/* ---- rules as text ---- */

static void assert_text_is_the_rule(const struct rule_spec *rule)
{
	const struct settings_overrides overrides = {.listen = ":81", .origin = "http://a", .rules_wanted = RULES_READ};
	struct policy_errors *errors = policy_errors_new();
	struct strbuf text, policy, again;
	strbuf_init(&text, 1 << 20);
	strbuf_init(&policy, 1 << 20);
	strbuf_init(&again, 1 << 20);
	rule_write(rule, &text);
	strbuf_addf(&policy, "rules = ( %s );", text.data);
	struct settings *settings = settings_load_text(policy.data, &overrides, errors);
	if (!settings)
		fail_msg("it is no rule:\n%s", text.data);
	rule_write(&settings->rule_specs[0], &again);
	assert_string_equal(again.data, text.data);
	settings_free(settings);
	policy_errors_free(errors);
	strbuf_release(&text);
	strbuf_release(&policy);
	strbuf_release(&again);
}

static void every_rule_that_comes_with_it_can_be_pasted_back(void **state)
{
	const struct settings_overrides overrides = {.listen = ":81", .origin = "http://a", .rules_wanted = RULES_READ};
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings = settings_load(NULL, &overrides, errors);
	(void)state;
	assert_non_null(settings);
	for (size_t i = 0; i < settings->rule_count; i++)
		assert_text_is_the_rule(&settings->rule_specs[i]);
	settings_free(settings);
	policy_errors_free(errors);
}

static void every_setting_of_a_rule_is_in_its_text(void **state)
{
	static const char *const rules[] = {
	    "id = \"a\"; where = ( \"argument:q\", \"!cookie:x\" ); outside = \"9,10,32-126,255\"; message = \"\\\"m\\\\\";",
	    "id = \"a\"; where = \"client\"; networks = ( \"192.0.2.0/24\", \"2001:db8::/32\" ); negated = true; message = \"m\";",
	    "id = \"a\"; where = \"path\"; longer_than = \"1 KiB\"; message = \"m\"; action = \"tarpit\"; status = 404;",
	    "id = \"a\"; where = \"path\"; pattern = \"^/\\\\w\"; case_sensitive = true; transform = ( \"url\", \"html\" ); "
	    "message = \"m\"; cve = \"CVE-1\"; tags = ( \"x\", \"y\" ); severity = \"notice\"; score = 7; mode = \"monitor\";",
	    "id = \"a\"; where = \"path\"; words = \"w\"; message = \"m\"; mode = \"off\"; "
	    "also = ( { where = \"query\"; suffix = \"s\"; }, { where = \"query\"; contains = ( \"c\", \"d\" ); negated = true; } );",
	};
	const struct settings_overrides overrides = {.listen = ":81", .origin = "http://a", .rules_wanted = RULES_READ};
	struct strbuf seen;
	(void)state;
	strbuf_init(&seen, 1 << 16);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct policy_errors *errors = policy_errors_new();
		char text[POLICY_ROOM];
		snprintf(text, sizeof(text), "rules = ( { %s } );", rules[i]);
		struct settings *settings = settings_load_text(text, &overrides, errors);
		if (!settings) {
			policy_errors_print(errors, &seen);
			fail_msg("%s: %s", rules[i], seen.data);
		}
		assert_text_is_the_rule(&settings->rule_specs[0]);
		rule_write(&settings->rule_specs[0], &seen);
		settings_free(settings);
		policy_errors_free(errors);
	}
	static const char *const parts[] = {"\"argument:q\", \"!cookie:x\"", "outside = \"9-10,32-126,255\"", "\\\"m\\\\",
					    "\"192.0.2.0/24\", \"2001:db8::/32\"", "longer_than = 1024", "action = \"tarpit\"",
					    "status = 404", "case_sensitive = true", "( \"url\", \"html\" )", "CVE-1",
					    "severity = \"notice\"", "score = 7", "mode = \"monitor\"", "mode = \"off\"",
					    "suffix = ( \"s\" )", "negated = true"};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strstr(seen.data, parts[i]))
			fail_msg("%s is not in\n%s", parts[i], seen.data);
	strbuf_release(&seen);
}

static int set_up(void **state)
{
	uint8_t public_part[SIGN_PUBLIC_SIZE];
	struct err err;
	(void)state;
	signer = sign_key_new(&err);
	if (!signer)
		return 1;
	sign_key_public(signer, public_part);
	hex_write(public_part, SIGN_PUBLIC_SIZE, public_hex);
	return setenv("SALLYPORT_DATADIR", ".", 1);
}

static int tear_down(void **state)
{
	(void)state;
	sign_key_free(signer);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(of_one_id_the_policys_own_rule_counts_then_the_packs_then_a_files),
	    cmocka_unit_test(no_pack_given_is_no_pack),
	    cmocka_unit_test(what_a_pack_may_not_say_is_refused_with_its_file_and_line),
	    cmocka_unit_test(settings_of_packs_that_make_no_sense_are_errors),
	    cmocka_unit_test(rules_are_old_once_they_are_older_than_the_policy_wants),
	    cmocka_unit_test(a_policy_says_of_when_its_rules_are),
	    cmocka_unit_test(every_rule_that_comes_with_it_can_be_pasted_back),
	    cmocka_unit_test(every_setting_of_a_rule_is_in_its_text),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
