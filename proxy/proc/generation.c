/* One generation: compiles a policy as it is now, forks the workers that share it, replaces
 * those that die, and ends when all have drained. It reads the policy with the rights that the
 * master has, and gives them up before a worker exists. What a worker says is checked; what
 * it did to the shared memory is its readers' affair.
 *
 *   COMPILE → compiled → PREPARE → forked → all READY → START → all STARTED → DRAIN → exit 0
 *        └ FAILED, exit 1 ──────────┴────────────┘       └ FAILED ──────────────┘ */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/backoff.h"
#include "proc/compile.h"
#include "proc/forked.h"
#include "proc/ipc.h"
#include "proc/orders.h"
#include "proc/roles.h"
#include "proc/sandbox.h"
#include "proc/spawn.h"
#include "proc/worker_role.h"
#include "sallyport/log.h"
#include "sallyport/shm.h"
#include "sallyport/tls_tickets.h"

enum { FIRST_ORDER_MS = 10000 };

enum worker_state {
	WORKER_NONE = 0, /* none lives; its timer may be armed */
	WORKER_PREPARING,
	WORKER_READY,
	WORKER_STARTED,
	WORKER_DRAINING, /* accepts no more */
};

struct child {
	struct watch watch;
	struct timer respawn;
	struct backoff backoff;
	enum worker_state state;
	pid_t pid;
	int channel;
	uint64_t started_ms;
	uint32_t slot;
	uint32_t restarts;
	bool is_gate;
	uint32_t baselines_due; /* given, and not heard of again */
};

struct generation {
	struct loop *loop;
	struct settings *settings;
	struct watch channel;
	struct watch signals;
	struct worker_memory memory; /* ring: the first of all */
	int fds[PREPARE_FD_LISTENERS + LISTENERS_MAX];
	int baseline_fd; /* the newest, -1: none yet */
	struct baseline_order baseline;
	struct child children[CHILDREN_MAX];
	unsigned n; /* of them, the gate included */
	unsigned id;
	pid_t master;
	bool is_started; /* START came: whoever gets ready may accept */
	bool is_announced; /* STARTED went up: from here on a death is mended, not reported */
	bool is_draining;
	int status;
	struct ipc_message message;
};

static struct generation generation;

/* ---- words with the master ---- */

static void report(enum order order, const void *payload, size_t len)
{
	struct err err = {{0}};
	if (!ipc_send(ROLE_CHANNEL_FD, order, payload, len, NULL, 0, &err))
		log_debug("%s", err.text);
}

static void end(int status)
{
	generation.status = status;
	loop_stop(generation.loop);
}

/* Workers that accept already may have visitors by now: the master's order to drain hands these back. */
static void give_up(const char *text)
{
	report(REPORT_FAILED, text, strlen(text));
	if (!generation.is_started)
		end(1);
}

static void report_workers(void)
{
	struct workers_report workers = {.n = generation.n};
	for (unsigned i = 0; i < generation.n; i++) {
		const struct child *child = &generation.children[i];
		workers.of[i].pid = child->state == WORKER_NONE ? 0 : child->pid;
		workers.of[i].slot = child->slot;
		workers.of[i].restarts = child->restarts;
		workers.of[i].is_gate = child->is_gate;
	}
	report(REPORT_WORKERS, &workers, sizeof(workers));
}

static bool all_are(enum worker_state state)
{
	for (unsigned i = 0; i < generation.n; i++)
		if (generation.children[i].state < state)
			return false;
	return true;
}

static bool none_lives(void)
{
	for (unsigned i = 0; i < generation.n; i++)
		if (generation.children[i].state != WORKER_NONE)
			return false;
	return true;
}

/* ---- workers ---- */

static void kill_child(const struct child *child)
{
	if (child->pid > 0)
		kill(child->pid, SIGKILL);
}

static void order_child(struct child *child, enum order order, const void *payload, size_t len)
{
	struct err err = {{0}};
	if (ipc_send(child->channel, order, payload, len, NULL, 0, &err))
		return;
	/* It neither reads nor ends: whatever it does, it is no worker any more. */
	log_warn("worker %d does not listen: %s", (int)child->pid, err.text);
	kill_child(child);
}

/* Comes before the order to accept, wherever there is one. */
static void give_baseline(struct child *child)
{
	struct err err = {{0}};
	if (generation.baseline_fd < 0 || child->is_gate)
		return;
	child->baselines_due++;
	if (ipc_send(child->channel, ORDER_BASELINE, &generation.baseline,
		     sizeof(generation.baseline), &generation.baseline_fd, 1, &err))
		return;
	log_warn("worker %d does not listen: %s", (int)child->pid, err.text);
	kill_child(child);
}

static void child_is_ready(struct child *child)
{
	child->state = WORKER_READY;
	if (generation.is_started)
		order_child(child, ORDER_START, NULL, 0);
	else if (all_are(WORKER_READY))
		report(REPORT_READY, NULL, 0);
}

/* An operator who allowed more connections than there can be wants to know. */
static void mention_descriptors(void)
{
	uint64_t wanted = generation.settings->quotas.connections, each = front_connections_possible();
	if (each < wanted && each * generation.n < wanted)
		log_info("the limit of descriptors (ulimit -n, LimitNOFILE) allows %llu connections, "
			 "quotas.connections would be %llu",
			 (unsigned long long)(each * generation.n), (unsigned long long)wanted);
}

static void child_has_started(struct child *child)
{
	child->state = WORKER_STARTED;
	if (generation.is_announced || !all_are(WORKER_STARTED)) {
		report_workers();
		return;
	}
	generation.is_announced = true;
	report_workers();
	report(REPORT_STARTED, NULL, 0);
	mention_descriptors();
}

/* Once none accepts any more, the next generation's policy is the only one for new connections. */
static void check_draining(void)
{
	for (unsigned i = 0; i < generation.n; i++)
		if (generation.children[i].state != WORKER_NONE &&
		    generation.children[i].state != WORKER_DRAINING)
			return;
	report(REPORT_DRAINING, NULL, 0);
}

static void tell_of_baselines(void)
{
	for (unsigned i = 0; i < generation.n; i++)
		if (generation.children[i].state != WORKER_NONE &&
		    generation.children[i].baselines_due > 0)
			return;
	report(REPORT_BASELINE_SET, NULL, 0);
}

static void child_said(struct child *child, const struct ipc_message *message)
{
	if (message->type == REPORT_READY && child->state == WORKER_PREPARING) {
		child_is_ready(child);
	} else if (message->type == REPORT_STARTED && child->state == WORKER_READY) {
		child_has_started(child);
	} else if (message->type == REPORT_DRAINING && generation.is_draining) {
		child->state = WORKER_DRAINING;
		check_draining();
	} else if (message->type == REPORT_BASELINE_SET && child->baselines_due > 0) {
		child->baselines_due--;
		tell_of_baselines();
	} else if (message->type == REPORT_FAILED && !generation.is_announced) {
		give_up(message->payload);
	} else if (message->type == REPORT_FAILED) {
		/* It is about to end; one that only says so is helped along. */
		log_error("worker %d: %s", (int)child->pid, message->payload);
		kill_child(child);
	}
}

/* Takes what it said. False where nothing more will come. */
static bool hear_child(struct child *child)
{
	for (int i = 0; i < IPC_BURST; i++) {
		enum ipc_result result = ipc_receive(child->channel, &generation.message);
		ipc_release(&generation.message);
		if (result == IPC_NONE)
			return true;
		if (result == IPC_BROKEN)
			kill_child(child);
		if (result != IPC_GOT)
			return false;
		child_said(child, &generation.message);
	}
	return true;
}

static void on_child(struct watch *watch, unsigned events)
{
	struct child *child =
	    (struct child *)(void *)((char *)watch - offsetof(struct child, watch));
	(void)events;
	/* Its end itself is read from SIGCHLD. */
	if (!hear_child(child))
		loop_unwatch(generation.loop, watch);
}

static struct worker_start worker_start(const struct child *child)
{
	struct worker_start start = {
	    .setup =
		{
		    .settings = generation.settings,
		    .memory = generation.memory,
		    .slot = child->slot,
		    .listen_fds = generation.fds + PREPARE_FD_LISTENERS,
		    .log_event_fd = generation.fds[PREPARE_FD_LOG_EVENT],
		    .nomination_event_fd = generation.fds[PREPARE_FD_NOMINATION_EVENT],
		    .adopt_fd = generation.fds[PREPARE_FD_ADOPT],
		    .hand_over_fd = generation.fds[PREPARE_FD_HAND_OVER],
		},
	};
	for (unsigned i = INTERNAL_NONE + 1; i < INTERNAL_COUNT; i++)
		start.setup.internal_fds[i] = generation.fds[PREPARE_FD_INTERNAL + i - 1];
	start.setup.memory.ring += child->slot;
	start.setup.memory.nominations += child->slot;
	return start;
}

static struct stats_slot *stats_of(const struct child *child)
{
	return &generation.memory.stats->slots[child->slot];
}

static bool start_child(struct child *child, struct err *err)
{
	struct worker_start start = worker_start(child);
	start.generation = getpid();
	pid_t pid = spawn_fork(&child->channel, err);
	if (pid == 0) {
		start.setup.is_gate = child->is_gate;
		forked_leave(&start, generation.settings, generation.fds);
		start.channel = child->channel;
		_exit(worker_role(&start));
	}
	if (pid < 0)
		return false;
	child->pid = pid;
	child->state = WORKER_PREPARING;
	child->started_ms = loop_now_ms(generation.loop);
	stats_slot_reset_gauges(stats_of(child));
	atomic_store(&stats_of(child)->in_use, 1);
	child->watch = (struct watch){.on_event = on_child, .fd = child->channel};
	if (!loop_watch_input(generation.loop, &child->watch, err))
		return false;
	give_baseline(child);
	return true;
}

static void plan_restart(struct child *child)
{
	uint64_t now_ms = loop_now_ms(generation.loop);
	uint64_t wait_ms = backoff_next(&child->backoff, child->started_ms, now_ms);
	loop_arm(generation.loop, &child->respawn, now_ms + wait_ms);
}

static void on_respawn(struct timer *timer)
{
	struct child *child =
	    (struct child *)(void *)((char *)timer - offsetof(struct child, respawn));
	struct err err = {{0}};
	child->restarts++;
	if (!start_child(child, &err)) {
		log_error("cannot start a worker again: %s", err.text);
		if (child->state == WORKER_NONE)
			plan_restart(child);
		else
			kill_child(child); /* it is there, and would not be heard */
	}
	report_workers();
}

/* What its death leaves in shared memory would count against visitors for ever. */
static void clean_after(struct child *child)
{
	loop_unwatch(generation.loop, &child->watch);
	close(child->channel);
	child->channel = -1;
	child->state = WORKER_NONE;
	child->baselines_due = 0;
	tell_of_baselines();
	stats_slot_reset_gauges(stats_of(child));
	atomic_store(&stats_of(child)->in_use, 0);
	census_clear(generation.memory.census, child->slot);
}

static void child_died(struct child *child, int wait_status)
{
	char how[SPAWN_END_SIZE];
	pid_t pid = child->pid;
	spawn_describe_end(wait_status, how);
	child->pid = 0; /* its number may be another's by now */
	(void)hear_child(child); /* its last words */
	clean_after(child);
	bool in_order = generation.is_draining && wait_status == 0;
	if (!in_order)
		log_warn("%s %d (slot %u) %s", child->is_gate ? "gate" : "worker", (int)pid, child->slot, how);
	if (generation.is_draining) {
		report_workers();
		check_draining();
		if (none_lives())
			end(0);
	} else if (!generation.is_announced) {
		struct err text;
		err_set(&text, "a worker %s before it was ready", how);
		give_up(text.text);
	} else {
		plan_restart(child);
		report_workers();
	}
}

static void on_signal(struct watch *watch, unsigned events)
{
	struct signalfd_siginfo info;
	(void)events;
	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
	pid_t pid;
	int wait_status;
	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0)
		for (unsigned i = 0; i < generation.n; i++)
			if (generation.children[i].pid == pid &&
			    generation.children[i].state != WORKER_NONE)
				child_died(&generation.children[i], wait_status);
}

/* ---- orders ---- */

static void start_all(void)
{
	generation.is_started = true;
	for (unsigned i = 0; i < generation.n; i++)
		if (generation.children[i].state == WORKER_READY)
			order_child(&generation.children[i], ORDER_START, NULL, 0);
}

/* An address that the next policy has dropped must not go on taking connections in. */
static void close_listeners(void)
{
	for (size_t i = 0; i < generation.settings->listens.n; i++) {
		close(generation.fds[PREPARE_FD_LISTENERS + i]);
		generation.fds[PREPARE_FD_LISTENERS + i] = -1;
	}
}

static void drain_all(const struct drain_order *drain)
{
	if (!generation.is_draining)
		close_listeners();
	generation.is_draining = true;
	for (unsigned i = 0; i < generation.n; i++) {
		struct child *child = &generation.children[i];
		loop_disarm(generation.loop, &child->respawn);
		if (child->state != WORKER_NONE)
			order_child(child, ORDER_DRAIN, drain, sizeof(*drain));
	}
	if (none_lives())
		end(0);
}

static void take_baseline(struct ipc_message *message)
{
	const struct baseline_order *baseline = ipc_payload(message, sizeof(*baseline));
	if (!baseline || message->n_fds != 1)
		return;
	if (generation.baseline_fd >= 0)
		close(generation.baseline_fd);
	generation.baseline = *baseline;
	generation.baseline_fd = ipc_take_fd(message, 0);
	for (unsigned i = 0; i < generation.n; i++)
		if (generation.children[i].state != WORKER_NONE)
			give_baseline(&generation.children[i]);
}

static void obey(struct ipc_message *message)
{
	const struct drain_order *drain = ipc_payload(message, sizeof(*drain));
	if (message->type == ORDER_START)
		start_all();
	else if (message->type == ORDER_DRAIN && drain)
		drain_all(drain);
	else if (message->type == ORDER_BASELINE)
		take_baseline(message);
}

static void on_master(struct watch *watch, unsigned events)
{
	(void)events;
	enum ipc_result result;
	while ((result = ipc_receive(watch->fd, &generation.message)) == IPC_GOT) {
		obey(&generation.message);
		ipc_release(&generation.message);
	}
	ipc_release(&generation.message);
	/* The master is gone: so are we, and with us our workers. */
	if (result != IPC_NONE)
		end(1);
}

/* ---- preparing ---- */

static bool map_memory(struct err *err)
{
	struct worker_memory *memory = &generation.memory;
	const int *fds = generation.fds;
	memory->stats = shm_map(fds[PREPARE_FD_STATS], sizeof(struct stats), true, err);
	if (!memory->stats)
		return false;
	memory->ring =
	    shm_map(fds[PREPARE_FD_RINGS], sizeof(struct log_ring) * LOG_RINGS, true, err);
	if (!memory->ring)
		return false;
	memory->census = shm_map(fds[PREPARE_FD_CENSUS], census_bytes(), true, err);
	if (!memory->census)
		return false;
	memory->throttle = shm_map(fds[PREPARE_FD_THROTTLE], throttle_bytes(), true, err);
	if (!memory->throttle)
		return false;
	memory->sites = shm_map(fds[PREPARE_FD_SITES], sizeof(struct site_states), false, err);
	if (!memory->sites)
		return false;
	memory->egress = shm_map(fds[PREPARE_FD_EGRESS], sizeof(struct egress_states), true, err);
	if (!memory->egress)
		return false;
	memory->nominations = shm_map(fds[PREPARE_FD_NOMINATIONS],
				      sizeof(struct log_ring) * STATS_SLOTS, true, err);
	if (!memory->nominations)
		return false;
	memory->tickets = shm_map(fds[PREPARE_FD_TICKETS], tls_tickets_bytes(), true, err);
	if (!memory->tickets)
		return false;
	madvise(memory->tickets, tls_tickets_bytes(), MADV_DONTDUMP);
	size_t size = sizeof(struct origin_health) * ORIGIN_SLOTS;
	int fd = shm_create("sallyport-health", size, err);
	if (fd < 0)
		return false;
	memory->health = shm_map(fd, size, true, err);
	close(fd);
	return memory->health != NULL;
}

/* Waits as long as the master likes: it may wait for older generations to end first. */
static bool await_prepare(struct err *err)
{
	struct ipc_message *message = &generation.message;
	enum ipc_result got = ipc_wait(ROLE_CHANNEL_FD, message, -1);
	const struct prepare_order *order = ipc_payload(message, sizeof(*order));
	unsigned fds = PREPARE_FD_LISTENERS + (unsigned)generation.settings->listens.n;
	if (got != IPC_GOT || message->type != ORDER_PREPARE || !order || message->n_fds != fds ||
	    order->workers < 1 || order->workers > WORKERS_MAX || order->gates > 1) {
		ipc_release(message);
		return err_set(err, "the master did not say how to prepare");
	}
	for (unsigned i = 0; i < fds; i++)
		generation.fds[i] = ipc_take_fd(message, i);
	generation.id = order->id;
	generation.n = order->workers + order->gates;
	for (unsigned i = 0; i < generation.n; i++) {
		if (order->slots[i] >= STATS_SLOTS)
			return err_set(err, "there is no slot %u", order->slots[i]);
		generation.children[i].slot = order->slots[i];
		generation.children[i].is_gate = i >= order->workers;
		generation.children[i].channel = -1;
		generation.children[i].respawn.on_expiry = on_respawn;
	}
	return true;
}

static bool watch_signals(struct err *err)
{
	sigset_t children;
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	int fd = signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return err_set(err, "cannot watch signals: %s", strerror(errno));
	generation.signals = (struct watch){.on_event = on_signal, .fd = fd};
	return loop_watch_input(generation.loop, &generation.signals, err);
}

static bool prepare(struct err *err)
{
	const struct sandbox sandbox = {
	    .role = role_get(ROLE_GENERATION),
	    .mode = generation.settings->process.sandbox,
	    .user = generation.settings->process.user,
	    .parent = generation.master,
	};
	if (!await_prepare(err) || !map_memory(err))
		return false;
	generation.loop = loop_new(err);
	if (!generation.loop || !watch_signals(err))
		return false;
	generation.channel = (struct watch){.on_event = on_master, .fd = ROLE_CHANNEL_FD};
	if (!loop_watch_input(generation.loop, &generation.channel, err) ||
	    !sandbox_enter(&sandbox, err))
		return false;
	for (unsigned i = 0; i < generation.n; i++)
		if (!start_child(&generation.children[i], err))
			return false;
	return true;
}

int generation_role(void)
{
	struct err err = {{0}};
	generation.master = getppid();
	generation.baseline_fd = -1;
	/* Before it reads a key. */
	if (!sandbox_hide_memory(&err)) {
		log_error("%s", err.text);
		return 1;
	}
	enum ipc_result got = ipc_wait(ROLE_CHANNEL_FD, &generation.message, FIRST_ORDER_MS);
	ipc_release(&generation.message);
	if (got == IPC_GOT)
		generation.settings = compile_policy(&generation.message);
	if (!generation.settings)
		return 1;
	if (!prepare(&err)) {
		report(REPORT_FAILED, err.text, strlen(err.text));
		return 1;
	}
	if (!loop_run(generation.loop, &err)) {
		log_error("%s", err.text);
		return 1;
	}
	return generation.status;
}
