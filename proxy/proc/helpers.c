/* Scribe, console, demo, acme and those of the guard: starting them, starting them again with a hard back-off, and
 * replacing them. A scribe is replaced whenever log files have to be opened: the new one
 * opens them with the master's rights, stands ready, and starts once the old one has written
 * what it had. So no scribe keeps a right to open files, and a path that cannot be opened
 * changes nothing. What they say is checked; the scribe reads what workers wrote. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "proc/master.h"
#include "proc/spawn.h"
#include "sallyport/log.h"

enum { STOP_MS = 5000 };

static const char *role_name(const struct helper *helper)
{
	return role_get(helper->role)->name;
}

static bool is_of_guard(const struct helper *helper)
{
	return helper->role == ROLE_KEEPER || helper->role == ROLE_SCOUT ||
	       helper->role == ROLE_LIFEBOAT;
}

void helpers_kill_one(const struct helper *helper)
{
	if (helper->pid > 0)
		kill(helper->pid, SIGKILL);
}

static bool send_order(struct helper *helper, enum order order)
{
	struct err err = {{0}};
	if (ipc_send(helper->channel, order, NULL, 0, NULL, 0, &err))
		return true;
	/* of one that has ended, SIGCHLD will tell more */
	if (errno != EPIPE)
		log_warn("%s does not listen: %s", role_name(helper), err.text);
	helpers_kill_one(helper);
	return false;
}

static void stop(struct helper *helper)
{
	if (helper->state == HELPER_DEAD) {
		loop_disarm(master.loop, &helper->timer);
		helper->state = HELPER_NONE;
	}
	if (helper->state == HELPER_NONE || helper->state == HELPER_STOPPING)
		return;
	helper->state = HELPER_STOPPING;
	loop_arm(master.loop, &helper->timer, loop_now_ms(master.loop) + STOP_MS);
	bool leaves_work = helper->leaves_work || (helper->starts_again && helper->role == ROLE_WARDEN);
	send_order(helper, leaves_work ? ORDER_LEAVE : ORDER_STOP);
}

/* ---- starting ---- */

static unsigned fds_for(enum role_id role, int fds[IPC_FDS_MAX])
{
	unsigned n = 0;
	switch (role) {
	case ROLE_SCRIBE:
		fds[SCRIBE_FD_RINGS] = master.rings_fd;
		fds[SCRIBE_FD_STATS] = master.stats_fd;
		fds[SCRIBE_FD_EVENT] = master.event_fd;
		fds[SCRIBE_FD_ALERTS] = master.alert_fds[1];
		return SCRIBE_FDS;
	case ROLE_CONSOLE:
		fds[n++] = master.stats_fd;
		fds[n++] = master.guard_fd;
		fds[n++] = master.egress_shown_fd;
		fds[n++] = master.control_fd;
		if (master.console_listeners.n > 0)
			fds[n++] = master.console_listeners.items[0].fd;
		return n;
	case ROLE_KEEPER:
		fds[KEEPER_FD_STATUS] = master.guard_fd;
		fds[KEEPER_FD_NOMINATIONS] = master.nominations_fd;
		fds[KEEPER_FD_NOMINATION_EVENT] = master.nomination_event_fd;
		fds[KEEPER_FD_PLAN] = master.plan_fd;
		fds[KEEPER_FD_ALERTS] = master.alert_fds[1];
		return KEEPER_FDS;
	case ROLE_LIFEBOAT: fds[n++] = master.internal_fds[INTERNAL_LIFEBOAT][0]; return n;
	case ROLE_ACME: fds[n++] = master.internal_fds[INTERNAL_CHALLENGES][0]; return n;
	case ROLE_WARDEN:
		fds[WARDEN_FD_STATES] = master.egress_fd;
		fds[WARDEN_FD_RINGS] = master.rings_fd;
		fds[WARDEN_FD_EVENT] = master.event_fd;
		return WARDEN_FDS;
	case ROLE_HERALD:
		fds[HERALD_FD_ALERTS] = master.alert_fds[0];
		fds[HERALD_FD_CRIER] = master.crier_fds[1];
		return HERALD_FDS;
	case ROLE_CRIER: fds[CRIER_FD_CHANNEL] = master.crier_fds[0]; return CRIER_FDS;
	case ROLE_DEMO: fds[n++] = master.demo_fd; return n;
	default: return 0;
	}
}

static bool send_help_order(struct helper *helper, const struct compiled_report *policy,
			    struct err *err)
{
	struct helper_order order = {
	    .sandbox = policy->sandbox,
	    .log_format = policy->log_format,
	    .plan_bytes = policy->plan_bytes,
	    .evidence_bytes = policy->evidence_bytes,
	    .scout_ports = policy->scout_ports,
	    .alerts = policy->alerts,
	};
	memcpy(order.scout_port, policy->scout_port, sizeof(order.scout_port));
	memcpy(order.scout_ca, policy->scout_ca, sizeof(order.scout_ca));
	memcpy(order.vault, policy->vault, sizeof(order.vault));
	memcpy(order.evidence, policy->evidence, sizeof(order.evidence));
	memcpy(order.user, policy->user, sizeof(order.user));
	memcpy(order.log_access, policy->log_access, sizeof(order.log_access));
	memcpy(order.log_events, policy->log_events, sizeof(order.log_events));
	memcpy(order.acme_webroot, policy->acme_webroot, sizeof(order.acme_webroot));
	int fds[IPC_FDS_MAX];
	unsigned n = fds_for(helper->role, fds);
	return ipc_send(helper->channel, ORDER_HELP, &order, sizeof(order), fds, n, err);
}

static void on_helper(struct watch *watch, unsigned events);
static void on_helper_timer(struct timer *timer);

static bool start(struct helper *helper, const struct compiled_report *policy, struct err *err)
{
	helper->pid = spawn_role(role_get(helper->role), &helper->channel, err);
	if (helper->pid < 0)
		return false;
	helper->state = HELPER_STARTING;
	helper->started_ms = loop_now_ms(master.loop);
	helper->watch = (struct watch){.on_event = on_helper, .fd = helper->channel};
	helper->timer.on_expiry = on_helper_timer;
	return loop_watch_input(master.loop, &helper->watch, err) &&
	       send_help_order(helper, policy, err);
}

/* What was started by the time that it fails is told to stop. */
struct helper *helpers_start(enum role_id role, const struct compiled_report *policy, struct err *err)
{
	for (unsigned i = 0; i < HELPERS_MAX; i++) {
		struct helper *helper = &master.helpers[i];
		if (helper->state != HELPER_NONE)
			continue;
		*helper = (struct helper){.role = role, .channel = -1};
		if (start(helper, policy, err))
			return helper;
		if (helper->state == HELPER_STARTING)
			stop(helper);
		return NULL;
	}
	err_set(err, "too many helping processes are ending; try again");
	return NULL;
}

static void plan_restart(struct helper *helper)
{
	uint64_t now_ms = loop_now_ms(master.loop);
	uint64_t wait_ms = backoff_next(&helper->backoff, helper->started_ms, now_ms);
	helper->state = HELPER_DEAD;
	loop_arm(master.loop, &helper->timer, now_ms + wait_ms);
}

static void restart(struct helper *helper)
{
	struct err err = {{0}};
	helper->restarts++;
	if (start(helper, is_of_guard(helper) ? guards_policy() : &master.policy, &err))
		return;
	log_error("cannot start the %s again: %s", role_name(helper), err.text);
	if (helper->state == HELPER_STARTING)
		helpers_kill_one(helper);
	else
		plan_restart(helper);
}

static void on_helper_timer(struct timer *timer)
{
	struct helper *helper =
	    (struct helper *)(void *)((char *)timer - offsetof(struct helper, timer));
	if (helper->state == HELPER_DEAD) {
		restart(helper);
	} else if (helper->state == HELPER_STOPPING) {
		log_warn("%s %d does not end and is killed", role_name(helper), (int)helper->pid);
		helpers_kill_one(helper);
	}
}

void helpers_end(struct helper *helper, bool again)
{
	helper->starts_again = again && helper->state != HELPER_DEAD;
	if (!again || helper->state != HELPER_DEAD)
		stop(helper);
}

/* ---- the scribe and its successor ---- */

/* Two must never read the rings at a time. */
static void start_scribe_once_alone(void)
{
	if (!master.scribe || master.scribe->state != HELPER_READY)
		return;
	for (unsigned i = 0; i < HELPERS_MAX; i++)
		if (master.helpers[i].role == ROLE_SCRIBE &&
		    (master.helpers[i].state == HELPER_RUNNING ||
		     master.helpers[i].state == HELPER_STOPPING))
			return;
	master.scribe->state = HELPER_RUNNING;
	send_order(master.scribe, ORDER_START);
}

static void succeed_scribe(void)
{
	struct helper *old = master.scribe;
	master.scribe = master.scribe_next;
	master.scribe_next = NULL;
	if (old) {
		master.scribe->restarts = old->restarts;
		stop(old);
	}
	start_scribe_once_alone();
}

static bool logs_differ(const struct compiled_report *a, const struct compiled_report *b)
{
	return a->log_format != b->log_format || strcmp(a->log_access, b->log_access) != 0 ||
	       strcmp(a->log_events, b->log_events) != 0 || a->evidence_bytes != b->evidence_bytes ||
	       strcmp(a->evidence, b->evidence) != 0;
}

bool helpers_prepare_scribe(const struct compiled_report *policy, struct err *err)
{
	if (master.scribe && !logs_differ(policy, &master.policy))
		return true;
	if (master.scribe_next) {
		stop(master.scribe_next);
		master.scribe_next = NULL;
	}
	master.scribe_next = helpers_start(ROLE_SCRIBE, policy, err);
	master.scribe_next_is_for_reload = true;
	return master.scribe_next != NULL;
}

void helpers_rollback_scribe(void)
{
	if (!master.scribe_next || !master.scribe_next_is_for_reload)
		return;
	stop(master.scribe_next);
	master.scribe_next = NULL;
}

void helpers_reopen_logs(void)
{
	struct err err = {{0}};
	if (!master.has_policy)
		return;
	if (master.scribe_next) {
		master.reopen_again = true;
		return;
	}
	master.scribe_next_is_for_reload = false;
	master.scribe_next = helpers_start(ROLE_SCRIBE, &master.policy, &err);
	if (!master.scribe_next)
		log_error("the log files are not opened anew: %s", err.text);
}

static void scribe_is_ready(struct helper *helper)
{
	helper->state = HELPER_READY;
	if (helper == master.scribe)
		start_scribe_once_alone();
	else if (helper == master.scribe_next && master.scribe_next_is_for_reload)
		generations_part_ready();
	else if (helper == master.scribe_next)
		succeed_scribe();
	master_step();
}

/* ---- console, demo and acme ---- */

static void replace_console(void)
{
	struct err err = {{0}};
	if (master.console)
		stop(master.console);
	control_forget();
	master.console = helpers_start(ROLE_CONSOLE, &master.policy, &err);
	if (!master.console)
		log_error("no console: %s", err.text);
}

/* It keeps the directory that it was started with. */
static void follow_webroot(void)
{
	static char served[PATH_SIZE];
	struct err err = {{0}};
	if (strcmp(served, master.policy.acme_webroot) == 0)
		return;
	memcpy(served, master.policy.acme_webroot, sizeof(served));
	if (master.acme)
		stop(master.acme);
	master.acme = served[0] ? helpers_start(ROLE_ACME, &master.policy, &err) : NULL;
	if (served[0] && !master.acme)
		log_error("no ACME challenges: %s", err.text);
}

void helpers_commit(bool console_changed)
{
	struct err err = {{0}};
	if (master.scribe_next && master.scribe_next->state == HELPER_READY)
		succeed_scribe();
	if (console_changed)
		replace_console();
	follow_webroot();
	if (master.options.demo && !master.demo) {
		master.demo = helpers_start(ROLE_DEMO, &master.policy, &err);
		if (!master.demo)
			log_error("no demo origin: %s", err.text);
	}
}

/* ---- messages and ends ---- */

static void helper_failed(struct helper *helper, const char *text)
{
	if (helper == master.scribe_next && master.scribe_next_is_for_reload)
		generations_part_failed(text);
	else if (helper == master.warden)
		wardens_failed(text);
	else
		log_error("%s", text);
}

static void helper_said(struct helper *helper, struct ipc_message *message)
{
	const struct asked_report *asked = ipc_payload(message, sizeof(*asked));
	const struct vault_asked *order = ipc_payload(message, sizeof(*order));
	if (message->type == REPORT_READY && helper->state == HELPER_STARTING) {
		if (helper->role == ROLE_SCRIBE)
			scribe_is_ready(helper);
		else
			helper->state = HELPER_RUNNING;
		if (is_of_guard(helper))
			guards_ready(helper);
		if (helper == master.warden)
			wardens_ready();
	} else if (message->type == REPORT_FAILED) {
		helper_failed(helper, message->payload);
	} else if (message->type == REPORT_ASKED && helper == master.console && asked) {
		const struct asked_report copy = *asked;
		control_asked(&copy);
	} else if (message->type == REPORT_VAULT && helper == master.console && order) {
		guards_ask(order);
	} else if ((message->type == REPORT_RULES || message->type == REPORT_RULES_SET) && helper == master.warden) {
		wardens_said(message);
	} else if (is_of_guard(helper) && helper->state == HELPER_RUNNING) {
		guards_said(helper, message);
	}
}

/* Takes what it said. False where nothing more will come. */
static bool hear(struct helper *helper)
{
	for (int i = 0; i < IPC_BURST; i++) {
		enum ipc_result result = ipc_receive(helper->channel, &master.message);
		if (result == IPC_GOT)
			helper_said(helper, &master.message);
		ipc_release(&master.message);
		if (result == IPC_NONE)
			return true;
		if (result == IPC_BROKEN)
			helpers_kill_one(helper);
		if (result != IPC_GOT)
			return false;
	}
	return true;
}

static void on_helper(struct watch *watch, unsigned events)
{
	struct helper *helper =
	    (struct helper *)(void *)((char *)watch - offsetof(struct helper, watch));
	(void)events;
	/* Its end itself is read from SIGCHLD. */
	if (!hear(helper))
		loop_unwatch(master.loop, watch);
}

static void forget(struct helper *helper)
{
	helper->state = HELPER_NONE;
	if (helper == master.console)
		master.console = NULL;
	if (helper == master.demo)
		master.demo = NULL;
	if (helper == master.acme)
		master.acme = NULL;
	if (helper == master.scribe)
		master.scribe = NULL;
	guards_forget(helper);
	heralds_forget(helper);
	wardens_forget(helper);
}

/* One that was to make way for another of its kind. */
static void follow(struct helper *helper)
{
	helper->starts_again = false;
	helper->state = HELPER_DEAD;
	loop_arm(master.loop, &helper->timer, loop_now_ms(master.loop));
}

static void successor_died(struct helper *helper, const char *how)
{
	struct err err;
	err_set(&err, "the new scribe %s", how);
	helper->state = HELPER_NONE;
	master.scribe_next = NULL;
	if (master.scribe_next_is_for_reload)
		generations_part_failed(err.text);
	else
		log_error("the log files are not opened anew: %s", err.text);
}

static void died(struct helper *helper, pid_t pid, const char *how)
{
	log_warn("%s %d %s", role_name(helper), (int)pid, how);
	if (helper == master.console)
		control_forget();
	if (master.is_stopping || helper->leaves_work)
		forget(helper);
	else
		plan_restart(helper);
}

bool helpers_reap(pid_t pid, int wait_status)
{
	struct helper *helper = NULL;
	for (unsigned i = 0; i < HELPERS_MAX; i++)
		if (master.helpers[i].state != HELPER_NONE &&
		    master.helpers[i].state != HELPER_DEAD && master.helpers[i].pid == pid)
			helper = &master.helpers[i];
	if (!helper)
		return false;
	char how[SPAWN_END_SIZE];
	spawn_describe_end(wait_status, how);
	helper->pid = 0; /* its number may be another's by now */
	(void)hear(helper); /* its last words */
	wardens_died(helper);
	loop_unwatch(master.loop, &helper->watch);
	loop_disarm(master.loop, &helper->timer);
	close(helper->channel);
	helper->channel = -1;
	if (helper->state == HELPER_STOPPING && helper->starts_again && !master.is_stopping)
		follow(helper);
	else if (helper->state == HELPER_STOPPING)
		forget(helper);
	else if (helper == master.scribe_next)
		successor_died(helper, how);
	else
		died(helper, pid, how);
	start_scribe_once_alone();
	master_step();
	return true;
}

void helpers_step(void)
{
	if (master.reopen_again && !master.scribe_next && !master.is_stopping) {
		master.reopen_again = false;
		helpers_reopen_logs();
	}
}

/* ---- the end ---- */

bool helpers_all_gone(void)
{
	for (unsigned i = 0; i < HELPERS_MAX; i++)
		if (master.helpers[i].state != HELPER_NONE)
			return false;
	return true;
}

void helpers_stop(void)
{
	bool others = false;
	for (unsigned i = 0; i < HELPERS_MAX; i++) {
		struct helper *helper = &master.helpers[i];
		if (helper->role == ROLE_SCRIBE)
			continue;
		stop(helper);
		others = others || helper->state != HELPER_NONE;
	}
	for (unsigned i = 0; i < HELPERS_MAX && !others; i++)
		stop(&master.helpers[i]);
}

void helpers_kill(void)
{
	for (unsigned i = 0; i < HELPERS_MAX; i++) {
		struct helper *helper = &master.helpers[i];
		bool has_process = helper->state != HELPER_NONE && helper->state != HELPER_DEAD;
		/* the scribe ends by itself, once it has written what there is */
		if (has_process && helper->role != ROLE_SCRIBE)
			helpers_kill_one(helper);
	}
}
