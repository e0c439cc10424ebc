/* The baseline file: what was built is found again; what is damaged, cut or forged is refused,
 * or at the least leads no reader astray. Inputs lie right before an unreadable page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "guard/baseline_format.h"
#include "guard/baseline_walk.h"
#include "guard_page.h"

enum { FILE_MAX = 1 << 26, SITE_A = 11, SITE_B = 77 };

static struct sign_key *key;
static uint8_t public_part[SIGN_PUBLIC_SIZE];

static int make_key(void **state)
{
	(void)state;
	struct err err;
	key = sign_key_new(&err);
	if (!key)
		return -1;
	sign_key_public(key, public_part);
	return 0;
}

static int free_key(void **state)
{
	(void)state;
	sign_key_free(key);
	return 0;
}

static struct baseline_version version_of(const char *content, const char *type)
{
	struct baseline_version version = {.content_bytes = strlen(content), .since_s = 1700000000};
	version.head.status = 200;
	if (type)
		version.head.fields[PAGE_FIELD_CONTENT_TYPE] = span_from_str(type);
	digest(content, strlen(content), version.content);
	digest(version.content, DIGEST_SIZE, version.page);
	return version;
}

static void add(struct baseline_builder *builder, uint64_t site, const char *page,
		enum baseline_policy policy, const char *const *contents)
{
	struct baseline_version versions[4];
	unsigned n = 0;
	for (; contents[n]; n++)
		versions[n] = version_of(contents[n], "text/html; charset=utf-8");
	assert_true(baseline_add_page(builder, site, span_from_str(page), policy, versions, n));
}

static struct baseline_builder *sample(void)
{
	struct baseline_builder *builder = baseline_builder_new(42, 1764129600);
	assert_non_null(builder);
	assert_true(baseline_add_site(builder, SITE_B));
	assert_true(baseline_add_site(builder, SITE_A));
	add(builder, SITE_A, "/", BASELINE_EXACT, (const char *[]){"home", "older home", NULL});
	add(builder, SITE_A, "/a?q=1", BASELINE_LEARNING, (const char *[]){NULL});
	add(builder, SITE_B, "/", BASELINE_EXACT, (const char *[]){"other home", NULL});
	add(builder, SITE_A, "/news", BASELINE_VARYING, (const char *[]){"news", NULL});
	add(builder, SITE_A, "/a-path/longer/than/sixteen/bytes.css", BASELINE_EXACT,
	    (const char *[]){"a", "b", "c", NULL});
	struct baseline_version redirect = version_of("", NULL);
	redirect.head.status = 302;
	redirect.head.fields[PAGE_FIELD_LOCATION] = SPAN("https://pay.example/");
	redirect.head.fields[PAGE_FIELD_LINK] = SPAN("");
	assert_true(
	    baseline_add_page(builder, SITE_B, SPAN("/pay"), BASELINE_EXACT, &redirect, 1));
	assert_true(baseline_add_host(builder, SITE_B, SPAN("pay.example")));
	assert_true(baseline_add_host(builder, SITE_B, SPAN("cdn.example")));
	assert_true(baseline_add_host(builder, SITE_A, SPAN("pay.example")));
	return builder;
}

static void finish(struct baseline_builder *builder, struct strbuf *out)
{
	struct err err = {""};
	strbuf_init(out, FILE_MAX);
	if (!baseline_finish(builder, key, out, &err))
		fail_msg("%s", err.text);
	baseline_builder_free(builder);
}

static void open_it(const struct strbuf *file, struct baseline *out)
{
	struct err err = {""};
	if (!baseline_open(file->data, file->len, public_part, out, &err))
		fail_msg("%s", err.text);
}

static void what_was_added_is_found(void **state)
{
	(void)state;
	struct strbuf file;
	struct baseline baseline;
	struct baseline_page page;
	struct baseline_version version, wanted = version_of("older home", NULL);
	finish(sample(), &file);
	open_it(&file, &baseline);
	assert_int_equal(baseline.number, 42);
	assert_int_equal(baseline.made_s, 1764129600);
	assert_int_equal(baseline.pages, 6);
	assert_true(baseline_find(&baseline, SITE_A, SPAN("/"), &page));
	assert_int_equal(page.policy, BASELINE_EXACT);
	assert_int_equal(page.versions, 2);
	baseline_version_of(&baseline, &page, 1, &version);
	assert_memory_equal(version.page, wanted.page, DIGEST_SIZE);
	assert_memory_equal(version.content, wanted.content, DIGEST_SIZE);
	assert_int_equal(version.content_bytes, 10);
	assert_int_equal(version.since_s, 1700000000);
	assert_true(span_eq(version.head.fields[PAGE_FIELD_CONTENT_TYPE],
			    SPAN("text/html; charset=utf-8")));
	assert_null(version.head.fields[PAGE_FIELD_LOCATION].ptr);
	assert_int_equal(baseline_match(&baseline, &page, wanted.page), 1);
	wanted.page[31] ^= 1;
	assert_int_equal(baseline_match(&baseline, &page, wanted.page), -1);
	baseline_walk(&baseline);
	strbuf_release(&file);
}

static void a_redirect_keeps_its_fields(void **state)
{
	(void)state;
	struct strbuf file;
	struct baseline baseline;
	struct baseline_page page;
	struct baseline_version version;
	finish(sample(), &file);
	open_it(&file, &baseline);
	assert_true(baseline_find(&baseline, SITE_B, SPAN("/pay"), &page));
	baseline_version_of(&baseline, &page, 0, &version);
	assert_int_equal(version.head.status, 302);
	assert_true(span_eq(version.head.fields[PAGE_FIELD_LOCATION], SPAN("https://pay.example/")));
	assert_null(version.head.fields[PAGE_FIELD_CONTENT_TYPE].ptr);
	assert_non_null(version.head.fields[PAGE_FIELD_LINK].ptr);
	assert_int_equal(version.head.fields[PAGE_FIELD_LINK].len, 0);
	strbuf_release(&file);
}

static void what_was_not_added_is_not_found(void **state)
{
	(void)state;
	static const struct {
		uint64_t site;
		const char *key;
	} rows[] = {
	    {SITE_B, "/news"}, {SITE_A, "/new"}, {SITE_A, "/news/"}, {SITE_A, ""}, {SITE_A, "/a"},
	    {SITE_A, "/a?q=2"}, {SITE_A, "/NEWS"}, {12, "/"}, {0, "/"}, {UINT64_MAX, "/"},
	};
	struct strbuf file;
	struct baseline baseline;
	struct baseline_page page;
	finish(sample(), &file);
	open_it(&file, &baseline);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (baseline_find(&baseline, rows[i].site, span_from_str(rows[i].key), &page))
			fail_msg("%s was found", rows[i].key);
	assert_true(baseline_has_site(&baseline, SITE_A));
	assert_true(baseline_has_site(&baseline, SITE_B));
	assert_false(baseline_has_site(&baseline, 12));
	assert_true(baseline_knows_host(&baseline, SITE_A, SPAN("pay.example")));
	assert_true(baseline_knows_host(&baseline, SITE_B, SPAN("cdn.example")));
	assert_false(baseline_knows_host(&baseline, SITE_A, SPAN("cdn.example")));
	assert_false(baseline_knows_host(&baseline, SITE_B, SPAN("pay.example.net")));
	assert_false(baseline_knows_host(&baseline, 12, SPAN("pay.example")));
	strbuf_release(&file);
}

static void an_empty_baseline_is_one(void **state)
{
	(void)state;
	struct strbuf file;
	struct baseline baseline;
	struct baseline_page page;
	finish(baseline_builder_new(1, 2), &file);
	open_it(&file, &baseline);
	assert_false(baseline_find(&baseline, 1, SPAN("/"), &page));
	assert_false(baseline_has_site(&baseline, 1));
	assert_false(baseline_knows_host(&baseline, 1, SPAN("a")));
	strbuf_release(&file);
}

static void many_pages_are_found(void **state)
{
	(void)state;
	enum { PAGES = 20000 };
	struct baseline_builder *builder = baseline_builder_new(1, 2);
	struct baseline_version version = version_of("x", "image/png");
	struct strbuf file;
	struct baseline baseline;
	struct baseline_page page;
	char text[64];
	assert_true(baseline_add_site(builder, SITE_A));
	for (unsigned i = 0; i < PAGES; i++) {
		int len = snprintf(text, sizeof(text), "/page/%u.png", i);
		assert_true(baseline_add_page(builder, SITE_A, span_of(text, (size_t)len),
					      BASELINE_EXACT, &version, 1));
	}
	finish(builder, &file);
	open_it(&file, &baseline);
	for (unsigned i = 0; i < 2 * PAGES; i++) {
		int len = snprintf(text, sizeof(text), "/page/%u.png", i);
		bool found = baseline_find(&baseline, SITE_A, span_of(text, (size_t)len), &page);
		assert_int_equal(found, i < PAGES);
	}
	/* one text of a type serves all pages */
	assert_true(baseline.text_bytes < PAGES * 16);
	strbuf_release(&file);
}

static void another_key_is_refused(void **state)
{
	(void)state;
	struct err err = {""};
	struct strbuf file;
	struct baseline baseline;
	uint8_t other[SIGN_PUBLIC_SIZE];
	struct sign_key *other_key = sign_key_new(&err);
	assert_non_null(other_key);
	sign_key_public(other_key, other);
	sign_key_free(other_key);
	finish(sample(), &file);
	assert_false(baseline_open(file.data, file.len, other, &baseline, &err));
	assert_non_null(strstr(err.text, "signature"));
	strbuf_release(&file);
}

static void every_changed_bit_is_refused(void **state)
{
	(void)state;
	struct strbuf file;
	struct baseline baseline;
	finish(sample(), &file);
	char *copy = guarded_copy(file.data, file.len);
	for (size_t i = 0; i < file.len; i++) {
		copy[i] ^= (char)(1 << i % 8);
		assert_false(baseline_open(copy, file.len, public_part, &baseline, NULL));
		copy[i] ^= (char)(1 << i % 8);
	}
	assert_true(baseline_open(copy, file.len, public_part, &baseline, NULL));
	guarded_free(copy, file.len);
	strbuf_release(&file);
}

static void without_a_key_a_changed_byte_leads_nowhere(void **state)
{
	(void)state;
	struct strbuf file;
	struct baseline baseline;
	unsigned sum = 0;
	finish(sample(), &file);
	char *copy = guarded_copy(file.data, file.len);
	for (size_t i = 0; i < file.len; i++)
		for (unsigned change = 1; change < 256; change++) {
			copy[i] ^= (char)change;
			if (baseline_open(copy, file.len, NULL, &baseline, NULL))
				sum += baseline_walk(&baseline);
			copy[i] ^= (char)change;
		}
	assert_int_not_equal(sum, 0);
	guarded_free(copy, file.len);
	strbuf_release(&file);
}

static void a_cut_file_is_refused(void **state)
{
	(void)state;
	struct strbuf file;
	struct baseline baseline;
	finish(sample(), &file);
	for (size_t len = 0; len < file.len; len++) {
		char *copy = guarded_copy(file.data, len);
		assert_false(baseline_open(copy, len, NULL, &baseline, NULL));
		if (len >= HEADER_SIZE) {
			store64(copy + HEADER_FILE_BYTES, len);
			assert_false(baseline_open(copy, len, NULL, &baseline, NULL));
		}
		guarded_free(copy, len);
	}
	char *longer = guarded_copy(file.data, file.len);
	assert_false(baseline_open(longer, file.len - 1, NULL, &baseline, NULL));
	guarded_free(longer, file.len);
	strbuf_release(&file);
}

/* ---- forged ones: whole, but with one thing that may not be ---- */

enum section { HEADER, SITES, BUCKETS, PAGES, VERSIONS, HOSTS, TEXTS };

struct forgery {
	const char *what;
	enum section section;
	unsigned at; /* in the section */
	unsigned size;
	uint64_t value;
	const char *says;
};

static const struct forgery forgeries[] = {
    {"another magic", HEADER, 0, 1, 'S', "no baseline"},
    {"a length that is too small", HEADER, HEADER_FILE_BYTES, 8, 1, "says that it has 1"},
    {"a length that is too large", HEADER, HEADER_FILE_BYTES, 8, UINT64_MAX, "says that it has"},
    {"no sites", HEADER, HEADER_SITES, 4, 0, "do not fill"},
    {"huge sites", HEADER, HEADER_SITES, 4, UINT32_MAX, "do not fill"},
    {"huge pages", HEADER, HEADER_PAGES, 4, UINT32_MAX, "do not fill"},
    {"huge versions", HEADER, HEADER_VERSIONS, 4, UINT32_MAX, "do not fill"},
    {"huge hosts", HEADER, HEADER_HOSTS, 4, UINT32_MAX, "do not fill"},
    {"huge texts", HEADER, HEADER_TEXTS, 4, UINT32_MAX, "do not fill"},
    {"a huge index", HEADER, HEADER_BUCKET_BITS, 4, 24, "do not fill"},
    {"an index beyond reason", HEADER, HEADER_BUCKET_BITS, 4, 25, "2^25 buckets"},
    {"an index beyond words", HEADER, HEADER_BUCKET_BITS, 4, 64, "2^64 buckets"},
    {"another seed", HEADER, HEADER_SEED, 8, 1, "damaged page"},
    {"sites out of order", SITES, 0, 8, SITE_B + 1, "not in order"},
    {"a site twice", SITES, 0, 8, SITE_B, "not in order"},
    {"an index that begins late", BUCKETS, 0, 4, 1, "index of pages"},
    {"an index that ends early", BUCKETS, 8 * 4, 4, 5, "index of pages"},
    {"an index that ends late", BUCKETS, 8 * 4, 4, 7, "index of pages"},
    {"an index that jumps", BUCKETS, 4, 4, UINT32_MAX, "index of pages"},
    {"another hash", PAGES, PAGE_HASH, 8, 0, "damaged page"},
    {"a page of no site", PAGES, PAGE_SITE, 8, 12, "damaged page"},
    {"a key far away", PAGES, PAGE_KEY, 4, UINT32_MAX, "damaged page"},
    {"a long key", PAGES, PAGE_KEY_LEN, 2, UINT16_MAX, "damaged page"},
    {"an empty key", PAGES, PAGE_KEY_LEN, 2, 0, "damaged page"},
    {"no policy", PAGES, PAGE_POLICY, 1, BASELINE_UNSET, "damaged page"},
    {"an unknown policy", PAGES, PAGE_POLICY, 1, BASELINE_VARYING + 1, "damaged page"},
    {"a byte that means nothing", PAGES, PAGE_ZERO, 1, 1, "damaged page"},
    {"versions that are shared", PAGES, PAGE_SIZE + PAGE_FIRST, 4, 0, "damaged page"},
    {"versions that are left out", PAGES, PAGE_FIRST, 4, 1, "damaged page"},
    {"versions without end", PAGES, PAGE_VERSIONS, 4, UINT32_MAX, "damaged page"},
    {"an informational status", VERSIONS, VERSION_STATUS, 2, 199, "damaged version"},
    {"a status beyond all", VERSIONS, VERSION_STATUS, 2, 600, "damaged version"},
    {"a field far away", VERSIONS, VERSION_FIELDS, 4, UINT32_MAX, "damaged version"},
    {"a field beyond the end", VERSIONS, VERSION_FIELD_LENS, 2, PAGE_FIELD_MAX, "damaged version"},
    {"an absent field somewhere", VERSIONS, VERSION_FIELD_LENS, 2, FIELD_ABSENT, "damaged version"},
    {"a host of no site", HOSTS, HOST_SITE, 8, 12, "damaged host"},
    {"a host out of order", HOSTS, HOST_SITE, 8, SITE_B, "damaged host"},
    {"a host far away", HOSTS, HOST_NAME, 4, UINT32_MAX, "damaged host"},
    {"a host beyond the end", HOSTS, HOST_NAME_LEN, 2, UINT16_MAX, "damaged host"},
    {"an empty host", HOSTS, HOST_NAME_LEN, 2, 0, "damaged host"},
    {"a host with something behind", HOSTS, HOST_ZERO, 2, 1, "damaged host"},
    {"a control byte in a text", TEXTS, 0, 1, '\n', "damaged"},
};

static size_t begin_of(const struct baseline *b, enum section section)
{
	const void *const begins[] = {b->data,		b->site_table, b->bucket_table,
				      b->page_table,	b->version_table, b->host_table, b->texts};
	return (size_t)((const uint8_t *)begins[section] - b->data);
}

/* The first version belongs to whichever page came first: one with fields is looked for. */
static size_t version_with_type(const struct baseline *b)
{
	for (uint32_t i = 0; i < b->version_count; i++)
		if (load16(b->version_table + i * VERSION_SIZE + VERSION_FIELD_LENS) == 24)
			return i * VERSION_SIZE;
	fail_msg("no version has a type");
	return 0;
}

static void store_sized(char *at, unsigned size, uint64_t value)
{
	uint8_t bytes[8];
	store64(bytes, value);
	memcpy(at, bytes, size);
}

static bool is_shared_by_order(const struct baseline *b)
{
	/* two pages side by side where the first has versions: only then "shared" is a change */
	return load32(b->page_table + PAGE_VERSIONS) > 0;
}

static void a_forged_record_is_refused(void **state)
{
	(void)state;
	struct strbuf file;
	struct baseline b, opened;
	do {
		finish(sample(), &file);
		open_it(&file, &b);
		if (is_shared_by_order(&b))
			break;
		strbuf_release(&file);
	} while (true);
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		const struct forgery *forgery = &forgeries[i];
		struct err err = {""};
		char *copy = guarded_copy(file.data, file.len);
		size_t at = begin_of(&b, forgery->section) + forgery->at;
		if (forgery->section == VERSIONS)
			at += version_with_type(&b);
		store_sized(copy + at, forgery->size, forgery->value);
		if (baseline_open(copy, file.len, NULL, &opened, &err))
			fail_msg("%s was taken", forgery->what);
		if (!strstr(err.text, forgery->says))
			fail_msg("%s: \"%s\"", forgery->what, err.text);
		guarded_free(copy, file.len);
	}
	strbuf_release(&file);
}

/* ---- building ---- */

static void what_may_not_stand_there_is_not_added(void **state)
{
	(void)state;
	char too_long[PAGE_KEY_MAX + 2];
	struct baseline_version good = version_of("x", "text/css"), bad[4];
	struct baseline_builder *builder = sample();
	memset(too_long, 'a', sizeof(too_long));
	too_long[0] = '/';
	const struct span keys[] = {SPAN(""), SPAN("a"), SPAN("/a b"), SPAN("/a\n"), SPAN("/\x7f"),
				    SPAN("/a\0b"), span_of(too_long, PAGE_KEY_MAX + 1)};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_false(
		    baseline_add_page(builder, SITE_A, keys[i], BASELINE_EXACT, &good, 1));
	for (size_t i = 0; i < 4; i++)
		bad[i] = good;
	bad[0].head.status = 199;
	bad[1].head.status = 600;
	bad[2].head.fields[PAGE_FIELD_LINK] = SPAN("a\r\nSet-Cookie: b");
	bad[3].head.fields[PAGE_FIELD_LINK] = span_of(too_long, PAGE_FIELD_MAX + 1);
	for (size_t i = 0; i < 4; i++)
		assert_false(baseline_add_page(builder, SITE_A, SPAN("/b"), BASELINE_EXACT, &bad[i], 1));
	assert_false(baseline_add_page(builder, SITE_A, SPAN("/b"), BASELINE_EXACT, &good, 0));
	assert_false(baseline_add_page(builder, SITE_A, SPAN("/b"), BASELINE_UNSET, &good, 1));
	assert_false(baseline_add_host(builder, SITE_A, SPAN("")));
	assert_false(baseline_add_host(builder, SITE_A, SPAN("Pay.example")));
	assert_false(baseline_add_host(builder, SITE_A, SPAN("a b")));
	assert_false(baseline_add_host(builder, SITE_A, span_of(too_long, 256)));
	/* and the longest that may */
	assert_true(baseline_add_page(builder, SITE_A, span_of(too_long, PAGE_KEY_MAX),
				      BASELINE_EXACT, &good, 1));
	struct strbuf file;
	struct baseline baseline;
	finish(builder, &file);
	open_it(&file, &baseline);
	assert_int_equal(baseline.pages, 7);
	assert_int_equal(baseline.hosts, 3);
	baseline_walk(&baseline);
	strbuf_release(&file);
}

static void refuse(struct baseline_builder *builder, const char *says, size_t cap)
{
	struct err err = {""};
	struct strbuf file;
	strbuf_init(&file, cap);
	assert_false(baseline_finish(builder, key, &file, &err));
	if (!strstr(err.text, says))
		fail_msg("\"%s\" instead of \"%s\"", err.text, says);
	baseline_builder_free(builder);
	strbuf_release(&file);
}

static void what_contradicts_itself_is_not_built(void **state)
{
	(void)state;
	struct baseline_version version = version_of("x", NULL);
	struct baseline_builder *builder = sample();
	assert_true(baseline_add_site(builder, SITE_A));
	refuse(builder, "a site stands in the baseline twice", FILE_MAX);
	builder = sample();
	assert_true(baseline_add_page(builder, SITE_A, SPAN("/"), BASELINE_EXACT, &version, 1));
	refuse(builder, "a page stands in the baseline twice", FILE_MAX);
	builder = sample();
	assert_true(baseline_add_page(builder, 12, SPAN("/"), BASELINE_EXACT, &version, 1));
	refuse(builder, "a page in the baseline belongs to no site", FILE_MAX);
	builder = sample();
	assert_true(baseline_add_host(builder, SITE_A, SPAN("pay.example")));
	refuse(builder, "a host stands in the baseline twice", FILE_MAX);
	builder = sample();
	assert_true(baseline_add_host(builder, 12, SPAN("pay.example")));
	refuse(builder, "a host in the baseline belongs to no site", FILE_MAX);
	refuse(sample(), "larger than 500 bytes", 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_added_is_found),
	    cmocka_unit_test(a_redirect_keeps_its_fields),
	    cmocka_unit_test(what_was_not_added_is_not_found),
	    cmocka_unit_test(an_empty_baseline_is_one),
	    cmocka_unit_test(many_pages_are_found),
	    cmocka_unit_test(another_key_is_refused),
	    cmocka_unit_test(every_changed_bit_is_refused),
	    cmocka_unit_test(without_a_key_a_changed_byte_leads_nowhere),
	    cmocka_unit_test(a_cut_file_is_refused),
	    cmocka_unit_test(a_forged_record_is_refused),
	    cmocka_unit_test(what_may_not_stand_there_is_not_added),
	    cmocka_unit_test(what_contradicts_itself_is_not_built),
	};
	return cmocka_run_group_tests(tests, make_key, free_key);
}
