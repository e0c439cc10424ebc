#ifndef SALLYPORT_SHIELD_RULES_NEEDS_H
#define SALLYPORT_SHIELD_RULES_NEEDS_H

#include "sallyport/rule.h"
#include "sallyport/strbuf.h"

/* Most values of ordinary requests are plain: letters, digits, bytes from 0x80 on, space and . , - _
 * and nothing else; most patterns can match no such value. So these need not be looked for in it. */
bool byte_is_plain(unsigned char byte);

/* Does every text that the condition's pattern matches hold a byte that is not plain? False where
 * that is not certain. */
bool condition_needs_marks(const struct rule_condition *condition);

/* Has the text a byte that is not plain? */
bool text_has_mark(const char *text);

/* Writes the pattern into out, which is empty, without alternatives and optional elements that no plain byte matches:
 * a plain value matches both or neither. Where that is not certain, the pattern as it is. False: no plain
 * value matches at all, and nothing is written. */
bool pattern_write_plain(const char *text, struct strbuf *out);

#endif
