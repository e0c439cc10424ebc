#ifndef SALLYPORT_POLICY_ELSEWHERE_H
#define SALLYPORT_POLICY_ELSEWHERE_H

#include "sallyport/policy.h"

/* Where a setting of that name stands that is none of `schema` itself, in the groups of it, and with
 * in_lists in the groups that its lists have: "shield.mode, guard.mode" into out. How many there are. */
size_t elsewhere_find(const struct schema *schema, const char *name, bool in_lists, struct strbuf *out);

#endif
