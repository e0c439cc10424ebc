/* What of a head counts for a page, and that whoever digests the same page gets the same digest. */
#include "sallyport/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard_page.h"

static const uint8_t content[DIGEST_SIZE] = {1, 2, 3};

static void collect(struct page_collect *page, unsigned status, const char *const fields[][2])
{
	page_collect_begin(page, status);
	for (size_t i = 0; fields && fields[i][0]; i++)
		page_collect_field(page, span_from_str(fields[i][0]), span_from_str(fields[i][1]));
}

static bool same(const char *const a[][2], const char *const b[][2])
{
	static struct page_collect left, right;
	uint8_t left_digest[DIGEST_SIZE], right_digest[DIGEST_SIZE];
	collect(&left, 200, a);
	collect(&right, 200, b);
	page_digest(&left.head, content, left_digest);
	page_digest(&right.head, content, right_digest);
	bool equal = memcmp(left_digest, right_digest, DIGEST_SIZE) == 0;
	assert_int_equal(equal, page_head_eq(&left.head, &right.head));
	return equal;
}

typedef const char *const rows[][2];

static void fields_that_count_are_told_apart(void **state)
{
	(void)state;
	rows base = {{"Content-Type", "text/html"}, {"Date", "today"}, {NULL, NULL}};
	rows other_case = {{"content-TYPE", "text/html"}, {"Server", "x"}, {NULL, NULL}};
	rows other_type = {{"Content-Type", "text/htm"}, {NULL, NULL}};
	rows no_type = {{"Date", "today"}, {NULL, NULL}};
	rows empty_type = {{"Content-Type", ""}, {NULL, NULL}};
	rows with_refresh = {{"Content-Type", "text/html"}, {"Refresh", "0;url=/"}, {NULL, NULL}};
	rows with_location = {{"Content-Type", "text/html"}, {"Location", "0;url=/"}, {NULL, NULL}};
	assert_true(same(base, other_case));
	assert_false(same(base, other_type));
	assert_false(same(base, no_type));
	assert_false(same(no_type, empty_type));
	assert_false(same(base, with_refresh));
	assert_false(same(with_location, with_refresh));
}

static void repeated_fields_are_joined_in_their_order(void **state)
{
	(void)state;
	rows two = {{"Link", "<a>"}, {"Content-Type", "x"}, {"link", "<b>"}, {NULL, NULL}};
	rows one = {{"Link", "<a>, <b>"}, {"Content-Type", "x"}, {NULL, NULL}};
	rows turned = {{"Link", "<b>"}, {"Link", "<a>"}, {"Content-Type", "x"}, {NULL, NULL}};
	rows order = {{"Content-Type", "x"}, {"Link", "<a>, <b>"}, {NULL, NULL}};
	assert_true(same(two, one));
	assert_true(same(order, one));
	assert_false(same(two, turned));
}

static void values_beyond_measure_make_a_page_that_cannot_be_known(void **state)
{
	static struct page_collect page;
	size_t len = PAGE_FIELD_MAX + 1;
	char *bytes = guarded_copy(page.text, len);
	(void)state;
	memset(bytes, 'x', len);
	page_collect_begin(&page, 200);
	page_collect_field(&page, SPAN("Link"), span_of(bytes, PAGE_FIELD_MAX));
	assert_false(page.too_long);
	page_collect_field(&page, SPAN("Link"), SPAN("y"));
	assert_true(page.too_long);
	page_collect_begin(&page, 200);
	assert_false(page.too_long);
	page_collect_field(&page, SPAN("Refresh"), span_of(bytes, len));
	assert_true(page.too_long);
	guarded_free(bytes, len);
}

static void joining_over_and_over_stays_within_its_room(void **state)
{
	static struct page_collect page;
	(void)state;
	page_collect_begin(&page, 200);
	for (int i = 0; i < 2000; i++) {
		page_collect_field(&page, SPAN("Link"), SPAN("abcdefgh"));
		page_collect_field(&page, SPAN("Location"), SPAN("/ijklmno"));
		assert_true(page.used <= sizeof(page.text));
	}
	assert_true(page.too_long);
}

static void a_status_and_a_content_count(void **state)
{
	static struct page_collect page;
	static const uint8_t other[DIGEST_SIZE] = {1, 2, 4};
	uint8_t first[DIGEST_SIZE], second[DIGEST_SIZE];
	(void)state;
	collect(&page, 200, NULL);
	page_digest(&page.head, content, first);
	page_digest(&page.head, other, second);
	assert_memory_not_equal(first, second, DIGEST_SIZE);
	collect(&page, 404, NULL);
	page_digest(&page.head, content, second);
	assert_memory_not_equal(first, second, DIGEST_SIZE);
}

/* Baselines outlive programs. */
static void the_digest_is_what_it_always_was(void **state)
{
	static struct page_collect page;
	char text[256];
	uint8_t expected[DIGEST_SIZE], found[DIGEST_SIZE];
	rows fields = {{"Content-Type", "text/html"}, {"Link", "<a>"}, {NULL, NULL}};
	(void)state;
	collect(&page, 200, fields);
	page_digest(&page.head, content, found);
	size_t len = (size_t)snprintf(text, sizeof(text),
				      "sallyport page 1\n200\ncontent-type:9:text/html\nlink:3:<a>\n");
	memcpy(text + len, content, DIGEST_SIZE);
	digest(text, len + DIGEST_SIZE, expected);
	assert_memory_equal(found, expected, DIGEST_SIZE);
	assert_string_equal(page_field_name(PAGE_FIELD_CONTENT_DISPOSITION), "content-disposition");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_that_count_are_told_apart),
	    cmocka_unit_test(repeated_fields_are_joined_in_their_order),
	    cmocka_unit_test(values_beyond_measure_make_a_page_that_cannot_be_known),
	    cmocka_unit_test(joining_over_and_over_stays_within_its_room),
	    cmocka_unit_test(a_status_and_a_content_count),
	    cmocka_unit_test(the_digest_is_what_it_always_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
