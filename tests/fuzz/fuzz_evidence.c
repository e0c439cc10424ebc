/* Evidence: what lies in the file, what comes through the ring, and the masks. The first byte of the input chooses.
 *
 * 0: the rest is a file, read slot by slot, each also as a slot whose digest is right.
 * 1: the rest is a record. Whatever a reader accepts, it can read all of.
 * 2: the rest is a text, which is masked, all of it and parts: what is known to be secret never comes out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "front/evidence.h"
#include "sallyport/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                    \
	do {                                                                                                               \
		if (!(condition))                                                                                          \
			abort();                                                                                           \
	} while (0)

static unsigned sum_of(struct span s)
{
	unsigned sum = 0;
	for (size_t i = 0; i < s.len; i++)
		sum += (uint8_t)s.ptr[i];
	return sum;
}

static void read_record(struct span record)
{
	struct evidence_head head;
	struct evidence_reader reader;
	struct evidence_piece piece;
	unsigned n = 0, sum = 0;
	if (!evidence_read(record, &head, &reader))
		return;
	for (; evidence_next(&reader, &piece); n++) {
		MUST(piece.kind > EVIDENCE_UNSET && piece.kind < EVIDENCE_KINDS);
		sum += sum_of(piece.id) + sum_of(piece.name) + sum_of(piece.text);
	}
	MUST(n == head.pieces && sum != UINT32_MAX);
}

static void read_file(struct span file)
{
	for (; file.len >= EVIDENCE_SLOT_BYTES; file = span_from(file, EVIDENCE_SLOT_BYTES)) {
		uint64_t sequence;
		struct span record;
		if (evidence_slot_read(file.ptr, &sequence, &record))
			read_record(record);
	}
}

/* The digest keeps a blind change from ever reaching a reader: so it is made right here. */
static void read_slot(struct span record)
{
	char slot[EVIDENCE_SLOT_BYTES];
	uint64_t sequence;
	struct span got;
	if (record.len == 0 || record.len > EVIDENCE_RECORD_MAX)
		return;
	evidence_slot_fill(slot, 5, record);
	MUST(evidence_slot_read(slot, &sequence, &got) && sequence == 5 && span_eq(got, record));
	slot[EVIDENCE_SLOT_HEAD_BYTES + record.len / 2] ^= 1;
	MUST(!evidence_slot_read(slot, &sequence, &got));
	read_record(record);
}

static void mask(struct span text, size_t room_bytes)
{
	char room[1024];
	struct masked out = {.text = room, .room = room_bytes};
	for (int form = SECRET_TEXT; form <= SECRET_WHOLE; form++) {
		secret_mask(NULL, (enum secret_form)form, text, text, &out);
		MUST(out.len <= out.room && (out.is_masked || out.is_cut || out.len == text.len));
		struct span part = span_from(text, text.len / 3);
		part.len -= part.len / 3;
		secret_mask(NULL, (enum secret_form)form, text, part, &out);
		MUST(out.len <= out.room);
	}
}

/* Whatever stands before it: in `text`, then "&password=" and a value without "&". */
static void hide(struct span text)
{
	static const char value[] = "&password=\1\2\3\4\5\6\7";
	char *whole = malloc(text.len + sizeof(value)), room[1024];
	struct masked out = {.text = room, .room = sizeof(room)};
	MUST(whole);
	if (memmem(text.ptr ? text.ptr : "", text.len, "\1\2", 2)) {
		free(whole);
		return;
	}
	if (text.len > 0)
		memcpy(whole, text.ptr, text.len);
	memcpy(whole + text.len, value, sizeof(value) - 1);
	struct span all = span_of(whole, text.len + sizeof(value) - 1);
	secret_mask(NULL, SECRET_TEXT, all, all, &out);
	MUST(!memmem(room, out.len, "\1\2\3\4\5\6\7", 7));
	secret_mask(NULL, SECRET_TEXT, all, span_from(all, all.len - 3), &out);
	MUST(!memmem(room, out.len, "\7", 1));
	free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span rest = span_of((const char *)data + 1, size - 1);
	switch (data[0] % 3) {
	case 0: read_file(rest); break;
	case 1:
		read_slot(rest);
		read_record(rest);
		break;
	default:
		mask(rest, 128);
		mask(rest, 1024);
		hide(rest);
		break;
	}
	return 0;
}
