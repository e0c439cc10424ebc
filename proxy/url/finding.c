/* What is found in a URL: its names, and the one worth showing. Decides nothing
 * about the request; that is the shield's part. */
#include "url/finding.h"

void url_note(struct url_notes *notes, unsigned finding, struct span evidence)
{
	if (notes->findings & finding)
		return;
	notes->findings |= finding;
	if (url_worst_finding(notes->findings) == finding)
		notes->evidence = evidence;
}

const char *url_finding_name(unsigned findings)
{
	switch (url_worst_finding(findings)) {
#define URL_FINDING_CASE(id, name)                                                                 \
	case URL_##id: return name;
		URL_FINDINGS(URL_FINDING_CASE)
#undef URL_FINDING_CASE
	default: return "-";
	}
}
