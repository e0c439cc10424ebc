#ifndef SALLYPORT_PAGE_KEY_H
#define SALLYPORT_PAGE_KEY_H

#include "sallyport/policy.h"
#include "sallyport/span.h"

/* The key of a page: its canonical path, "?" and its query, without the arguments of guard.ignore_query and
 * without a "?" that nothing follows. Worker and keeper make the same key of the same request. */

/* The name is listed; in any case, and a "*" at the end of an entry stands for anything. */
bool page_name_is_listed(const struct policy_strings *names, struct span name);
/* Writes the key of a canonical path and its query, whose ptr is NULL where there is none. out: room for both and "?".
 * Gives its length. */
size_t page_key_write(const struct policy_strings *ignored, struct span path, struct span query, char *out);
/* Nothing of it would be left out. */
bool page_key_is_plain(const struct policy_strings *ignored, struct span key);
/* Leaves it out, in place; gives the new length, which is never more. */
size_t page_key_make_plain(const struct policy_strings *ignored, char *key, size_t len);

#endif
