/* A visit: one request of an egress origin on its way to a destination. What was decided about it is looked
 * at once more when the connection stands; see gate_sentence.c, too. */
#include "front/gate.h"

#include <string.h>
#include <sys/socket.h>

static size_t size_of(size_t len)
{
	return sizeof(struct visit) + len;
}

struct visit *gate_visit_new(struct exchange *x, struct gate_origin *origin, struct span name)
{
	struct visit *visit = memory_take(&x->front->memory, size_of(name.len));
	if (!visit)
		return NULL;
	*visit = (struct visit){.x = x, .origin = origin, .len = (uint16_t)name.len};
	for (size_t i = 0; i < name.len; i++)
		visit->name[i] = ascii_lower(name.ptr[i]);
	visit->destination.host = span_of(visit->name, name.len);
	visit->sentence = atomic_load_explicit(&origin->state->sentence, memory_order_relaxed);
	x->visit = visit;
	gate_join(visit);
	return visit;
}

void gate_visit_free(struct exchange *x)
{
	struct visit *visit = x->visit;
	if (!visit)
		return;
	gate_count(x);
	gate_end_search(visit);
	gate_leave_hosts(visit);
	gate_leave(visit);
	memory_give(&x->front->memory, visit, size_of(visit->len));
	x->visit = NULL;
}

static void count(_Atomic uint64_t *counter, uint64_t *counted, uint64_t bytes)
{
	if (bytes > *counted)
		atomic_fetch_add_explicit(counter, bytes - *counted, memory_order_relaxed);
	*counted = bytes;
}

void gate_count(struct exchange *x)
{
	struct visit *visit = x->visit;
	struct egress_state *state = visit->origin->state;
	count(&state->gate_bytes_out, &visit->counted[GATE_OUT], x->up_bytes);
	count(&state->gate_bytes_in, &visit->counted[GATE_IN], x->down_bytes);
}

bool gate_address_is_good(struct visit *visit, const struct addr *addr, enum reason *reason)
{
	struct gate_origin *origin = visit->origin;
	struct egress_verdict verdict =
	    egress_judge_address(origin->gate->policy, &visit->named, addr, gate_stage(origin));
	*reason = verdict.reason;
	visit->reached = verdict.kind;
	return verdict.kind != EGRESS_VERDICT_REFUSED || !gate_objects(visit, verdict.reason, verdict.setting, verdict.entry);
}

bool gate_peer_is_good(struct exchange *x, enum reason *reason)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	struct addr peer;
	*reason = REASON_EGRESS_QUARANTINED;
	if (gate_is_cut(x))
		return false;
	*reason = REASON_EGRESS_PRIVATE;
	return getpeername(x->claim.conn->stream.fd, (struct sockaddr *)&ss, &len) == 0 &&
	       addr_from_sockaddr((struct sockaddr *)&ss, len, &peer) && gate_address_is_good(x->visit, &peer, reason);
}
