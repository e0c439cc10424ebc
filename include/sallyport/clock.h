#ifndef SALLYPORT_CLOCK_H
#define SALLYPORT_CLOCK_H

#include <stdint.h>
#include "sallyport/err.h"
#include "sallyport/span.h"

/* Milliseconds and microseconds of CLOCK_MONOTONIC: for deadlines and durations. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);
/* Microseconds since 1970 (CLOCK_REALTIME): for logs, and for times that outlive the process. */
uint64_t clock_wall_us(void);
/* From then to now, in the unit that both have; 0 where then is later: wall time may be set back. */
static inline uint64_t clock_since(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}
/* "2026-11-23T21:08:24.123Z", NUL-terminated. */
#define CLOCK_ISO_SIZE 25
void clock_format_iso(uint64_t wall_us, char out[CLOCK_ISO_SIZE]);
/* "2026-11-23": the first second of that day in UTC, since 1970. False: it is none from 1970 to 9999. */
MUST_CHECK bool clock_parse_date(struct span text, uint64_t *first_s);
/* Back from such a text without its milliseconds, "2026-11-23T21:08:24Z", to seconds since 1970. False: it is not of exactly
 * that form, no date of the calendar, or before 1970. */
MUST_CHECK bool clock_parse_iso(struct span text, uint64_t *seconds);
/* IMF-fixdate (RFC 9110 section 5.6.7), "Mon, 23 Nov 2026 21:08:24 GMT". */
#define CLOCK_HTTP_SIZE 30
void clock_format_http(uint64_t wall_us, char out[CLOCK_HTTP_SIZE]);

#endif
