#ifndef PROC_EVIDENCE_FILE_H
#define PROC_EVIDENCE_FILE_H

#include "sallyport/evidence.h"
#include "sallyport/err.h"

/* The file that the scribe keeps evidence in: slots of fixed size, of which it never has more than it was given;
 * see evidence.h. Only whoever started sallyport may read it. */

enum { EVIDENCE_FILE_MAX = 64 << 20 };

struct evidence_file;

/* Opens, or makes, a file of mode 0600 that is nobody else's, and changes nothing in it. NULL: err says why. */
struct evidence_file *evidence_file_open(const char *path, uint64_t bytes, struct err *err);
/* Gives it its size and reads what is there: once no other scribe writes it. False: another server does, or
 * there is no room; then put does nothing. */
MUST_CHECK bool evidence_file_begin(struct evidence_file *file, struct err *err);
/* A record out of a ring: what is none is left out. */
void evidence_file_put(struct evidence_file *file, struct span record);
/* Records that could not be written. */
uint64_t evidence_file_lost(const struct evidence_file *file);
void evidence_file_close(struct evidence_file *file); /* may be NULL */

/* What a slot holds; sequence 0: nothing. */
struct evidence_note {
	uint64_t sequence, key, client;
};
/* The slot for a record of that key and client. An empty one where there is one, else the oldest; but
 * one client has an eighth of the slots at most, and alike records a quarter, or the
 * oldest of theirs makes way; of a client's the oldest alike, where there is one: so a flood doesn't throw out
 * what came before it, nor what else that client was refused for. Pure. n > 0. */
size_t evidence_place(const struct evidence_note *notes, size_t n, uint64_t key, uint64_t client);

#endif
