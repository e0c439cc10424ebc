/* Records of evidence as bytes, and the slots that they lie in. Who reads trusts nothing: lengths are checked
 * against what is left before they are used, numbers before anybody indexes by them. */
#include "sallyport/evidence.h"

#include <assert.h>

#include "sallyport/crypto.h"
#include "sallyport/hash.h"
#include "sallyport/log_record.h"

/* "SPe1", as bytes in the order of the machine: a file is read where it was written. */
enum { SLOT_MAGIC = 0x31655053 };

struct piece_head {
	uint8_t kind, flags, target, condition;
	uint32_t bytes;
	uint16_t id_len, name_len, text_len, pad;
};

struct slot_head {
	uint32_t magic;
	uint32_t len;
	uint64_t sequence;
	uint8_t digest[DIGEST_SIZE]; /* of the three before it and the record */
};

static_assert(sizeof(struct slot_head) == EVIDENCE_SLOT_HEAD_BYTES, "a slot's head has no holes");
static_assert(sizeof(struct piece_head) == 16, "a piece's head has no holes");

/* ---- records ---- */

void evidence_begin(struct evidence_writer *writer, const struct evidence_head *head, char *buf, size_t room)
{
	assert(room >= sizeof(*head));
	*writer = (struct evidence_writer){
	    .buf = buf,
	    .room = room < EVIDENCE_RECORD_MAX ? room : EVIDENCE_RECORD_MAX,
	    .len = sizeof(*head),
	    .head = *head,
	};
	writer->head.kind = LOG_RECORD_EVIDENCE;
	writer->head.pieces = writer->head.left_out = 0;
}

static void append(struct evidence_writer *writer, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(writer->buf + writer->len, bytes, len);
	writer->len += len;
}

bool evidence_add(struct evidence_writer *writer, const struct evidence_piece *piece)
{
	const size_t lengths[] = {piece->id.len, piece->name.len, piece->text.len};
	size_t needed = sizeof(struct piece_head), room = writer->room - writer->len;
	for (size_t i = 0; i < 3; i++)
		needed += lengths[i] < EVIDENCE_RECORD_MAX ? lengths[i] : EVIDENCE_RECORD_MAX;
	if (needed > room) {
		writer->head.left_out++;
		return false;
	}
	const struct piece_head head = {
	    .kind = (uint8_t)piece->kind,
	    .flags = (uint8_t)piece->flags,
	    .target = piece->target,
	    .condition = piece->condition,
	    .bytes = piece->bytes,
	    .id_len = (uint16_t)piece->id.len,
	    .name_len = (uint16_t)piece->name.len,
	    .text_len = (uint16_t)piece->text.len,
	};
	append(writer, &head, sizeof(head));
	append(writer, piece->id.ptr, piece->id.len);
	append(writer, piece->name.ptr, piece->name.len);
	append(writer, piece->text.ptr, piece->text.len);
	writer->head.pieces++;
	return true;
}

size_t evidence_end(struct evidence_writer *writer)
{
	memcpy(writer->buf, &writer->head, sizeof(writer->head));
	return writer->len;
}

static struct span take(struct evidence_reader *reader, size_t len)
{
	struct span taken = span_of(reader->rest.ptr, len);
	reader->rest = span_from(reader->rest, len);
	return taken;
}

bool evidence_next(struct evidence_reader *reader, struct evidence_piece *piece)
{
	struct piece_head head;
	if (reader->left == 0 || reader->rest.len < sizeof(head))
		return false;
	memcpy(&head, take(reader, sizeof(head)).ptr, sizeof(head));
	if ((size_t)head.id_len + head.name_len + head.text_len > reader->rest.len ||
	    head.kind == EVIDENCE_UNSET || head.kind >= EVIDENCE_KINDS) {
		reader->left = 0;
		return false;
	}
	reader->left--;
	*piece = (struct evidence_piece){
	    .kind = (enum evidence_kind)head.kind,
	    .flags = head.flags,
	    .target = head.target,
	    .condition = head.condition,
	    .bytes = head.bytes,
	};
	piece->id = take(reader, head.id_len);
	piece->name = take(reader, head.name_len);
	piece->text = take(reader, head.text_len);
	return true;
}

bool evidence_read(struct span record, struct evidence_head *head, struct evidence_reader *reader)
{
	struct evidence_piece piece;
	unsigned n = 0;
	if (record.len < sizeof(*head))
		return false;
	memcpy(head, record.ptr, sizeof(*head));
	if (head->kind != LOG_RECORD_EVIDENCE || head->reason >= REASON_COUNT || head->status >= 1000)
		return false;
	*reader = (struct evidence_reader){span_from(record, sizeof(*head)), head->pieces};
	struct evidence_reader look = *reader;
	while (evidence_next(&look, &piece))
		n++;
	return n == head->pieces && look.rest.len == 0;
}

struct evidence_piece evidence_find(struct evidence_reader reader, enum evidence_kind kind)
{
	struct evidence_piece piece;
	while (evidence_next(&reader, &piece))
		if (piece.kind == kind)
			return piece;
	return (struct evidence_piece){0};
}

uint64_t evidence_key(unsigned reason, struct span rule)
{
	return hash_add_span(hash_add(HASH_START, reason), rule);
}

/* ---- slots ---- */

/* The record lies behind the head in the slot. */
static void digest_of(const struct slot_head *head, const char *slot, uint8_t out[DIGEST_SIZE])
{
	char bytes[EVIDENCE_SLOT_BYTES];
	size_t own = offsetof(struct slot_head, digest);
	memcpy(bytes, head, own);
	memcpy(bytes + own, slot + sizeof(*head), head->len);
	digest(bytes, own + head->len, out);
}

void evidence_slot_fill(char slot[EVIDENCE_SLOT_BYTES], uint64_t sequence, struct span record)
{
	struct slot_head head = {.magic = SLOT_MAGIC, .len = (uint32_t)record.len, .sequence = sequence};
	assert(record.len > 0 && record.len <= EVIDENCE_RECORD_MAX);
	memset(slot, 0, EVIDENCE_SLOT_BYTES);
	memcpy(slot + sizeof(head), record.ptr, record.len);
	digest_of(&head, slot, head.digest);
	memcpy(slot, &head, sizeof(head));
}

bool evidence_slot_read(const char slot[EVIDENCE_SLOT_BYTES], uint64_t *sequence, struct span *record)
{
	struct slot_head head;
	uint8_t found[DIGEST_SIZE];
	memcpy(&head, slot, sizeof(head));
	if (head.magic != SLOT_MAGIC || head.len == 0 || head.len > EVIDENCE_RECORD_MAX)
		return false;
	digest_of(&head, slot, found);
	if (memcmp(found, head.digest, sizeof(found)) != 0)
		return false;
	*sequence = head.sequence;
	*record = span_of(slot + sizeof(head), head.len);
	return true;
}
