/* Figures are read whole or not at all, and texts end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "sallyport/guard_status.h"

static struct guard_status status;

static int setup(void **state)
{
	(void)state;
	memset(&status, 0, sizeof(status));
	return 0;
}

static void figures_come_out_as_they_went_in(void **state)
{
	(void)state;
	struct guard_figures all = {.baseline = 7, .vault_error = "full"}, got;
	struct guard_site_figures site = {.site = 9, .pages = 3, .name = "shop", .why = "by order"}, one;
	guard_status_put(&status, &all);
	guard_status_put_site(&status, 5, &site);
	assert_true(guard_status_get(&status, &got));
	assert_int_equal(got.baseline, 7);
	assert_string_equal(got.vault_error, "full");
	assert_true(guard_status_get_site(&status, 5, &one));
	assert_int_equal(one.pages, 3);
	assert_string_equal(one.why, "by order");
	assert_false(guard_status_get_site(&status, 4, &one));
	assert_false(guard_status_get_site(&status, GUARD_SITES_MAX, &one));
	guard_status_put_site(&status, GUARD_SITES_MAX, &site);
}

static void half_a_write_is_not_read_and_mended_by_the_next(void **state)
{
	(void)state;
	struct guard_site_figures site = {.site = 9, .pages = 3}, one;
	guard_status_put_site(&status, 0, &site);
	atomic_fetch_add(&status.of[0].turn, 1); /* its writer was killed */
	assert_false(guard_status_get_site(&status, 0, &one));
	guard_status_put_site(&status, 0, &site);
	assert_true(guard_status_get_site(&status, 0, &one));
}

static void a_text_without_an_end_ends(void **state)
{
	(void)state;
	struct guard_site_figures one;
	status.of[0].figures.site = 1;
	memset(status.of[0].figures.name, 'x', SITE_NAME_SIZE);
	memset(status.of[0].figures.why, 'x', GUARD_WHY_SIZE);
	assert_true(guard_status_get_site(&status, 0, &one));
	assert_int_equal(strlen(one.name), SITE_NAME_SIZE - 1);
	assert_int_equal(strlen(one.why), GUARD_WHY_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(figures_come_out_as_they_went_in, setup),
	    cmocka_unit_test_setup(half_a_write_is_not_read_and_mended_by_the_next, setup),
	    cmocka_unit_test_setup(a_text_without_an_end_ends, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
