#ifndef SALLYPORT_UNITS_H
#define SALLYPORT_UNITS_H

#include "sallyport/policy.h"

/* Numbers with units, as a policy writes them: "10 MiB", "500 ms", "50/s". The
 * space between number and unit may be left out. Units are case-sensitive. */

/* False: not of that form, or over INT64_MAX. A number without unit is bytes. */
MUST_CHECK bool units_parse_bytes(struct span text, uint64_t *bytes);
/* A time needs its unit, but for 0. */
MUST_CHECK bool units_parse_time(struct span text, uint64_t *ms);
MUST_CHECK bool units_parse_byte_rate(struct span text, uint64_t *bytes_per_s);
MUST_CHECK bool units_parse_rate(struct span text, struct policy_rate *rate);

#define UNITS_TEXT_SIZE 32
/* In the largest unit that leaves no rest: 65536 is "64 KiB". */
void units_format(enum setting_type type, uint64_t value, char out[UNITS_TEXT_SIZE]);

#endif
