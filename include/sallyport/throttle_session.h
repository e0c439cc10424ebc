#ifndef SALLYPORT_THROTTLE_SESSION_H
#define SALLYPORT_THROTTLE_SESSION_H

#include "sallyport/http_head.h"
#include "sallyport/policy.h"
#include "sallyport/throttle.h"

/* How often one session may ask, from wherever it comes: a session is the value of a cookie, of which the throttle's table has a keyed
 * hash. Whoever asks also counts as the client he is. Cookies cost nothing to invent, so a client may
 * begin so many sessions in a time only (new_per_client); what is more of its shares one session's rate, and one cell:
 *
 *   cookie ─► this client had it in the last minutes ──yes─► the session's cell
 *               │ no                                            ▲
 *               ▼                                               │
 *             a new session for this client? ──within the rate──┘
 *               │ over it
 *               ▼
 *             the client's cell for all such sessions */

/* The group shield.throttle.sessions. */
struct throttle_sessions {
	const char *cookie;             /* NULL: no sessions */
	struct policy_rate per_session, new_per_client;
	uint64_t burst, new_burst;
	struct policy_where where;
	struct throttle_rate rate, new_rate;
};

extern const struct schema throttle_sessions_schema;

struct throttle_asker {
	struct throttle_table *table;
	uint64_t site, client_key;
	const struct throttle_client *client;
	uint64_t now_us;
};

/* Counts the request in each session that it names; false: *result refuses it. */
MUST_CHECK bool throttle_sessions_pass(const struct throttle_sessions *sessions, const struct throttle_asker *asker,
				       const struct http_head *head, struct throttle_result *result);

#endif
