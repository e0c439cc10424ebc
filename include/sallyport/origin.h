#ifndef SALLYPORT_ORIGIN_H
#define SALLYPORT_ORIGIN_H

#include <stdatomic.h>

#include "sallyport/hold.h"
#include "sallyport/loop.h"
#include "sallyport/reason.h"
#include "sallyport/resolve.h"
#include "sallyport/site.h"
#include "sallyport/stats.h"
#include "sallyport/stream.h"

/* The origin's side of a worker: which origin server answers a request, its
 * pooled connections, and its health. What is said over a connection is the
 * front's affair. */

/* Health of one origin, in memory shared by all workers and generations of a policy. */
struct origin_health {
	_Atomic uint32_t failures;      /* to connect, in a row */
	_Atomic uint32_t probe_failures, probe_successes; /* active, in a row */
	_Atomic uint32_t is_down;       /* by active probes */
	_Atomic uint64_t down_until_ms; /* passive, CLOCK_MONOTONIC; 0: up */
	_Atomic uint64_t next_probe_ms; /* whoever moves it on probes */
	_Atomic uint64_t next_try_ms;   /* while down: whoever moves it on tries it with a request */
	_Atomic uint64_t next_event_ms; /* events about this origin are at least so far apart */
	_Atomic uint32_t told_down;     /* the last event said that it is down */
	_Atomic uint32_t folded;        /* events left out since the last */
	char pad[16];
};

struct origins;
struct origin;
struct origin_route;

struct origins_setup {
	struct loop *loop;
	const struct settings *settings;
	struct origin_health *health; /* ORIGIN_SLOTS */
	const int *internal_fds;      /* INTERNAL_COUNT channels to internal origins */
	struct stats_slot *stats;
	struct memory *memory;
	struct resolver *resolver;
	/* The gate's: no origin of the policy is known here, only places. NULL: there are none of these. */
	const struct route *anywhere;
	/* An origin went down or came up. sentence: without control bytes. folded: how many were left out before. */
	void (*on_change)(void *context, const struct origin_spec *spec, bool is_down, const char *sentence,
			  uint32_t folded);
	void *context;
};

struct origins *origins_new(const struct origins_setup *setup, struct err *err);
void origins_free(struct origins *origins);
/* Active probes begin. */
void origins_start(struct origins *origins);
/* Closes the unused connection that is worth least, for its descriptor. False: there is none. */
bool origins_give_way(struct origins *origins);
/* No more probes; pooled connections are closed, and those released later too. */
void origins_drain(struct origins *origins);

/* A connection to an origin. While it is claimed, its events go to the owner. */
struct origin_conn {
	struct stream stream;
	struct watch watch;
	struct timer idle;
	struct origin *origin;
	struct origin_conn *prev, *next; /* in the pool: the last used first */
	struct hold in;                  /* bytes of a response head that is not whole */
	const struct addr *source, *destination; /* of its claim, while it is connecting */
	bool connecting;
	bool is_open;                    /* TCP is; TLS may be to come */
	bool reused;                     /* it came from the pool: it may have gone stale */
	void (*on_event)(struct origin_conn *conn, unsigned events);
	void *owner;
};

/* A place that no policy names: an address that was judged by whoever asks. Its connections are
 * shared by requests of the same owner for the same host there, and nobody else's: what an answer says, and
 * whom a connection was logged in as, stays with those who caused it. */
struct origin_place {
	uint64_t owner;
	struct span host;
	struct addr addr;
	bool is_single; /* one connection, never pooled */
};

/* What an exchange wants of a route. Embedded in its owner. */
struct origin_claim {
	const struct route *route;
	const struct origin_place *place;    /* of setup.anywhere, in place of the route's origins; NULL: none */
	void (*on_event)(struct origin_conn *conn, unsigned events); /* for the connection claimed */
	void (*on_turn)(struct origin_claim *claim); /* QUEUED: try origin_take again */
	void *owner;
	/* Whose connection it will be, where the route has send_proxy: told the origin once it is through, and
	 * then it serves one request. Borrowed until then; NULL: nobody's. */
	const struct addr *source, *destination;
	bool fresh;                          /* no pooled connection */
	const struct origin *failed;         /* avoided where there is another; may be NULL */
	struct origin_conn *conn;            /* the result */
	const struct origin_spec *spec;      /* whom the result is, or was, with */
	enum reason reason;                  /* of a failure */
	struct origin_route *in_queue;       /* NULL: in none */
	struct origin_claim *prev, *next;    /* in the queue */
};

enum origin_take { ORIGIN_TAKE_UNSET = 0, ORIGIN_READY, ORIGIN_CONNECTING, ORIGIN_QUEUED, ORIGIN_FAILED };

/* Chooses an origin and takes a connection. CONNECTING: on_event comes when it is
 * through; then call origin_connect. FAILED: claim->reason. */
enum origin_take origin_take(struct origins *origins, struct origin_claim *claim);
/* Leaves the queue. */
void origin_unclaim(struct origin_claim *claim);
/* Goes on with connecting, TLS handshake included, after an event. READY: it is usable. FAILED: close it by
 * origin_release; *reason says why, *text what OpenSSL says (or NULL), and the origin was told of. */
enum origin_take origin_connect(struct origin_conn *conn, enum reason *reason, const char **text);
/* Nothing waits to be read on it, whatever the loop has said so far. */
bool origin_is_silent(struct origin_conn *conn);
/* Gives a connection back: into the pool where it is reusable and nothing is left to read, else closed. */
void origin_release(struct origin_conn *conn, bool reusable);
/* What the last exchange says of the origin's health. Only failures to connect count against it. */
void origin_succeeded(struct origin *origin);
void origin_failed(struct origin *origin, enum reason reason);
/* How many addresses it has now. */
unsigned origin_addresses(const struct origin *origin);
const struct origin_spec *origin_spec(const struct origin *origin);

#endif
