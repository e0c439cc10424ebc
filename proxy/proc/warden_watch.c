/* What the kernel tells the warden, and what the warden looks at by itself: logged packets at once; five times a
 * second, whether memory has new sentences and whether flows to new destinations were answered; counters each
 * second while there is something to count. An idle table costs these five looks at memory. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/warden.h"
#include "sallyport/clock.h"
#include "sallyport/kernel_route.h"
#include "sallyport/log.h"

enum {
	TICK_MS = 200,
	COUNT_MS = 1000,
	COUNT_IDLE_MS = 5000,
	HOUR_MS = 3600 * 1000,
	ANSWER_MS = 3000,   /* so long somebody has to answer (Jung et al. 2004 leave it open) */
	NETWORK_MS = 500,   /* changes of the network come in flocks */
	AGAIN_MS = 5000,    /* what the kernel did not take is tried again; of the network, after so long at first, */
	AGAIN_LAST_MS = 60000, /* then after twice as long, and so long at last */
};

static struct watch events_watch = {.fd = -1}, changes_watch = {.fd = -1};
static struct timer tick, network;
static uint64_t count_ms, hour_ms, tell_ms, load_ms;
static uint64_t network_wait_ms; /* until the network is followed again; 0: it was, last time */

static uint64_t now_ms(void)
{
	return loop_now_ms(warden.life.loop);
}

static int origin_of(uint64_t id)
{
	for (unsigned i = 0; warden.plan && i < warden.plan->origin_count; i++)
		if (warden.plan->origins[i].id == id)
			return (int)i;
	return -1;
}

/* ---- slow scans ---- */

/* Where there is no room, the oldest is not looked at any more. */
static void note_flow(unsigned origin, const struct kernel_event *event)
{
	if (!warden.flows || !event->has_addresses)
		return;
	if (warden.flow_count == FLOWS_MAX) {
		warden.first_flow = (warden.first_flow + 1) % FLOWS_MAX;
		warden.flow_count--;
	}
	warden.pending[(warden.first_flow + warden.flow_count++) % FLOWS_MAX] = (struct warden_flow){
	    .flow = {.from = event->from, .to = event->to, .protocol = event->protocol},
	    .due_ms = now_ms() + ANSWER_MS,
	    .origin = origin,
	};
}

static void judge_flow(const struct warden_flow *pending)
{
	enum flow_answer answer = kernel_flows_look(warden.flows, &pending->flow);
	struct kernel_event event = {.protocol = pending->flow.protocol, .has_addresses = true, .to = pending->flow.to};
	if (answer == FLOW_UNKNOWN ||
	    trw_observe(&warden.known[pending->origin].walk, answer == FLOW_ANSWERED) != TRW_SCANNER)
		return;
	if (egress_stage_now(warden.known[pending->origin].state, now_ms()) <= EGRESS_FREE)
		stages_strike(pending->origin, EGRESS_OFFENCE_SLOW_SCAN, &event);
}

static void judge_flows(void)
{
	while (warden.flow_count > 0 && warden.pending[warden.first_flow].due_ms <= now_ms()) {
		const struct warden_flow pending = warden.pending[warden.first_flow];
		warden.first_flow = (warden.first_flow + 1) % FLOWS_MAX;
		warden.flow_count--;
		if (pending.origin < warden.plan->origin_count)
			judge_flow(&pending);
	}
}

/* ---- logged packets ---- */

static void tell_stranger(const struct kernel_event *event)
{
	char last[ADDR_TEXT_SIZE] = "";
	const struct egress_event told = {
	    .news = EGRESS_NEWS_STRIKE,
	    .origin = "unknown",
	    .offence = event->offence == EGRESS_OFFENCE_UNSET ? EGRESS_OFFENCE_SPOOF : event->offence,
	    .only_reports = warden.reports_only,
	    .last = last,
	};
	if (event->has_addresses)
		addr_format_ip(&event->from, last);
	egress_tell(&warden.teller, &told, now_ms());
}

static void on_kernel_event(void *context, const struct kernel_event *event)
{
	int origin = origin_of(event->id);
	(void)context;
	if (event->kind == KERNEL_EVENT_STRANGER)
		tell_stranger(event);
	if (origin < 0)
		return;
	switch (event->kind) {
	case KERNEL_EVENT_STRIKE: stages_strike((unsigned)origin, event->offence, event); break;
	case KERNEL_EVENT_STAGE1:
		stages_convict((unsigned)origin, EGRESS_LISTED_ONLY, event->offence, event);
		break;
	case KERNEL_EVENT_STAGE2:
		stages_convict((unsigned)origin, EGRESS_REPLIES_ONLY, event->offence, event);
		break;
	case KERNEL_EVENT_NEW: note_flow((unsigned)origin, event); break;
	default: break;
	}
}

static void flush_teller(void)
{
	tell_ms = egress_teller_flush(&warden.teller, now_ms());
}

static void on_events(struct watch *watch, unsigned events)
{
	(void)watch;
	(void)events;
	kernel_events_take(warden.events);
	tell_ms = 0;
	if (count_ms > now_ms() + COUNT_MS)
		count_ms = now_ms() + COUNT_MS; /* there is something to count */
}

/* ---- counters ---- */

struct counting {
	bool has_changed, has_drops;
};

static void store(_Atomic uint64_t *to, uint64_t value, struct counting *counting)
{
	if (atomic_load_explicit(to, memory_order_relaxed) != value)
		counting->has_changed = true;
	atomic_store_explicit(to, value, memory_order_relaxed);
}

static void take_origin_counter(unsigned i, const char *name, const struct kernel_counter *counter, struct counting *counting)
{
	struct warden_known *known = &warden.known[i];
	struct egress_state *state = known->state;
	if (strcmp(name, "listed") == 0) {
		store(&state->kernel_listed_packets, counter->packets, counting);
		store(&state->kernel_listed_bytes, counter->bytes, counting);
	} else if (strcmp(name, "other") == 0) {
		store(&state->kernel_packets, counter->packets, counting);
		store(&state->kernel_bytes, counter->bytes, counting);
	} else if (strcmp(name, "admitted") == 0) {
		store(&state->kernel_new, counter->packets, counting);
	} else if (strcmp(name, "dropped") == 0) {
		counting->has_drops = counting->has_drops || known->dropped != counter->packets;
		known->dropped = counter->packets;
		store(&state->kernel_dropped, counter->packets, counting);
	} else if (strcmp(name, "spoofed") == 0) {
		store(&state->kernel_spoofed, counter->packets, counting);
	}
}

/* "o0123456789abcdef_dropped" */
static void take_counter(void *context, const struct kernel_counter *counter)
{
	enum { PREFIX = 18 };
	char *end = NULL;
	if (counter->name[0] != 'o' || strlen(counter->name) <= PREFIX || counter->name[PREFIX - 1] != '_')
		return;
	uint64_t id = strtoull(counter->name + 1, &end, 16);
	int origin = end == counter->name + PREFIX - 1 ? origin_of(id) : -1;
	if (origin >= 0 && warden.known[origin].state)
		take_origin_counter((unsigned)origin, counter->name + PREFIX, counter, context);
}

static void count(void)
{
	struct counting counting = {false, false};
	struct err err = {{0}};
	if (!kernel_counters_read(warden.counters_fd, RULESET_TABLE, false, take_counter, &counting, &err)) {
		log_warn("%s", err.text);
		count_ms = now_ms() + COUNT_IDLE_MS;
		return;
	}
	count_ms = now_ms() + (counting.has_changed ? COUNT_MS : COUNT_IDLE_MS);
	if (counting.has_drops)
		stages_reconcile();
}

/* ---- time ---- */

/* A pause begins or is over. */
static void follow_pause(void)
{
	struct err err = {{0}};
	if (rules_only_report(warden.plan) == warden.reports_only || now_ms() < load_ms || rules_load(&err))
		return;
	log_error("the kernel leg cannot %s, and tries again: %s", warden.reports_only ? "enforce again" : "be paused", err.text);
	load_ms = now_ms() + AGAIN_MS;
}

static void on_tick(struct timer *timer)
{
	loop_arm(warden.life.loop, timer, now_ms() + TICK_MS);
	if (!warden.plan || !warden.has_table)
		return;
	follow_pause();
	stages_apply();
	names_apply();
	judge_flows();
	if (now_ms() >= count_ms)
		count();
	if (now_ms() >= hour_ms) {
		hour_ms = now_ms() + HOUR_MS;
		rules_reset_quota(NULL);
	}
	if (now_ms() >= tell_ms)
		flush_teller();
}

/* Said once, however often it is tried. */
static void follow_network(void)
{
	struct err err = {{0}};
	if (rules_follow_network(&err)) {
		network_wait_ms = 0;
		return;
	}
	if (network_wait_ms == 0)
		log_error("the kernel leg does not follow a change of this machine's network, and tries again: %s", err.text);
	network_wait_ms = network_wait_ms == 0 ? AGAIN_MS : network_wait_ms * 2;
	if (network_wait_ms > AGAIN_LAST_MS)
		network_wait_ms = AGAIN_LAST_MS;
	loop_arm(warden.life.loop, &network, now_ms() + network_wait_ms);
}

static void on_network(struct timer *timer)
{
	(void)timer;
	follow_network();
}

/* Another change may be what was missing: it is not waited for. */
static void on_changes(struct watch *watch, unsigned events)
{
	(void)events;
	kernel_route_drain(watch->fd);
	if (network.heap_pos == 0 || network.deadline_ms > now_ms() + NETWORK_MS)
		loop_arm(warden.life.loop, &network, now_ms() + NETWORK_MS);
}

bool watch_begin(struct err *err)
{
	struct err why = {{0}};
	warden.events = kernel_events_new(RULESET_LOG_GROUP, on_kernel_event, NULL, &why);
	if (!warden.events)
		log_warn("%s", why.text);
	warden.flows = kernel_flows_new(&why);
	tick.on_expiry = on_tick;
	network.on_expiry = on_network;
	hour_ms = now_ms() + HOUR_MS;
	loop_arm(warden.life.loop, &tick, now_ms() + TICK_MS);
	changes_watch = (struct watch){.on_event = on_changes, .fd = warden.changes_fd};
	if (!loop_watch_input(warden.life.loop, &changes_watch, err))
		return false;
	if (!warden.events)
		return true;
	events_watch = (struct watch){.on_event = on_events, .fd = kernel_events_fd(warden.events)};
	return loop_watch_input(warden.life.loop, &events_watch, err);
}

void watch_end(void)
{
	flush_teller();
	kernel_events_free(warden.events);
	kernel_flows_free(warden.flows);
}
