/* Contents of requests: the table of vectors, whole, in pieces and against an unreadable page; what is
 * held in memory; what takes long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>
#include <zlib.h>
#include "../http/http_vectors.h"
#include "guard_page.h"
#include "sallyport/body.h"
#include "sallyport/json.h"
#include "sallyport/shield.h"

enum { MEANING = 8192, MAX = 4096 };

/* What a body meant, as the table writes it. */
struct meaning {
	char text[MEANING];
	size_t len;
	size_t stop_after; /* values; 0: never */
	size_t taken, memory, most_memory, memory_limit;
	bool in_piece;
};

static void say_bytes(struct meaning *meaning, struct span s)
{
	for (size_t i = 0; i < s.len && meaning->len < MEANING - 5; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c < 0x20 || c >= 0x7f || c == '\\')
			meaning->len += (size_t)snprintf(meaning->text + meaning->len, 5, "\\x%02x", c);
		else
			meaning->text[meaning->len++] = (char)c;
	}
	meaning->text[meaning->len] = '\0';
}

static void say(struct meaning *meaning, const char *text)
{
	size_t len = strlen(text);
	if (len >= MEANING - meaning->len)
		return;
	memcpy(meaning->text + meaning->len, text, len + 1);
	meaning->len += len;
}

static bool take(void *context, const struct body_value *value)
{
	static const char *const marks[BODY_PLACES] = {
	    [BODY_ARGUMENT] = "=",	 [BODY_FILE_NAME] = "<",   [BODY_FILE_TYPE] = ":",
	    [BODY_FILE_CONTENT] = "{", [BODY_JSON_VALUE] = "=", [BODY_XML_TEXT] = "=",
	    [BODY_XML_ATTRIBUTE] = "=", [BODY_RAW_PIECE] = "*",
	};
	struct meaning *meaning = context;
	if (!meaning->in_piece) {
		say(meaning, " ");
		say_bytes(meaning, value->name);
		say(meaning, marks[value->place]);
	}
	say_bytes(meaning, value->value);
	meaning->in_piece = value->more;
	if (!value->more && value->place == BODY_FILE_CONTENT)
		say(meaning, "}");
	return ++meaning->taken != meaning->stop_after;
}

static void *take_memory(void *context, size_t size)
{
	struct meaning *meaning = context;
	if (meaning->memory_limit && meaning->memory + size > meaning->memory_limit)
		return NULL;
	meaning->memory += size;
	if (meaning->memory > meaning->most_memory)
		meaning->most_memory = meaning->memory;
	return malloc(size);
}

static void give_memory(void *context, void *ptr, size_t size)
{
	((struct meaning *)context)->memory -= size;
	free(ptr);
}

static const struct body_limits small = {
    .values = 20, .name = 32, .file_name = 40, .part_head = 400, .value = 100, .depth = 5};
static const struct body_limits large = {
    .values = 1000000, .name = 65536, .file_name = 65536, .part_head = 65536, .value = 1 << 24, .depth = 256};

struct run {
	const struct body_limits *limits;
	const struct coding_list *codings;
	uint64_t max;
	size_t piece;
};

static enum body_result feed_pieces(struct body *body, struct span bytes, size_t piece)
{
	for (size_t at = 0; at < bytes.len; at += piece) {
		size_t n = bytes.len - at < piece ? bytes.len - at : piece;
		char *copy = guarded_copy(bytes.ptr + at, n);
		body_feed(body, copy, n);
		guarded_free(copy, n);
	}
	return body_end(body);
}

static enum reason mean(const struct run *run, struct span type_text, struct span bytes, struct meaning *meaning)
{
	struct body_type type;
	struct body_fault fault = {0};
	if (!body_type_read(type_text, &type, &fault))
		return fault.reason;
	struct body_setup setup = {
	    .type = &type, .codings = run->codings, .limits = run->limits, .max = run->max, .max_setting = "max",
	    .findings = URL_ESCAPE_NUL | URL_UTF8_OVERLONG | URL_ESCAPE_UNICODE | URL_NAME_CONTROL,
	    .sink = {take, meaning}, .memory = {take_memory, give_memory, meaning}, .seed = 42};
	struct body *body = body_new(&setup);
	assert_non_null(body);
	enum body_result result = feed_pieces(body, bytes, run->piece);
	enum reason reason = body_fault(body)->reason;
	assert_true(result != BODY_MORE && (result == BODY_BAD) == (reason != REASON_UNSET));
	if (result == BODY_BAD)
		assert_true(body_fault(body)->evidence.len > 0 || body_fault(body)->setting);
	assert_int_equal(body_end(body), result);
	body_free(body);
	assert_int_equal(meaning->memory, 0);
	return reason;
}

static void describe(const struct run *run, struct span type, struct span bytes, struct meaning *meaning)
{
	*meaning = (struct meaning){0};
	say(meaning, "done");
	enum reason reason = mean(run, type, bytes, meaning);
	if (reason == REASON_UNSET)
		return;
	meaning->len = 0;
	say(meaning, reason_name(reason));
}

static struct span full_type(struct span type)
{
	return span_eq(type, SPAN("multi")) ? SPAN("multipart/form-data; boundary=B") : type;
}

static void bodies_mean_what_the_table_says_however_they_are_cut(void **state)
{
	static const size_t pieces[] = {1 << 20, 1, 2, 3, 7, 64};
	static struct meaning meaning;
	struct http_vectors *v = http_vectors_open("tests/vectors/bodies.txt");
	unsigned rows = 0, wrong = 0;
	(void)state;
	for (; http_vectors_next(v); rows++) {
		struct span row = span_of(v->bytes, v->len);
		struct span type = span_of(row.ptr, span_find(row, '\n'));
		for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			struct run run = {&small, NULL, MAX, pieces[i]};
			describe(&run, full_type(type), span_from(row, type.len + 1), &meaning);
			if (strcmp(meaning.text, v->expected) == 0)
				continue;
			print_message("line %u, by %zu: %s, not %s\n", v->line, pieces[i], meaning.text, v->expected);
			wrong++;
			break;
		}
	}
	http_vectors_close(v);
	assert_int_equal(wrong, 0);
	assert_true(rows >= 180);
}

/* ---- its sink and its memory ---- */

static void a_sink_that_has_enough_stops_the_body(void **state)
{
	static struct meaning meaning;
	const struct run run = {&small, NULL, MAX, 1};
	const struct {
		const char *type, *bytes;
	} rows[] = {
	    {"application/x-www-form-urlencoded", "a=1&b=2"},
	    {"application/json", "{\"a\":1,\"b\":2}"},
	    {"application/xml", "<a b=\"1\">x</a>"},
	    {"multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nx\r\n--B--"},
	    {"text/plain", "xy"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		meaning = (struct meaning){.stop_after = 1};
		assert_int_equal(mean(&run, span_from_str(rows[i].type), span_from_str(rows[i].bytes), &meaning), REASON_UNSET);
		assert_int_equal(meaning.taken, 1);
	}
}

/* `n` times the text. */
static struct span repeated(const char *text, size_t n)
{
	size_t len = strlen(text);
	char *bytes = malloc(len * n + 1);
	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++)
		memcpy(bytes + i * len, text, len);
	return span_of(bytes, len * n);
}

static struct span between(const char *start, struct span middle, const char *end)
{
	size_t before = strlen(start), after = strlen(end);
	char *bytes = malloc(before + middle.len + after);
	assert_non_null(bytes);
	memcpy(bytes, start, before);
	memcpy(bytes + before, middle.ptr, middle.len);
	memcpy(bytes + before + middle.len, end, after);
	free((char *)(uintptr_t)middle.ptr);
	return span_of(bytes, before + middle.len + after);
}

static void memory_that_runs_out_is_an_overload(void **state)
{
	static struct meaning meaning;
	const struct run run = {&large, NULL, 1 << 20, 1000};
	static const struct {
		const char *type, *start, *middle, *end;
	} rows[] = {
	    {"application/x-www-form-urlencoded", "a=", "x", ""},
	    {"application/json", "[1", ",1", "]"},
	    {"application/xml", "<a b='", "x", "'/>"},
	    {"multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n", "x", "\r\n--B--"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span bytes = between(rows[i].start, repeated(rows[i].middle, 100000), rows[i].end);
		meaning = (struct meaning){.memory_limit = 64 << 10};
		assert_int_equal(mean(&run, span_from_str(rows[i].type), bytes, &meaning), REASON_OVERLOAD);
		assert_true(meaning.most_memory <= 64 << 10);
		free((char *)(uintptr_t)bytes.ptr);
	}
}

static void xml_has_a_ceiling_of_its_own(void **state)
{
	static struct meaning meaning;
	const struct run run = {&large, NULL, 100 << 10, 1 << 20};
	char *bytes = malloc(100 << 10);
	size_t len = 2;
	(void)state;
	assert_non_null(bytes);
	memcpy(bytes, "<a", 2);
	for (unsigned i = 0; len < (100 << 10) - 20; i++)
		len += (size_t)snprintf(bytes + len, 20, " a%x=''", i);
	meaning = (struct meaning){0};
	enum reason reason = mean(&run, SPAN("application/xml"), span_of(bytes, len), &meaning);
	assert_true(reason == REASON_BODY_TOO_LARGE || reason == REASON_BODY_MALFORMED);
	assert_true(meaning.most_memory < (size_t)(256 << 10) + 8 * (100 << 10) + (256 << 10));
	free(bytes);
}

/* What jansson would need many times the text for never reaches it. */
static void json_is_counted_before_it_is_read(void **state)
{
	static struct meaning meaning;
	const struct body_limits limits = {.values = 10000, .name = 1024, .value = 1 << 20, .depth = 64};
	const struct run run = {&limits, NULL, 1 << 20, 1 << 16};
	struct span bytes = between("[[]", repeated(",[]", 300000), "]");
	(void)state;
	meaning = (struct meaning){0};
	assert_int_equal(mean(&run, SPAN("application/json"), bytes, &meaning), REASON_BODY_TOO_MANY_VALUES);
	assert_true(meaning.most_memory < 1 << 20);
	free((char *)(uintptr_t)bytes.ptr);
}

/* ---- time ---- */

static uint64_t cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct hostile {
	const char *name, *type, *start, *middle, *end;
};

static uint64_t time_of(const struct hostile *row, size_t times)
{
	static struct meaning meaning;
	const struct run run = {&large, NULL, 1 << 24, 61};
	struct span bytes = between(row->start, repeated(row->middle, times), row->end);
	uint64_t best = UINT64_MAX;
	for (int i = 0; i < 3; i++) {
		struct body_type type;
		struct body_fault fault;
		assert_true(body_type_read(span_from_str(row->type), &type, &fault));
		struct body_setup setup = {.type = &type, .limits = run.limits, .max = run.max, .max_setting = "max",
					   .memory = {take_memory, give_memory, &meaning}, .seed = 1};
		uint64_t start = cpu_us();
		struct body *body = body_new(&setup);
		assert_non_null(body);
		for (size_t at = 0; at < bytes.len; at += run.piece)
			body_feed(body, bytes.ptr + at, bytes.len - at < run.piece ? bytes.len - at : run.piece);
		body_end(body);
		body_free(body);
		uint64_t took = cpu_us() - start;
		best = took < best ? took : best;
	}
	free((char *)(uintptr_t)bytes.ptr);
	return best;
}

/* Eight times as much takes some eight times as long: twice that leaves room for a busy machine and
 * for caches, and quadratic time is four times beyond it. */
static void no_content_takes_more_than_linear_time(void **state)
{
	static const struct hostile rows[] = {
	    {"a long value", "application/x-www-form-urlencoded", "a=", "%41", ""},
	    {"a long name", "application/x-www-form-urlencoded", "", "aaa", ""},
	    {"many pairs", "application/x-www-form-urlencoded", "", "a&", ""},
	    {"almost boundaries", "multipart/form-data; boundary=------------------------------------------------X",
	     "--------------------------------------------------X\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\n", "-----", ""},
	    {"almost boundaries in lines", "multipart/form-data; boundary=BBBB",
	     "--BBBB\r\nContent-Disposition: form-data; name=a\r\n\r\n", "\r\n--BBB", ""},
	    {"lists", "application/json", "[1", ",[]", "]"},
	    {"a long text", "application/json", "\"", "\\\\\\\"", "\""},
	    {"names", "application/json", "{\"a\":1", ",\"\\u0061\":1", "}"},
	    {"a long attribute", "application/xml", "<a b='", "xxx", "'/>"},
	    {"a tag without an end", "application/xml", "<", "aaa", ""},
	    {"a comment without an end", "application/xml", "<a><!--", " - ", ""},
	    {"an instruction without an end", "application/xml", "<a><?b ", " ? ", ""},
	    {"character data", "application/xml", "<a><![CDATA[", " ]]", ""},
	    {"references", "application/xml", "<a>", "&#x41;", "</a>"},
	    {"elements", "application/xml", "<a>", "<b/>", "</a>"},
	};
	unsigned slow = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t few = time_of(&rows[i], 20000), many = time_of(&rows[i], 160000);
		if (many <= 16 * (few + 1000))
			continue;
		print_message("%s: %llu us, of eight times as much %llu us\n", rows[i].name, (unsigned long long)few,
			      (unsigned long long)many);
		slow++;
	}
	assert_int_equal(slow, 0);
}

/* ---- content codings ---- */

static struct span gzipped(struct span bytes, char *out, size_t room)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes.ptr, .avail_in = (uInt)bytes.len,
		      .next_out = (Bytef *)out, .avail_out = (uInt)room};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return span_of(out, room - z.avail_out);
}

static void coded_content_means_what_it_decodes_to(void **state)
{
	static struct meaning meaning;
	static const struct coding_list gzip = {1, {CODING_GZIP}};
	static const size_t pieces[] = {1, 5, 1 << 20};
	char coded[4096];
	struct span form = SPAN("a=1&b=%41"), type = SPAN("application/x-www-form-urlencoded");
	struct span sound = gzipped(form, coded, sizeof(coded));
	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		const struct run run = {&small, &gzip, MAX, pieces[i]};
		describe(&run, type, sound, &meaning);
		assert_string_equal(meaning.text, "done a=1 b=A");
		describe(&run, type, span_of(sound.ptr, sound.len - 1), &meaning);
		assert_string_equal(meaning.text, "body-coding");
		describe(&run, type, form, &meaning);
		assert_string_equal(meaning.text, "body-coding");
	}
	struct span large_text = repeated("&", MAX + 1);
	struct span bomb = gzipped(large_text, coded, sizeof(coded));
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		const struct run run = {&small, &gzip, MAX, pieces[i]};
		describe(&run, type, bomb, &meaning);
		assert_string_equal(meaning.text, "body-too-large");
	}
	free((char *)(uintptr_t)large_text.ptr);
}

static void no_content_is_no_fault(void **state)
{
	static struct meaning meaning;
	static const char *const types[] = {"application/json", "application/xml", "multipart/form-data; boundary=B", "", "text/plain"};
	const struct run run = {&small, NULL, MAX, 1};
	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		describe(&run, span_from_str(types[i]), SPAN(""), &meaning);
		assert_string_equal(meaning.text, "done");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bodies_mean_what_the_table_says_however_they_are_cut),
	    cmocka_unit_test(a_sink_that_has_enough_stops_the_body),
	    cmocka_unit_test(memory_that_runs_out_is_an_overload),
	    cmocka_unit_test(xml_has_a_ceiling_of_its_own),
	    cmocka_unit_test(json_is_counted_before_it_is_read),
	    cmocka_unit_test(no_content_takes_more_than_linear_time),
	    cmocka_unit_test(coded_content_means_what_it_decodes_to),
	    cmocka_unit_test(no_content_is_no_fault),
	};
	json_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
