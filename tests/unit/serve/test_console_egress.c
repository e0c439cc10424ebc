/* What the console says of the egress legs, and what orders about them may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "sallyport/clock.h"
#include "sallyport/egress.h"
#include "serve/console_egress.h"

#define NAME_63 "123456789012345678901234567890123456789012345678901234567890123"

static struct egress_states states;
static struct strbuf out;

static int setup(void **state)
{
	(void)state;
	memset(&states, 0, sizeof(states));
	strbuf_init(&out, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_release(&out);
	return 0;
}

static struct egress_state *add(const char *name)
{
	static const uint64_t kept[EGRESS_STATES / 64] = {UINT64_MAX, UINT64_MAX};
	int slot = egress_states_claim(&states, name, kept);
	assert_true(slot >= 0);
	atomic_store(&states.of[slot].in_force, 1);
	return &states.of[slot];
}

static struct json_value *written(void)
{
	struct json_writer writer;
	struct err err;
	strbuf_reset(&out);
	json_begin(&writer);
	console_egress_write(&states, &writer);
	assert_true(json_end(&writer, &out));
	struct json_value *value = json_read(strbuf_span(&out), &err);
	assert_non_null(value);
	return value;
}

static void assert_text(const struct json_value *value, const char *key, const char *expected)
{
	struct span text = json_text(value, key, "(none)");
	if (!span_eq(text, span_from_str(expected)))
		fail_msg("%s is \"%.*s\", not \"%s\"", key, (int)text.len, text.ptr, expected);
}

static void a_policy_without_the_section_has_nothing_to_say(void **state)
{
	(void)state;
	struct json_value *value = written();
	assert_text(value, "mode", "none");
	assert_int_equal(json_count(json_member(value, "origins")), 0);
	json_free(value);
	strbuf_reset(&out);
	console_egress_metrics(&states, &out);
	console_egress_metrics(NULL, &out);
	assert_int_equal(out.len, 0);
}

static void who_is_in_quarantine_comes_first(void **state)
{
	(void)state;
	uint64_t now_ms = clock_mono_ms();
	atomic_store(&states.mode, EGRESS_ENFORCE);
	atomic_store(&states.has_gate, 1);
	atomic_store(&states.kernel, EGRESS_KERNEL_AUTO);
	atomic_store(&states.kernel_why, EGRESS_KERNEL_WHY_NO_RIGHT);
	atomic_store(&add("10.0.0.5")->gate_requests, 7);
	egress_quarantine(add("10.0.0.6"), EGRESS_REPLIES_ONLY, 3600000, now_ms, 1795468104123);
	egress_quarantine(add("10.0.0.7"), EGRESS_LISTED_ONLY, 0, now_ms, 1795468104123);
	atomic_store(&add("10.0.0.8")->in_force, 0);
	struct json_value *value = written();
	const struct json_value *origins = json_member(value, "origins");
	assert_text(value, "mode", "enforce");
	assert_false(json_bool(value, "kernel_active"));
	assert_non_null(strstr(json_text(value, "kernel_why", "").ptr, "CAP_NET_ADMIN"));
	assert_true(json_text(value, "left_open", "").len > 0);
	assert_int_equal(json_count(origins), 3);
	const struct json_value *timed = json_element(origins, 0), *open = json_element(origins, 1);
	assert_text(timed, "origin", "10.0.0.6");
	assert_text(timed, "stage", "replies-only");
	assert_text(timed, "offence", "ordered");
	assert_text(timed, "since", "2026-11-23T21:08:24.123Z");
	assert_true(json_number(timed, "left_s") > 3590 && json_number(timed, "left_s") <= 3600);
	assert_text(open, "stage", "listed-only");
	assert_null(json_member(open, "until"));
	assert_text(json_element(origins, 2), "stage", "free");
	assert_int_equal(json_number(json_member(json_element(origins, 2), "counters"), "gate_requests"), 7);
	json_free(value);
}

static void what_is_left_open_depends_on_what_is_on(void **state)
{
	(void)state;
	atomic_store(&states.mode, EGRESS_ENFORCE);
	atomic_store(&states.kernel, EGRESS_KERNEL_OFF);
	struct json_value *value = written();
	assert_text(value, "kernel_why", "egress.kernel is \"off\"");
	assert_non_null(strstr(json_text(value, "left_open", "").ptr, "everything"));
	json_free(value);
	atomic_store(&states.kernel, EGRESS_KERNEL_AUTO);
	atomic_store(&states.kernel_active, 1);
	atomic_store(&states.paused_until_ms, clock_mono_ms() + 60000);
	value = written();
	assert_true(json_bool(value, "kernel_active"));
	assert_null(json_member(value, "left_open"));
	assert_true(json_number(json_member(value, "paused"), "left_s") > 50);
	json_free(value);
}

static void metrics_are_by_origin(void **state)
{
	(void)state;
	atomic_store(&states.mode, EGRESS_MONITOR);
	struct egress_state *origin = add("fd00::7");
	atomic_store(&origin->kernel_dropped, 42);
	egress_quarantine(origin, EGRESS_LISTED_ONLY, 0, clock_mono_ms(), 1);
	console_egress_metrics(&states, &out);
	strbuf_add(&out, "", 1);
	static const char *const lines[] = {
	    "# TYPE sallyport_egress_kernel_dropped_total counter\n",
	    "sallyport_egress_kernel_dropped_total{origin=\"fd00::7\"} 42\n",
	    "sallyport_egress_stage{origin=\"fd00::7\",stage=\"free\"} 0\n",
	    "sallyport_egress_stage{origin=\"fd00::7\",stage=\"listed-only\"} 1\n",
	    "sallyport_egress_kernel_active 0\n",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr(out.data, lines[i]))
			fail_msg("not in the metrics: %s", lines[i]);
}

/* Its writers are other processes: whatever they leave there is shown as something. */
static void nonsense_in_the_memory_is_shown_and_harms_nobody(void **state)
{
	(void)state;
	memset(&states, 0xff, sizeof(states));
	atomic_store(&states.mode, EGRESS_ENFORCE);
	memset(states.of[0].name, '"', sizeof(states.of[0].name));
	struct json_value *value = written();
	assert_int_equal(json_count(json_member(value, "origins")), EGRESS_STATES);
	json_free(value);
	strbuf_reset(&out);
	console_egress_metrics(&states, &out);
	strbuf_add(&out, "", 1);
	assert_non_null(strstr(out.data, "sallyport_egress_convictions{origin=\"????"));
	assert_null(strstr(out.data, "\"\"\""));
}

static void orders_are_read(void **state)
{
	(void)state;
	struct egress_order order;
	struct err err;
	assert_int_equal(console_egress_verb("/api/egress/quarantine"), EGRESS_VERB_QUARANTINE);
	assert_int_equal(console_egress_verb("/api/egress/release"), EGRESS_VERB_RELEASE);
	assert_int_equal(console_egress_verb("/api/egress/approve"), EGRESS_VERB_APPROVE);
	assert_int_equal(console_egress_verb("/api/egress/forget"), EGRESS_VERB_FORGET);
	assert_int_equal(console_egress_verb("/api/egress/pardon"), EGRESS_VERB_UNSET);
	assert_true(console_read_egress(EGRESS_VERB_QUARANTINE, SPAN("{\"origin\":\"" NAME_63 "\"}"), &order, &err));
	assert_string_equal(order.origin, NAME_63);
	assert_int_equal(order.stage, EGRESS_LISTED_ONLY);
	assert_int_equal(order.duration_ms, 0);
	assert_true(console_read_egress(
	    EGRESS_VERB_QUARANTINE, SPAN("{\"origin\":\"a\",\"stage\":\"replies-only\",\"duration_ms\":5}"), &order, &err));
	assert_int_equal(order.stage, EGRESS_REPLIES_ONLY);
	assert_int_equal(order.duration_ms, 5);
	assert_true(console_read_egress(EGRESS_VERB_RELEASE, SPAN("{\"origin\":\"a\"}"), &order, &err));
}

static void orders_about_what_was_learned_name_a_destination(void **state)
{
	(void)state;
	struct egress_order order;
	struct err err;
	assert_true(console_read_egress(EGRESS_VERB_APPROVE, SPAN("{\"origin\":\"a\",\"destination\":\"b.example:443\"}"), &order,
					&err));
	assert_string_equal(order.destination, "b.example:443");
	static const char *const wrong[] = {"{\"origin\":\"a\"}", "{\"origin\":\"a\",\"destination\":\"\"}",
					    "{\"origin\":\"a\",\"destination\":7}",
					    "{\"origin\":\"a\",\"destination\":\"b\\u0000:443\"}"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(console_read_egress(EGRESS_VERB_FORGET, span_from_str(wrong[i]), &order, &err));
		assert_non_null(strstr(err.text, "destination"));
	}
	char text[600];
	snprintf(text, sizeof(text), "{\"origin\":\"a\",\"destination\":\"%0*d\"}", EGRESS_LESSON_SIZE, 7);
	assert_false(console_read_egress(EGRESS_VERB_FORGET, span_from_str(text), &order, &err));
}

static struct json_value *written_lessons(void)
{
	struct json_writer json;
	struct err err;
	strbuf_reset(&out);
	json_begin(&json);
	console_egress_write_learned(&states, &json);
	assert_true(json_end(&json, &out));
	return json_read(strbuf_span(&out), &err);
}

static void what_was_learned_is_written_for_origins_in_force(void **state)
{
	(void)state;
	memset(&states, 0, sizeof(states));
	atomic_store(&states.mode, EGRESS_ENFORCE);
	atomic_store(&states.learning, EGRESS_LEARNING_ON);
	const struct egress_lesson_use use = {.now_ms = clock_mono_ms(), .may_enter = true};
	for (unsigned i = 0; i < 2; i++) {
		snprintf(states.of[i].name, sizeof(states.of[i].name), "10.0.0.%u", 5 + i);
		egress_learned_use(&states.learned[i], egress_learned_seed(&states, &states.of[i]), SPAN("b.example:443"), &use);
	}
	atomic_store(&states.of[1].in_force, 1);
	struct json_value *value = written_lessons();
	const struct json_value *lessons = json_member(value, "learned");
	assert_int_equal(json_count(lessons), 1);
	const struct json_value *lesson = json_element(lessons, 0);
	assert_true(span_eq(json_text(value, "learning", ""), SPAN("on")));
	assert_true(span_eq(json_text(lesson, "origin", ""), SPAN("10.0.0.6")));
	assert_true(span_eq(json_text(lesson, "destination", ""), SPAN("b.example:443")));
	assert_true(span_eq(json_text(lesson, "state", ""), SPAN("candidate")));
	assert_int_equal(json_number(lesson, "uses"), 1);
	assert_true(json_text(lesson, "first_use", "").len > 0);
	json_free(value);
}

static void what_is_wrong_in_an_order_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *content, *named;
	} rows[] = {
	    {"", "JSON"},
	    {"[]", "object"},
	    {"{}", "origin"},
	    {"{\"origin\":\"\"}", "origin"},
	    {"{\"origin\":7}", "origin"},
	    {"{\"origin\":\"a\\u0000b\"}", "origin"},
	    {"{\"origin\":\"" NAME_63 "4\"}", "origin"},
	    {"{\"origin\":\"a\",\"stage\":\"free\"}", "stage"},
	    {"{\"origin\":\"a\",\"stage\":\"\"}", "stage"},
	    {"{\"origin\":\"a\",\"stage\":2}", "stage"},
	    {"{\"origin\":\"a\",\"stage\":\"listed-only\\u0000\"}", "stage"},
	    /* a wrong duration must never be taken for the 0 that means: until released */
	    {"{\"origin\":\"a\",\"duration_ms\":\"5\"}", "duration_ms"},
	    {"{\"origin\":\"a\",\"duration_ms\":-1}", "duration_ms"},
	    {"{\"origin\":\"a\",\"duration_ms\":null}", "duration_ms"},
	    {"{\"origin\":\"a\",\"duration_ms\":31536000001}", "duration_ms"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct egress_order order;
		struct err err = {{0}};
		if (console_read_egress(EGRESS_VERB_QUARANTINE, span_from_str(rows[i].content), &order, &err))
			fail_msg("taken: %s", rows[i].content);
		if (!strstr(err.text, rows[i].named))
			fail_msg("%s: %s", rows[i].content, err.text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_policy_without_the_section_has_nothing_to_say),
	    TEST(who_is_in_quarantine_comes_first),
	    TEST(what_is_left_open_depends_on_what_is_on),
	    TEST(metrics_are_by_origin),
	    TEST(nonsense_in_the_memory_is_shown_and_harms_nobody),
	    TEST(orders_are_read),
	    TEST(orders_about_what_was_learned_name_a_destination),
	    TEST(what_was_learned_is_written_for_origins_in_force),
	    TEST(what_is_wrong_in_an_order_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
