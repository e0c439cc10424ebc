/* Records of evidence: what is packed is read back, and whatever is done to the bytes, a reader finds sound
 * records and skips the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "guard_page.h"
#include "sallyport/evidence.h"
#include "sallyport/log_record.h"

static const struct evidence_head HEAD = {
    .reason = REASON_RULE, .status = 403, .enforced = 1, .wall_us = 7, .request_id = {1, 2}, .skipped = 9};

static size_t pack(char *buf, size_t room)
{
	struct evidence_writer writer;
	const struct evidence_piece pieces[] = {
	    {.kind = EVIDENCE_TARGET, .text = SPAN("/a?b=[3 bytes]"), .bytes = 8, .flags = EVIDENCE_MASKED},
	    {.kind = EVIDENCE_RULE, .text = SPAN("sql.union")},
	    {.kind = EVIDENCE_HIT, .id = SPAN("sql.union"), .name = SPAN("q"), .text = SPAN("union\0select"),
	     .bytes = 12, .target = 7, .condition = 2},
	    {.kind = EVIDENCE_FIELD, .name = SPAN("Host"), .text = SPAN("shop.example")},
	};
	evidence_begin(&writer, &HEAD, buf, room);
	for (size_t i = 0; i < 4; i++)
		assert_true(evidence_add(&writer, &pieces[i]));
	return evidence_end(&writer);
}

static void what_is_packed_is_read_back(void **state)
{
	char buf[EVIDENCE_RECORD_MAX];
	struct evidence_head head;
	struct evidence_reader reader;
	size_t len = pack(buf, sizeof(buf));
	(void)state;
	assert_true(evidence_read(span_of(buf, len), &head, &reader));
	assert_int_equal(head.kind, LOG_RECORD_EVIDENCE);
	assert_int_equal(head.pieces, 4);
	assert_int_equal(head.skipped, 9);
	struct evidence_piece hit = evidence_find(reader, EVIDENCE_HIT);
	assert_true(span_eq(hit.id, SPAN("sql.union")) && span_eq(hit.name, SPAN("q")));
	assert_true(span_eq(hit.text, SPAN("union\0select")));
	assert_int_equal(hit.target, 7);
	assert_int_equal(hit.condition, 2);
	assert_int_equal(evidence_find(reader, EVIDENCE_TARGET).flags, EVIDENCE_MASKED);
	assert_null(evidence_find(reader, EVIDENCE_SITE).text.ptr);
}

static void what_has_no_room_is_counted(void **state)
{
	char buf[512], big[400] = {0};
	struct evidence_writer writer;
	struct evidence_head head;
	struct evidence_reader reader;
	const struct evidence_piece piece = {.kind = EVIDENCE_FIELD, .name = SPAN("X"), .text = span_of(big, sizeof(big))};
	const struct evidence_piece small = {.kind = EVIDENCE_SITE, .text = SPAN("shop")};
	(void)state;
	evidence_begin(&writer, &HEAD, buf, sizeof(buf));
	assert_false(evidence_add(&writer, &piece));
	assert_false(evidence_add(&writer, &(struct evidence_piece){
					       .kind = EVIDENCE_FIELD, .text = span_of(big, SIZE_MAX / 2)}));
	assert_true(evidence_add(&writer, &small));
	assert_true(evidence_read(span_of(buf, evidence_end(&writer)), &head, &reader));
	assert_int_equal(head.left_out, 2);
	assert_true(span_eq(evidence_find(reader, EVIDENCE_SITE).text, SPAN("shop")));
}

/* Reads all that a reader may. */
static bool read_all(struct span record)
{
	struct evidence_head head;
	struct evidence_reader reader;
	struct evidence_piece piece;
	unsigned sum = 0;
	if (!evidence_read(record, &head, &reader))
		return false;
	while (evidence_next(&reader, &piece))
		for (size_t i = 0; i < piece.text.len; i++)
			sum += (uint8_t)piece.text.ptr[i];
	return sum != 1;
}

static void a_record_is_whole_or_none(void **state)
{
	char buf[EVIDENCE_RECORD_MAX];
	size_t len = pack(buf, sizeof(buf));
	(void)state;
	for (size_t n = 0; n < len; n++) {
		char *cut = guarded_copy(buf, n);
		assert_false(read_all(span_of(cut, n)));
		guarded_free(cut, n);
	}
	char longer[EVIDENCE_RECORD_MAX + 1] = {0};
	memcpy(longer, buf, len);
	assert_false(read_all(span_of(longer, len + 1)));
}

static void a_record_of_any_bytes_is_read_within_them(void **state)
{
	char buf[EVIDENCE_RECORD_MAX];
	size_t len = pack(buf, sizeof(buf));
	(void)state;
	for (size_t at = 0; at < len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			char *changed = guarded_copy(buf, len);
			changed[at] = (char)(changed[at] ^ 1 << bit);
			read_all(span_of(changed, len));
			guarded_free(changed, len);
		}
	}
}

/* Every bit of a slot that means anything, and every length that a write may stop at. */
static void a_slot_that_was_spoilt_or_torn_is_skipped(void **state)
{
	char buf[EVIDENCE_RECORD_MAX], slot[EVIDENCE_SLOT_BYTES], older[EVIDENCE_SLOT_BYTES], torn[EVIDENCE_SLOT_BYTES];
	struct span record;
	uint64_t sequence;
	size_t len = pack(buf, sizeof(buf)), used = EVIDENCE_SLOT_HEAD_BYTES + len;
	(void)state;
	evidence_slot_fill(slot, 42, span_of(buf, len));
	assert_true(evidence_slot_read(slot, &sequence, &record));
	assert_int_equal(sequence, 42);
	assert_true(span_eq(record, span_of(buf, len)));
	for (size_t at = 0; at < used; at++) {
		for (int bit = 0; bit < 8; bit++) {
			slot[at] = (char)(slot[at] ^ 1 << bit);
			assert_false(evidence_slot_read(slot, &sequence, &record));
			slot[at] = (char)(slot[at] ^ 1 << bit);
		}
	}
	evidence_slot_fill(older, 41, span_of(buf, len - 3));
	for (size_t n = 0; n < used; n++) {
		memcpy(torn, older, sizeof(torn));
		memcpy(torn, slot, n);
		bool is_whole = evidence_slot_read(torn, &sequence, &record);
		assert_true(!is_whole || sequence == 41 || span_eq(record, span_of(buf, len)));
	}
}

static void a_slot_has_nothing_of_the_one_before(void **state)
{
	char slot[EVIDENCE_SLOT_BYTES];
	(void)state;
	memset(slot, 's', sizeof(slot));
	evidence_slot_fill(slot, 1, SPAN("x"));
	assert_null(memchr(slot + EVIDENCE_SLOT_HEAD_BYTES, 's', sizeof(slot) - EVIDENCE_SLOT_HEAD_BYTES));
}

static void alike_records_have_one_key(void **state)
{
	(void)state;
	assert_true(evidence_key(REASON_RULE, SPAN("a.b")) == evidence_key(REASON_RULE, SPAN("a.b")));
	assert_true(evidence_key(REASON_RULE, SPAN("a.b")) != evidence_key(REASON_RULE, SPAN("a.c")));
	assert_true(evidence_key(REASON_RULE, SPAN("")) != evidence_key(REASON_SCORE, SPAN("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_packed_is_read_back),
	    cmocka_unit_test(what_has_no_room_is_counted),
	    cmocka_unit_test(a_record_is_whole_or_none),
	    cmocka_unit_test(a_record_of_any_bytes_is_read_within_them),
	    cmocka_unit_test(a_slot_that_was_spoilt_or_torn_is_skipped),
	    cmocka_unit_test(a_slot_has_nothing_of_the_one_before),
	    cmocka_unit_test(alike_records_have_one_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
