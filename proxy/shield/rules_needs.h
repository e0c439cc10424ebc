#ifndef SALLYPORT_SHIELD_RULES_NEEDS_H
#define SALLYPORT_SHIELD_RULES_NEEDS_H

#include "sallyport/rule.h"
#include "sallyport/strbuf.h"
#include "shield/transform.h"

/* Most values of ordinary requests have letters, digits, bytes from 0x80 on, space, . , - _ and no other bytes, and
 * their targets few others; most patterns match no such value. So these need not be looked for in it.
 *
 * marks: KIND_MARK or KIND_ODD (transform.h), of which a plain value has none. */

/* Does every text that the condition's pattern matches hold such a mark? False where that is not certain. */
bool condition_needs_marks(const struct rule_condition *condition, enum byte_kind marks);

/* Has the text such a mark? */
bool text_has_mark(const char *text, enum byte_kind marks);

/* Writes the pattern into out, which is empty, without alternatives and optional elements that no plain byte matches:
 * a plain value matches both or neither. Where that is not certain, the pattern as it is. False: no plain
 * value matches at all, and nothing is written. */
bool pattern_write_plain(const char *text, enum byte_kind marks, struct strbuf *out);

#endif
