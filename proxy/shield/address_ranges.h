#ifndef SALLYPORT_SHIELD_ADDRESS_RANGES_H
#define SALLYPORT_SHIELD_ADDRESS_RANGES_H

#include "sallyport/cidr_set.h"

/* Ranges while they are gathered: on the heap, never more than `max`. A range that goes on where the one before it
 * ended is joined to it, so that files in order take no more room than what they say. */
struct address_ranges {
	struct cidr_range *items;
	size_t n, room, max;
};

enum address_ranges_result { ADDRESS_RANGES_UNSET = 0, ADDRESS_RANGES_ADDED, ADDRESS_RANGES_FULL, ADDRESS_RANGES_NO_MEMORY };

enum address_ranges_result address_ranges_add(struct address_ranges *ranges, const struct cidr *cidr);
void address_ranges_release(struct address_ranges *ranges);

/* What to say of FULL and NO_MEMORY. */
bool address_ranges_explain(enum address_ranges_result result, const struct address_ranges *ranges, struct err *err);

/* A text of one network a line; '#' and ';' begin a comment. Calls bad(context, line, text) for each line that is none, and
 * goes on. False: *err says what ended it. */
MUST_CHECK bool address_file_parse(struct span text, struct address_ranges *ranges,
				   void (*bad)(void *context, unsigned line, const char *text), void *context,
				   struct err *err);

/* Networks of a MaxMind database whose country.iso_code is one of `countries` (n of them, two letters each). A file that is not
 * what it should be is an error, never more work than it has nodes. */
MUST_CHECK bool address_countries_read(const char *path, const char *const *countries, size_t n,
				       struct address_ranges *ranges, struct err *err);

#endif
