/* How egress origins stand: the master's part of struct egress_states. It makes the memory, which
 * outlives generations, gate and warden; claims a slot for each origin of a policy before any of them looks
 * for it; says there what the policy in force is; carries out what an operator orders; and tells when the
 * time of a quarantine is over, which nobody else sees. Orders come from the console, which is trusted with
 * nothing, and are checked here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "proc/master.h"
#include "sallyport/clock.h"
#include "sallyport/crypto.h"
#include "sallyport/egress.h"
#include "sallyport/egress_tell.h"
#include "sallyport/log.h"
#include "sallyport/shm.h"
#include "sallyport/suggest.h"
#include "sallyport/units.h"

enum { LOOK_MS = 250, NAMED_IN_ERROR = 5 };

_Static_assert((int)EGRESS_STATES >= 2 * (int)EGRESS_ORIGINS_MAX, "the serving and the coming policy's origins fit");
_Static_assert((int)PREPARE_FD_LISTENERS + (int)LISTENERS_MAX <= (int)IPC_FDS_MAX, "one message carries them all");
_Static_assert(sizeof(struct egress_report) <= IPC_PAYLOAD_MAX, "one message carries it");

static struct egress_teller teller;
static struct timer look;
static enum egress_stage seen[EGRESS_STATES]; /* as it was at the last look, or order */

/* ---- the memory ---- */

/* Another descriptor of the same memory, by which nobody can write to it. */
static int open_shown(int fd, struct err *err)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int shown = open(path, O_RDONLY | O_CLOEXEC);
	if (shown < 0)
		err_set(err, "cannot open shared memory to be read: %s: %s", path, strerror(errno));
	return shown;
}

static bool make_seed(struct err *err)
{
	uint64_t seed;
	if (!crypto_random(&seed, sizeof(seed), err))
		return false;
	atomic_store(&master.egress->seed, seed | 1);
	return true;
}

static void on_look(struct timer *timer);

bool egress_init(struct err *err)
{
	look.on_expiry = on_look;
	master.egress_fd = shm_create("sallyport-egress", sizeof(struct egress_states), err);
	if (master.egress_fd < 0)
		return false;
	master.egress_shown_fd = open_shown(master.egress_fd, err);
	master.egress = shm_map(master.egress_fd, sizeof(struct egress_states), true, err);
	if (master.egress_shown_fd < 0 || !master.egress || !make_seed(err))
		return false;
	struct log_ring *rings = shm_map(master.rings_fd, sizeof(struct log_ring) * LOG_RINGS, true, err);
	return rings && egress_teller_init(&teller, rings + LOG_RING_MASTER, master.event_fd, LOG_RING_MASTER, err);
}

/* ---- whose states there are ---- */

static bool report_is_sound(const struct egress_report *report)
{
	if (report->mode > EGRESS_ENFORCE || report->kernel > EGRESS_KERNEL_REQUIRED ||
	    report->learning > EGRESS_LEARNING_ON || report->n > EGRESS_ORIGINS_MAX)
		return false;
	for (uint32_t i = 0; i < report->n; i++)
		if (!ORDERS_TEXT_OK(report->of[i].name) || report->of[i].n > EGRESS_ADDRESSES_MAX)
			return false;
	return true;
}

static void keep(uint64_t kept[EGRESS_STATES / 64], const struct gen *gen)
{
	for (size_t i = 0; gen && i < EGRESS_STATES / 64; i++)
		kept[i] |= gen->egress_slots[i];
}

/* Gates that drain still count into the slots that they found; where there is no other, one of these goes. */
static bool claim(struct gen *gen, const char *name)
{
	uint64_t needed[EGRESS_STATES / 64] = {0}, all[EGRESS_STATES / 64] = {0};
	keep(needed, gen);
	keep(needed, master.active);
	for (unsigned i = 0; i < GENS_MAX; i++)
		if (master.gens[i].state != GEN_NONE)
			keep(all, &master.gens[i]);
	int slot = egress_states_claim(master.egress, name, all);
	if (slot < 0)
		slot = egress_states_claim(master.egress, name, needed);
	if (slot >= 0)
		gen->egress_slots[slot / 64] |= UINT64_C(1) << slot % 64;
	return slot >= 0;
}

bool egress_note(struct gen *gen, const struct ipc_message *message)
{
	const struct egress_report *report = ipc_payload(message, sizeof(*report));
	if (!report || !report_is_sound(report))
		return false;
	gen->egress = *report;
	for (uint32_t i = 0; i < report->n; i++)
		if (!claim(gen, report->of[i].name))
			return false;
	return true;
}

static void arm_look(void)
{
	loop_arm(master.loop, &look, loop_now_ms(master.loop) + LOOK_MS);
}

void egress_commit(const struct gen *gen)
{
	uint64_t now_ms = loop_now_ms(master.loop);
	for (unsigned i = 0; i < EGRESS_STATES; i++) {
		bool was_in_force = atomic_load_explicit(&master.egress->of[i].in_force, memory_order_relaxed) != 0;
		bool is_in_force = gen->egress_slots[i / 64] >> i % 64 & 1;
		atomic_store_explicit(&master.egress->of[i].in_force, is_in_force, memory_order_relaxed);
		if (is_in_force && !was_in_force)
			seen[i] = egress_stage_now(&master.egress->of[i], now_ms);
	}
	atomic_store_explicit(&master.egress->mode, gen->egress.mode, memory_order_relaxed);
	atomic_store_explicit(&master.egress->kernel, gen->egress.kernel, memory_order_relaxed);
	atomic_store_explicit(&master.egress->learning, gen->egress.learning, memory_order_relaxed);
	atomic_store_explicit(&master.egress->has_gate, gen->egress.has_gate, memory_order_relaxed);
	if (gen->egress.n > 0)
		arm_look();
	else
		loop_disarm(master.loop, &look);
}

/* ---- news ---- */

static bool only_reports(void)
{
	return egress_only_reports((int)master.active->egress.mode, master.egress, loop_now_ms(master.loop));
}

static void tell(enum egress_news news, const struct egress_state *state, enum egress_stage stage, uint64_t length_ms)
{
	bool is_ordered = news == EGRESS_NEWS_QUARANTINE;
	const struct egress_event event = {
	    .news = news,
	    .origin = state->name,
	    .offence = is_ordered ? EGRESS_OFFENCE_ORDERED : EGRESS_OFFENCE_UNSET,
	    .stage = stage,
	    .length_ms = length_ms,
	    .only_reports = is_ordered && only_reports(),
	};
	egress_tell(&teller, &event, loop_now_ms(master.loop));
}

/* Sentences end by the clock alone, in the eyes of everybody who looks. */
static void on_look(struct timer *timer)
{
	uint64_t now_ms = loop_now_ms(master.loop);
	(void)timer;
	for (unsigned i = 0; i < EGRESS_STATES; i++) {
		const struct egress_state *state = &master.egress->of[i];
		if (!atomic_load_explicit(&state->in_force, memory_order_relaxed))
			continue;
		enum egress_stage stage = egress_stage_now(state, now_ms);
		if (stage == EGRESS_FREE && seen[i] > EGRESS_FREE)
			tell(EGRESS_NEWS_END, state, seen[i], 0);
		seen[i] = stage;
	}
	egress_teller_flush(&teller, now_ms);
	arm_look();
}

/* ---- orders ---- */

static bool has_address(const struct egress_origin_report *origin, const struct addr *addr)
{
	for (uint32_t i = 0; i < origin->n; i++)
		if (origin->networks[i].prefix == 128 && cidr_has(&origin->networks[i], addr))
			return true;
	return false;
}

/* By its name, or by any of its addresses, however that is written. NULL: the policy has none. */
static struct egress_state *find(const char *wanted)
{
	const struct egress_report *report = &master.active->egress;
	struct addr addr;
	bool is_addr = addr_parse_ip(span_from_str(wanted), 0, &addr);
	for (uint32_t i = 0; i < report->n; i++)
		if (strcmp(report->of[i].name, wanted) == 0 || (is_addr && has_address(&report->of[i], &addr)))
			return egress_states_find(master.egress, report->of[i].name);
	return NULL;
}

static bool unknown_origin(const char *wanted, struct err *err)
{
	const struct egress_report *report = &master.active->egress;
	struct suggestion suggestion;
	struct strbuf known;
	suggest_init(&suggestion, wanted);
	strbuf_init(&known, (NAMED_IN_ERROR + 1) * EGRESS_NAME_SIZE);
	for (uint32_t i = 0; i < report->n; i++) {
		suggest_offer(&suggestion, report->of[i].name);
		if (i < NAMED_IN_ERROR)
			strbuf_addf(&known, "%s%s", i > 0 ? ", " : "", report->of[i].name);
	}
	if (suggestion.nearest)
		err_set(err, "there is no egress origin \"%s\", did you mean \"%s\"?", wanted, suggestion.nearest);
	else
		err_set(err, "there is no egress origin \"%s\"; there is %s%s", wanted,
			known.data ? known.data : "none", report->n > NAMED_IN_ERROR ? " and others" : "");
	strbuf_release(&known);
	return false;
}

static bool is_sound(const struct egress_order *order)
{
	if (!ORDERS_TEXT_OK(order->origin) || !ORDERS_TEXT_OK(order->destination) ||
	    order->duration_ms > EGRESS_ORDER_MAX_MS)
		return false;
	switch (order->verb) {
	case EGRESS_VERB_QUARANTINE: return order->stage == EGRESS_LISTED_ONLY || order->stage == EGRESS_REPLIES_ONLY;
	case EGRESS_VERB_RELEASE:
	case EGRESS_VERB_APPROVE:
	case EGRESS_VERB_FORGET: return true;
	default: return false;
	}
}

static void quarantine(struct egress_state *state, const struct egress_order *order, struct strbuf *said)
{
	char length[UNITS_TEXT_SIZE];
	enum egress_stage stage = (enum egress_stage)order->stage;
	egress_quarantine(state, stage, order->duration_ms, loop_now_ms(master.loop), clock_wall_us() / 1000);
	seen[state - master.egress->of] = stage;
	tell(EGRESS_NEWS_QUARANTINE, state, stage, order->duration_ms);
	units_format(SETTING_TIME, order->duration_ms, length);
	strbuf_addf(said, "Origin %s is in quarantine (%s) %s%s.", state->name, egress_stage_name(stage),
		    order->duration_ms > 0 ? "for " : "until it is released", order->duration_ms > 0 ? length : "");
	if (only_reports())
		strbuf_add_str(said, " It is only reported: egress.mode is \"monitor\", or egress is paused.");
}

static void release(struct egress_state *state, struct strbuf *said)
{
	enum egress_stage stage = egress_stage_now(state, loop_now_ms(master.loop));
	egress_release(state);
	seen[state - master.egress->of] = EGRESS_FREE;
	if (stage == EGRESS_FREE) {
		strbuf_addf(said, "Origin %s is not in quarantine.", state->name);
		return;
	}
	tell(EGRESS_NEWS_RELEASE, state, stage, 0);
	strbuf_addf(said, "Origin %s is released from quarantine.", state->name);
}

static bool approve(struct egress_state *state, const char *destination, struct strbuf *said)
{
	struct egress_learned *learned = &master.egress->learned[state - master.egress->of];
	if (!egress_learned_approve(learned, egress_learned_seed(master.egress, state), span_from_str(destination),
				    atomic_load(&state->epoch), loop_now_ms(master.loop)))
		return false;
	log_info("%s is approved for egress origin %s by order", destination, state->name);
	strbuf_addf(said,
		    "Origin %s may go to %s through the gate, until sallyport stops. What outlives that, for all origins, "
		    "is this entry of egress.allow: \"%s\"",
		    state->name, destination, destination);
	if (master.active->egress.learning != EGRESS_LEARNING_ON)
		strbuf_add_str(said, "\nBut egress.learning is \"off\": until it is on, only egress.allow counts.");
	return true;
}

static bool forget(struct egress_state *state, const char *destination, struct strbuf *said)
{
	struct egress_learned *learned = &master.egress->learned[state - master.egress->of];
	if (!egress_learned_forget(learned, egress_learned_seed(master.egress, state), span_from_str(destination)))
		return false;
	log_info("what was learned of %s from egress origin %s is forgotten by order", destination, state->name);
	strbuf_addf(said, "What was learned of %s from origin %s is forgotten.", destination, state->name);
	return true;
}

/* What is new to us is not approved: that is what egress.allow is for. */
static bool decide(struct egress_state *state, const struct egress_order *order, struct strbuf *said, struct err *err)
{
	char destination[EGRESS_DESTINATION_SIZE];
	if (!egress_destination_read(span_from_str(order->destination), destination, err))
		return false;
	if (order->verb == EGRESS_VERB_APPROVE ? approve(state, destination, said) : forget(state, destination, said))
		return true;
	return err_set(err, "nothing is learned of %s from origin %s: 'sallyport egress learned' has what is", destination,
		       state->name);
}

static bool has_egress(struct err *err)
{
	if (!master.active)
		return err_set(err, "no policy is in force now");
	if (master.active->egress.mode <= EGRESS_OFF)
		return err_set(err, "the policy in force has no egress guard: see `egress` in conf/README.md");
	return true;
}

bool egress_carry_out(const struct egress_order *order, struct strbuf *said, struct err *err)
{
	if (!is_sound(order))
		return err_set(err, "the order makes no sense");
	if (!has_egress(err))
		return false;
	struct egress_state *state = find(order->origin);
	if (!state)
		return unknown_origin(order->origin, err);
	switch (order->verb) {
	case EGRESS_VERB_QUARANTINE: quarantine(state, order, said); return true;
	case EGRESS_VERB_RELEASE: release(state, said); return true;
	default: return decide(state, order, said, err);
	}
}

/* ---- pauses ---- */

bool egress_pause(uint64_t duration_ms, struct err *err)
{
	char until[CLOCK_ISO_SIZE];
	uint64_t now_ms = loop_now_ms(master.loop);
	if (!has_egress(err))
		return false;
	bool was_paused = egress_pause_until() > now_ms;
	egress_set_pause(duration_ms > 0 ? now_ms + duration_ms : 0);
	clock_format_iso(clock_wall_us() + duration_ms * 1000, until);
	if (duration_ms > 0)
		log_info("egress is paused by order, until %s: what origins send is only reported", until);
	else if (was_paused)
		log_info("egress is resumed by order");
	return true;
}

uint64_t egress_pause_until(void)
{
	return atomic_load_explicit(&master.egress->paused_until_ms, memory_order_relaxed);
}

void egress_set_pause(uint64_t until_ms)
{
	atomic_store_explicit(&master.egress->paused_until_ms, until_ms, memory_order_release);
}
