#ifndef SALLYPORT_EVIDENCE_H
#define SALLYPORT_EVIDENCE_H

#include "sallyport/addr.h"
#include "sallyport/reason.h"
#include "sallyport/span.h"

/* What is kept of a request that was refused, or would have been: enough to explain it afterwards, and no
 * secret of the visitor's. A worker packs it, masked, into its ring of the log; the scribe writes it into the
 * evidence file; `sallyport explain --request-id` reads it there.
 *
 *   record:  head | piece | piece | …            a piece: its head, then id, name, text
 *   file:    slot | slot | …                     a slot of 4 KiB: its head with a digest, then one record
 *
 * A slot is sound by itself, wherever it lies: the file has no head, no order and no pointers, so what was
 * torn or spoilt costs the slots that it touched. Readers take every byte for hostile. */

enum { EVIDENCE_SLOT_BYTES = 4096, EVIDENCE_SLOT_HEAD_BYTES = 48 };
enum { EVIDENCE_RECORD_MAX = EVIDENCE_SLOT_BYTES - EVIDENCE_SLOT_HEAD_BYTES };

enum evidence_kind {
	EVIDENCE_UNSET = 0,
	EVIDENCE_METHOD,
	EVIDENCE_TARGET,  /* as sent */
	EVIDENCE_SITE,
	EVIDENCE_RULE,    /* of the verdict; it and the next three are left out where there is none */
	EVIDENCE_SETTING,
	EVIDENCE_PLACE,   /* name of the cookie, field or value that the verdict is about */
	EVIDENCE_SEEN,    /* the bytes that decided */
	EVIDENCE_HIT,     /* id: the rule; name: of the value; text: the value up to the match */
	EVIDENCE_FIELD,   /* name, text */
	EVIDENCE_KINDS
};

/* MASKED: a part of the text, or all of it, is only told by its length: "[12 bytes]".
 * CUT: a part from its middle was left out: "...(300 bytes)...".
 * NAME_CUT: the name is not all of what it was.
 * CONTENT: a hit in the content; the text is an excerpt, seen through the transformations already. */
enum evidence_flag { EVIDENCE_MASKED = 1, EVIDENCE_CUT = 2, EVIDENCE_CONTENT = 4, EVIDENCE_NAME_CUT = 8 };

struct evidence_piece {
	enum evidence_kind kind;
	unsigned flags;
	uint8_t target;    /* HIT: enum rule_target */
	uint8_t condition; /* HIT: which of the rule's */
	uint32_t bytes;    /* of the text before it was masked and cut: a match ends behind them */
	struct span id, name, text;
};

struct evidence_head {
	uint8_t kind;     /* LOG_RECORD_EVIDENCE; see log_record.h */
	uint8_t version;  /* enum http_version, 0: unknown */
	uint8_t action;   /* enum verdict_action */
	uint8_t enforced; /* 0: the request went on */
	uint16_t status;
	uint16_t reason;  /* enum reason */
	uint8_t is_tls;
	uint8_t pad[1];
	uint16_t pieces;
	uint16_t left_out; /* pieces that found no room */
	uint16_t pad2;
	uint64_t wall_us;
	uint64_t request_id[2];
	struct addr client;
	uint32_t pad3;
	uint64_t limit;
	uint64_t value;
	uint32_t score;
	uint32_t skipped; /* alike ones that were only counted since the last that was kept */
};

struct evidence_writer {
	char *buf;
	size_t room, len;
	struct evidence_head head;
};

/* room: at least sizeof(struct evidence_head); more than EVIDENCE_RECORD_MAX is not used. */
void evidence_begin(struct evidence_writer *writer, const struct evidence_head *head, char *buf, size_t room);
/* False: no room; counted in left_out. */
bool evidence_add(struct evidence_writer *writer, const struct evidence_piece *piece);
/* The record's length. */
size_t evidence_end(struct evidence_writer *writer);

struct evidence_reader {
	struct span rest;
	unsigned left;
};
/* False: not a record, or not sound to its last byte. */
MUST_CHECK bool evidence_read(struct span record, struct evidence_head *head, struct evidence_reader *reader);
/* False: no other. */
bool evidence_next(struct evidence_reader *reader, struct evidence_piece *piece);

/* What of it there is one only; text.ptr NULL: none. */
struct evidence_piece evidence_find(struct evidence_reader reader, enum evidence_kind kind);

/* What records are alike by: their reason, and the rule where there is one. */
uint64_t evidence_key(unsigned reason, struct span rule);

/* Writes all of slot. len: 1 to EVIDENCE_RECORD_MAX. */
void evidence_slot_fill(char slot[EVIDENCE_SLOT_BYTES], uint64_t sequence, struct span record);
/* False: empty, torn or spoilt. *record points into the slot. */
MUST_CHECK bool evidence_slot_read(const char slot[EVIDENCE_SLOT_BYTES], uint64_t *sequence, struct span *record);

#endif
