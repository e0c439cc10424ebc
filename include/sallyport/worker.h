#ifndef SALLYPORT_WORKER_H
#define SALLYPORT_WORKER_H

#include "sallyport/census.h"
#include "sallyport/crypto.h"
#include "sallyport/egress_state.h"
#include "sallyport/log_ring.h"
#include "sallyport/loop.h"
#include "sallyport/origin.h"
#include "sallyport/resolve.h"
#include "sallyport/settings.h"
#include "sallyport/site_state.h"
#include "sallyport/stats.h"

/* The data plane of one worker: everything between an accepted connection and
 * the log record. The process around it (proc/worker.c) makes the shared
 * memory, the loop and the sandbox, and tells it when to drain. */

struct worker_memory {
	struct stats *stats;
	struct log_ring *ring;          /* this slot's */
	void *census;                   /* census_bytes() */
	void *throttle;                 /* throttle_bytes(), throttle_init() done */
	void *tickets;                  /* tls_tickets_bytes(); NULL: sessions are not resumed */
	struct origin_health *health;   /* ORIGIN_SLOTS, of the generation */
	const struct site_states *sites; /* read-only; NULL: no site is ever paused */
	struct egress_states *egress;   /* the gate's; NULL: this worker has nothing to do with it */
	struct log_ring *nominations;   /* this slot's, nomination.h; NULL: none are made */
};

struct worker_setup {
	const struct settings *settings;
	struct worker_memory memory;
	unsigned slot;
	bool is_gate;                   /* serves egress origins, not visitors: then of memory there are stats, ring, census
					 * and egress only */
	const int *listen_fds;          /* one per settings->listens, in order, -1: another's; borrowed */
	int log_event_fd;               /* the scribe's eventfd */
	int nomination_event_fd;        /* the keeper's */
	int adopt_fd;                   /* idle connections of older generations come here; -1: none */
	int internal_fds[INTERNAL_COUNT]; /* by enum internal_origin: channels to processes of ours */
	int hand_over_fd;               /* … and are sent here when draining; -1: none */
	/* Called once when a drain has ended. */
	void (*on_drained)(void *context);
	void *context;
};

struct front;

/* As many connections may a worker have with the descriptors that it may open. */
uint64_t front_connections_possible(void);

/* Takes the descriptors into the loop and prepares everything that needs files
 * or names. Call it before the sandbox closes; front_start accepts from then on. */
struct front *front_new(struct loop *loop, const struct worker_setup *setup, struct err *err);
MUST_CHECK bool front_start(struct front *front, struct err *err);
/* Stops accepting. hand_over: idle connections go to the next generation; otherwise they are closed.
 * Running exchanges finish; those that last longer than deadline_ms (monotonic) are cut. */
void front_drain(struct front *front, bool hand_over, uint64_t deadline_ms);
/* The newest baseline (baseline.h): bytes of constant memory (shm_constant), signed by key. fd is owned
 * from here on. One that cannot be used changes nothing, with a line in the log. */
void front_set_baseline(struct front *front, int fd, uint64_t bytes,
			const uint8_t key[SIGN_PUBLIC_SIZE]);
void front_free(struct front *front);

#endif
