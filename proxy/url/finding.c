/* What is found in a URL: its names, and the one worth showing. Decides nothing
 * about the request; that is the shield's part. */
#include "url/finding.h"

void url_note(struct url_notes *notes, unsigned finding, struct span evidence)
{
	if (notes->findings & finding || !(notes->heeded & finding))
		return;
	notes->findings |= finding;
	unsigned weighty = notes->findings & notes->weighty;
	if (url_worst_finding(weighty ? weighty : notes->findings) == finding)
		notes->evidence = evidence;
}

const char *url_finding_name(unsigned findings)
{
	switch (url_worst_finding(findings)) {
#define FINDING(id, setting, name, ...)                                                            \
	case URL_##id: return name;
#include "sallyport/findings.def"
	default: return "-";
	}
}
