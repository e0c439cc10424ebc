/* What the master does for the guard: starts keeper, scout and lifeboat where a site is guarded,
 * introduces keeper and scout to one another, and hands baselines on. It opens none of what it hands
 * on: a baseline is checked by whoever reads it, a plan comes from the generation that compiled the
 * policy.
 *
 *   generation ── plan ──► master ── plan ──► keeper ◄── their channel ──► scout
 *                                 ◄─ baseline ─┘
 *                          master ── baseline ──► generations ──► workers */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proc/master.h"
#include "sallyport/guard_status.h"
#include "sallyport/log.h"
#include "sallyport/log_ring.h"
#include "sallyport/nomination.h"
#include "sallyport/shm.h"

enum { FIRST_BASELINE_MS = 3000, SPREAD_MS = 1000 };

_Static_assert((int)NOMINATION_RINGS == (int)STATS_SLOTS, "a ring for each worker slot");
_Static_assert((int)GUARD_SITES_MAX == (int)SITES_MAX, "figures for each site");

static void on_spread(struct timer *timer)
{
	(void)timer;
	log_warn("not every worker has the newest baseline after %d ms", SPREAD_MS);
	guards_baseline_set();
}

bool guards_init(struct err *err)
{
	master.baseline_wait.on_expiry = on_spread;
	master.guard_fd = shm_create("sallyport-guard", sizeof(struct guard_status), err);
	master.nominations_fd = shm_create("sallyport-nominations",
					   sizeof(struct log_ring) * NOMINATION_RINGS, err);
	if (master.guard_fd < 0 || master.nominations_fd < 0)
		return false;
	master.nomination_event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return master.nomination_event_fd >= 0 ||
	       err_set(err, "cannot make an event descriptor: %s", strerror(errno));
}

/* ---- starting and ending them ---- */

static struct compiled_report running; /* the policy that they run with */

const struct compiled_report *guards_policy(void)
{
	return &running;
}

static void start(struct helper **helper, enum role_id role)
{
	struct err err = {{0}};
	*helper = helpers_start(role, &running, &err);
	if (!*helper)
		log_error("no %s: %s", role_get(role)->name, err.text);
}

static void end(struct helper **helper)
{
	if (*helper)
		helpers_end(*helper, false);
	*helper = NULL;
}

static void end_all(void)
{
	end(&master.keeper);
	end(&master.scout);
	end(&master.lifeboat);
}

static void start_all(void)
{
	end_all();
	start(&master.keeper, ROLE_KEEPER);
	start(&master.scout, ROLE_SCOUT);
	start(&master.lifeboat, ROLE_LIFEBOAT);
}

static void take_plan(struct gen *gen)
{
	if (gen->plan_fd < 0 && gen->policy.guarded > 0)
		return; /* taken when they were started for it */
	if (master.plan_fd >= 0)
		close(master.plan_fd);
	master.plan_fd = gen->plan_fd;
	gen->plan_fd = -1;
}

static void drop_baseline(void)
{
	if (master.baseline_fd >= 0)
		close(master.baseline_fd);
	master.baseline_fd = -1;
}

static bool are_confined_as(const struct compiled_report *a, const struct compiled_report *b)
{
	return strcmp(a->vault, b->vault) == 0 && strcmp(a->user, b->user) == 0 &&
	       a->sandbox == b->sandbox;
}

static bool reach_the_same(const struct compiled_report *a, const struct compiled_report *b)
{
	return a->scout_ports == b->scout_ports &&
	       memcmp(a->scout_port, b->scout_port, sizeof(a->scout_port)) == 0 &&
	       memcmp(a->scout_ca, b->scout_ca, sizeof(a->scout_ca)) == 0;
}

static void send_plan(void)
{
	struct err err = {{0}};
	const struct plan_order order = {.bytes = master.policy.plan_bytes};
	if (master.keeper->state != HELPER_RUNNING)
		return; /* it gets the newest one at its start */
	if (ipc_send(master.keeper->channel, ORDER_PLAN, &order, sizeof(order), &master.plan_fd, 1,
		     &err))
		return;
	log_warn("the keeper does not listen: %s", err.text);
	helpers_kill_one(master.keeper);
}

/* What they were confined to at their start has changed, or only what the keeper has to know. */
static void adapt(const struct compiled_report *old)
{
	bool confined_anew = !are_confined_as(old, &master.policy);
	if (confined_anew) {
		helpers_end(master.keeper, true);
		helpers_end(master.lifeboat, true);
		drop_baseline();
	} else {
		send_plan();
	}
	if (confined_anew || !reach_the_same(old, &master.policy))
		helpers_end(master.scout, true);
}

void guards_commit(struct gen *gen)
{
	const struct compiled_report old = running;
	bool are_there = master.keeper && master.scout && master.lifeboat;
	bool are_new = master.guards_for == gen;
	loop_disarm(master.loop, &master.guards_wait);
	master.guards_for = NULL;
	take_plan(gen);
	running = master.policy;
	if (master.policy.guarded == 0) {
		end_all();
		drop_baseline();
	} else if (!are_there) {
		start_all();
	} else if (!are_new) {
		adapt(&old);
	}
	heralds_commit();
}

/* ---- before a policy comes into force ---- */

static void on_wait(struct timer *timer)
{
	(void)timer;
	log_warn("the keeper says nothing of what is known: sites are served without");
	generations_part_ready();
}

void guards_prepare(struct gen *gen)
{
	if (gen->policy.guarded == 0 || master.keeper)
		return;
	running = gen->policy;
	take_plan(gen);
	start_all();
	master.guards_for = gen;
	master.guards_wait.on_expiry = on_wait;
	loop_arm(master.loop, &master.guards_wait, loop_now_ms(master.loop) + FIRST_BASELINE_MS);
}

bool guards_are_pending(const struct gen *gen)
{
	return master.guards_for == gen && master.baseline_fd < 0 && master.guards_wait.heap_pos != 0;
}

void guards_rollback(void)
{
	if (!master.guards_for)
		return;
	loop_disarm(master.loop, &master.guards_wait);
	master.guards_for = NULL;
	end_all();
	drop_baseline();
	if (master.plan_fd >= 0)
		close(master.plan_fd);
	master.plan_fd = -1;
}

void guards_forget(const struct helper *helper)
{
	if (helper == master.keeper)
		master.keeper = NULL;
	if (helper == master.scout)
		master.scout = NULL;
	if (helper == master.lifeboat)
		master.lifeboat = NULL;
}

/* ---- keeper and scout ---- */

static bool introduce_one(struct helper *helper, int fd, struct err *err)
{
	return ipc_send(helper->channel, ORDER_PARTNER, NULL, 0, &fd, 1, err);
}

/* Whenever one of them is new: what the other still has of the old channel has come to its end. */
static void introduce(void)
{
	struct err err = {{0}};
	int ends[2];
	if (!master.keeper || master.keeper->state != HELPER_RUNNING || !master.scout ||
	    master.scout->state != HELPER_RUNNING)
		return;
	if (!ipc_pair(ends, &err)) {
		log_error("keeper and scout cannot speak: %s", err.text);
		return;
	}
	if (!introduce_one(master.keeper, ends[0], &err) ||
	    !introduce_one(master.scout, ends[1], &err))
		log_warn("keeper and scout cannot speak: %s", err.text);
	close(ends[0]);
	close(ends[1]);
}

/* ---- baselines ---- */

bool guards_give_baseline(int channel, struct err *err)
{
	return master.baseline_fd < 0 ||
	       ipc_send(channel, ORDER_BASELINE, &master.baseline, sizeof(master.baseline),
			&master.baseline_fd, 1, err);
}

static bool takes_baselines(const struct gen *gen)
{
	return gen->state == GEN_PREPARING || gen->state == GEN_STARTING ||
	       gen->state == GEN_ACTIVE || gen->state == GEN_DRAINING;
}

static void take_baseline(struct ipc_message *message)
{
	struct err err = {{0}};
	const struct baseline_order *baseline = ipc_payload(message, sizeof(*baseline));
	if (!baseline || message->n_fds != 1 || baseline->bytes == 0 ||
	    baseline->bytes > BASELINE_BYTES_MAX)
		return;
	drop_baseline();
	master.baseline = *baseline;
	master.baseline_fd = ipc_take_fd(message, 0);
	for (unsigned i = 0; i < GENS_MAX; i++)
		if (takes_baselines(&master.gens[i]) &&
		    !guards_give_baseline(master.gens[i].channel, &err))
			log_warn("generation %u has no newer baseline: %s", master.gens[i].id,
				 err.text);
	master.baseline_spreads = master.active != NULL;
	if (master.baseline_spreads)
		loop_arm(master.loop, &master.baseline_wait,
			 loop_now_ms(master.loop) + SPREAD_MS);
	generations_part_ready();
}

/* ---- what they say ---- */

void guards_ready(struct helper *helper)
{
	if (helper != master.lifeboat)
		introduce();
}

static void take_report(const struct ipc_message *message)
{
	const struct guard_report *report = ipc_payload(message, sizeof(*report));
	if (!report || report->site == 0 || report->state >= GUARD_STATE_COUNT)
		return;
	if (!pauses_note_guard(report->site, report->state))
		log_debug("the keeper reports a site that there is not");
}

/* What an operator was told has to hold for the next request: so an answer that a baseline goes before
 * waits until every worker has that. One that stays silent keeps nobody waiting for long. */
void guards_baseline_set(void)
{
	master.baseline_spreads = false;
	loop_disarm(master.loop, &master.baseline_wait);
	for (unsigned i = 0; i < master.late_answers.n; i++)
		control_answer(master.late_answers.of[i].ticket, master.late_answers.of[i].ok,
			       master.late_answers.of[i].text, master.late_answers.of[i].len);
	master.late_answers.n = 0;
}

static void pass_answer_on(const struct ipc_message *message)
{
	struct answer_head head;
	if (message->len < sizeof(head))
		return;
	memcpy(&head, message->payload, sizeof(head));
	const char *text = message->payload + sizeof(head);
	size_t len = message->len - sizeof(head);
	unsigned n = master.late_answers.n;
	if (!master.baseline_spreads || n == LATE_ANSWERS_MAX || len > LATE_TEXT_SIZE) {
		control_answer(head.ticket, head.ok != 0, text, len);
		return;
	}
	master.late_answers.of[n].ticket = head.ticket;
	master.late_answers.of[n].ok = head.ok != 0;
	master.late_answers.of[n].len = (uint32_t)len;
	memcpy(master.late_answers.of[n].text, text, len);
	master.late_answers.n++;
}

static void refuse(uint64_t ticket, const char *why)
{
	control_answer(ticket, false, why, strlen(why));
}

void guards_ask(const struct vault_asked *asked)
{
	struct err err = {{0}};
	if (!master.keeper)
		refuse(asked->ticket, "no site is guarded: guard.mode of all is \"off\"");
	else if (master.keeper->state != HELPER_RUNNING)
		refuse(asked->ticket, "the keeper is not there now; it is being started");
	else if (!ipc_send(master.keeper->channel, ORDER_VAULT, asked, sizeof(*asked), NULL, 0, &err))
		refuse(asked->ticket, err.text);
}

void guards_said(struct helper *helper, struct ipc_message *message)
{
	if (helper != master.keeper)
		return;
	if (message->type == REPORT_BASELINE)
		take_baseline(message);
	else if (message->type == REPORT_GUARD)
		take_report(message);
	else if (message->type == REPORT_ANSWER)
		pass_answer_on(message);
}
