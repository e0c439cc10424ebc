#ifndef ORIGIN_ORIGINS_H
#define ORIGIN_ORIGINS_H

/* What the files of origin/ share and nobody else sees. */

#include "sallyport/lru.h"
#include "sallyport/origin.h"
#include "sallyport/settings.h"
#include "sallyport/tls.h"

struct probe;

/* One origin server as this worker sees it. */
struct origin {
	struct origins *origins;
	struct origin_route *route;
	const struct origin_spec *spec;
	struct origin_health *health;     /* shared; NULL: a place has none */
	struct resolver_name *name;       /* NULL: the address is literal */
	const struct addr *addr;          /* … and this one */
	unsigned next_addr;               /* of a name's addresses */
	struct origin_conn *pool;         /* idle, last used first */
	struct origin_conn *pool_oldest;
	uint32_t pooled;
	uint32_t claimed;                 /* with an exchange, connecting ones too */
	struct probe *probe;              /* NULL: no active probes */
	struct tls_session session;       /* the last one, to be resumed */
};

struct origin_route {
	const struct route *route;
	struct origin *origins;           /* route->origin_count of them */
	unsigned turn;                    /* round robin */
	struct origin_claim *queue, *queue_end;
	struct task wake;
	bool waking;                      /* the first of the queue has its turn */
};

struct origins {
	struct origins_setup setup;
	struct origin_route *routes;      /* by route index */
	struct origin *all;               /* by origin index */
	size_t route_count, origin_count;
	struct lru places;                /* of struct place, by owner, host and address; the unused ones give way */
	struct origin_route anywhere;     /* theirs; nobody queues for it */
	bool draining;
};

/* choose.c: the origin that shall answer next, or NULL with *reason. */
struct origin *origin_choose(struct origin_route *route, const struct origin_claim *claim,
			     enum reason *reason);

/* place.c */
MUST_CHECK bool places_init(struct origins *origins, struct err *err);
/* Made where there is none. NULL: no memory. */
struct origin *place_take(struct origins *origins, const struct origin_place *wanted);
/* One that has neither a connection nor a claim is forgotten, with its origin. Others are left alone. */
void place_settle(struct origin *origin);
bool place_is_single(const struct origin *origin);
/* The one used longest ago that has an unused connection; NULL: none has. */
struct origin *places_idle(struct origins *origins);
void places_release(struct origins *origins);
/* Closes the unused connections of one origin; a place may be gone afterwards. */
void pool_close(struct origin *origin);

/* health.c */
enum standing {
	STANDING_UNSET = 0,
	STANDING_UP,
	STANDING_PROBATION, /* it was left alone for long enough: one request finds out */
	STANDING_DOWN,
};
enum standing health_standing(const struct origin *origin);
/* Of those that are not up: may this one be tried now? At most once a second in all workers. */
bool health_may_try(struct origin *origin);
void health_probe_result(struct origin *origin, bool healthy, const char *why);

/* probe.c */
bool probe_new(struct origin *origin);
void probe_start(struct origin *origin);
void probe_free(struct origin *origin);

/* introduce.c. Connections to it are introduced, where its route has send_proxy, and serve one request. */
bool is_personal(const struct origin *origin);
/* Sends what the route asks for: a PROXY header from the source to the destination, NULL: it is nobody's
 * connection but ours. False: the connection is broken. */
MUST_CHECK bool introduce(const struct origin *origin, int fd, const struct addr *source,
			  const struct addr *destination);

/* Whose connection it is; NULL: ours. */
struct origin_visit {
	const struct addr *source, *destination;
};

/* connect.c: a connecting socket, as a stream; false with *reason. */
bool origin_dial(struct origin *origin, struct stream *stream, enum reason *reason);
/* Goes on after an event. *is_open: TCP is open, and the connection introduced; false at first. READY,
 * CONNECTING, or FAILED with *reason. */
enum origin_take origin_dial_more(const struct origin *origin, const struct origin_visit *visit,
				  struct stream *stream, bool *is_open, enum reason *reason);

#endif
