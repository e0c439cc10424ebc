#ifndef SALLYPORT_SHIELD_TRANSFORM_H
#define SALLYPORT_SHIELD_TRANSFORM_H

#include "sallyport/rule.h"

/* Transformations of a value: small, pure, in one pass. None makes a text longer. */

/* Kinds of bytes that a value may have, as bits; any of its bits for a kind that has several (kinds.c says why). A
 * transformation whose kinds a value lacks would leave it as it is, so it is not even tried. */
enum byte_kind {
	KIND_PERCENT = 1 << 0,
	KIND_AMPERSAND = 1 << 1,
	KIND_BACKSLASH = 1 << 2,
	KIND_CONTROL = 1 << 3, /* below 0x20 */
	KIND_UPPER = 3 << 4,
	KIND_SPACE = 3 << 6,
	KIND_SHELL = 7 << 8,  /* ' " ^ ` $ */
	KIND_STAR = 3 << 11,  /* of comments; also A0, which MySQL takes for a space */
	KIND_MARK = 1 << 16,  /* all but letters, digits, bytes from 0x80 on, space and . , - _ */
	/* Marks that ordinary targets don't have: none of / ? & = % + : ; ~ @ (and not 7F). */
	KIND_ODD = KIND_BACKSLASH | KIND_CONTROL | KIND_SHELL | 1 << 11 | 7 << 13,
	KIND_ANY = 0x1ffff,
};

extern const uint32_t byte_kinds[256];

/* The kinds of bytes in s. */
unsigned kinds_of(struct span s);

/* One of these has to be there for the transformation to change anything. KIND_ANY: it may change
 * any value, also one without a byte. */
unsigned transform_kinds(enum rule_transform transform);

/* Into out, of in.len bytes, which is not where `in` lies; gives `in` itself where it did not change. */
struct span transform_apply(enum rule_transform transform, struct span in, char *out);

/* The transformations of a chain, one after the other. kinds: of the bytes of `in`. a and b: room for in.len bytes
 * each. */
struct span transform_chain(const uint8_t chain[RULE_CHAIN_MAX], struct span in, unsigned kinds, char *a, char *b);

#endif
