#ifndef PROC_ORDERS_H
#define PROC_ORDERS_H

#include <stdint.h>
#include "proc/web_place.h"
#include "sallyport/addr.h"
#include "sallyport/crypto.h"
#include "sallyport/egress.h"
#include "sallyport/ban_list.h"
#include "sallyport/egress_order.h"
#include "sallyport/rules_age.h"
#include "sallyport/site.h"
#include "sallyport/site_state.h"
#include "sallyport/stats.h"
#include "sallyport/vault_order.h"

/* What our processes say to one another. Both ends are always the same binary, so
 * payloads are plain structures; a reader checks size, counts, ranges and the
 * NUL of every text (orders_text_ok) before it uses any.
 *
 *   master              generation              worker
 *     | COMPILE            |                       |
 *     |------------------->|                       |
 *     |     COMPILED       |                       |   or FAILED: errors, nothing changed
 *     |<-------------------|                       |
 *     | PREPARE + fds      |  fork                 |
 *     |------------------->|---------------------->|
 *     |       READY        |        READY          |
 *     |<-------------------|<----------------------|   all of them are up, none accepts
 *     | START              |  START                |
 *     |------------------->|---------------------->|
 *     |      STARTED       |       STARTED         |   accepting: the older one drains
 *     |<-------------------|<----------------------|
 *     | DRAIN              |  DRAIN                |
 *     |------------------->|---------------------->|
 *     |      DRAINING      |       DRAINING        |   accepts no more: the reload is over
 *     |<-------------------|<----------------------|
 *     |                    |                       |   exits with 0 when drained
 */
enum order {
	ORDER_UNSET = 0,
	/* down */
	ORDER_COMPILE, /* struct compile_order */
	ORDER_PREPARE, /* struct prepare_order; fds: see enum prepare_fd */
	ORDER_START,   /* empty */
	ORDER_DRAIN,   /* struct drain_order */
	ORDER_HELP, /* struct helper_order; fds by role: see enum scribe_fd, console_fd, demo_fd, acme_fd */
	ORDER_STOP, /* empty: finish and exit */
	ORDER_ANSWER, /* struct answer_head, then the text */
	ORDER_BASELINE, /* struct baseline_order; fd: the baseline. To generations and workers */
	ORDER_PLAN,     /* struct plan_order; fd: the plan. To the keeper: a new policy is in force */
	ORDER_PARTNER,  /* empty; fd: a channel. Keeper and scout speak over it, scout_orders.h */
	ORDER_JOB,      /* struct scout_job */
	ORDER_VAULT,    /* struct vault_asked. To the keeper */
	ORDER_RULES_CHECK, /* struct plan_order; fd: a warden_plan. To the warden, which answers with RULES */
	ORDER_RULES,    /* empty: what was checked last is in force. To the warden */
	ORDER_LEAVE,    /* empty: exit, and leave what you have made in the kernel. To the warden */
	ORDER_DEMO,     /* uint32_t, enum demo_state: what the demo origin becomes */
	/* up */
	REPORT_COMPILED, /* struct compiled_report; fds: the plan, where a site is guarded; that for the kernel, where there is one */
	REPORT_READY,    /* empty */
	REPORT_STARTED,  /* empty */
	REPORT_DRAINING, /* empty */
	REPORT_FAILED,   /* a text */
	REPORT_WORKERS,  /* struct workers_report */
	REPORT_ASKED,    /* struct asked_report: the console passes an order on */
	REPORT_SITES,    /* struct sites_report, as far as it is filled; several, before COMPILED */
	REPORT_EGRESS,   /* struct egress_report; before COMPILED, where there is a section `egress` */
	REPORT_BASELINE, /* struct baseline_order; fd: the baseline. From the keeper */
	REPORT_BASELINE_SET, /* empty; from a worker: it judges by it; from a generation: all of them do */
	REPORT_GUARD,    /* struct guard_report. From the keeper */
	REPORT_VAULT,    /* struct vault_asked: the console passes an order on */
	REPORT_ANSWER,   /* struct answer_head, then the text. From the keeper, for the console */
	REPORT_SAMPLE,   /* struct scout_sample; fd: the content */
	REPORT_LINKS,    /* struct scout_links, as far as its text is filled */
	REPORT_RULES,    /* struct rules_report. From the warden */
	REPORT_RULES_SET, /* struct rules_report; from the warden: they are in force, or others stay so */
	REPORT_ALERT,    /* struct alert, to the herald; its JSON, to the crier */
};

enum {
	WORKERS_MAX = 16,
	CHILDREN_MAX = WORKERS_MAX + 1, /* of a generation: the gate is the last */
	LISTENERS_MAX = 60,
	USER_SIZE = 64,
	PATH_SIZE = 1024,
	OVERRIDE_SIZE = 1024,
	WARNINGS_SIZE = 8192,
	SCOUT_PORTS_MAX = 256,
	SCOUT_CAS_MAX = 8,
	EXCEPTION_ENDS_MAX = 256,
	BASELINE_BYTES_MAX = 1 << 30,
	WEBHOOK_SIZE = WEB_URL_SIZE,
	SECRET_SIZE = 256,
};

struct compile_order {
	/* Empty where not given. */
	char policy[PATH_SIZE];
	char listen[OVERRIDE_SIZE];
	char origin[OVERRIDE_SIZE];
	char demo_vault[PATH_SIZE];
	uint32_t is_demo; /* 1: the origin is our own, and to be guarded */
	char console[OVERRIDE_SIZE];
	char log[OVERRIDE_SIZE];
};

/* Who is told at once. Empty texts: nobody. */
struct alert_order {
	uint64_t interval_ms;
	char webhook[WEBHOOK_SIZE];
	char secret[SECRET_SIZE];
	char ca[PATH_SIZE];
	char program[PATH_SIZE];
};

/* What the master has to know of a policy. */
struct compiled_report {
	uint32_t workers;
	uint32_t gates;       /* 0 or 1 */
	uint32_t pad;
	uint32_t listens;
	uint32_t sites;
	uint32_t sandbox;     /* enum sandbox_mode */
	uint32_t generations; /* quotas.generations */
	uint32_t log_format;  /* enum log_format */
	uint32_t has_console; /* console is set */
	uint32_t guarded;     /* sites whose guard is not off; 0: no vault, no keeper */
	uint64_t drain_ms;
	uint64_t plan_bytes;  /* of the plan that came with it; 0: none */
	uint64_t rules_bytes; /* the same of what the kernel leg has to know; 0: there is none */
	uint64_t rules_required; /* 1: egress.kernel is "required" */
	struct addr listen[LISTENERS_MAX];
	uint8_t is_datagram[LISTENERS_MAX]; /* 1: UDP */
	struct addr console;
	char user[USER_SIZE];
	char runtime[PATH_SIZE]; /* empty: the standard place */
	char log_access[PATH_SIZE];
	char log_events[PATH_SIZE];
	char vault[PATH_SIZE];   /* its directory */
	char evidence[PATH_SIZE]; /* the file; empty: none is kept */
	uint64_t evidence_bytes;
	uint32_t scout_ports;
	uint16_t scout_port[SCOUT_PORTS_MAX]; /* of guarded sites' origins */
	char scout_ca[SCOUT_CAS_MAX][PATH_SIZE]; /* files of their CAs; the first empty one ends them */
	char acme_webroot[PATH_SIZE]; /* empty: none */
	char warnings[WARNINGS_SIZE];
	struct rules_age rules;
	struct alert_order alerts;
	uint32_t exceptions; /* of all sites */
	uint32_t ends;       /* of those that end: as many as there is room for, the first to come */
	uint64_t end_s[EXCEPTION_ENDS_MAX]; /* since 1970 */
};

/* A plan is what the keeper has to know of a policy: guard/plan.h. */
struct plan_order {
	uint64_t bytes;
};

/* A baseline, sealed against every change, and whose signature it bears. */
struct baseline_order {
	uint64_t bytes;
	uint8_t key[SIGN_PUBLIC_SIZE];
};

/* How the guard of a site is. */
struct guard_report {
	uint64_t site;  /* site_id() */
	uint32_t state; /* enum guard_state */
	uint32_t pad;
};

/* Some of the policy's sites. */
enum { SITES_PER_REPORT = 256 };
struct sites_report {
	uint32_t n;
	char names[SITES_PER_REPORT][SITE_NAME_SIZE];
};

struct egress_origin_report {
	char name[EGRESS_NAME_SIZE];
	uint32_t n;
	struct cidr networks[EGRESS_ADDRESSES_MAX];
};

/* The policy's section `egress`, as far as the master has to know it. */
struct egress_report {
	uint32_t mode;     /* enum egress_mode */
	uint32_t kernel;   /* enum egress_kernel */
	uint32_t learning; /* enum egress_learning */
	uint32_t has_gate;
	struct addr gate;  /* where it listens */
	uint32_t n;        /* origins; each has a state, which is there before a gate looks for it */
	struct egress_origin_report of[EGRESS_ORIGINS_MAX];
};

enum prepare_fd {
	PREPARE_FD_STATS,
	PREPARE_FD_RINGS,
	PREPARE_FD_CENSUS,
	PREPARE_FD_THROTTLE,
	PREPARE_FD_SITES,
	PREPARE_FD_EGRESS,
	PREPARE_FD_TICKETS,
	PREPARE_FD_LOG_EVENT,
	PREPARE_FD_ADOPT,
	PREPARE_FD_HAND_OVER,
	PREPARE_FD_GATE_ADOPT,
	PREPARE_FD_GATE_HAND_OVER,
	PREPARE_FD_NOMINATIONS,
	PREPARE_FD_NOMINATION_EVENT,
	PREPARE_FD_INTERNAL, /* channels to internal origins, in the order of enum internal_origin */
	PREPARE_FD_LISTENERS = PREPARE_FD_INTERNAL + INTERNAL_COUNT - 1, /* from here on, in the order of the policy */
};

struct prepare_order {
	uint32_t id;
	uint32_t workers;
	uint32_t gates; /* 0 or 1 */
	uint32_t slots[CHILDREN_MAX]; /* of the workers, then of the gate */
};

struct drain_order {
	uint64_t deadline_ms; /* CLOCK_MONOTONIC */
	uint32_t hand_over;
	uint32_t pad;
};

struct workers_report {
	uint32_t n;
	uint32_t pad;
	struct {
		int32_t pid; /* 0: none lives now */
		uint32_t slot;
		uint32_t restarts;
		uint32_t is_gate;
	} of[CHILDREN_MAX];
};

enum scribe_fd { SCRIBE_FD_RINGS, SCRIBE_FD_STATS, SCRIBE_FD_EVENT, SCRIBE_FD_ALERTS, SCRIBE_FDS };
enum console_fd { CONSOLE_FD_STATS, CONSOLE_FD_GUARD, CONSOLE_FD_EGRESS, CONSOLE_FD_UNIX, CONSOLE_FD_TCP /* may be missing */ };
enum demo_fd { DEMO_FD_LISTENER };
enum keeper_fd { KEEPER_FD_STATUS, KEEPER_FD_NOMINATIONS, KEEPER_FD_NOMINATION_EVENT, KEEPER_FD_PLAN, KEEPER_FD_ALERTS, KEEPER_FDS };
enum lifeboat_fd { LIFEBOAT_FD_CHANNEL };
enum warden_fd { WARDEN_FD_STATES, WARDEN_FD_RINGS, WARDEN_FD_EVENT, WARDEN_FDS };
enum herald_fd { HERALD_FD_ALERTS, HERALD_FD_CRIER, HERALD_FDS };
enum crier_fd { CRIER_FD_CHANNEL, CRIER_FDS };
enum acme_fd { ACME_FD_CHANNEL };

struct helper_order {
	uint32_t sandbox;
	uint32_t log_format;
	char user[USER_SIZE];
	char log_access[PATH_SIZE];
	char log_events[PATH_SIZE];
	char vault[PATH_SIZE];
	char evidence[PATH_SIZE];
	uint64_t evidence_bytes;
	uint64_t plan_bytes;
	uint32_t scout_ports;
	uint16_t scout_port[SCOUT_PORTS_MAX];
	char scout_ca[SCOUT_CAS_MAX][PATH_SIZE];
	char acme_webroot[PATH_SIZE];
	struct alert_order alerts;
};

/* What the kernel says of rules. */
struct rules_report {
	uint32_t ok;
	uint32_t pad;
	char text[512]; /* where they were refused */
};

struct asked_report {
	uint32_t order; /* enum console_order */
	uint32_t pad;
	uint64_t ticket;
	struct pause_request pause; /* CONSOLE_PAUSE only */
	struct egress_order egress; /* CONSOLE_EGRESS only */
	struct ban_request ban; /* CONSOLE_BAN only */
};

struct vault_asked {
	uint64_t ticket;
	struct vault_order order;
};

struct answer_head {
	uint64_t ticket;
	uint32_t ok;
	uint32_t pad;
};

/* The text in a field of a message ends inside of it. */
#define ORDERS_TEXT_OK(field) (memchr((field), '\0', sizeof(field)) != NULL)

#endif
