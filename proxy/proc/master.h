#ifndef PROC_MASTER_H
#define PROC_MASTER_H

#include "proc/backoff.h"
#include "proc/ipc.h"
#include "proc/listeners.h"
#include "proc/orders.h"
#include "proc/roles.h"
#include "sallyport/console.h"
#include "sallyport/control_path.h"
#include "sallyport/egress_state.h"
#include "sallyport/json.h"
#include "sallyport/loop.h"
#include "sallyport/master.h"
#include "sallyport/settings.h"
#include "sallyport/stats.h"

/* The master's state, all of it of fixed size: what a thousand reloads leave is what one
 * leaves. The parts: master.c (life, signals), generations.c (reload in two phases), preparing.c (what
 * the first of them makes), helpers.c (scribe, console, demo, acme), guards.c (keeper, scout, lifeboat,
 * baselines), control.c (orders and their answers), pauses.c (sites that an operator has paused),
 * egress.c (how egress origins stand), wardens.c (the kernel leg).
 *
 * A generation, as the master sees it:
 *
 *   COMPILING → WAITING → PREPARING → STARTING → ACTIVE → DRAINING → gone
 *       └──────────┴──────────┴──────────┴─ failed: DYING → gone; nothing else has changed
 */
enum gen_state {
	GEN_NONE = 0,
	GEN_COMPILING,
	GEN_WAITING,   /* compiled; older ones have to end before there is room for it */
	GEN_PREPARING, /* its workers and a scribe for its logs get ready */
	GEN_STARTING,  /* told to accept */
	GEN_ACTIVE,
	GEN_DRAINING,
	GEN_DYING, /* killed, its end not yet seen */
};

enum { GENS_MAX = 12, HELPERS_MAX = 16, WAITERS_MAX = 128, ERRORS_MAX = 16384 };

struct gen {
	struct watch watch;
	struct timer timer; /* what may last until then: getting ready, waiting, draining */
	enum gen_state state;
	pid_t pid;
	int channel;
	unsigned id;
	uint64_t slots; /* a bit per slot of the shared memory */
	uint64_t started_ms;
	bool is_ready;
	bool is_cut; /* draining, and told to end at once */
	struct compiled_report policy;
	int plan_fd; /* of its guarded sites, -1: none */
	int rules_fd; /* the plan for the kernel leg, -1: none */
	struct site_set sites; /* of its policy, in master.site_states */
	struct egress_report egress; /* n 0 and mode UNSET: it has no such section */
	uint64_t egress_slots[EGRESS_STATES / 64]; /* of its origins, in master.egress */
	struct workers_report workers;
};

enum helper_state {
	HELPER_NONE = 0,
	HELPER_DEAD, /* its timer starts it again */
	HELPER_STARTING,
	HELPER_READY, /* a scribe that waits for the older one's end */
	HELPER_RUNNING,
	HELPER_STOPPING,
};

struct helper {
	struct watch watch;
	struct timer timer; /* DEAD: to start again; STOPPING: to be killed */
	struct backoff backoff;
	enum helper_state state;
	bool starts_again; /* STOPPING: with the settings of the policy in force */
	bool leaves_work;  /* a warden that ends, and does not take its table away */
	enum role_id role;
	pid_t pid;
	int channel;
	uint64_t started_ms;
	uint32_t restarts;
};

/* Orders that wait for the end of a reload. */
struct waiters {
	uint64_t tickets[WAITERS_MAX];
	unsigned n;
};

/* Answers of the keeper that hold once its newest baseline is everywhere. */
enum { LATE_ANSWERS_MAX = 16, LATE_TEXT_SIZE = 1024 };
struct answer_list {
	unsigned n;
	struct {
		uint64_t ticket;
		bool ok;
		uint32_t len;
		char text[LATE_TEXT_SIZE];
	} of[LATE_ANSWERS_MAX];
};

struct master {
	struct master_options options;
	struct compile_order compile;
	struct loop *loop;
	struct watch signals;
	struct task step;
	uint64_t started_ms;
	int exit_status;
	bool is_stopping;
	uint64_t stopping_since_ms;

	/* shared memory and channels that outlive generations */
	int stats_fd, rings_fd, census_fd, throttle_fd, sites_fd, tickets_fd, event_fd;
	int idle_fds[2]; /* idle connections go in at one end and come out of the other */
	int gate_idle_fds[2]; /* the same among gates */
	struct stats *stats;
	void *census;
	struct site_states *site_states;
	int rules_fd;        /* the plan of the kernel leg in force, -1: none */
	uint64_t rules_bytes;
	struct gen *rules_for; /* the coming one, where the warden looks at its rules, or will */
	struct timer rules_wait;
	bool rules_warned;
	int egress_fd;       /* struct egress_states: gate and warden write, … */
	int egress_shown_fd; /* the same, for readers */
	struct egress_states *egress;
	int guard_fd;        /* struct guard_status: the keeper writes, the console reads */
	int nominations_fd;  /* a ring per slot: workers write, the keeper reads */
	int nomination_event_fd;
	int alert_fds[2];    /* alerts go in at [1], from scribe and keeper, and to the herald at [0] */
	int crier_fds[2];    /* the same from the herald to the crier */
	struct gen *guards_for; /* the coming one, where they were started for it */
	struct timer guards_wait; /* so long it waits for their first baseline */
	int plan_fd;         /* of the policy in force, -1: no site is guarded */
	bool baseline_spreads; /* not every worker has it yet */
	struct timer baseline_wait; /* how long that may last */
	struct answer_list late_answers;
	int baseline_fd;     /* the newest, -1: none */
	struct baseline_order baseline;
	struct timer pause_end; /* of the pause that ends first */

	struct listeners listeners;
	struct listeners datagram_listeners;
	struct listeners console_listeners;
	int internal_fds[INTERNAL_COUNT][2]; /* channels: workers send connections in at 1, their process takes them at 0 */
	int control_fd;
	char control_path[CONTROL_PATH_SIZE];
	int demo_fd;
	char demo_origin[64];

	struct gen gens[GENS_MAX];
	struct gen *active;   /* NULL: none serves now */
	struct gen *coming;   /* NULL: no reload is under way */
	struct gen *replaced; /* by the active one; NULL once it accepts no more */
	unsigned next_id;
	struct compiled_report policy; /* of the last generation that became active */
	bool has_policy;
	bool sandbox_warned;
	struct timer recovery; /* starts a generation where none serves */
	struct backoff recovery_backoff;
	struct waiters settling; /* for the last generation to accept no more */
	struct waiters waiting;  /* for the reload under way */
	struct waiters next;     /* for the one after it */
	bool reload_again;

	struct helper helpers[HELPERS_MAX];
	struct helper *scribe, *scribe_next, *console, *demo, *acme;
	struct helper *keeper, *scout, *lifeboat, *herald, *crier, *warden;
	bool scribe_next_is_for_reload;
	bool reopen_again;

	struct ipc_message message;
};

extern struct master master;

/* generations.c */
void generations_init(void);
MUST_CHECK bool generations_begin(struct err *err);
/* Begins one, or sees to it that one begins after the one under way. */
void generations_reload(void);
void generations_stop(void);
void generations_step(void);
void generations_kill(void);
bool generations_all_gone(void);
/* True where the process was one. */
bool generations_reap(pid_t pid, int wait_status);
/* A part that the coming generation may be waiting for is there, or it goes without: its scribe, the first baseline,
 * the kernel's rules. It starts with the last of them. */
void generations_part_ready(void);
/* Such a part cannot be had: nor can the generation. */
void generations_part_failed(const char *text);

/* preparing.c */
/* Everything that the coming generation needs is made and handed to it. */
MUST_CHECK bool preparing_all(struct gen *gen, const struct prepare_order *slots, struct err *err);

/* helpers.c */
/* Starts a scribe with these logs where the present one has others: master.scribe_next. */
MUST_CHECK bool helpers_prepare_scribe(const struct compiled_report *policy, struct err *err);
void helpers_rollback_scribe(void);
/* The policy in master.policy holds from here on. */
void helpers_commit(bool console_changed);
void helpers_reopen_logs(void);
/* All others at once, the scribe once they have gone. */
void helpers_stop(void);
void helpers_kill(void);
void helpers_step(void);
bool helpers_all_gone(void);
bool helpers_reap(pid_t pid, int wait_status);

/* NULL: err says why it was not started. */
struct helper *helpers_start(enum role_id role, const struct compiled_report *policy, struct err *err);
/* It ends in order; again: and another is started in its place once it has gone. */
void helpers_end(struct helper *helper, bool again);
void helpers_kill_one(const struct helper *helper);

/* guards.c */
MUST_CHECK bool guards_init(struct err *err);
/* Where the coming generation is the first with guarded sites: starts keeper, scout and lifeboat, so that
 * what is known to be good is there before a visitor is. */
void guards_prepare(struct gen *gen);
/* They were started for it, and have not said yet what is known. */
bool guards_are_pending(const struct gen *gen);
/* The coming generation failed. */
void guards_rollback(void);
/* What they run with. */
const struct compiled_report *guards_policy(void);
/* The policy of gen, which is in force now, has its guards. */
void guards_commit(struct gen *gen);
/* Sends the newest one, where there is one. */
MUST_CHECK bool guards_give_baseline(int channel, struct err *err);
/* Keeper, scout or lifeboat: is ready, said something else, has died. */
void guards_ready(struct helper *helper);
/* The serving workers judge by the newest baseline. */
void guards_baseline_set(void);
void guards_said(struct helper *helper, struct ipc_message *message);
/* An order about the vault, from the console; its answer comes from the keeper. */
void guards_ask(const struct vault_asked *asked);
void guards_forget(const struct helper *helper);

/* heralds.c */
MUST_CHECK bool heralds_init(struct err *err);
/* The policy in master.policy holds from here on. */
void heralds_commit(void);
void heralds_forget(const struct helper *helper);

/* wardens.c */
void wardens_init(void);
/* The kernel looks at the rules of the coming generation. False: err says why it cannot come. */
MUST_CHECK bool wardens_prepare(struct gen *gen, struct err *err);
/* It has not said yet what it thinks of them. */
bool wardens_are_pending(const struct gen *gen);
/* The coming generation failed. */
void wardens_rollback(void);
/* The policy of gen, which is in force now, has its rules in the kernel. */
void wardens_commit(struct gen *gen);
/* The kernel has the rules of the policy in force. False: control_settled() is called once it has. */
bool wardens_have_settled(void);
/* The warden is ready, has said something, cannot go on, has died. */
void wardens_ready(void);
void wardens_said(const struct ipc_message *message);
void wardens_failed(const char *text);
void wardens_died(const struct helper *helper);
void wardens_forget(const struct helper *helper);

/* bans.c */
MUST_CHECK bool bans_order(const struct ban_request *request, struct strbuf *said, struct err *err);
/* The member "bans" of the status. */
void bans_describe(struct json_writer *json);

/* pauses.c */
MUST_CHECK bool pauses_init(struct err *err);
/* Claims a state for each site that the generation reports. False: what it says is unsound. */
MUST_CHECK bool pauses_note_sites(struct gen *gen, const struct ipc_message *message);
/* False: err says why the order cannot be carried out. */
MUST_CHECK bool pauses_order(const struct pause_request *request, struct err *err);
/* Stores how the guard of a site is. False: there is no such site. */
MUST_CHECK bool pauses_note_guard(uint64_t site, uint32_t state);
/* The member "paused" of the status. */
void pauses_describe(struct json_writer *json);

/* egress.c */
MUST_CHECK bool egress_init(struct err *err);
/* What the generation says of its section `egress`. False: it is unsound. */
MUST_CHECK bool egress_note(struct gen *gen, const struct ipc_message *message);
/* The policy of gen is in force from here on. */
void egress_commit(const struct gen *gen);
/* Adds to `said` what was done. False: err says why it cannot be. */
MUST_CHECK bool egress_carry_out(const struct egress_order *order, struct strbuf *said, struct err *err);
/* 0 ends a pause. */
MUST_CHECK bool egress_pause(uint64_t duration_ms, struct err *err);
/* Of CLOCK_MONOTONIC; 0: not paused. */
uint64_t egress_pause_until(void);
void egress_set_pause(uint64_t until_ms);

/* control.c */
void control_asked(const struct asked_report *asked);
void control_answer(uint64_t ticket, bool ok, const char *text, size_t len);
/* Tells those who waited for the reload that failed, and makes way for those of the next. */
void control_reload_failed(const char *text);
/* The same for one that went well: they are told once it has settled. */
void control_reload_done(void);
/* The older generation accepts no more, or is gone. */
void control_settled(void);
/* Its tickets died with it. */
void control_forget(void);

/* master.c */
void master_stop(void);
void master_fail_start(const char *text);
/* Something ended: at the end of the round, what could not go on before goes on. */
void master_step(void);
/* The first generation serves. */
void master_started(void);
/* Logs a text of several lines, each by itself. */
void master_log_lines(bool is_error, const char *text);

#endif
