#ifndef FUZZ_BODY_FUZZ_H
#define FUZZ_BODY_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "head_fuzz.h"
#include "sallyport/body.h"
#include "sallyport/shield.h"

/* What must hold for every content, whatever the bytes: the same values and the same fault however it is
 * cut, memory within bounds and all of it given back, limits held. */

enum { BODY_FUZZ_MAX = 1 << 16, BODY_FUZZ_MEMORY = 16 << 20 };

struct body_seen {
	enum body_result result;
	struct body_fault fault;
	uint64_t digest; /* of all values, pieces joined */
	size_t memory, values, places[BODY_PLACES];
	bool in_piece;
	const struct body_limits *limits;
};

static const struct body_limits body_fuzz_small = {
    .values = 30, .name = 32, .file_name = 40, .part_head = 400, .value = 100, .depth = 5};
static const struct body_limits body_fuzz_large = {
    .values = 100000, .name = 65536, .file_name = 65536, .part_head = 65536, .value = BODY_FUZZ_MAX, .depth = 256};

static inline void body_fuzz_digest(struct body_seen *seen, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < len; i++)
		seen->digest = (seen->digest ^ p[i]) * UINT64_C(0x100000001b3);
}

static inline bool body_fuzz_take(void *context, const struct body_value *value)
{
	struct body_seen *seen = context;
	uint8_t place = (uint8_t)value->place;
	MUST(value->place > BODY_PLACE_UNSET && value->place < BODY_PLACES && value->name.ptr);
	MUST(value->value.len == 0 || value->value.ptr);
	if (!seen->in_piece) {
		body_fuzz_digest(seen, &place, 1);
		body_fuzz_digest(seen, &value->name.len, sizeof(value->name.len));
		body_fuzz_digest(seen, value->name.ptr, value->name.len);
		seen->places[place]++;
	}
	if (value->place != BODY_FILE_CONTENT && value->place != BODY_RAW_PIECE)
		MUST(!value->more && value->value.len <= seen->limits->value + seen->limits->part_head);
	body_fuzz_digest(seen, value->value.ptr, value->value.len);
	if (!value->more)
		body_fuzz_digest(seen, "\xff", 1);
	seen->in_piece = value->more;
	return true;
}

static inline void *body_fuzz_memory(void *context, size_t size)
{
	struct body_seen *seen = context;
	if (seen->memory + size > BODY_FUZZ_MEMORY)
		return NULL;
	seen->memory += size;
	return malloc(size);
}

static inline void body_fuzz_give(void *context, void *ptr, size_t size)
{
	((struct body_seen *)context)->memory -= size;
	free(ptr);
}

static inline void body_fuzz_feed(struct body *body, const uint8_t *bytes, size_t len, size_t piece)
{
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		uint8_t *copy = malloc(n);
		MUST(copy);
		memcpy(copy, bytes + at, n);
		body_feed(body, copy, n);
		free(copy);
	}
}

static inline void body_fuzz_read(const struct body_type *type, const struct body_limits *limits, const uint8_t *bytes,
				  size_t len, size_t piece, struct body_seen *seen)
{
	*seen = (struct body_seen){.digest = UINT64_C(0xcbf29ce484222325), .limits = limits};
	struct body_setup setup = {
	    .type = type, .limits = limits, .max = BODY_FUZZ_MAX, .max_setting = "max", .findings = UINT32_MAX,
	    .sink = {body_fuzz_take, seen}, .memory = {body_fuzz_memory, body_fuzz_give, seen}, .seed = 7};
	struct body *body = body_new(&setup);
	MUST(body);
	body_fuzz_feed(body, bytes, len, piece ? piece : 1);
	seen->result = body_end(body);
	seen->fault = *body_fault(body);
	MUST(seen->result == BODY_DONE || seen->result == BODY_BAD);
	MUST((seen->result == BODY_BAD) == (seen->fault.reason != REASON_UNSET));
	MUST(seen->result != BODY_DONE || !seen->in_piece);
	MUST(body_values(body) <= limits->values + 1);
	MUST(seen->fault.limit == 0 || seen->fault.value > seen->fault.limit);
	for (size_t i = 0; i < seen->fault.evidence.len; i++)
		body_fuzz_digest(seen, seen->fault.evidence.ptr + i, 1); /* readable, all of it */
	body_free(body);
	MUST(seen->memory == 0);
}

/* Fills *whole with what it means in one piece. */
static inline void body_fuzz(const struct body_type *type, const struct body_limits *limits, const uint8_t *bytes,
			     size_t len, struct body_seen *whole)
{
	static const size_t pieces[] = {1, 7, 1000};
	struct body_seen part;
	body_fuzz_read(type, limits, bytes, len, len, whole);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		body_fuzz_read(type, limits, bytes, len, pieces[i], &part);
		MUST(part.result == whole->result && part.fault.reason == whole->fault.reason);
		MUST(part.fault.setting == whole->fault.setting && part.fault.limit == whole->fault.limit);
		MUST(whole->result != BODY_DONE || part.digest == whole->digest);
	}
}

static inline const struct body_limits *body_fuzz_limits(uint8_t choice)
{
	return choice & 1 ? &body_fuzz_small : &body_fuzz_large;
}

static inline void body_fuzz_type(const char *text, struct body_type *type)
{
	struct body_fault fault;
	MUST(body_type_read(span_from_str(text), type, &fault));
}

#endif
