/* The states of sites: whose slot is whose, and whose pause is whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "sallyport/site_state.h"

static struct site_states states;
static const struct site_set none;

static int setup(void **state)
{
	(void)state;
	memset(&states, 0, sizeof(states));
	return 0;
}

static void pause_slot(int slot, uint64_t until_ms)
{
	atomic_store(&states.of[slot].paused_until_ms[LEG_SHIELD], until_ms);
}

static bool is_paused(const char *name, uint64_t now_ms)
{
	struct site_link link = site_states_link(&states, name);
	return site_is_paused(&link, LEG_SHIELD, now_ms);
}

static void site_id_is_the_same_everywhere(void **state)
{
	(void)state;
	/* FNV-1a, 64 bits: the published test vectors */
	assert_true(site_id("a") == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(site_id("foobar") == UINT64_C(0x85944171f73967e8));
}

static void a_site_keeps_its_slot(void **state)
{
	(void)state;
	int shop = site_states_claim(&states, "shop", &none);
	int blog = site_states_claim(&states, "blog", &none);
	assert_true(shop >= 0 && blog >= 0 && shop != blog);
	assert_int_equal(site_states_claim(&states, "shop", &none), shop);
	pause_slot(shop, 1000);
	assert_true(is_paused("shop", 999));
	assert_false(is_paused("shop", 1000));
	assert_false(is_paused("blog", 0));
	assert_false(is_paused("unknown", 0));
}

static void the_state_of_a_guard_is_that_site_s_alone(void **state)
{
	(void)state;
	int slot = site_states_claim(&states, "shop", &none);
	struct site_link old = site_states_link(&states, "shop"), no_link = {NULL, 0};
	assert_int_equal(site_guard_state(&old), GUARD_STATE_UNSET);
	atomic_store(&states.of[slot].guard_state, GUARD_SEALED);
	assert_int_equal(site_guard_state(&old), GUARD_SEALED);
	atomic_store(&states.of[slot].id, site_id("blog"));
	assert_int_equal(site_guard_state(&old), GUARD_STATE_UNSET);
	assert_int_equal(site_guard_state(&no_link), GUARD_STATE_UNSET);
	assert_string_equal(guard_state_name(GUARD_SEALED), "sealed");
	assert_string_equal(guard_state_name(GUARD_STATE_UNSET), "-");
	assert_string_equal(guard_state_name(GUARD_STATE_COUNT), "-");
}

static void without_a_table_nothing_is_paused(void **state)
{
	(void)state;
	struct site_link link = site_states_link(NULL, "shop");
	assert_false(site_is_paused(&link, LEG_SHIELD, 0));
}

static void fill(struct site_set *kept)
{
	char name[24];
	for (int i = 0; i < SITE_STATES; i++) {
		snprintf(name, sizeof(name), "site-%d", i);
		int slot = site_states_claim(&states, name, &none);
		assert_true(slot >= 0);
		assert_false(site_set_has(kept, (unsigned)slot));
		site_set_add(kept, (unsigned)slot);
	}
}

static void a_full_table_gives_up_what_nobody_keeps(void **state)
{
	(void)state;
	struct site_set all = {{0}};
	fill(&all);
	assert_int_equal(site_states_claim(&states, "late", &all), -1);

	int paused = site_states_claim(&states, "site-7", &none);
	int idle = site_states_claim(&states, "site-9", &none);
	struct site_link old = site_states_link(&states, "site-9");
	pause_slot(paused, 1000);
	struct site_set kept = all;
	kept.bits[paused / 64] &= ~(UINT64_C(1) << paused % 64);
	kept.bits[idle / 64] &= ~(UINT64_C(1) << idle % 64);
	int late = site_states_claim(&states, "late", &kept);
	assert_int_equal(late, idle); /* the pause is kept as long as it can be */
	assert_true(is_paused("site-7", 0));

	/* whoever still holds the slot for its old site does not heed the new one's pause */
	pause_slot(late, 1000);
	assert_true(is_paused("late", 0));
	assert_false(site_is_paused(&old, LEG_SHIELD, 0));

	site_set_add(&kept, (unsigned)late);
	assert_int_equal(site_states_claim(&states, "later", &kept), paused);
	assert_false(is_paused("later", 0));
}

static void names_are_bounded(void **state)
{
	(void)state;
	char name[SITE_NAME_SIZE + 1];
	memset(name, 'x', sizeof(name));
	name[SITE_NAME_SIZE] = '\0';
	assert_int_equal(site_states_claim(&states, name, &none), -1);
	assert_int_equal(site_states_claim(&states, "", &none), -1);
	name[SITE_NAME_SIZE - 1] = '\0';
	assert_true(site_states_claim(&states, name, &none) >= 0);
}

static void legs_have_names(void **state)
{
	(void)state;
	assert_string_equal(leg_name(LEG_SHIELD), "shield");
	assert_string_equal(leg_name(LEG_GUARD), "guard");
	assert_int_equal(leg_lookup("guard"), LEG_GUARD);
	assert_string_equal(leg_name(LEG_UNSET), "-");
	assert_string_equal(leg_name(LEG_COUNT), "-");
	assert_int_equal(leg_lookup("shield"), LEG_SHIELD);
	assert_int_equal(leg_lookup("Shield"), LEG_UNSET);
	assert_int_equal(leg_lookup(""), LEG_UNSET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(site_id_is_the_same_everywhere),
	    cmocka_unit_test_setup(a_site_keeps_its_slot, setup),
	    cmocka_unit_test_setup(the_state_of_a_guard_is_that_site_s_alone, setup),
	    cmocka_unit_test(without_a_table_nothing_is_paused),
	    cmocka_unit_test_setup(a_full_table_gives_up_what_nobody_keeps, setup),
	    cmocka_unit_test_setup(names_are_bounded, setup),
	    cmocka_unit_test(legs_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
