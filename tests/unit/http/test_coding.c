/* Content codings undone: what each library's encoder makes comes back whole, however it is cut;
 * everything else is an error that says what it is, early, and costs bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>
#include "guard_page.h"
#include "sallyport/coding.h"

enum { PAGE = 40000, CODED_ROOM = 1 << 20, RAW = CODING_KINDS };

struct bytes {
	size_t len;
	uint8_t data[CODED_ROOM];
};

/* ---- encoders ---- */

static void zlib_encode(const void *data, size_t len, int window_bits, int level, struct bytes *out)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)data, .avail_in = (unsigned)len};
	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = out->data;
	z.avail_out = CODED_ROOM;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len = z.total_out;
	deflateEnd(&z);
}

static void br_encode(const void *data, size_t len, int window_bits, struct bytes *out)
{
	out->len = CODED_ROOM;
	assert_true(BrotliEncoderCompress(5, window_bits, BROTLI_MODE_GENERIC, len, data, &out->len,
					  out->data));
}

static void zstd_encode(const void *data, size_t len, int window_log, struct bytes *out)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	ZSTD_inBuffer in = {data, len, 0};
	ZSTD_outBuffer to = {out->data, CODED_ROOM, 0};
	ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	/* by streaming, so that the frame says its window, not its size */
	assert_false(ZSTD_isError(ZSTD_compressStream2(context, &to, &in, ZSTD_e_continue)));
	assert_int_equal(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end), 0);
	out->len = to.pos;
	ZSTD_freeCCtx(context);
}

static void encode(unsigned coding, const void *data, size_t len, struct bytes *out)
{
	switch (coding) {
	case CODING_GZIP: zlib_encode(data, len, 31, 6, out); break;
	case CODING_DEFLATE: zlib_encode(data, len, 15, 6, out); break;
	case RAW: zlib_encode(data, len, -15, 6, out); break;
	case CODING_BR: br_encode(data, len, 22, out); break;
	default: zstd_encode(data, len, 17, out); break;
	}
}

/* A page that compresses as pages do: words, numbers, repetition. */
static const uint8_t *page(void)
{
	static uint8_t text[PAGE];
	uint32_t x = 12345;
	for (size_t i = 0; i < PAGE && text[PAGE - 1] == 0;) {
		x = x * 1103515245 + 12345;
		int n = snprintf((char *)text + i, PAGE - i, "<p class=\"c%u\">word%u</p>\n", x >> 28,
				 x >> 22);
		i += (size_t)n;
		if (i >= PAGE)
			text[PAGE - 1] = '.';
	}
	return text;
}

/* ---- decoding ---- */

struct counted {
	size_t used, most, limit;
};

static void *counted_take(void *context, size_t size)
{
	struct counted *counted = context;
	if (size > counted->limit - counted->used)
		return NULL;
	counted->used += size;
	counted->most = counted->used > counted->most ? counted->used : counted->most;
	return malloc(size);
}

static void counted_give(void *context, void *ptr, size_t size)
{
	((struct counted *)context)->used -= size;
	free(ptr);
}

struct decoded {
	enum coding_result result;
	size_t len, room, most_memory;
	uint8_t *data;
};

static bool keep(void *context, const uint8_t *bytes, size_t len)
{
	struct decoded *decoded = context;
	if (len > decoded->room - decoded->len)
		return false;
	memcpy(decoded->data + decoded->len, bytes, len);
	decoded->len += len;
	return true;
}

struct asked {
	struct coding_list list;
	struct coding_limits limits;
	size_t memory;
};

static uint8_t content[1 << 20];

static struct decoded decode(const struct asked *asked, const uint8_t *coded, size_t len, size_t piece)
{
	struct decoded decoded = {.data = content, .room = sizeof(content)};
	struct counted counted = {.limit = asked->memory ? asked->memory : SIZE_MAX};
	struct coding_sink sink = {keep, &decoded};
	struct coding_memory memory = {counted_take, counted_give, &counted};
	struct coding_decoder *decoder = coding_new(&asked->list, &asked->limits, &sink, &memory);
	assert_non_null(decoder);
	char *copy = guarded_copy(coded, len);
	for (size_t at = 0; at < len; at += piece)
		coding_feed(decoder, copy + at, len - at < piece ? len - at : piece);
	guarded_free(copy, len);
	decoded.result = coding_end(decoder);
	assert_int_equal(coding_end(decoder), decoded.result);
	assert_true(decoded.result != CODING_DONE || coding_bytes(decoder) == decoded.len);
	coding_free(decoder);
	assert_int_equal(counted.used, 0);
	decoded.most_memory = counted.most;
	return decoded;
}

static struct asked ask(unsigned coding)
{
	struct asked asked = {.limits = {1 << 20, CODING_RATIO}};
	asked.list.of[0] = coding == RAW ? CODING_DEFLATE : (uint8_t)coding;
	asked.list.n = coding != CODING_UNSET;
	return asked;
}

static const unsigned all[] = {CODING_GZIP, CODING_DEFLATE, RAW, CODING_BR, CODING_ZSTD};
enum { ALL = sizeof(all) / sizeof(all[0]) };

/* ---- tests ---- */

static void a_page_comes_back_however_its_coded_form_is_cut(void **state)
{
	(void)state;
	static const size_t pieces[] = {CODED_ROOM, 1, 2, 7, 1000, 1024, 1025, 4096};
	static struct bytes coded;
	for (unsigned i = 0; i < ALL; i++) {
		struct asked asked = ask(all[i]);
		encode(all[i], page(), PAGE, &coded);
		for (unsigned j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++) {
			struct decoded d = decode(&asked, coded.data, coded.len, pieces[j]);
			assert_int_equal(d.result, CODING_DONE);
			assert_int_equal(d.len, PAGE);
			assert_memory_equal(d.data, page(), PAGE);
		}
	}
}

static void content_of_no_bytes_is_content(void **state)
{
	(void)state;
	static struct bytes coded;
	for (unsigned i = 0; i < ALL; i++) {
		struct asked asked = ask(all[i]);
		encode(all[i], "", 0, &coded);
		assert_true(coded.len > 0);
		assert_int_equal(decode(&asked, coded.data, coded.len, 1).result, CODING_DONE);
		assert_int_equal(decode(&asked, coded.data, 0, 1).result, CODING_DONE);
	}
}

static void content_without_a_coding_passes_within_its_limit(void **state)
{
	(void)state;
	struct asked asked = ask(CODING_UNSET);
	asked.limits.bytes = PAGE;
	struct decoded d = decode(&asked, page(), PAGE, 999);
	assert_int_equal(d.result, CODING_DONE);
	assert_memory_equal(d.data, page(), PAGE);
	asked.limits.bytes = PAGE - 1;
	assert_int_equal(decode(&asked, page(), PAGE, 999).result, CODING_OVER_SIZE);
}

static void what_is_cut_short_anywhere_is_truncated(void **state)
{
	(void)state;
	static struct bytes coded;
	for (unsigned i = 0; i < ALL; i++) {
		struct asked asked = ask(all[i]);
		encode(all[i], page(), 700, &coded);
		for (size_t len = 1; len < coded.len; len++) {
			struct decoded d = decode(&asked, coded.data, len, CODED_ROOM);
			if (d.result != CODING_TRUNCATED)
				fail_msg("%s, %zu of %zu bytes: %s", coding_name(all[i]), len, coded.len,
					 coding_result_text(d.result));
		}
	}
}

static void what_stands_behind_the_end_is_refused(void **state)
{
	(void)state;
	static struct bytes coded, more;
	for (unsigned i = 0; i < ALL; i++) {
		struct asked asked = ask(all[i]);
		encode(all[i], page(), 700, &coded);
		coded.data[coded.len] = 0;
		assert_int_equal(decode(&asked, coded.data, coded.len + 1, 1).result, CODING_TRAILING);
		/* a second gzip member or zstd frame is that, too: some readers show it, others don't */
		encode(all[i], "second", 6, &more);
		memcpy(coded.data + coded.len, more.data, more.len);
		assert_int_equal(decode(&asked, coded.data, coded.len + more.len, CODED_ROOM).result,
				 CODING_TRAILING);
		assert_int_equal(decode(&asked, coded.data, coded.len + more.len, 1).result,
				 CODING_TRAILING);
	}
}

/* Every bit of a short coded form turned: never the same content for another form, but where the
 * format has bits that mean nothing to the content (a gzip head's time, a window's size). */
static void a_turned_bit_never_passes_for_other_content(void **state)
{
	(void)state;
	static struct bytes coded;
	static const char text[] = "<h1>Welcome</h1><p>Welcome to the shop, welcome to it all</p>";
	for (unsigned i = 0; i < ALL; i++) {
		struct asked asked = ask(all[i]);
		bool has_checksum = all[i] != RAW && all[i] != CODING_BR;
		unsigned refused = 0;
		encode(all[i], text, sizeof(text) - 1, &coded);
		for (size_t bit = 0; bit < coded.len * 8; bit++) {
			coded.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			struct decoded whole = decode(&asked, coded.data, coded.len, CODED_ROOM);
			struct decoded bytewise = decode(&asked, coded.data, coded.len, 1);
			coded.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(whole.result == CODING_DONE, bytewise.result == CODING_DONE);
			refused += whole.result != CODING_DONE;
			if (has_checksum && whole.result == CODING_DONE) {
				assert_int_equal(whole.len, sizeof(text) - 1);
				assert_memory_equal(whole.data, text, whole.len);
			}
		}
		assert_true(refused > (has_checksum ? coded.len * 4 : 0));
	}
}

struct bad_row {
	const char *what;
	unsigned coding;
	enum coding_result expected;
	size_t len;
	const char *bytes;
};

static void malformed_forms_say_what_is_wrong(void **state)
{
	(void)state;
	static const struct bad_row rows[] = {
	    {"plain text", CODING_GZIP, CODING_MALFORMED, 9, "<html>abc"},
	    {"plain text", CODING_BR, CODING_MALFORMED, 9, "<html>abc"},
	    {"plain text", CODING_ZSTD, CODING_MALFORMED, 9, "<html>abc"},
	    {"a zlib head where gzip is said", CODING_GZIP, CODING_MALFORMED, 4, "\x78\x9c\x03\x00"},
	    {"an unknown flag", CODING_GZIP, CODING_MALFORMED, 10, "\x1f\x8b\x08\xe0\0\0\0\0\0\3"},
	    {"another method", CODING_GZIP, CODING_MALFORMED, 10, "\x1f\x8b\x07\0\0\0\0\0\0\3"},
	    {"a preset dictionary", CODING_DEFLATE, CODING_MALFORMED, 8, "\x78\xbb\0\0\0\1\3\0"},
	    {"a reserved block type", CODING_DEFLATE, CODING_MALFORMED, 3, "\x07\0\0"},
	    {"a gzip head where deflate is said", CODING_DEFLATE, CODING_MALFORMED, 10,
	     "\x1f\x8b\x08\0\0\0\0\0\0\3"},
	    {"a skippable frame", CODING_ZSTD, CODING_MALFORMED, 12, "\x50\x2a\x4d\x18\4\0\0\0abcd"},
	    {"a frame of zstd 0.7", CODING_ZSTD, CODING_MALFORMED, 8, "\x27\xb5\x2f\xfd\0\0\0\0"},
	    {"a reserved bit", CODING_ZSTD, CODING_MALFORMED, 9, "\x28\xb5\x2f\xfd\x08\x58\1\0\0"},
	    /* window descriptor: exponent 14 gives 2^24 bytes, 13 gives 2^23 */
	    {"a window of 16 MiB", CODING_ZSTD, CODING_OVER_WINDOW, 9, "\x28\xb5\x2f\xfd\0\x70\1\0\0"},
	    {"a window of 8 MiB", CODING_ZSTD, CODING_DONE, 9, "\x28\xb5\x2f\xfd\0\x68\1\0\0"},
	    {"a large window", CODING_BR, CODING_MALFORMED, 4, "\x11\x1e\x03\x00"},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct asked asked = ask(rows[i].coding);
		for (size_t piece = 1; piece < 20; piece += 18) {
			struct decoded d =
			    decode(&asked, (const uint8_t *)rows[i].bytes, rows[i].len, piece);
			if (d.result != rows[i].expected)
				fail_msg("%s in %s: %s", rows[i].what, coding_name(rows[i].coding),
					 coding_result_text(d.result));
		}
	}
}

static void a_limit_of_bytes_holds_to_the_byte(void **state)
{
	(void)state;
	static struct bytes coded;
	for (unsigned i = 0; i < ALL; i++) {
		struct asked asked = ask(all[i]);
		encode(all[i], page(), PAGE, &coded);
		asked.limits.bytes = PAGE;
		assert_int_equal(decode(&asked, coded.data, coded.len, 100).result, CODING_DONE);
		asked.limits.bytes = PAGE - 1;
		struct decoded d = decode(&asked, coded.data, coded.len, 100);
		assert_int_equal(d.result, CODING_OVER_SIZE);
		assert_true(d.len < PAGE);
	}
}

static void a_bomb_ends_early_by_its_ratio(void **state)
{
	(void)state;
	enum { BOMB = 64 << 20 };
	static struct bytes coded;
	uint8_t *zeros = calloc(1, BOMB);
	assert_non_null(zeros);
	for (unsigned i = 0; i < ALL; i++) {
		struct asked asked = ask(all[i]);
		encode(all[i], zeros, BOMB, &coded);
		for (size_t piece = 1; piece <= CODED_ROOM; piece *= CODED_ROOM) {
			struct decoded d = decode(&asked, coded.data, coded.len, piece);
			/* whichever is seen first: a KiB of brotli holds more than the limit of bytes */
			assert_true(d.result == CODING_OVER_RATIO || d.result == CODING_OVER_SIZE);
		}
	}
	struct asked asked = ask(CODING_GZIP);
	struct decoded d = {.data = zeros, .room = BOMB};
	struct coding_sink sink = {keep, &d};
	asked.limits.bytes = BOMB;
	encode(CODING_GZIP, zeros, BOMB, &coded);
	struct coding_decoder *decoder = coding_new(&asked.list, &asked.limits, &sink, NULL);
	assert_int_equal(coding_feed(decoder, coded.data, coded.len), CODING_OVER_RATIO);
	assert_in_range(d.len, CODING_RATIO_FREE, BOMB / 32);
	coding_free(decoder);
	free(zeros);
}

/* The same at every size around the point from which ratios are compared. */
static void a_ratio_is_judged_the_same_however_the_bytes_are_cut(void **state)
{
	(void)state;
	static struct bytes coded;
	static uint8_t text[1 << 19];
	for (unsigned i = 0; i < ALL; i++) {
		unsigned over = 0, fine = 0;
		for (unsigned noise = 0; noise < 3000; noise += 97) {
			struct asked asked = ask(all[i]);
			asked.limits.ratio = 100;
			memset(text, 'a', sizeof(text));
			memcpy(text + sizeof(text) / 2, page(), noise * 10);
			encode(all[i], text, sizeof(text), &coded);
			enum coding_result whole =
			    decode(&asked, coded.data, coded.len, CODED_ROOM).result;
			assert_int_equal(decode(&asked, coded.data, coded.len, 1).result, whole);
			assert_int_equal(decode(&asked, coded.data, coded.len, 600).result, whole);
			over += whole == CODING_OVER_RATIO;
			fine += whole == CODING_DONE;
		}
		assert_true(over > 0 && over + fine == 31);
	}
	struct asked asked = ask(CODING_GZIP);
	memset(text, 'a', sizeof(text));
	encode(CODING_GZIP, text, CODING_RATIO_FREE, &coded);
	assert_int_equal(decode(&asked, coded.data, coded.len, 1).result, CODING_DONE);
	encode(CODING_GZIP, text, CODING_RATIO_FREE + 1, &coded);
	assert_int_equal(decode(&asked, coded.data, coded.len, 1).result, CODING_OVER_RATIO);
	asked.limits.ratio = 0;
	assert_int_equal(decode(&asked, coded.data, coded.len, 1).result, CODING_DONE);
}

static void codings_stack_and_so_do_their_limits(void **state)
{
	(void)state;
	static struct bytes inner, outer;
	for (unsigned i = 0; i < ALL * ALL; i++) {
		struct asked asked = ask(all[i / ALL]), last = ask(all[i % ALL]);
		asked.list.of[1] = last.list.of[0];
		asked.list.n = 2;
		encode(all[i / ALL], page(), PAGE, &inner);
		encode(all[i % ALL], inner.data, inner.len, &outer);
		for (size_t piece = 1; piece <= CODED_ROOM; piece *= 32) {
			struct decoded d = decode(&asked, outer.data, outer.len, piece);
			assert_int_equal(d.result, CODING_DONE);
			assert_memory_equal(d.data, page(), PAGE);
		}
		assert_int_equal(decode(&asked, outer.data, outer.len - 1, 100).result,
				 CODING_TRUNCATED);
		inner.data[inner.len] = 'x';
		encode(all[i % ALL], inner.data, inner.len + 1, &outer);
		assert_int_equal(decode(&asked, outer.data, outer.len, 100).result, CODING_TRAILING);
	}
}

/* A megabyte of empty blocks decodes to nothing: the middle is bounded, not the end alone. */
static void an_inner_form_may_not_grow_beyond_the_limit(void **state)
{
	(void)state;
	static struct bytes outer;
	enum { INNER = 4 << 20 };
	uint8_t *blocks = malloc(INNER);
	assert_non_null(blocks);
	for (size_t i = 0; i < INNER; i++)
		blocks[i] = (uint8_t)"\0\0\0\xff\xff"[i % 5]; /* RFC 1951 section 3.2.4, empty */
	encode(CODING_ZSTD, blocks, INNER, &outer);
	struct asked asked = ask(CODING_DEFLATE);
	asked.list.of[1] = CODING_ZSTD;
	asked.list.n = 2;
	enum coding_result result = decode(&asked, outer.data, outer.len, CODED_ROOM).result;
	assert_true(result == CODING_OVER_RATIO || result == CODING_OVER_SIZE);
	free(blocks);
}

static void memory_is_bounded_and_its_end_is_an_error(void **state)
{
	(void)state;
	static struct bytes coded;
	static const size_t most[CODING_KINDS + 1] = {[CODING_GZIP] = 100 << 10,
						      [CODING_DEFLATE] = 100 << 10,
						      [RAW] = 100 << 10,
						      [CODING_BR] = 17 << 20,
						      [CODING_ZSTD] = 9 << 20};
	for (unsigned i = 0; i < ALL; i++) {
		struct asked asked = ask(all[i]);
		if (all[i] == CODING_BR)
			br_encode(page(), PAGE, 24, &coded);
		else if (all[i] == CODING_ZSTD)
			zstd_encode(page(), PAGE, 23, &coded);
		else
			encode(all[i], page(), PAGE, &coded);
		struct decoded d = decode(&asked, coded.data, coded.len, CODED_ROOM);
		assert_int_equal(d.result, CODING_DONE);
		assert_in_range(d.most_memory, 1, most[all[i]]);
		unsigned refused = 0;
		for (size_t memory = d.most_memory - 1; memory > 20000; memory -= memory / 8) {
			asked.memory = memory;
			d = decode(&asked, coded.data, coded.len, CODED_ROOM);
			refused += d.result == CODING_NO_MEMORY;
			assert_true(d.result == CODING_NO_MEMORY || d.result == CODING_DONE);
		}
		assert_true(refused > 0);
	}
}

static bool take_no_more(void *context, const uint8_t *bytes, size_t len)
{
	(void)bytes;
	(void)len;
	return ++*(unsigned *)context < 3;
}

static void a_sink_that_has_enough_ends_it(void **state)
{
	(void)state;
	static struct bytes coded;
	unsigned calls = 0;
	struct coding_sink sink = {take_no_more, &calls};
	struct asked asked = ask(CODING_GZIP);
	static uint8_t text[1 << 18];
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = page()[i % PAGE];
	encode(CODING_GZIP, text, sizeof(text), &coded);
	struct coding_decoder *decoder = coding_new(&asked.list, &asked.limits, &sink, NULL);
	assert_int_equal(coding_feed(decoder, coded.data, coded.len), CODING_STOPPED);
	assert_int_equal(coding_feed(decoder, coded.data, 1), CODING_STOPPED);
	assert_int_equal(coding_end(decoder), CODING_STOPPED);
	assert_int_equal(calls, 3);
	coding_free(decoder);
	coding_free(NULL);
}

static void a_content_encoding_field_is_read_as_a_list(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		enum coding_result result;
		struct coding_list list;
	} rows[] = {
	    {"", CODING_DONE, {0}},
	    {"identity", CODING_DONE, {0}},
	    {"gzip", CODING_DONE, {1, {CODING_GZIP}}},
	    {"X-GZIP", CODING_DONE, {1, {CODING_GZIP}}},
	    {"deflate", CODING_DONE, {1, {CODING_DEFLATE}}},
	    {" Br\t", CODING_DONE, {1, {CODING_BR}}},
	    {"zstd", CODING_DONE, {1, {CODING_ZSTD}}},
	    {"gzip, br", CODING_DONE, {2, {CODING_GZIP, CODING_BR}}},
	    {",identity , gzip,,", CODING_DONE, {1, {CODING_GZIP}}},
	    {"gzip,gzip,gzip", CODING_TOO_MANY, {2, {CODING_GZIP, CODING_GZIP}}},
	    {"compress", CODING_UNKNOWN, {0}},
	    {"gzip, utf-8", CODING_UNKNOWN, {1, {CODING_GZIP}}},
	    {"gzip;q=1", CODING_UNKNOWN, {0}},
	    {"gzi", CODING_UNKNOWN, {0}},
	    {"\"gzip\"", CODING_UNKNOWN, {0}},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct coding_list list = {0};
		size_t len = strlen(rows[i].value);
		char *value = guarded_copy(rows[i].value, len);
		assert_int_equal(coding_list_add(&list, span_of(value, len)), rows[i].result);
		guarded_free(value, len);
		assert_int_equal(list.n, rows[i].list.n);
		assert_memory_equal(list.of, rows[i].list.of, list.n);
	}
	struct coding_list list = {0};
	assert_int_equal(coding_list_add(&list, SPAN("br")), CODING_DONE);
	assert_int_equal(coding_list_add(&list, SPAN("gzip")), CODING_DONE);
	assert_int_equal(list.of[1], CODING_GZIP);
	assert_int_equal(coding_list_add(&list, SPAN("gzip")), CODING_TOO_MANY);
}

static void the_codings_of_a_head_are_those_of_all_its_fields(void **state)
{
	(void)state;
	static const struct http_limits limits = {
	    .head_bytes = 4096, .target_bytes = 4096, .fields = 9, .field_bytes = 4096};
	static const struct {
		const char *fields, *value; /* NULL: none was looked at */
		enum coding_result result;
		struct coding_list list;
	} rows[] = {
	    {"A: gzip\r\n", NULL, CODING_DONE, {0}},
	    {"Content-Encoding: br\r\nA: b\r\ncontent-encoding: gzip\r\n", "gzip", CODING_DONE, {2, {CODING_BR, CODING_GZIP}}},
	    {"Content-Encoding: rot13\r\nContent-Encoding: gzip\r\n", "rot13", CODING_UNKNOWN, {0}},
	    {"Content-Encoding: br, br\r\nContent-Encoding: gzip\r\n", "gzip", CODING_TOO_MANY, {2, {CODING_BR, CODING_BR}}},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		struct http_head head;
		struct coding_list list = {0};
		struct span evidence, value = {0};
		enum reason reason;
		int len = snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", rows[i].fields);
		assert_int_equal(http_parse_request(text, (size_t)len, 0, &limits, &head, &reason, &evidence), HTTP_PARSE_DONE);
		assert_int_equal(coding_list_of(&head, &list, &value), rows[i].result);
		assert_true(rows[i].value ? span_eq(value, span_from_str(rows[i].value)) : !value.ptr);
		assert_int_equal(list.n, rows[i].list.n);
		assert_memory_equal(list.of, rows[i].list.of, list.n);
	}
}

static void every_result_has_a_text_of_its_own(void **state)
{
	(void)state;
	for (int i = CODING_MORE; i <= CODING_STOPPED; i++)
		for (int j = CODING_RESULT_UNSET; j < i; j++)
			assert_string_not_equal(coding_result_text((enum coding_result)i),
						coding_result_text((enum coding_result)j));
	assert_string_equal(coding_result_text((enum coding_result)99), "-");
	assert_string_equal(coding_name(CODING_BR), "br");
	assert_string_equal(coding_name(99), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_page_comes_back_however_its_coded_form_is_cut),
	    cmocka_unit_test(content_of_no_bytes_is_content),
	    cmocka_unit_test(content_without_a_coding_passes_within_its_limit),
	    cmocka_unit_test(what_is_cut_short_anywhere_is_truncated),
	    cmocka_unit_test(what_stands_behind_the_end_is_refused),
	    cmocka_unit_test(a_turned_bit_never_passes_for_other_content),
	    cmocka_unit_test(malformed_forms_say_what_is_wrong),
	    cmocka_unit_test(a_limit_of_bytes_holds_to_the_byte),
	    cmocka_unit_test(a_bomb_ends_early_by_its_ratio),
	    cmocka_unit_test(a_ratio_is_judged_the_same_however_the_bytes_are_cut),
	    cmocka_unit_test(codings_stack_and_so_do_their_limits),
	    cmocka_unit_test(an_inner_form_may_not_grow_beyond_the_limit),
	    cmocka_unit_test(memory_is_bounded_and_its_end_is_an_error),
	    cmocka_unit_test(a_sink_that_has_enough_ends_it),
	    cmocka_unit_test(a_content_encoding_field_is_read_as_a_list),
	    cmocka_unit_test(the_codings_of_a_head_are_those_of_all_its_fields),
	    cmocka_unit_test(every_result_has_a_text_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
