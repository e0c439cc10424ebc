#ifndef CLI_REPLAY_TALLY_H
#define CLI_REPLAY_TALLY_H

/* What a replay counts, by what refused: in bounded memory, however long the logs are. */

#include <uthash.h>

#include "cli/replay_judge.h"

enum {
	TALLY_ROWS_MAX = 4096,      /* in all; what is more is counted in one row of its class */
	TALLY_NAME_MAX = 128,
	TALLY_SHOW_MAX = 1000,      /* examples of a row */
	TALLY_EXAMPLE_MAX = 2048,   /* bytes of its request */
	TALLY_CLIENTS_MAX = 1 << 20, /* pairs of a row and a client; beyond, "at least" so many */
	TALLY_NOTES_MAX = 3,        /* lines that could not be read, shown */
};

enum row_class {
	ROW_REJECTED = 0, /* newly */
	ROW_PASSED,       /* newly */
	ROW_WATCHED,      /* would be refused, but for monitor mode */
	ROW_CLASSES,
};

/* Texts lie behind it. */
struct example {
	struct span log, request, client, name, evidence;
	uint64_t line;
	unsigned status;
	bool is_cut; /* the request is longer */
};

struct row {
	UT_hash_handle hh;
	char key[TALLY_NAME_MAX + 2]; /* the class, then the name */
	enum row_class class;
	bool is_rule;
	const char *name;    /* a rule's id, or a reason's name; within key */
	const char *about;   /* borrowed: of the policy, or static */
	const char *setting; /* borrowed; NULL: none */
	char *exception;     /* owned; NULL: none */
	uint64_t limit, value_max;
	uint64_t count, succeeded;
	uint64_t clients;
	struct example **examples; /* owned; of requests that had succeeded, as far as there are such */
	size_t example_count;
};

struct total {
	uint64_t count, succeeded, clients;
};

struct bad_line {
	char log[64];
	uint64_t line;
	char why[160];
};

struct tally {
	struct row *rows;
	size_t row_count, show;
	uint64_t lines, requests, bad, others, cut, elsewhere, unseen, refused_both, passed_both;
	struct total totals[ROW_CLASSES];
	struct bad_line notes[TALLY_NOTES_MAX];
	uint64_t *clients; /* hashes of row and client; 0: free */
	size_t client_room, client_count;
	bool clients_full;
	uint64_t seed;
};

/* One request that counts. */
struct tally_entry {
	enum row_class class;
	const struct logged *request;
	const struct opinion *opinion; /* that refuses, or refused then */
	const char *log;
	uint64_t line;
};

MUST_CHECK bool tally_init(struct tally *tally, size_t show);
void tally_release(struct tally *tally);
/* The row is new where its `about` is NULL. NULL: no memory. */
struct row *tally_add(struct tally *tally, const struct tally_entry *entry);
void tally_bad(struct tally *tally, const char *log, uint64_t line, const char *why);
/* By class, then by count. */
void tally_sort(struct tally *tally);

#endif
