/* The difference of two texts: whatever they are, what is told makes both of them again; and of
 * small ones it is the shortest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "cli/text_diff.h"
#include "sallyport/strbuf.h"

struct told {
	struct strbuf a, b, all;
	unsigned edits;
};

static void on_line(void *context, char kind, struct span line)
{
	struct told *told = context;
	strbuf_add_char(&told->all, kind);
	strbuf_add_span(&told->all, line);
	strbuf_add_char(&told->all, '\n');
	told->edits += kind != ' ';
	if (kind != '+') {
		strbuf_add_span(&told->a, line);
		strbuf_add_char(&told->a, '\n');
	}
	if (kind != '-') {
		strbuf_add_span(&told->b, line);
		strbuf_add_char(&told->b, '\n');
	}
}

static void begin(struct told *told)
{
	strbuf_init(&told->a, 1 << 20);
	strbuf_init(&told->b, 1 << 20);
	strbuf_init(&told->all, 1 << 20);
	told->edits = 0;
}

static void end(struct told *told)
{
	strbuf_release(&told->a);
	strbuf_release(&told->b);
	strbuf_release(&told->all);
}

static void differences_are_the_shortest(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b, *told;
	} rows[] = {
	    {"", "", ""},
	    {"a\n", "a\n", " a\n"},
	    {"a", "a\n", " a\n"},
	    {"", "a\n", "+a\n"},
	    {"a\n", "", "-a\n"},
	    {"a\nb\nc\n", "a\nc\n", " a\n-b\n c\n"},
	    {"a\nc\n", "a\nb\nc\n", " a\n+b\n c\n"},
	    {"a\nb\nc\n", "a\nx\nc\n", " a\n-b\n+x\n c\n"},
	    {"\n\n", "\n", " \n-\n"},
	    {"a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n",
	     "-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n"}, /* the paper's own */
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told told;
		begin(&told);
		assert_true(text_diff(span_from_str(rows[i].a), span_from_str(rows[i].b), on_line, &told));
		assert_string_equal(told.all.data ? told.all.data : "", rows[i].told);
		end(&told);
	}
}

/* The least number of edits, by the table that everybody knows. */
static unsigned least(const char *a, size_t n, const char *b, size_t m)
{
	unsigned table[16][16] = {{0}};
	for (size_t i = 0; i <= n; i++)
		for (size_t j = 0; j <= m; j++) {
			if (i == 0 || j == 0)
				table[i][j] = (unsigned)(i + j);
			else if (a[i - 1] == b[j - 1])
				table[i][j] = table[i - 1][j - 1];
			else
				table[i][j] = 1 + (table[i - 1][j] < table[i][j - 1]
						       ? table[i - 1][j]
						       : table[i][j - 1]);
		}
	return table[n][m];
}

static size_t random_text(unsigned *random, char letters[12], char text[32])
{
	*random = *random * 1103515245 + 12345;
	size_t n = (*random >> 8) % 12;
	for (size_t i = 0; i < n; i++) {
		*random = *random * 1103515245 + 12345;
		letters[i] = (char)('a' + (*random >> 8) % 3);
		text[2 * i] = letters[i];
		text[2 * i + 1] = '\n';
	}
	return n;
}

static void random_texts_come_back_in_the_fewest_edits(void **state)
{
	(void)state;
	unsigned random = 1;
	for (unsigned round = 0; round < 20000; round++) {
		char a[12], b[12], text_a[32], text_b[32];
		size_t n = random_text(&random, a, text_a), m = random_text(&random, b, text_b);
		struct told told;
		begin(&told);
		assert_true(text_diff(span_of(text_a, 2 * n), span_of(text_b, 2 * m), on_line, &told));
		assert_true(span_eq(strbuf_span(&told.a), span_of(text_a, 2 * n)));
		assert_true(span_eq(strbuf_span(&told.b), span_of(text_b, 2 * m)));
		assert_int_equal(told.edits, least(a, n, b, m));
		end(&told);
	}
}

static void too_many_edits_replace_the_whole_middle(void **state)
{
	(void)state;
	struct strbuf a, b;
	struct told told;
	strbuf_init(&a, 1 << 20);
	strbuf_init(&b, 1 << 20);
	strbuf_add_str(&a, "head\n");
	strbuf_add_str(&b, "head\n");
	for (unsigned i = 0; i < TEXT_DIFF_EDITS; i++) {
		strbuf_addf(&a, "a%u\nsame\n", i);
		strbuf_addf(&b, "b%u\nsame\n", i);
	}
	begin(&told);
	assert_true(text_diff(strbuf_span(&a), strbuf_span(&b), on_line, &told));
	assert_true(span_eq(strbuf_span(&told.a), strbuf_span(&a)));
	assert_true(span_eq(strbuf_span(&told.b), strbuf_span(&b)));
	assert_int_equal(told.edits, 2 * (2 * TEXT_DIFF_EDITS - 1));
	assert_true(span_starts(strbuf_span(&told.all), SPAN(" head\n-a0\n-same\n")));
	end(&told);
	strbuf_release(&a);
	strbuf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(differences_are_the_shortest),
	    cmocka_unit_test(random_texts_come_back_in_the_fewest_edits),
	    cmocka_unit_test(too_many_edits_replace_the_whole_middle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
