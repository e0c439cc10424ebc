/* Finds the address to connect to. A destination that is not listed and that the origin has not used of
 * late takes a place in the budget of new ones, once for its name, before that is looked up, and once for each
 * address after the first: names are a way out by themselves, and one name may have any number of addresses.
 * Where there is no place, the visit waits for one in its origin's short queue. Each address is judged before it
 * is dialled, whatever was said of the name. */
#include "front/gate.h"
#include "sallyport/egress_token.h"

enum { WAITING_MAX = 4, KERNEL_RETRY_MIN_MS = 5, KERNEL_RETRY_MAX_MS = 250 };

enum admission { ADMISSION_UNSET = 0, ADMITTED, ADMISSION_WAITS, ADMISSION_REFUSED };

/* ---- the queue ---- */

static void leave_queue(struct gate_search *search)
{
	struct gate_origin *origin = search->visit->origin;
	if (!search->is_waiting)
		return;
	if (search->prev)
		search->prev->search->next = search->next;
	else
		origin->waiting = search->next;
	if (search->next)
		search->next->search->prev = search->prev;
	else
		origin->waiting_last = search->prev;
	search->prev = search->next = NULL;
	search->is_waiting = false;
	origin->waiting_count--;
}

static void enter_queue(struct visit *visit, bool at_the_head)
{
	struct gate_origin *origin = visit->origin;
	struct gate_search *search = visit->search;
	search->is_waiting = true;
	origin->waiting_count++;
	if (at_the_head) {
		search->next = origin->waiting;
		if (search->next)
			search->next->search->prev = visit;
		else
			origin->waiting_last = visit;
		origin->waiting = visit;
		return;
	}
	search->prev = origin->waiting_last;
	if (search->prev)
		search->prev->search->next = visit;
	else
		origin->waiting = visit;
	origin->waiting_last = visit;
}

void gate_end_search(struct visit *visit)
{
	struct gate_search *search = visit->search;
	if (!search)
		return;
	leave_queue(search);
	lookup_cancel(&search->lookup);
	memory_give(&visit->x->front->memory, search, sizeof(*search));
	visit->search = NULL;
}

static void run(struct visit *visit)
{
	visit->x->step = STEP_ADMIT;
	exchange_run(visit->x);
}

/* The first of the queue tries; where it finds a place, so does the next. */
void gate_turn(struct timer *timer)
{
	struct gate_origin *origin = (struct gate_origin *)(void *)((char *)timer - offsetof(struct gate_origin, turn));
	for (unsigned tries = origin->waiting_count; tries > 0 && origin->waiting; tries--) {
		struct visit *visit = origin->waiting;
		leave_queue(visit->search);
		visit->search->is_turn = true;
		run(visit);
		if (origin->waiting == visit)
			return;
	}
}

void gate_try_waiting(struct gate_origin *origin)
{
	for (unsigned tries = origin->waiting_count; tries > 0 && origin->waiting; tries--) {
		struct visit *visit = origin->waiting;
		leave_queue(visit->search);
		run(visit);
	}
}

/* ---- places ---- */

/* One budget for gate and kernel, whoever keeps it. */
static bool take_place(struct gate_origin *origin, uint64_t *wait_us)
{
	struct gate *gate = origin->gate;
	const struct egress_rate *rate = &gate->policy->new_destinations;
	if (origin->slot >= 0 && atomic_load_explicit(&gate->states->kernel_active, memory_order_relaxed)) {
		enum egress_token token = egress_token_ask(gate->token_fd, (unsigned)origin->slot);
		uint64_t part_ms = rate->interval_us / 4000;
		*wait_us = 1000 * (part_ms < KERNEL_RETRY_MIN_MS   ? KERNEL_RETRY_MIN_MS
				   : part_ms > KERNEL_RETRY_MAX_MS ? KERNEL_RETRY_MAX_MS
								   : part_ms);
		if (token != EGRESS_TOKEN_NO_KERNEL)
			return token == EGRESS_TOKEN_GRANTED;
	}
	return egress_new_destination(origin->state, rate->interval_us, rate->tolerance_us,
				      loop_now_us(gate->front->loop), wait_us);
}

static uint64_t seed_of(const struct gate_origin *origin)
{
	return origin->gate->states->seed ^ origin->state->id;
}

static bool is_known(const struct gate_origin *origin, struct span key)
{
	const struct gate *gate = origin->gate;
	return origin->known && egress_known_touch(origin->known, seed_of(origin), key, gate_now_ms(gate),
						   gate->policy->remember_ms);
}

static void remember(const struct gate_origin *origin, struct span key)
{
	const struct gate *gate = origin->gate;
	if (origin->known)
		egress_known_add(origin->known, seed_of(origin), key, gate_now_ms(gate), gate->policy->remember_ms);
}

static enum admission wait_for_place(struct visit *visit, uint64_t wait_us)
{
	struct gate_origin *origin = visit->origin;
	struct gate_search *search = visit->search;
	uint64_t now_ms = gate_now_ms(origin->gate);
	bool is_late = search->place_until_ms != 0 && search->place_until_ms <= now_ms;
	if (is_late || origin->waiting_count >= WAITING_MAX || origin->gate->policy->wait_ms == 0)
		return ADMISSION_REFUSED;
	if (search->place_until_ms == 0)
		search->place_until_ms = now_ms + origin->gate->policy->wait_ms;
	enter_queue(visit, search->is_turn);
	if (origin->waiting == visit)
		loop_arm(visit->x->front->loop, &origin->turn, now_ms + wait_us / 1000 + 1);
	search->is_turn = false;
	return ADMISSION_WAITS;
}

static enum admission admit(struct visit *visit, struct span key)
{
	struct gate_origin *origin = visit->origin;
	struct gate_search *search = visit->search;
	const char *setting = "egress.new_destinations";
	uint64_t wait_us = 0;
	if (is_known(origin, key))
		return ADMITTED;
	bool is_first = !origin->waiting || search->is_turn;
	if (is_first && take_place(origin, &wait_us)) {
		atomic_fetch_add_explicit(&origin->state->gate_new, 1, memory_order_relaxed);
		remember(origin, key);
		search->has_place = true;
		search->is_turn = false;
		return ADMITTED;
	}
	if (!visit->is_enforced) {
		(void)gate_objects(visit, REASON_EGRESS_NEW_DESTINATION, setting, NULL);
		return ADMITTED;
	}
	enum admission result = wait_for_place(visit, wait_us);
	if (result == ADMISSION_REFUSED && gate_objects(visit, REASON_EGRESS_NEW_DESTINATION, setting, NULL))
		visit->x->verdict.retry_after_s = (uint32_t)(wait_us / 1000000 + 1);
	return result;
}

/* ---- the steps ---- */

static bool begin_search(struct visit *visit)
{
	struct gate_search *search = memory_take(&visit->x->front->memory, sizeof(*search));
	if (!search)
		return false;
	*search = (struct gate_search){.visit = visit, .reason = REASON_ORIGIN_UNRESOLVED};
	visit->search = search;
	return true;
}

/* Before its name is looked up. */
enum step_result step_admit(struct exchange *x)
{
	struct visit *visit = x->visit;
	enum reason reason;
	if (!visit->search && !begin_search(visit))
		return exchange_refuse(x, REASON_OVERLOAD);
	if (visit->search->is_waiting)
		return STEP_WAIT; /* it was the client that moved */
	if (!gate_is_still_good(visit, &reason))
		return exchange_refuse(x, reason);
	if (visit->named.kind != EGRESS_VERDICT_LISTED && !visit->destination.is_literal && !visit->search->is_named) {
		switch (admit(visit, visit->destination.host)) {
		case ADMITTED: break;
		case ADMISSION_WAITS: return STEP_WAIT;
		default: return exchange_refuse(x, REASON_EGRESS_NEW_DESTINATION);
		}
	}
	visit->search->is_named = true;
	x->step = STEP_RESOLVE;
	return STEP_MORE;
}

static void looked_up(struct lookup *lookup)
{
	struct gate_search *search = (struct gate_search *)(void *)((char *)lookup - offsetof(struct gate_search, lookup));
	exchange_run(search->visit->x);
}

/* WAIT: they are on their way. DONE: there are some. */
static enum step_result find_addresses(struct exchange *x)
{
	struct visit *visit = x->visit;
	struct gate_search *search = visit->search;
	const char *problem;
	if (search->is_resolved)
		return STEP_DONE;
	if (visit->destination.is_literal) {
		search->addrs[search->count++] = visit->destination.addr;
		return STEP_DONE;
	}
	search->lookup.on_done = looked_up;
	switch (lookup_name(x->front->gate->lookups, &search->lookup, &visit->origin->asker, visit->destination.host,
			    search->addrs, &search->count, &problem)) {
	case LOOKUP_FOUND: return STEP_DONE;
	case LOOKUP_WAIT:
		search->name_until_ms = loop_now_ms(x->front->loop) + x->front->settings->timeouts.connect;
		return STEP_WAIT;
	default:
		x->verdict.evidence = span_from_str(problem);
		return exchange_refuse(x, REASON_ORIGIN_UNRESOLVED);
	}
}

/* In choosing, and again before it is dialled: an origin may be sentenced meanwhile. */
static bool is_allowed(struct visit *visit, const struct addr *addr, struct egress_verdict *verdict)
{
	struct gate_origin *origin = visit->origin;
	struct gate_search *search = visit->search;
	*verdict = egress_judge_address(origin->gate->policy, &visit->named, addr, gate_stage(origin));
	if (verdict->kind != EGRESS_VERDICT_REFUSED ||
	    !gate_objects(visit, verdict->reason, verdict->setting, verdict->entry))
		return true;
	search->reason = verdict->reason;
	search->setting = verdict->setting;
	search->entry = verdict->entry;
	return false;
}

/* Whatever else a name leads to, only these count: so what fails later is told as it failed. */
static void keep_allowed(struct visit *visit)
{
	struct gate_search *search = visit->search;
	struct egress_verdict verdict;
	unsigned kept = 0;
	for (unsigned i = 0; i < search->count; i++) {
		addr_set_port(&search->addrs[i], visit->destination.port);
		if (is_allowed(visit, &search->addrs[i], &verdict))
			search->addrs[kept++] = search->addrs[i];
	}
	search->count = kept;
}

/* Those that the origin has used of late come first: they cost no place. */
static void sort_addresses(struct visit *visit)
{
	struct gate_search *search = visit->search;
	char text[ADDR_TEXT_SIZE];
	unsigned known = 0;
	for (unsigned i = 0; i < search->count; i++) {
		if (!is_known(visit->origin, span_of(text, addr_format_ip(&search->addrs[i], text))))
			continue;
		struct addr addr = search->addrs[i];
		for (unsigned at = i; at > known; at--)
			search->addrs[at] = search->addrs[at - 1];
		search->addrs[known++] = addr;
	}
}

/* The name's own place is for its first address. */
static enum admission admit_address(struct visit *visit, const struct egress_verdict *verdict, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];
	struct span key = span_of(text, addr_format_ip(addr, text));
	if (verdict->kind == EGRESS_VERDICT_LISTED)
		return ADMITTED;
	if (!visit->search->has_place)
		return admit(visit, key);
	visit->search->has_place = false;
	remember(visit->origin, key);
	return ADMITTED;
}

static enum step_result go_to(struct exchange *x, const struct addr *addr)
{
	struct visit *visit = x->visit;
	enum reason reason;
	if (!gate_enter_host(visit, &reason) || !gate_enter_relay(visit, addr, &reason))
		return exchange_refuse(x, reason);
	visit->place = (struct origin_place){
	    .owner = visit->origin->policy->index,
	    .host = visit->destination.host,
	    .addr = *addr,
	    .is_single = visit->is_single,
	};
	x->claim.place = &visit->place;
	x->step = x->up_read || x->connect_until_ms != 0 ? STEP_ORIGIN : STEP_COLLECT;
	return STEP_MORE;
}

/* Passes the addresses over that may not be dialled, to the first that may. */
static enum step_result choose_address(struct exchange *x)
{
	struct visit *visit = x->visit;
	struct gate_search *search = visit->search;
	struct egress_verdict verdict;
	for (; search->next_addr < search->count; search->next_addr++) {
		const struct addr *addr = &search->addrs[search->next_addr];
		if (!is_allowed(visit, addr, &verdict))
			continue;
		switch (admit_address(visit, &verdict, addr)) {
		case ADMITTED: search->next_addr++; return go_to(x, addr);
		case ADMISSION_WAITS: x->step = STEP_ADMIT; return STEP_WAIT;
		default: return exchange_refuse(x, REASON_EGRESS_NEW_DESTINATION);
		}
	}
	(void)gate_objects(visit, search->reason, search->setting, search->entry);
	return exchange_refuse(x, search->reason);
}

enum step_result step_resolve(struct exchange *x)
{
	struct gate_search *search = x->visit->search;
	bool is_first = !search->is_resolved;
	if (search->lookup.waits_for)
		return STEP_WAIT;
	enum step_result found = find_addresses(x);
	if (found != STEP_DONE)
		return found;
	if (is_first) {
		keep_allowed(x->visit);
		sort_addresses(x->visit);
		search->is_resolved = true;
	}
	return choose_address(x);
}
