/* The canonical form of a path: the table in tests/vectors/url.txt, and what holds for
 * any bytes at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "dice.h"
#include "guard_page.h"
#include "url/url_vectors.h"

enum { PATH_MAX_BYTES = 4096 };

static char canon_room[URL_CANON_ROOM(PATH_MAX_BYTES)];

static bool is_within(struct span inner, struct span outer)
{
	return inner.ptr >= outer.ptr && inner.ptr + inner.len <= outer.ptr + outer.len;
}

static void check_path_row(const struct vector_file *row)
{
	struct url_canon canon;
	size_t len = row->columns[1].len;
	char *raw = guarded_copy(row->columns[1].ptr, len);
	struct span path = span_of(raw, len);
	url_canon_path(path, canon_room, &canon);
	struct span canonical = or_else(row->columns[2], path);
	expect_span(row, "canonical path", canon.path, canonical);
	expect_span(row, "decoded path", canon.decoded, or_else(row->columns[3], canonical));
	expect_findings(row, canon.findings, row->columns[4]);
	assert_true(canon.findings ? is_within(canon.evidence, path) && canon.evidence.len > 0
				   : canon.evidence.ptr == NULL);
	assert_true(!span_eq(canon.path, path) || canon.path.ptr == raw);
	guarded_free(raw, len);
}

static void canon_follows_the_table(void **state)
{
	(void)state;
	static struct vector_file row;
	unsigned rows = 0;
	vectors_open(&row, "tests/vectors/url.txt");
	while (vectors_next(&row)) {
		if (!span_eq(row.columns[0], SPAN("path")))
			continue;
		assert_int_equal(row.n, 5);
		check_path_row(&row);
		rows++;
	}
	assert_int_equal(complaints, 0);
	assert_true(rows >= 150);
}

static void canon_names_the_place(void **state)
{
	(void)state;
	static const struct {
		const char *path, *evidence;
	} rows[] = {
	    {"/a/%2e%2e/../b", ".."},
	    {"/a%00b%00", "%00"},
	    {"/x/%c0%ae%00", "%00"},
	    {"/x/..%c0%ae/", "%c0"},
	    {"/x/%e0%80%ae", "%e0%80"},
	    {"/a/%252e%252e", "%252e"},
	    {"/%%35%63/", "%%35%63"},
	    {"/%25u002e", "%25u002e"},
	    {"/a/%u002e", "%u002e"},
	    {"/50%/x", "%"},
	    {"/a//b", "/"},
	    {"/a/./b", "."},
	    {"/%41%42", "%41"},
	    {"/caf%e9/b", "%e9"},
	    {"/a\\b%2f", "\\"},
	    {"/a%2fb%5c", "%5c"},
	    {"/a|b[", "|"},
	    {"/a/../../%41", ".."},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url_canon canon;
		struct span path = span_from_str(rows[i].path);
		url_canon_path(path, canon_room, &canon);
		if (!span_eq(canon.evidence, span_from_str(rows[i].evidence)))
			fail_msg("%s: '%.*s'", rows[i].path, SPAN_ARG(canon.evidence));
	}
}

static void canon_leaves_a_clean_path_where_it_is(void **state)
{
	(void)state;
	struct url_canon canon;
	struct span path = SPAN("/assets/app-1.2.3.min.js;v=1/x~y");
	url_canon_path(path, NULL, &canon);
	assert_ptr_equal(canon.path.ptr, path.ptr);
	assert_ptr_equal(canon.decoded.ptr, path.ptr);
	assert_int_equal(canon.path.len, path.len);
	assert_int_equal(canon.findings, 0);
}

static void canon_of_nothing_is_the_root(void **state)
{
	(void)state;
	struct url_canon canon;
	url_canon_path(span_of(NULL, 0), canon_room, &canon);
	assert_true(span_eq(canon.path, SPAN("/")));
	assert_true(span_eq(canon.decoded, SPAN("/")));
}

/* What must hold of any canonical path: its bytes, its escapes, no dot segment. */
static void check_is_canonical(struct span path)
{
	assert_true(path.len > 0 && path.ptr[0] == '/');
	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];
		if (c != '%') {
			assert_true(c > 0x20 && c < 0x7f && !strchr("\"<>\\^`{|}[]?#", c));
			continue;
		}
		assert_true(path.len - i >= 3);
		assert_true(strchr("0123456789ABCDEF", path.ptr[i + 1]) != NULL);
		assert_true(strchr("0123456789ABCDEF", path.ptr[i + 2]) != NULL);
	}
	for (size_t i = 0; i < path.len; i++) {
		struct span rest = span_from(path, i);
		if (rest.ptr[0] != '/')
			continue;
		rest = span_from(rest, 1);
		rest.len = span_find(rest, '/');
		assert_false(span_eq(rest, SPAN(".")) || span_eq(rest, SPAN("..")));
	}
}

/* Findings that are about the raw spelling are gone from the canonical one; what
 * makes a path refused stays, in one guise or another. */
static void check_again(const struct url_canon *first)
{
	static char room[URL_CANON_ROOM(URL_CANON_ROOM(PATH_MAX_BYTES))];
	struct url_canon again;
	unsigned cleared = URL_RAW_UNSAFE | URL_ABOVE_ROOT | URL_ESCAPE_UNICODE |
			   URL_ESCAPE_INVALID | URL_RAW_BYTE | URL_DOT_SEGMENT |
			   URL_ESCAPE_NEEDLESS;
	url_canon_path(first->path, room, &again);
	assert_true(span_eq(again.path, first->path));
	assert_ptr_equal(again.path.ptr, first->path.ptr);
	assert_true(span_eq(again.decoded, first->decoded));
	assert_int_equal(again.findings & cleared, 0);
}

/* Pieces of which paths that mean trouble are made. */
static const char *const pieces[] = {
    "/",         "/",    "//",   "/.",       "/..",  "/../", ".",   "..",       "a",
    "b%20c",     "%2e",  "%2E",  "%252e",    "%",    "%%",   "%2",  "%25",      "2e",
    "5c",        "%32",  "%65",  "%5c",      "\\",   "%2f",  "%00", "%0d%0a",   "%u002e",
    "%u",        "%25u", "002e", "%c0",      "%ae",  "%c1",  "%1c", "%e0",      "%80",
    "%af",       "%f0",  "%9f",  "%98",      "%ed",  "%a0",  "%f8", "%fc",      "%c3",
    "%a9",       ";",    "|",    "\xc3\xa9", "\xff", "\x01", " ",   "?",        "#",
    "%25%35%63", "%%35", "%41",  "%7E",      "%3B",  "~",    "u",   "abcdefgh", "%ff%fe",
    "..;",       ";x=1", "....", "%20",      ".%20", "::$DATA", ":",  "con",      "nul.x",
    "a~1",       ".php", ";jsessionid=1",    "%e2%80%ae",     "%ef%bc%8f", "%ef%bc%8e"};

static size_t make_path(uint64_t *seed, char *out)
{
	size_t len = 0, n = dice_next(seed) % 24;
	if (dice_next(seed) % 8)
		out[len++] = '/';
	for (size_t i = 0; i < n; i++) {
		const char *piece =
		    pieces[dice_next(seed) % (sizeof(pieces) / sizeof(pieces[0]))];
		size_t piece_len = strlen(piece);
		memcpy(out + len, piece, piece_len);
		len += piece_len;
	}
	for (size_t i = dice_next(seed) % 4; i > 1 && len > 0; i--)
		out[dice_next(seed) % len] = (char)dice_next(seed);
	return len;
}

static void canon_is_idempotent_on_anything(void **state)
{
	(void)state;
	uint64_t seed = 0x5a11;
	for (int i = 0; i < 300000; i++) {
		struct url_canon canon;
		char raw[512];
		size_t len = make_path(&seed, raw);
		if (len == 1 && raw[0] == '*')
			continue;
		url_canon_path(span_of(raw, len), canon_room, &canon);
		check_is_canonical(canon.path);
		assert_true(canon.path.len <= 3 * len + 1 && canon.decoded.len <= len + 1);
		assert_true(canon.findings == 0 || is_within(canon.evidence, span_of(raw, len)));
		check_again(&canon);
	}
}

/* What is rewritten is gone; what is heeded alone changes no path; what is noted was asked for. */
static void canon_is_idempotent_for_any_options(void **state)
{
	(void)state;
	static char room[URL_CANON_ROOM(URL_CANON_ROOM(PATH_MAX_BYTES))];
	uint64_t seed = 0xca11;
	for (int i = 0; i < 200000; i++) {
		struct url_canon canon, again, plain;
		char raw[512];
		size_t len = make_path(&seed, raw);
		struct url_canon_options options = {
		    .heeded = (unsigned)dice_next(&seed) & URL_FINDINGS_ALL,
		    .rewrite = (unsigned)dice_next(&seed) & URL_FINDINGS_REWRITABLE,
		    .last_dots = dice_next(&seed) & 1,
		};
		options.weighty = options.heeded & (unsigned)dice_next(&seed);
		url_canon_path_as(span_of(raw, len), &options, canon_room, &canon);
		assert_int_equal(canon.findings & ~options.heeded, 0);
		assert_true(canon.path.len <= 3 * len + 1 && canon.decoded.len <= len + 1);
		assert_true(canon.findings ? is_within(canon.evidence, span_of(raw, len))
					   : canon.evidence.ptr == NULL);
		url_canon_path_as(canon.path, &options, room, &again);
		assert_true(span_eq(again.path, canon.path));
		assert_int_equal(again.findings & options.rewrite, 0);
		options.heeded = 0;
		url_canon_path_as(span_of(raw, len), &options, room, &plain);
		assert_true(span_eq(plain.path, canon.path));
	}
}

/* A finding does not depend on which others are looked for. */
static void canon_finds_each_by_itself(void **state)
{
	(void)state;
	static char room[URL_CANON_ROOM(512)];
	uint64_t seed = 0x0dd;
	for (int i = 0; i < 20000; i++) {
		struct url_canon all, one;
		char raw[512];
		size_t len = make_path(&seed, raw);
		struct url_canon_options options = {.heeded = URL_FINDINGS_ALL};
		url_canon_path_as(span_of(raw, len), &options, canon_room, &all);
		for (int kind = 0; kind < URL_FINDING_KINDS; kind++) {
			options.heeded = 1u << kind;
			url_canon_path_as(span_of(raw, len), &options, room, &one);
			assert_int_equal(one.findings, all.findings & options.heeded);
		}
	}
}

static void canon_keeps_to_its_room(void **state)
{
	(void)state;
	uint64_t seed = 0xbeef;
	for (int i = 0; i < 2000; i++) {
		struct url_canon canon;
		char raw[512], nothing[URL_CANON_ROOM(512)] = {0};
		size_t len = make_path(&seed, raw), room = URL_CANON_ROOM(len);
		char *in = guarded_copy(raw, len), *buf = guarded_copy(nothing, room);
		static const struct url_canon_options every = {
		    .heeded = URL_FINDINGS_ALL, .rewrite = URL_FINDINGS_REWRITABLE};
		url_canon_path(span_of(in, len), buf, &canon);
		url_canon_path_as(span_of(in, len), &every, buf, &canon);
		guarded_free(buf, room);
		guarded_free(in, len);
	}
}

static void canon_keeps_to_its_room_when_every_byte_grows(void **state)
{
	(void)state;
	static char raw[PATH_MAX_BYTES], nothing[URL_CANON_ROOM(PATH_MAX_BYTES)];
	static const char bytes[] = {'\x01', '|', '\xff', '%', '?'};
	for (size_t i = 0; i < sizeof(bytes); i++) {
		struct url_canon canon;
		memset(raw, bytes[i], sizeof(raw));
		char *buf = guarded_copy(nothing, sizeof(nothing));
		url_canon_path(span_of(raw, sizeof(raw)), buf, &canon);
		assert_int_equal(canon.path.len, 3 * sizeof(raw) + 1);
		assert_int_equal(canon.decoded.len, sizeof(raw) + 1);
		guarded_free(buf, sizeof(nothing));
	}
}

/* What a byte is after decoding may not depend on whether it came raw, encoded in either
 * case, or mixed: any spelling of a text has one canonical form, unless "%" is part of it. */
static void canon_is_one_for_every_spelling(void **state)
{
	(void)state;
	static const char text[] = "/a.b/../c-d/./e_f~1;x=2/caf\xc3\xa9/(g)";
	uint64_t seed = 0xf00d;
	for (int i = 0; i < 20000; i++) {
		struct url_canon canon;
		char raw[sizeof(text) * 3 + 1];
		size_t len = 0;
		for (size_t at = 0; at < sizeof(text) - 1; at++) {
			unsigned char c = (unsigned char)text[at];
			bool free_to_choose = c != '/' && !strchr(";=()", c);
			uint64_t dice = free_to_choose ? dice_next(&seed) % 3 : 0;
			if (dice == 0)
				raw[len++] = (char)c;
			else
				len += (size_t)snprintf(raw + len, 4,
							dice == 1 ? "%%%02x" : "%%%02X", c);
		}
		url_canon_path(span_of(raw, len), canon_room, &canon);
		assert_true(span_eq(canon.path, SPAN("/c-d/e_f~1;x=2/caf%C3%A9/(g)")));
	}
}

/* What is found at a glance is what is found by looking at each byte: an escape in front makes
 * sure of the latter. */
static void clean_paths_have_the_findings_of_walked_ones(void **state)
{
	(void)state;
	static const char *const names[] = {
	    "con", "CONSOLE", "nul.txt", "com1", "com10", "clock$", "lpt1.a.b", "aux", "auxiliary",
	    "prn", "x.php", "index.php", "a", "catalogue", "a.", "a..", "...", "a...", "progra~1",
	    "long-name~1", "a:b", "x.asp::$DATA", "a;b=c", "a;jsessionid=1", "b.c.d", "-", "conin$"};
	enum { NAMES = sizeof(names) / sizeof(names[0]), ROUNDS = 20000 };
	const unsigned all = URL_FINDINGS_ALL & ~(unsigned)(URL_ESCAPE_NEEDLESS | URL_EMPTY_SEGMENT);
	uint64_t seed = 1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		char path[256] = "", walked[512], room[2][URL_CANON_ROOM(512)];
		struct url_canon_options options = {.heeded = round % 2 ? all : all & ~(unsigned)URL_PATH_INFO};
		struct url_canon clean, slow;
		for (unsigned i = 0; i < 1 + round % 4; i++) {
			size_t len = strlen(path);
			snprintf(path + len, sizeof(path) - len, "/%s", names[dice_next(&seed) % NAMES]);
		}
		snprintf(walked, sizeof(walked), "/%%61%s", path);
		url_canon_path_as(span_from_str(path), &options, room[0], &clean);
		url_canon_path_as(span_from_str(walked), &options, room[1], &slow);
		if ((clean.findings ^ slow.findings) & ~(unsigned)URL_DOT_IN_PATH)
			fail_msg("%s: %x, walked %x", path, clean.findings, slow.findings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(canon_follows_the_table),
	    cmocka_unit_test(canon_names_the_place),
	    cmocka_unit_test(canon_leaves_a_clean_path_where_it_is),
	    cmocka_unit_test(canon_of_nothing_is_the_root),
	    cmocka_unit_test(canon_is_idempotent_on_anything),
	    cmocka_unit_test(canon_is_idempotent_for_any_options),
	    cmocka_unit_test(canon_finds_each_by_itself),
	    cmocka_unit_test(canon_keeps_to_its_room),
	    cmocka_unit_test(canon_keeps_to_its_room_when_every_byte_grows),
	    cmocka_unit_test(canon_is_one_for_every_spelling),
	    cmocka_unit_test(clean_paths_have_the_findings_of_walked_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
