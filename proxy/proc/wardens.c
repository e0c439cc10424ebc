/* What the master does for the kernel leg: starts the warden where a policy wants it, and has the kernel look at the
 * rules of a coming policy before anything else changes.
 *
 *   generation ── plan ──► master ── CHECK + plan ──► warden ── text ──► kernel (looks, and changes nothing)
 *                                 ◄── its words ──────┘
 *                          master ── RULES, at the commit ──► warden ── text ──► kernel
 *
 * Where none stand yet, they are put into force before the policy is: so no origin is ever served unguarded.
 *
 * Where the kernel leg cannot be, `required` refuses the policy; `auto` says once what is left open. Rules that
 * are refused while older ones stand refuse the policy in any case. */
#include <string.h>
#include <unistd.h>

#include "proc/master.h"
#include "proc/sandbox.h"
#include "sallyport/log.h"

enum { CHECK_MS = 20000 };

static bool is_loading;  /* the rules in force are on their way to the kernel */
static bool has_waiters; /* for the end of that */
static bool is_early;    /* the coming rules are there already, since none stood */
static bool is_answered; /* the warden has said that the kernel takes the coming rules */

static void on_wait(struct timer *timer)
{
	(void)timer;
	wardens_failed("the kernel leg does not answer");
}

void wardens_init(void)
{
	master.rules_wait.on_expiry = on_wait;
}

static void set_why(enum egress_kernel_why why)
{
	atomic_store_explicit(&master.egress->kernel_why, why, memory_order_relaxed);
}

static bool stands(void)
{
	return master.rules_fd >= 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The table is in nobody's way: who comes next finds it. */
static void end_warden(bool leaves_work)
{
	if (!master.warden)
		return;
	master.warden->leaves_work = leaves_work;
	helpers_end(master.warden, false);
	master.warden = NULL;
}

/* ---- without it ---- */

static void warn_without(const char *why)
{
	if (!master.rules_warned)
		log_warn("the kernel leg is off: %s. What origins send past the gate is neither limited nor stopped: new "
			 "destinations, floods, forged sources", why);
	master.rules_warned = true;
}

/* The coming policy goes without. False: it may not. */
static bool go_without(struct gen *gen, enum egress_kernel_why why, const char *text, struct err *err)
{
	if (gen->policy.rules_required)
		return err_set(err, "egress.kernel is \"required\", but %s", text);
	set_why(why);
	warn_without(text);
	close_fd(&gen->rules_fd);
	master.rules_for = NULL;
	loop_disarm(master.loop, &master.rules_wait);
	return true;
}

/* ---- before a policy comes into force ---- */

static bool send_plan(int fd, uint64_t bytes, struct err *err)
{
	const struct plan_order order = {.bytes = bytes};
	return ipc_send(master.warden->channel, ORDER_RULES_CHECK, &order, sizeof(order), &fd, 1, err);
}

static bool ask(struct gen *gen, struct err *err)
{
	if (!master.warden)
		master.warden = helpers_start(ROLE_WARDEN, &gen->policy, err);
	if (!master.warden)
		return false;
	return master.warden->state != HELPER_RUNNING || send_plan(gen->rules_fd, gen->policy.rules_bytes, err);
}

bool wardens_prepare(struct gen *gen, struct err *err)
{
	struct err why = {{0}};
	if (gen->rules_fd < 0)
		return true;
	if (!sandbox_may_net_admin())
		return go_without(gen, EGRESS_KERNEL_WHY_NO_RIGHT, "there is no CAP_NET_ADMIN", err);
	master.rules_for = gen;
	is_answered = is_early = false;
	if (!stands())
		set_why(EGRESS_KERNEL_WHY_STARTING);
	loop_arm(master.loop, &master.rules_wait, loop_now_ms(master.loop) + CHECK_MS);
	return ask(gen, &why) || go_without(gen, EGRESS_KERNEL_WHY_NO_SUPPORT, why.text, err);
}

bool wardens_are_pending(const struct gen *gen)
{
	return master.rules_for == gen && !is_answered;
}

void wardens_rollback(void)
{
	loop_disarm(master.loop, &master.rules_wait);
	/* a start that failed leaves what a crash has left; a reload that failed leaves what there was */
	if (master.rules_for && !stands())
		end_warden(!master.has_policy);
	master.rules_for = NULL;
	is_early = false;
}

/* ---- in force ---- */

static bool is_confined_anew(void)
{
	static struct compiled_report old;
	bool differs = stands() && (old.sandbox != master.policy.sandbox || strcmp(old.user, master.policy.user) != 0);
	old = master.policy;
	return differs;
}

static void settle(void)
{
	bool waited = has_waiters;
	is_loading = has_waiters = false;
	if (waited)
		control_settled();
}

bool wardens_have_settled(void)
{
	has_waiters = has_waiters || is_loading;
	return !is_loading;
}

static void enforce(void)
{
	struct err err = {{0}};
	is_loading = true;
	if (ipc_send(master.warden->channel, ORDER_RULES, NULL, 0, NULL, 0, &err))
		return;
	log_warn("the warden does not listen: %s", err.text);
	helpers_kill_one(master.warden);
}

void wardens_commit(struct gen *gen)
{
	bool confined_anew = is_confined_anew();
	bool is_wanted = master.rules_for == gen && master.warden;
	loop_disarm(master.loop, &master.rules_wait);
	master.rules_for = NULL;
	close_fd(&master.rules_fd);
	if (!is_wanted) {
		is_loading = false;
		end_warden(false);
		return;
	}
	master.rules_fd = gen->rules_fd;
	master.rules_bytes = gen->policy.rules_bytes;
	gen->rules_fd = -1;
	master.rules_warned = false;
	if (!is_early)
		enforce();
	is_early = false;
	if (confined_anew)
		helpers_end(master.warden, true);
}

/* ---- what the warden says ---- */

void wardens_ready(void)
{
	struct err err = {{0}};
	bool sent = true;
	if (master.rules_for)
		sent = send_plan(master.rules_for->rules_fd, master.rules_for->policy.rules_bytes, &err);
	else if (stands())
		sent = send_plan(master.rules_fd, master.rules_bytes, &err);
	if (!sent)
		helpers_kill_one(master.warden);
}

static void coming_can_come(void)
{
	is_answered = true;
	loop_disarm(master.loop, &master.rules_wait);
	generations_part_ready();
}

static void said_of_coming(const struct rules_report *report)
{
	if (report->ok && !stands()) {
		is_early = true;
		enforce();
	} else if (report->ok) {
		coming_can_come();
	} else {
		wardens_failed(report->text);
	}
}

static void rules_are_set(const struct rules_report *report)
{
	settle();
	if (master.rules_for && is_early && report->ok)
		coming_can_come();
	else if (!report->ok)
		wardens_failed(report->text);
}

void wardens_said(const struct ipc_message *message)
{
	const struct rules_report *report = ipc_payload(message, sizeof(*report));
	if (!report || !ORDERS_TEXT_OK(report->text))
		return;
	if (message->type == REPORT_RULES_SET)
		rules_are_set(report);
	else if (master.rules_for)
		said_of_coming(report);
	else if (report->ok && stands())
		enforce(); /* it was started again */
	else if (!report->ok)
		log_error("the kernel leg's table stays as it was: %s", report->text);
}

/* Of what comes, or of the warden's own start. */
void wardens_failed(const char *text)
{
	struct err err = {{0}};
	struct gen *gen = master.rules_for;
	if (!gen) {
		log_error("%s", text);
		return;
	}
	if (stands()) {
		err_set(&err, "egress: %s", text);
		generations_part_failed(err.text);
	} else if (go_without(gen, EGRESS_KERNEL_WHY_REFUSED, text, &err)) {
		end_warden(true);
		generations_part_ready();
	} else {
		generations_part_failed(err.text);
	}
}

void wardens_died(const struct helper *helper)
{
	if (helper == master.warden)
		settle();
}

void wardens_forget(const struct helper *helper)
{
	if (helper == master.warden)
		master.warden = NULL;
}
