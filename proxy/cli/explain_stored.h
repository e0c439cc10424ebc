#ifndef CLI_EXPLAIN_STORED_H
#define CLI_EXPLAIN_STORED_H

/* What the files of `sallyport explain --request-id` share: records as they were kept. */

#include "cli/explain.h"
#include "sallyport/evidence.h"

enum { STORED_TEXT_MAX = EVIDENCE_RECORD_MAX };

struct kept {
	uint64_t sequence;
	struct evidence_head head;
	struct evidence_reader reader;
};

bool has_address(const struct kept *kept);

/* explain_record.c */
/* All of one. *verdict borrows of the record. */
void explain_record(struct explain *e, const struct kept *kept, explain_verdict *say, explain_judge *judge,
		    struct verdict *verdict);

/* explain_again.c */
/* What was masked stands as so many "x". */
void kept_unmask(struct strbuf *out, const struct evidence_piece *piece);
/* Whether the policy in hand would judge otherwise. */
void explain_again(struct explain *e, const struct kept *kept, const struct verdict *then, explain_judge *judge);

#endif
