/* Ordinary requests pass and hostile ones do not, for each kind of origin, with all that comes
 * with sallyport: from the head to the verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sallyport/judge.h"
#include "vectors.h"

static const char *const kinds[] = {"unix", "iis", "tomcat", "php"};

struct gate {
	struct settings *settings;
	struct shield_scratch *scratch;
};

static struct gate gate_open(const char *kind)
{
	char text[512];
	struct settings_overrides none = {0};
	struct policy_errors *errors = policy_errors_new();
	struct err err;
	struct gate gate;
	snprintf(text, sizeof(text),
		 "listen = ( { address = \":8080\"; } );\n"
		 "sites = ( { name = \"shop\"; hosts = ( \"shop.example\" );\n"
		 "  origins = ( \"http://192.0.2.1\" ); shield = { origin_kind = \"%s\"; }; } );\n"
		 "rule_files = ( \"conf/policy.d\" );\n",
		 kind);
	gate.settings = settings_load_text(text, &none, errors);
	assert_non_null(gate.settings);
	policy_errors_free(errors);
	const struct site *site = gate.settings->sites.items;
	const struct shield *shield = site->shield;
	gate.scratch = shield_scratch_new(&shield, 1, &err);
	assert_non_null(gate.scratch);
	return gate;
}

static void gate_close(struct gate *gate)
{
	shield_scratch_free(gate->scratch);
	settings_free(gate->settings);
}

/* field: a whole line with its end; may be empty. */
static enum reason ask(const struct gate *gate, struct span target, struct span field)
{
	static const struct http_limits limits = {16384, 8192, 100, 8192};
	static char text[16384], room[JUDGE_ROOM(8192)], buf[8193];
	static struct http_head head;
	struct subject subject;
	struct verdict verdict;
	struct span evidence;
	enum reason reason = REASON_UNSET;
	int len = snprintf(text, sizeof(text), "GET %.*s HTTP/1.1\r\nHost: shop.example\r\n%.*s\r\n",
			   SPAN_ARG(target), SPAN_ARG(field));
	if (http_parse_request(text, (size_t)len, 0, &limits, &head, &reason, &evidence) !=
	    HTTP_PARSE_DONE)
		return reason;
	reason = judge_locate(gate->settings, &head, false, room, &subject);
	if (reason != REASON_UNSET)
		return reason;
	judge_verdict(&head, &subject, gate->scratch, buf, &verdict);
	return verdict.reason;
}

static bool holds_for(struct span row_kinds, const char *kind)
{
	return span_eq(row_kinds, SPAN("all")) ||
	       memmem(row_kinds.ptr, row_kinds.len, kind, strlen(kind)) != NULL;
}

static void ordinary_traffic_passes_and_hostile_does_not(void **state)
{
	(void)state;
	static struct vector_file row;
	unsigned wrong = 0, rows = 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct gate gate = gate_open(kinds[i]);
		vectors_open(&row, "tests/vectors/traffic.txt");
		while (vectors_next(&row)) {
			assert_int_equal(row.n, 3);
			if (!holds_for(row.columns[1], kinds[i]))
				continue;
			bool pass = span_eq(row.columns[0], SPAN("pass"));
			enum reason reason = ask(&gate, row.columns[2], SPAN(""));
			rows++;
			if (pass == (reason == REASON_UNSET))
				continue;
			print_error("%s:%u: %s: %s\n", row.path, row.line, kinds[i],
				    reason_name(reason));
			wrong++;
		}
		gate_close(&gate);
	}
	assert_int_equal(wrong, 0);
	assert_true(rows > 800);
}

static void ordinary_cookies_and_fields_pass_and_hostile_do_not(void **state)
{
	(void)state;
	static struct vector_file row;
	unsigned wrong = 0, rows = 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct gate gate = gate_open(kinds[i]);
		vectors_open(&row, "tests/vectors/fields.txt");
		while (vectors_next(&row)) {
			char line[4096];
			assert_int_equal(row.n, 3);
			int len = snprintf(line, sizeof(line), "%.*s: %.*s\r\n",
					   SPAN_ARG(row.columns[1]), SPAN_ARG(row.columns[2]));
			bool pass = span_eq(row.columns[0], SPAN("pass"));
			const char *reason = reason_name(ask(&gate, SPAN("/"), span_of(line, (size_t)len)));
			rows++;
			if (span_eq(pass ? SPAN("-") : row.columns[0], span_from_str(reason)))
				continue;
			print_error("%s:%u: %s: %s\n", row.path, row.line, kinds[i], reason);
			wrong++;
		}
		gate_close(&gate);
	}
	assert_int_equal(wrong, 0);
	assert_true(rows > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ordinary_traffic_passes_and_hostile_does_not),
	    cmocka_unit_test(ordinary_cookies_and_fields_pass_and_hostile_do_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
