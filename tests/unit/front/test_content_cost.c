/* However content is cut into values, and however deep they lie, judging it costs time in proportion to its bytes:
 * many small values, names that are far longer than their values, all that transformations change. As a site sees
 * it that only watches, so that nothing is cut short. In time of this thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "cost.h"
#include "sallyport/judge.h"

enum { SMALL = 32 << 10, LARGE = 512 << 10, NAME = 1000, DEPTH = 60 };

#ifdef SALLYPORT_SANITIZED
enum { NS_PER_BYTE_MAX = 40000 };
#else
enum { NS_PER_BYTE_MAX = 500 };
#endif

static struct cost cost;
static const struct shield *shield;
static struct shield_scratch *scratch;
static char text[LARGE + 1], start[DEPTH * (NAME + 16)], end[DEPTH * (NAME + 16)];

struct row {
	const char *type, *start, *unit, *end;
};

static bool take(void *context, const struct body_value *value)
{
	struct rule_scan *scan = context;
	return shield_content_add((struct shield_content *)((char *)scan->tally - offsetof(struct shield_content, tally)),
				  scan, value);
}

static size_t make(const struct row *row, size_t most)
{
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", row->start), unit = strlen(row->unit), last = strlen(row->end);
	for (; len + unit + last < most; len += unit)
		memcpy(text + len, row->unit, unit);
	memcpy(text + len, row->end, last + 1);
	return len + last;
}

static uint64_t judge(const struct row *row, size_t len, uint64_t *values)
{
	static const struct body_limits limits = {
	    .values = 1000000, .name = 65536, .file_name = 65536, .part_head = 65536, .value = 1 << 24, .depth = 256};
	static struct shield_content content;
	struct body_type type;
	struct body_fault fault;
	struct rule_scan scan;
	struct verdict verdict;
	assert_true(body_type_read(span_from_str(row->type), &type, &fault));
	const struct body_setup setup = {.type = &type, .limits = &limits, .max = 1 << 20, .sink = {take, &scan},
					 .memory = coding_heap, .seed = 1};
	uint64_t begin = cpu_ns();
	struct body *body = body_new(&setup);
	rule_tally_begin((struct rule_tally *)(uintptr_t)shield_tally(scratch));
	shield_content_begin(&content, shield, scratch, SHIELD_MONITOR, 0);
	shield_content_scan(&content, scratch, &scan);
	body_feed(body, text, len);
	if (body_end(body) != BODY_DONE)
		fail_msg("%s %.40s: %s", row->type, row->unit, reason_name(body_fault(body)->reason));
	rule_scan_run(&scan);
	assert_true(!shield_content_judge(&content, &verdict) || !verdict.enforced);
	*values = body_values(body);
	body_free(body);
	return cpu_ns() - begin;
}

static uint64_t best_of(const struct row *row, size_t len, uint64_t *values)
{
	uint64_t best = judge(row, len, values);
	for (int again = 0; again < 3 && best > len * NS_PER_BYTE_MAX / 4; again++) {
		uint64_t ns = paced_ns(judge(row, len, values));
		best = ns < best ? ns : best;
	}
	return best;
}

static void check(const struct row *row)
{
	uint64_t values;
	size_t small_len = make(row, SMALL + strlen(row->start) + strlen(row->end));
	uint64_t small = best_of(row, small_len, &values);
	size_t len = make(row, LARGE);
	uint64_t large = best_of(row, len, &values);
	if (getenv("SHOW"))
		print_message("%7.1f ns/byte, %6llu values: %s %.60s\n", (double)large / (double)len, (unsigned long long)values,
			      row->type, row->unit);
	if (large > len * NS_PER_BYTE_MAX || large > 64 * small + 50000000)
		fail_msg("%s %.40s: %llu ns for %zu bytes, %llu for %zu", row->type, row->unit, (unsigned long long)small,
			 small_len, (unsigned long long)large, len);
}

#define FORM "application/x-www-form-urlencoded"
#define PARTS "multipart/form-data; boundary=B"
#define PART(name, value) "--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static void many_small_values_cost_linear_time(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {FORM, "", "a&", "a"}, {FORM, "", "=&", "="}, {FORM, "", "%2541=%2541&", "a"}, {FORM, "", "%5c=%5c%27&", "a"},
	    {FORM, "", "a=%27+or&", "a"}, {FORM, "", "%26%23x3c%3b=%26lt&", "a"}, {FORM, "", "a=..%2f&", "a"},
	    {FORM, "", "a=version()&", "a"}, {FORM, "", "a[$ne]=%2541%26%5c%2f*%22&", "a"}, {FORM, "", "a=1%20or%201%3d1&b=2&", "a"},
	    {PARTS, "", PART("a", ""), "--B--\r\n"}, {PARTS, "", PART("a\\x", "'\\x27%41&lt;/*"), "--B--\r\n"},
	    {"application/json", "[0", ",\"'\"", "]"}, {"application/json", "[0", ",[{\"%41\":\"\\\\\"}]", "]"},
	    {"application/json", "[0", ",{\"$ne\":\"&#x3c;%41\\\\x\"}", "]"}, {"text/xml", "<a>", "<b c='%41'/>", "</a>"},
	    {"text/xml", "<a>", "<b>\\</b>", "</a>"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

/* A step of a path: NAME bytes between two texts. */
static size_t add_step(char *out, const char *before, int i, const char *behind)
{
	return (size_t)snprintf(out, NAME + 16, "%s%c%0*d%s", before, 'a' + i % 26, NAME, i, behind);
}

/* One long path, and ever so many values at its end: the path counts once. */
static void names_that_are_far_longer_than_their_values_cost_linear_time(void **state)
{
	(void)state;
	const struct row json = {"application/json", start, "1,", end};
	const struct row members = {"application/json", start, "{\"a\":1},", end};
	const struct row xml = {"text/xml", start, "<b c='1'/>", end};
	char *at = start, *last = end;
	for (int i = 0; i < DEPTH; i++) {
		at += add_step(at, "{\"", i, "\":");
		*last++ = '}';
	}
	memcpy(at, "[", 2);
	memmove(end + 2, end, DEPTH);
	memcpy(end, "1]", 2);
	end[DEPTH + 2] = '\0';
	check(&json);
	check(&members);
	at = start;
	last = end;
	for (int i = 0; i < DEPTH; i++)
		at += add_step(at, "<", i, ">");
	for (int i = DEPTH - 1; i >= 0; i--)
		last += add_step(last, "</", i, ">");
	check(&xml);
}

static int open_rules(void **state)
{
	struct err err;
	(void)state;
	if (!cost_open(&cost))
		return -1;
	shield = ((const struct site *)cost.settings->sites.items)->shield;
	scratch = shield_scratch_new(&shield, 1, &err);
	return scratch ? 0 : -1;
}

static int close_rules(void **state)
{
	(void)state;
	shield_scratch_free(scratch);
	cost_close(&cost);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_small_values_cost_linear_time),
	    cmocka_unit_test(names_that_are_far_longer_than_their_values_cost_linear_time),
	};
	return cmocka_run_group_tests(tests, open_rules, close_rules);
}
