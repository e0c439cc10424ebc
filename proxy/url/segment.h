#ifndef SALLYPORT_URL_SEGMENT_H
#define SALLYPORT_URL_SEGMENT_H

#include "sallyport/span.h"

/* What some server may take a segment's name for; url.h has the findings. */

/* A segment, decoded once. */
struct url_segment {
	struct span text;
	bool has_parameters; /* a ";" that was not encoded, other than ";jsessionid=" */
	bool is_last;
};

/* Findings of one segment, of which those that are heeded are sure to be among them; 0 for an
 * ordinary name. "." and ".." have none. */
unsigned url_segment_findings(const struct url_segment *segment, unsigned heeded);

/* True: a segment of a clean path without a mark (URL_CLASS_MARK) is sure to be the name of no
 * device and to end in no dot, at a glance. False says nothing. */
bool url_segment_is_ordinary(struct span segment);

/* The same for every segment of a clean path without a mark. */
bool url_names_are_ordinary(struct span path);

/* Does a canonical segment have parameters other than ";jsessionid="? */
bool url_segment_has_parameters(struct span canonical);

/* Of the last four decoded bytes, the latest lowest: does an invisible character, or one that
 * a best-fit conversion makes a separator or dot of, end here? */
bool url_is_invisible(uint32_t window);
/* The byte that it becomes, '/', '\\' or '.'; 0: none. */
char url_best_fit(uint32_t window);

#endif
