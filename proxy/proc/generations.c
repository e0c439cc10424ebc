/* Generations: a reload in two phases. First everything that the new policy needs is
 * made beside what is there: the compiled policy, sockets, log files, workers. Only
 * when all of it stands does anything change; where a part fails, what was made is
 * taken away again and nobody has noticed. A generation's messages are checked, since its
 * workers are its children. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "proc/evidence_file.h"
#include "proc/master.h"
#include "proc/spawn.h"
#include "sallyport/census.h"
#include "sallyport/log.h"

enum {
	READY_MS = 60000, /* to compile, and to get the workers ready, each */
	ROOM_MS = 1000,   /* a new generation waits so long for a draining one before it is cut */
	DRAIN_GRACE_MS = 3000, /* after the deadline, before it is killed */
};

/* ---- small things ---- */

static unsigned count_draining(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < GENS_MAX; i++)
		n += master.gens[i].state == GEN_DRAINING;
	return n;
}

/* That was not cut short yet. */
static struct gen *oldest_draining(void)
{
	struct gen *oldest = NULL;
	for (unsigned i = 0; i < GENS_MAX; i++) {
		struct gen *gen = &master.gens[i];
		if (gen->state == GEN_DRAINING && !gen->is_cut && (!oldest || gen->id < oldest->id))
			oldest = gen;
	}
	return oldest;
}

static uint64_t slots_in_use(void)
{
	uint64_t used = 0;
	for (unsigned i = 0; i < GENS_MAX; i++)
		used |= master.gens[i].slots;
	return used;
}

bool generations_all_gone(void)
{
	for (unsigned i = 0; i < GENS_MAX; i++)
		if (master.gens[i].state != GEN_NONE)
			return false;
	return true;
}

static void kill_gen(struct gen *gen)
{
	gen->state = GEN_DYING;
	loop_disarm(master.loop, &gen->timer);
	if (gen->pid > 0)
		kill(gen->pid, SIGKILL);
}

static void arm(struct gen *gen, uint64_t wait_ms)
{
	loop_arm(master.loop, &gen->timer, loop_now_ms(master.loop) + wait_ms);
}

static bool order(struct gen *gen, enum order what, const void *payload, size_t len)
{
	struct err err = {{0}};
	if (ipc_send(gen->channel, what, payload, len, NULL, 0, &err))
		return true;
	log_warn("generation %u does not listen: %s", gen->id, err.text);
	return false;
}

static void drain(struct gen *gen, bool hand_over, uint64_t wait_ms)
{
	uint64_t now_ms = loop_now_ms(master.loop);
	const struct drain_order what = {.deadline_ms = now_ms + wait_ms, .hand_over = hand_over};
	gen->state = GEN_DRAINING;
	arm(gen, wait_ms + DRAIN_GRACE_MS);
	if (!order(gen, ORDER_DRAIN, &what, sizeof(what)))
		kill_gen(gen);
}

/* ---- failing ---- */

/* No generation serves. The listening sockets are open: visitors wait, for a while. */
static void plan_recovery(uint64_t started_ms)
{
	uint64_t now_ms = loop_now_ms(master.loop);
	uint64_t wait_ms = backoff_next(&master.recovery_backoff, started_ms, now_ms);
	log_error("no generation serves; the next attempt is in %llu ms",
		  (unsigned long long)wait_ms);
	loop_arm(master.loop, &master.recovery, now_ms + wait_ms);
}

/* One that was told to start may have visitors: they go to those who serve, or to whoever comes next. */
static void end_coming(struct gen *gen)
{
	if (gen->state == GEN_STARTING && master.has_policy)
		drain(gen, true, master.policy.drain_ms);
	else if (gen->state != GEN_NONE)
		kill_gen(gen);
}

/* What the coming generation had made so far is taken away. */
static void take_back(void)
{
	if (master.coming)
		end_coming(master.coming);
	master.coming = NULL;
	listeners_rollback(&master.listeners);
	listeners_rollback(&master.datagram_listeners);
	listeners_rollback(&master.console_listeners);
	helpers_rollback_scribe();
	guards_rollback();
	wardens_rollback();
}

static void coming_failed(const char *text)
{
	take_back();
	master_step();
	if (!master.has_policy) {
		master_fail_start(text);
		return;
	}
	if (master.active)
		log_error("reload refused, the running server is unchanged:");
	else
		log_error("the policy cannot be used:");
	master_log_lines(true, text);
	control_reload_failed(text);
	if (!master.active && !master.is_stopping)
		plan_recovery(loop_now_ms(master.loop));
}

void generations_part_failed(const char *text)
{
	if (master.coming && master.coming->state == GEN_PREPARING)
		coming_failed(text);
}

/* ---- from compiled to ready ---- */

static bool take_slots(struct gen *gen, struct prepare_order *prepare)
{
	uint64_t used = slots_in_use();
	prepare->id = gen->id;
	prepare->workers = gen->policy.workers;
	prepare->gates = gen->policy.gates;
	unsigned taken = 0, wanted = prepare->workers + prepare->gates;
	uint64_t slots = 0;
	for (unsigned i = 0; i < STATS_SLOTS && taken < wanted; i++) {
		if (used & (UINT64_C(1) << i))
			continue;
		slots |= UINT64_C(1) << i;
		prepare->slots[taken++] = i;
	}
	if (taken < wanted)
		return false;
	gen->slots = slots;
	return true;
}

/* At most so many drain at a time, once the active one has joined them. */
static bool has_room(const struct gen *gen)
{
	unsigned quota = gen->policy.generations;
	if (quota < 1)
		quota = 1;
	if (quota > GENS_MAX - 3)
		quota = GENS_MAX - 3;
	return !master.active || count_draining() < quota;
}

static void try_prepare(void)
{
	struct gen *gen = master.coming;
	if (!gen || gen->state != GEN_WAITING)
		return;
	struct prepare_order slots = {0};
	struct err err = {{0}};
	if (!has_room(gen) || !take_slots(gen, &slots))
		return; /* the timer runs */
	gen->state = GEN_PREPARING;
	arm(gen, READY_MS);
	if (!preparing_all(gen, &slots, &err))
		coming_failed(err.text);
}

static bool scribe_is_pending(void)
{
	return master.scribe_next && master.scribe_next->state != HELPER_READY;
}

void generations_part_ready(void)
{
	struct gen *gen = master.coming;
	if (!gen || gen->state != GEN_PREPARING || !gen->is_ready || scribe_is_pending() ||
	    guards_are_pending(gen) || wardens_are_pending(gen))
		return;
	gen->state = GEN_STARTING;
	arm(gen, READY_MS);
	if (!order(gen, ORDER_START, NULL, 0))
		coming_failed("the new generation does not listen");
}

/* ---- the change ---- */

/* Before the commit, which forgets what is fresh. */
static void announce(const struct listeners *listeners, const char *what)
{
	for (unsigned i = 0; i < listeners->n; i++) {
		const struct listener *item = &listeners->items[i];
		char text[ADDR_TEXT_SIZE];
		struct addr bound;
		if (!item->is_fresh)
			continue;
		if (!listener_address(item->fd, &bound))
			bound = item->addr;
		addr_format(&bound, text);
		log_info("%s %s", what, text);
	}
}

static bool console_differs(const struct compiled_report *a, const struct compiled_report *b)
{
	return a->has_console != b->has_console ||
	       (a->has_console && !addr_eq(&a->console, &b->console));
}

static void tell_rules(const struct rules_age *age)
{
	struct stats_rules *rules = &master.stats->rules;
	atomic_store(&rules->count, age->rules);
	atomic_store(&rules->made_s, rules_age_made_s(age));
	atomic_store(&rules->pack_version, age->dates.pack_version);
}

static void commit(struct gen *gen)
{
	struct gen *old = master.active;
	bool is_first = !master.has_policy;
	bool console_changed = is_first || console_differs(&master.policy, &gen->policy);
	loop_disarm(master.loop, &gen->timer);
	loop_disarm(master.loop, &master.recovery);
	master.coming = NULL;
	master.active = gen;
	gen->state = GEN_ACTIVE;
	announce(&master.listeners, "listening on");
	announce(&master.datagram_listeners, "answering names on");
	announce(&master.console_listeners, "console on");
	listeners_commit(&master.listeners);
	listeners_commit(&master.datagram_listeners);
	listeners_commit(&master.console_listeners);
	master.replaced = old;
	if (old)
		drain(old, true, master.policy.drain_ms);
	master.policy = gen->policy;
	master.has_policy = true;
	tell_rules(&gen->policy.rules);
	wardens_commit(gen);
	if (is_first)
		log_info("control socket: %s", master.control_path);
	log_info("generation %u serves: %u worker%s, %u site%s", gen->id, gen->policy.workers,
		 gen->policy.workers == 1 ? "" : "s", gen->policy.sites,
		 gen->policy.sites == 1 ? "" : "s");
	control_reload_done();
	if (!old || console_changed)
		control_settled();
	helpers_commit(console_changed);
	guards_commit(gen);
	egress_commit(gen);
	if (is_first)
		master_started();
	master_step();
}

static void settle(void)
{
	master.replaced = NULL;
	control_settled();
}

/* ---- messages ---- */

static bool report_is_sound(const struct compiled_report *r)
{
	for (size_t i = 0; i < SCOUT_CAS_MAX; i++)
		if (!ORDERS_TEXT_OK(r->scout_ca[i]))
			return false;
	return r->workers >= 1 && r->workers <= WORKERS_MAX && r->gates <= 1 && r->listens <= LISTENERS_MAX &&
	       r->drain_ms <= UINT32_MAX && ORDERS_TEXT_OK(r->user) && ORDERS_TEXT_OK(r->runtime) &&
	       ORDERS_TEXT_OK(r->log_access) && ORDERS_TEXT_OK(r->log_events) &&
	       ORDERS_TEXT_OK(r->acme_webroot) && ORDERS_TEXT_OK(r->vault) && ORDERS_TEXT_OK(r->rules.dates.pack) &&
	       ORDERS_TEXT_OK(r->evidence) && r->evidence_bytes <= EVIDENCE_FILE_MAX &&
	       r->scout_ports <= SCOUT_PORTS_MAX && r->ends <= EXCEPTION_ENDS_MAX && ORDERS_TEXT_OK(r->warnings);
}

static void compiled(struct gen *gen, struct ipc_message *message)
{
	const struct compiled_report *report = ipc_payload(message, sizeof(*report));
	if (!report || !report_is_sound(report) ||
	    message->n_fds != (report->guarded > 0 ? 1U : 0U) + (report->rules_bytes > 0 ? 1U : 0U)) {
		coming_failed("the new generation's report makes no sense");
		return;
	}
	gen->policy = *report;
	gen->plan_fd = report->guarded > 0 ? ipc_take_fd(message, 0) : -1;
	gen->rules_fd = report->rules_bytes > 0 ? ipc_take_fd(message, report->guarded > 0 ? 1 : 0) : -1;
	master_log_lines(false, gen->policy.warnings);
	gen->state = GEN_WAITING;
	arm(gen, ROOM_MS);
	try_prepare();
}

static void note_workers(struct gen *gen, const struct ipc_message *message)
{
	const struct workers_report *report = ipc_payload(message, sizeof(*report));
	if (report && report->n <= CHILDREN_MAX)
		gen->workers = *report;
}

static void gen_said(struct gen *gen, struct ipc_message *message)
{
	bool is_coming = gen == master.coming;
	if (message->type == REPORT_COMPILED && gen->state == GEN_COMPILING) {
		compiled(gen, message);
	} else if (message->type == REPORT_SITES && gen->state == GEN_COMPILING) {
		if (!pauses_note_sites(gen, message))
			coming_failed("the new generation's sites make no sense");
	} else if (message->type == REPORT_EGRESS && gen->state == GEN_COMPILING) {
		if (!egress_note(gen, message))
			coming_failed("the new generation's egress origins make no sense");
	} else if (message->type == REPORT_READY && gen->state == GEN_PREPARING) {
		gen->is_ready = true;
		generations_part_ready();
	} else if (message->type == REPORT_STARTED && gen->state == GEN_STARTING) {
		commit(gen);
	} else if (message->type == REPORT_DRAINING && gen->state == GEN_DRAINING) {
		if (gen == master.replaced)
			settle();
	} else if (message->type == REPORT_BASELINE_SET) {
		if (gen == master.active)
			guards_baseline_set();
	} else if (message->type == REPORT_WORKERS) {
		note_workers(gen, message);
	} else if (message->type == REPORT_FAILED && is_coming) {
		coming_failed(message->payload);
	} else if (message->type == REPORT_FAILED) {
		log_error("generation %u: %s", gen->id, message->payload);
	}
}

/* Takes what it said. False where nothing more will come, or be heard. */
static bool hear(struct gen *gen)
{
	for (int i = 0; i < IPC_BURST; i++) {
		if (gen->state == GEN_DYING)
			return false;
		enum ipc_result result = ipc_receive(gen->channel, &master.message);
		if (result == IPC_GOT)
			gen_said(gen, &master.message);
		ipc_release(&master.message);
		if (result == IPC_NONE)
			return true;
		if (result == IPC_BROKEN)
			kill_gen(gen);
		if (result != IPC_GOT)
			return false;
	}
	return true;
}

static void on_gen(struct watch *watch, unsigned events)
{
	struct gen *gen = (struct gen *)(void *)((char *)watch - offsetof(struct gen, watch));
	(void)events;
	/* Its end itself is read from SIGCHLD. */
	if (!hear(gen))
		loop_unwatch(master.loop, watch);
}

static void on_gen_timer(struct timer *timer)
{
	struct gen *gen = (struct gen *)(void *)((char *)timer - offsetof(struct gen, timer));
	struct gen *oldest = oldest_draining();
	if (gen->state == GEN_WAITING && oldest) {
		log_warn("generation %u still drains and makes way: quotas.generations is %u",
			 oldest->id, gen->policy.generations);
		oldest->is_cut = true;
		drain(oldest, true, 0);
		arm(gen, ROOM_MS);
	} else if (gen->state == GEN_WAITING) {
		arm(gen, ROOM_MS); /* one that was killed is about to go */
	} else if (gen->state == GEN_DRAINING) {
		log_warn("generation %u does not end and is killed", gen->id);
		kill_gen(gen);
	} else if (gen == master.coming) {
		coming_failed("the new generation was not ready within a minute");
	}
}

/* ---- beginning and ending ---- */

static struct gen *free_gen(void)
{
	for (unsigned i = 0; i < GENS_MAX; i++)
		if (master.gens[i].state == GEN_NONE)
			return &master.gens[i];
	return NULL;
}

static bool begin(struct gen *gen, struct err *err)
{
	gen->pid = spawn_role(role_get(ROLE_GENERATION), &gen->channel, err);
	if (gen->pid < 0)
		return false;
	gen->state = GEN_COMPILING;
	gen->id = ++master.next_id;
	gen->started_ms = loop_now_ms(master.loop);
	gen->is_ready = gen->is_cut = false;
	gen->plan_fd = gen->rules_fd = -1;
	gen->sites = (struct site_set){0};
	gen->egress = (struct egress_report){0};
	memset(gen->egress_slots, 0, sizeof(gen->egress_slots));
	gen->workers = (struct workers_report){0};
	gen->watch = (struct watch){.on_event = on_gen, .fd = gen->channel};
	gen->timer = (struct timer){.on_expiry = on_gen_timer};
	master.coming = gen;
	arm(gen, READY_MS);
	return loop_watch_input(master.loop, &gen->watch, err) &&
	       ipc_send(gen->channel, ORDER_COMPILE, &master.compile, sizeof(master.compile), NULL,
			0, err);
}

bool generations_begin(struct err *err)
{
	struct gen *gen = free_gen();
	if (!gen)
		return err_set(err, "too many generations are ending; try again");
	return begin(gen, err);
}

void generations_reload(void)
{
	struct err err = {{0}};
	if (master.is_stopping) {
		control_reload_failed("the server is stopping");
	} else if (master.coming) {
		master.reload_again = true;
	} else if (!generations_begin(&err)) {
		coming_failed(err.text);
	}
}

static void on_recovery(struct timer *timer)
{
	(void)timer;
	if (!master.active && !master.coming)
		generations_reload();
}

void generations_init(void)
{
	master.recovery.on_expiry = on_recovery;
}

void generations_step(void)
{
	try_prepare();
	if (master.reload_again && !master.coming && !master.is_stopping) {
		master.reload_again = false;
		generations_reload();
	}
}

void generations_stop(void)
{
	take_back();
	loop_disarm(master.loop, &master.recovery);
	master.reload_again = false;
	/* twice: also those that waited for the one after */
	control_reload_failed("the server is stopping");
	control_reload_failed("the server is stopping");
	for (unsigned i = 0; i < GENS_MAX; i++)
		if (master.gens[i].state == GEN_ACTIVE || master.gens[i].state == GEN_DRAINING)
			drain(&master.gens[i], false, master.policy.drain_ms);
	master.active = NULL;
}

void generations_kill(void)
{
	for (unsigned i = 0; i < GENS_MAX; i++)
		if (master.gens[i].state != GEN_NONE)
			kill_gen(&master.gens[i]);
	master.active = master.coming = NULL;
}

/* Counts of connections that nobody closed must not stand against visitors. */
static void clean_slots(uint64_t slots)
{
	for (unsigned i = 0; i < STATS_SLOTS; i++) {
		if (!(slots & (UINT64_C(1) << i)))
			continue;
		stats_slot_reset_gauges(&master.stats->slots[i]);
		atomic_store(&master.stats->slots[i].in_use, 0);
		census_clear(master.census, i);
	}
}

static void gen_gone(struct gen *gen, int wait_status)
{
	(void)hear(gen); /* its last words */
	loop_unwatch(master.loop, &gen->watch);
	loop_disarm(master.loop, &gen->timer);
	close(gen->channel);
	gen->channel = -1;
	if (wait_status != 0)
		clean_slots(gen->slots);
	gen->slots = 0;
	gen->state = GEN_NONE;
	if (gen->plan_fd >= 0)
		close(gen->plan_fd);
	if (gen->rules_fd >= 0)
		close(gen->rules_fd);
	gen->plan_fd = gen->rules_fd = -1;
	if (gen == master.replaced)
		settle();
}

bool generations_reap(pid_t pid, int wait_status)
{
	struct gen *gen = NULL;
	for (unsigned i = 0; i < GENS_MAX; i++)
		if (master.gens[i].state != GEN_NONE && master.gens[i].pid == pid)
			gen = &master.gens[i];
	if (!gen)
		return false;
	char how[SPAWN_END_SIZE];
	spawn_describe_end(wait_status, how);
	gen->pid = 0;
	gen_gone(gen, wait_status);
	master_step();
	if (gen == master.active) {
		log_error("generation %u %s", gen->id, how);
		master.active = NULL;
		if (!master.coming)
			plan_recovery(gen->started_ms);
	} else if (gen == master.coming) {
		struct err err;
		err_set(&err, "the new generation %s", how);
		coming_failed(err.text);
	}
	return true;
}
