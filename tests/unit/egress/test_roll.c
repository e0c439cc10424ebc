/* The roll of egress origins: whose slot is whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/egress_state.h"

static struct egress_states states;
static const uint64_t none[EGRESS_STATES / 64];
static const uint64_t all[EGRESS_STATES / 64] = {UINT64_MAX, UINT64_MAX};

static int setup(void **state)
{
	(void)state;
	memset(&states, 0, sizeof(states));
	return 0;
}

static void an_id_is_the_same_everywhere(void **state)
{
	(void)state;
	/* FNV-1a, 64 bits: the published test vectors */
	assert_true(egress_id("a") == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(egress_id("foobar") == UINT64_C(0x85944171f73967e8));
}

static void an_origin_keeps_its_slot(void **state)
{
	(void)state;
	int slot = egress_states_claim(&states, "10.0.0.5", none);
	assert_true(slot >= 0);
	atomic_store(&states.of[slot].gate_requests, 7);
	assert_int_equal(egress_states_claim(&states, "10.0.0.5", none), slot);
	assert_true(egress_states_find(&states, "10.0.0.5") == &states.of[slot]);
	assert_int_equal(atomic_load(&states.of[slot].gate_requests), 7);
	assert_null(egress_states_find(&states, "10.0.0.6"));
	assert_null(egress_states_find(NULL, "10.0.0.5"));
}

static void fill(void)
{
	char name[EGRESS_NAME_SIZE];
	for (unsigned i = 0; i < EGRESS_STATES; i++) {
		snprintf(name, sizeof(name), "10.0.0.%u", i);
		assert_true(egress_states_claim(&states, name, all) >= 0);
	}
}

static void a_full_roll_gives_only_what_is_not_kept(void **state)
{
	(void)state;
	fill();
	assert_int_equal(egress_states_claim(&states, "10.9.9.9", all), -1);
	assert_int_equal(egress_states_claim(&states, "10.0.0.9", all), 9);
	uint64_t kept[EGRESS_STATES / 64] = {UINT64_MAX & ~(UINT64_C(1) << 17), UINT64_MAX};
	atomic_store(&states.of[17].gate_refused, 5);
	assert_int_equal(egress_states_claim(&states, "10.9.9.9", kept), 17);
	assert_int_equal(atomic_load(&states.of[17].gate_refused), 0);
	assert_string_equal(states.of[17].name, "10.9.9.9");
	assert_null(egress_states_find(&states, "10.0.0.17"));
}

static void a_sentence_is_forgotten_last(void **state)
{
	(void)state;
	fill();
	for (unsigned i = 0; i < EGRESS_STATES; i++)
		atomic_store(&states.of[i].sentence, i == 100 ? 0 : 1);
	assert_int_equal(egress_states_claim(&states, "10.9.9.9", none), 100);
}

static void names_that_are_none_get_no_slot(void **state)
{
	(void)state;
	char name[EGRESS_NAME_SIZE + 1];
	memset(name, 'a', EGRESS_NAME_SIZE);
	name[EGRESS_NAME_SIZE] = '\0';
	assert_int_equal(egress_states_claim(&states, "", none), -1);
	assert_int_equal(egress_states_claim(&states, name, none), -1);
	name[EGRESS_NAME_SIZE - 1] = '\0';
	assert_true(egress_states_claim(&states, name, none) >= 0);
}

static void stages_and_offences_have_names(void **state)
{
	(void)state;
	for (uint32_t stage = EGRESS_FREE; stage < EGRESS_STAGE_COUNT; stage++)
		assert_int_equal(egress_stage_lookup(egress_stage_name(stage)), stage);
	assert_int_equal(egress_stage_lookup("jailed"), EGRESS_STAGE_UNSET);
	assert_string_equal(egress_stage_name(EGRESS_STAGE_UNSET), "-");
	assert_string_equal(egress_stage_name(77), "-");
	for (uint32_t offence = 1; offence < EGRESS_OFFENCE_COUNT; offence++)
		assert_string_not_equal(egress_offence_name(offence), "-");
	assert_string_equal(egress_offence_name(EGRESS_OFFENCE_SCAN), "scan");
	assert_string_equal(egress_offence_name(EGRESS_OFFENCE_ORDERED), "ordered");
	assert_string_equal(egress_offence_name(99), "-");
	assert_string_equal(egress_kernel_why_text(EGRESS_KERNEL_WHY_STARTING), "it is being started");
	assert_string_equal(egress_kernel_why_text(99), "-");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_id_is_the_same_everywhere),
	    TEST(an_origin_keeps_its_slot),
	    TEST(a_full_roll_gives_only_what_is_not_kept),
	    TEST(a_sentence_is_forgotten_last),
	    TEST(names_that_are_none_get_no_slot),
	    TEST(stages_and_offences_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
