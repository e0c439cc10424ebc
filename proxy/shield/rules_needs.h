#ifndef SALLYPORT_SHIELD_RULES_NEEDS_H
#define SALLYPORT_SHIELD_RULES_NEEDS_H

#include "sallyport/rule.h"

/* Most values of ordinary requests are plain: letters, digits, bytes from 0x80 on, space and . , - _
 * and nothing else; most patterns can match no such value. So these need not be looked for in it. */
bool byte_is_plain(unsigned char byte);

/* Does every text that the condition's pattern matches hold a byte that is not plain? False where
 * that is not certain. */
bool condition_needs_marks(const struct rule_condition *condition);

#endif
