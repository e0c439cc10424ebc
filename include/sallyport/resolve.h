#ifndef SALLYPORT_RESOLVE_H
#define SALLYPORT_RESOLVE_H

#include "sallyport/addr.h"
#include "sallyport/loop.h"

/* Names to addresses by c-ares (/etc/hosts and DNS), kept fresh by their TTL.
 * resolver_new reads the system's resolver configuration: call it before the
 * sandbox closes. */
struct resolver;
struct resolver_name;

#define RESOLVE_MAX_ADDRS 16

struct resolver *resolver_new(struct loop *loop, struct err *err);
/* The same, for names that somebody else chose and a verdict was found about: exactly that name is asked
 * for, whatever search domains the system has. */
struct resolver *resolver_new_literal(struct loop *loop, struct err *err);
void resolver_free(struct resolver *resolver);

/* Both only before the first watch, the times first. */
struct resolver_times { /* in milliseconds */
	uint64_t ttl_min, ttl_max;     /* bounds of what a TTL may say */
	uint64_t retry_min, retry_max; /* between failed look-ups, doubling */
	uint64_t answer;               /* until a silent server is asked again, doubling */
};
/* Other times than those below; for tests. */
MUST_CHECK bool resolver_set_times(struct resolver *resolver, const struct resolver_times *times,
				   struct err *err);
/* Other DNS servers than the system's: "10.0.0.2,[2001:db8::2]:5353". */
MUST_CHECK bool resolver_set_servers(struct resolver *resolver, const char *servers, struct err *err);

/* One question, one answer. Embedded; it must live until it was answered or the resolver was freed, whose
 * end answers nothing. */
struct resolver_answer {
	const struct addr *addrs; /* port 0; borrowed for the call */
	unsigned count;           /* 0: none */
	uint64_t for_ms;          /* how long it holds: its TTL within our bounds */
	const char *problem;      /* why there are none, a literal; "" where there are some */
};
struct resolver_question {
	void (*on_answer)(struct resolver_question *question, const struct resolver_answer *answer);
	struct resolver *resolver;
};
/* /etc/hosts, as it was when the resolver was made, goes before DNS. The answer may come before this returns. */
void resolver_ask(struct resolver *resolver, struct resolver_question *question, const char *host);

/* Starts to keep a name's addresses, asked at once and again when its TTL (at
 * least 5 s, at most 5 min) ends; a failed look-up keeps the old addresses and is
 * tried again after 1 s, doubling to 30 s. One warning when it starts to fail, one line
 * when it recovers. Owned by the resolver. NULL only without memory.
 * /etc/hosts goes before DNS; it is read here and now, or, by a process whose sandbox has closed, as
 * it was when the resolver was made; and what it says holds until the next policy. */
struct resolver_name *resolver_watch(struct resolver *resolver, const char *host, uint16_t port);
/* Copies at most RESOLVE_MAX_ADDRS addresses, returns their number; 0: none known yet. */
unsigned resolver_addrs(const struct resolver_name *name, struct addr out[RESOLVE_MAX_ADDRS]);
#define RESOLVE_NOT_ASKED "not asked yet"
#define RESOLVE_NO_SUCH_NAME "no such name (NXDOMAIN)"
#define RESOLVE_NO_ADDRESS "the name has no address"
/* Why there are none: RESOLVE_NOT_ASKED, "no such name (NXDOMAIN)", … A literal; "" where
 * the last look-up went well. */
const char *resolver_problem(const struct resolver_name *name);

#endif
