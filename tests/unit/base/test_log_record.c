/* Records from a worker that may be captured: round trip, and every truncation and bit flip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "guard_page.h"
#include "sallyport/log_record.h"
#include "sallyport/log_ring.h"
#include "sallyport/reason.h"

static void fill(struct span texts[LOG_TEXT_COUNT], const char *bytes, size_t len)
{
	for (unsigned i = 0; i < LOG_TEXT_COUNT; i++)
		texts[i] = span_of(bytes, len);
}

static void record_survives_the_round_trip(void **state)
{
	(void)state;
	struct span texts[LOG_TEXT_COUNT] = {[LOG_TEXT_METHOD] = SPAN("GET"),
					     [LOG_TEXT_TARGET] = SPAN("/\0\n"),
					     [LOG_TEXT_ORIGIN] = SPAN("10.0.0.5:80")};
	struct log_record record = {.kind = LOG_RECORD_ACCESS, .status = 200, .bytes_out = 1024};
	char buf[LOG_RECORD_MAX];
	size_t len = log_record_pack(&record, texts, buf, sizeof(buf));
	assert_int_equal(len, sizeof(record) + 3 + 3 + 11);
	struct log_record back;
	struct span back_texts[LOG_TEXT_COUNT];
	char *copy = guarded_copy(buf, len);
	assert_true(log_record_unpack(copy, len, &back, back_texts));
	assert_int_equal(back.bytes_out, 1024);
	assert_int_equal(back.truncated, 0);
	for (unsigned i = 0; i < LOG_TEXT_COUNT; i++)
		assert_true(span_eq(texts[i], back_texts[i]));
	guarded_free(copy, len);
	for (size_t less = 0; less < len; less++)
		assert_false(log_record_unpack(buf, less, &back, back_texts));
	assert_false(log_record_unpack(buf, len + 1, &back, back_texts));
}

static void record_texts_too_long_are_cut_and_marked(void **state)
{
	(void)state;
	static char bytes[70000], buf[LOG_RECORD_MAX];
	struct span texts[LOG_TEXT_COUNT] = {[LOG_TEXT_TARGET] = span_of(bytes, sizeof(bytes)),
					     [LOG_TEXT_HOST] = span_of(bytes, LOG_TEXT_MAX)};
	struct log_record record = {.kind = LOG_RECORD_ACCESS};
	size_t len = log_record_pack(&record, texts, buf, sizeof(buf));
	assert_int_equal(len, sizeof(record) + 2 * LOG_TEXT_MAX);
	assert_int_equal(record.truncated, 1U << LOG_TEXT_TARGET);

	fill(texts, bytes, sizeof(bytes));
	len = log_record_pack(&record, texts, buf, SIZE_MAX);
	assert_int_equal(len, LOG_RECORD_MAX);
	assert_int_equal(record.truncated, (1U << LOG_TEXT_COUNT) - 1);
	assert_true(log_record_unpack(buf, len, &record, texts));
}

static void record_needs_room_for_its_fixed_part(void **state)
{
	(void)state;
	struct span texts[LOG_TEXT_COUNT];
	fill(texts, "abc", 3);
	struct log_record record = {.kind = LOG_RECORD_EVENT};
	for (size_t room = 0; room < sizeof(record) + 40; room++) {
		char scratch[sizeof(record) + 40];
		memset(scratch, 0x55, sizeof(scratch));
		size_t len = log_record_pack(&record, texts, scratch, room);
		assert_true(len <= room);
		assert_int_equal(len == 0, room < sizeof(record));
		for (size_t i = len; i < sizeof(scratch); i++)
			assert_int_equal(scratch[i], 0x55);
	}
}

static void record_with_wild_numbers_is_refused_or_harmless(void **state)
{
	(void)state;
	struct span texts[LOG_TEXT_COUNT], back_texts[LOG_TEXT_COUNT];
	fill(texts, "text", 4);
	struct log_record record = {.kind = LOG_RECORD_ACCESS}, back;
	char buf[LOG_RECORD_MAX];
	size_t len = log_record_pack(&record, texts, buf, sizeof(buf));
	unsigned refused = 0;
	for (size_t bit = 0; bit < 8 * sizeof(record); bit++) {
		char *copy = guarded_copy(buf, len);
		copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
		if (!log_record_unpack(copy, len, &back, back_texts)) {
			refused++;
		} else {
			assert_true(back.reason < REASON_COUNT);
			for (unsigned i = 0; i < LOG_TEXT_COUNT; i++)
				assert_true(back_texts[i].ptr >= copy &&
					    back_texts[i].ptr + back_texts[i].len <= copy + len);
		}
		guarded_free(copy, len);
	}
	assert_true(refused >= 16 * LOG_TEXT_COUNT); /* each bit of each length */
}

static void request_id_is_written_as_hexadecimal(void **state)
{
	(void)state;
	char text[REQUEST_ID_SIZE];
	log_format_request_id((uint64_t[]){0x0123456789abcdef, 0xfedcba9876543210}, text);
	assert_string_equal(text, "0123456789abcdeffedcba9876543210");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(record_survives_the_round_trip),
	    cmocka_unit_test(record_texts_too_long_are_cut_and_marked),
	    cmocka_unit_test(record_needs_room_for_its_fixed_part),
	    cmocka_unit_test(record_with_wild_numbers_is_refused_or_harmless),
	    cmocka_unit_test(request_id_is_written_as_hexadecimal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
