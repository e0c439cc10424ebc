#ifndef SALLYPORT_SHIELD_EXCEPTION_WORDS_H
#define SALLYPORT_SHIELD_EXCEPTION_WORDS_H

#include "sallyport/exception.h"

/* How exceptions name values. */

/* Do values of the target have names, by which exceptions name them? Others stand behind `where`. */
static inline bool target_has_names(enum rule_target target)
{
	switch (target) {
	case TARGET_METHOD:
	case TARGET_URL:
	case TARGET_PATH:
	case TARGET_QUERY:
	case TARGET_CLIENT:
	case TARGET_CONTENT: return false;
	default: return true;
	}
}

/* Field names have no case (RFC 9110 section 5.1); all others have. */
static inline bool target_is_caseless(enum rule_target target)
{
	return target == TARGET_FIELD || target == TARGET_FIELD_NAME;
}

#endif
