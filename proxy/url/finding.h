#ifndef SALLYPORT_URL_FINDING_H
#define SALLYPORT_URL_FINDING_H

#include "sallyport/url.h"

/* Findings as they are gathered: evidence is that of the most severe, weighty ones first,
 * and of several of a kind that of the first. What is not heeded is not noted. */
struct url_notes {
	unsigned heeded, weighty;
	unsigned findings;
	struct span evidence;
};

/* finding: one bit. evidence: bytes of the raw URL. */
void url_note(struct url_notes *notes, unsigned finding, struct span evidence);

#endif
