#ifndef GUARD_AUDIT_H
#define GUARD_AUDIT_H

#include "sallyport/crypto.h"
#include "sallyport/err.h"
#include "sallyport/strbuf.h"

/* A chain of lines in a file: each is one JSON object that begins with its number and the
 * SHA-256 of the line before, so none can be changed, taken out or put in unseen; that the last
 * ones are not missing shows in the head, which is kept (signed) elsewhere.
 *
 *   {"n":2,"last":"<digest of line 1>","time":…,"who":…,"what":…,…}
 */
#define AUDIT_FILE "audit.log"

enum { AUDIT_HEAD_SIZE = 8 + 8 + 8 + DIGEST_SIZE, AUDIT_LINE_MAX = 1 << 15 };

/* Where the chain ends. All zeros: it has not begun. */
struct audit_head {
	uint64_t lines;   /* so many */
	uint64_t bytes;   /* of the file */
	uint64_t last_at; /* where the last line begins */
	uint8_t last[DIGEST_SIZE]; /* of the last line, its LF included */
};

struct audit {
	struct audit_head head;    /* on disk, and attested */
	struct audit_head pending; /* with the lines that wait */
	struct strbuf lines;       /* they */
	bool written;              /* they are in the file, not yet attested */
};

void audit_head_pack(const struct audit_head *head, uint8_t out[AUDIT_HEAD_SIZE]);
void audit_head_unpack(const uint8_t bytes[AUDIT_HEAD_SIZE], struct audit_head *out);

void audit_init(struct audit *audit, const struct audit_head *head);
void audit_release(struct audit *audit);
/* members: what stands in the object behind number and digest, without braces:
 * "\"who\":\"keeper\"". Waits for audit_write. */
MUST_CHECK bool audit_add(struct audit *audit, struct span members, struct err *err);
/* Appends what waits and syncs; behind the head nothing else stands then. */
MUST_CHECK bool audit_write(struct audit *audit, int directory, struct err *err);
/* What was written is attested now. */
void audit_settle(struct audit *audit);
/* What waits or was written since has not happened: the file ends at the head again. */
MUST_CHECK bool audit_undo(struct audit *audit, int directory, struct err *err);

/* Whether the file still has its head: its last line, and nothing missing before its end. Cheap. */
MUST_CHECK bool audit_check_end(int directory, const struct audit_head *head, struct err *err);
/* Whether every line up to the head belongs to the chain. *beyond: bytes after the head. */
MUST_CHECK bool audit_check(int directory, const struct audit_head *head, uint64_t *beyond,
			    struct err *err);

#endif
