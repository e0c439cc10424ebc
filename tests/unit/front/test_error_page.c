/* The page for refusals: what is filled in, and what is no page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "sallyport/error_page.h"

static void each_place_is_filled_in(void **state)
{
	(void)state;
	struct error_page page;
	char out[128];
	assert_true(error_page_cut(&page, "<{{id}}|{{status}}|{{phrase}}|{{id}}>", NULL));
	size_t len = error_page_render(&page, 404, "abc", out, sizeof(out));
	assert_int_equal(len, strlen("<abc|404|Not Found|abc>"));
	assert_memory_equal(out, "<abc|404|Not Found|abc>", len);
	assert_int_equal(error_page_render(&page, 404, "abc", out, len), len);
	assert_int_equal(error_page_render(&page, 404, "abc", out, len - 1), 0);
}

static void what_cannot_be_filled_in_is_an_error(void **state)
{
	(void)state;
	static const char *const texts[] = {"{{reason}}", "{{id", "a {{}} b", "{{ id }}"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct error_page page;
		struct err err = {{0}};
		assert_false(error_page_cut(&page, texts[i], &err));
		assert_non_null(strstr(err.text, "{{"));
	}
}

static void places_are_bounded(void **state)
{
	(void)state;
	struct error_page page;
	char text[(ERROR_PAGE_PARTS + 1) * 8] = "";
	for (int i = 0; i < ERROR_PAGE_PARTS - 1; i++)
		memcpy(text + strlen(text), "{{id}}", 7);
	assert_true(error_page_cut(&page, text, NULL));
	assert_int_equal(page.n, ERROR_PAGE_PARTS);
	memcpy(text + strlen(text), "{{id}}", 7);
	assert_false(error_page_cut(&page, text, NULL));
}

static bool load(const char *dir, const char *text, size_t len)
{
	char path[256];
	struct error_page page;
	struct arena *arena = arena_new(1 << 20);
	snprintf(path, sizeof(path), "%s/page.html", dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
	bool loaded = error_page_load(&page, dir, arena, NULL);
	unlink(path);
	arena_free(arena);
	return loaded;
}

static void a_file_is_a_text_of_bounded_size(void **state)
{
	(void)state;
	char dir[] = "/tmp/sallyport-page-XXXXXX";
	static char large[ERROR_PAGE_BYTES + 1];
	memset(large, 'x', sizeof(large));
	assert_non_null(mkdtemp(dir));
	assert_true(load(dir, large, ERROR_PAGE_BYTES));
	assert_false(load(dir, large, ERROR_PAGE_BYTES + 1));
	assert_false(load(dir, "a\0b", 3));
	struct error_page page;
	struct arena *arena = arena_new(1 << 20);
	assert_false(error_page_load(&page, dir, arena, NULL)); /* no file */
	assert_true(error_page_load(&page, NULL, arena, NULL));
	arena_free(arena);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_place_is_filled_in),
	    cmocka_unit_test(what_cannot_be_filled_in_is_an_error),
	    cmocka_unit_test(places_are_bounded),
	    cmocka_unit_test(a_file_is_a_text_of_bounded_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
