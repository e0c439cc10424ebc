#ifndef CLI_EGRESS_TRY_H
#define CLI_EGRESS_TRY_H

#include <stdbool.h>
#include <stdint.h>
#include "sallyport/addr.h"
#include "sallyport/err.h"

/* Tries to get out of a network: each one connection, packet or request, that says little and harms nobody. */

enum egress_try_kind {
	TRY_UNSET = 0,
	TRY_TCP,     /* connects; to port 80 and 443 it speaks, since a gateway may answer in the target's place */
	TRY_DNS,     /* one query over UDP */
	TRY_NTP,     /* one question for the time */
	TRY_PING,    /* one ICMP echo request */
	TRY_CONNECT, /* CONNECT through the gate */
	TRY_GET,     /* GET http://… through the gate */
	TRY_KINDS
};

/* What should become of it. */
enum egress_wanted {
	WANTED_UNSET = 0,
	WANTED_NOTHING,  /* nothing of it may get through */
	WANTED_BUDGET,   /* may, within the budget of new destinations */
	WANTED_THROUGH,  /* is listed, and has to */
};

enum egress_outcome {
	OUTCOME_UNSET = 0,
	OUTCOME_ANSWERED, /* the target, or somebody in its place, has answered */
	OUTCOME_REFUSED,  /* somebody on the way said no, or there is no way */
	OUTCOME_SILENT,   /* nothing came back in time */
	OUTCOME_IMPOSSIBLE, /* this machine or user cannot try it */
	OUTCOMES
};

enum { TRY_TARGET_SIZE = 272, TRY_DETAIL_SIZE = 112, TRY_BUFFER_SIZE = 512 };

struct egress_try {
	enum egress_try_kind kind;
	enum egress_wanted wanted;
	bool is_nobody;               /* an address that nobody on the internet has */
	char target[TRY_TARGET_SIZE]; /* as it is shown, and asked of the gate */
	struct addr addr;             /* where the packets go: the target, or the gate */
	const struct addr *source;    /* where they come from; NULL: as the kernel likes */
	/* what became of it */
	enum egress_outcome outcome;
	char detail[TRY_DETAIL_SIZE];
	uint64_t took_ms;
	/* while it runs */
	int fd;
	unsigned step;
	uint64_t started_ms;
	char in[TRY_BUFFER_SIZE];
	size_t in_len;
};

const char *egress_try_kind_name(enum egress_try_kind kind); /* "tcp", "dns" … */
const char *egress_outcome_name(enum egress_outcome outcome); /* "answered" … */

/* Runs them all, at most TRY_AT_ONCE at a time, each for at most timeout_ms. */
enum { TRY_AT_ONCE = 64 };
MUST_CHECK bool egress_try_all(struct egress_try *tries, size_t n, uint64_t timeout_ms, struct err *err);

#endif
