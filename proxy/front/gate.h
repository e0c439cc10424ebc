#ifndef FRONT_GATE_H
#define FRONT_GATE_H

/* The gate: the front in the other direction. Its clients are egress origins, machines behind sallyport that
 * may be infected; its destinations are wherever these want to go. An exchange has a visit here, which says who
 * goes where and what was decided about it.
 *
 *   JUDGE ──► ADMIT ──► RESOLVE ──► ADMIT ──► COLLECT ─► ORIGIN ─► CONNECT ─► SEND ─► RELAY
 *   lists,    a new     the name's  a new                          the peer   │
 *   limits    name      addresses,  address                        is judged  └► OPEN ─► TUNNEL (CONNECT)
 *                       judged                                     again
 */

#include "front/front.h"
#include "sallyport/egress.h"
#include "sallyport/egress_mail.h"
#include "sallyport/egress_tell.h"
#include "sallyport/lookup.h"
#include "sallyport/lru.h"

/* What has been used of the limits that an origin, or an origin with one host, has: GCRA. */
struct gate_use {
	uint64_t requests_tat_us;
	uint64_t bytes_tat_us[GATE_WAYS];
	uint32_t visits; /* at once */
};

/* One host of one origin. Made when a visit there was admitted. */
struct gate_host {
	struct lru_entry entry; /* first: the table gives it */
	struct gate_use use;
	uint16_t len;
	char name[];
};

struct gate_origin {
	struct gate *gate;
	const struct egress_origin *policy;
	struct egress_state *state;   /* shared; own_state where the master has claimed none */
	struct egress_state own_state;
	struct egress_known *known;   /* of the same index; NULL: nothing is known */
	struct egress_learned *learned; /* … NULL: nothing is learned */
	uint64_t learned_seed;        /* its own, though the slot may be given to another while this gate drains */
	int slot;                     /* in struct egress_states; -1: none */
	struct gate_use use;
	uint64_t relay_tat_us, messages_tat_us; /* connections and messages to mail relays: GCRA */
	struct lru hosts;             /* of struct gate_host */
	struct lookup_asker asker;    /* of names */
	struct visit *waiting, *waiting_last; /* for a place in the budget of new destinations; who came first first */
	unsigned waiting_count;
	struct timer turn;            /* of the first of them */
	struct visit *visits, *visits_last; /* all of it; visit_count of them */
	uint32_t visit_count;
	struct task judge_again;      /* all of them: the origin stands otherwise than when they came */
	uint64_t sentence;            /* that they were judged by at last */
	uint64_t flood_ms;            /* no strike for a rate before then */
	uint64_t mail_ms;             /* … for mail */
	uint64_t refused, refused_since_ms; /* since its last sentence */
};

struct gate {
	struct front *front;
	const struct egress_policy *policy;
	struct egress_states *states; /* NULL: tests */
	struct egress_law law;
	struct gate_origin *origins;  /* by their index */
	struct lookups *lookups;
	struct dns_service *dns;    /* NULL: nobody asks for names, or not any more */
	struct egress_teller teller;
	struct timer tell;
	struct timer look;          /* for sentences; while there are visits */
	uint32_t visit_count;
	int token_fd;                 /* -1: none */
	struct gate_names *names;     /* NULL: nobody needs their addresses */
};

/* What is needed until there is a connection. */
struct gate_search {
	struct visit *visit;
	struct lookup lookup;
	uint64_t place_until_ms;      /* how long it waits for a place; 0: it did not have to */
	uint64_t name_until_ms;       /* … for the name's addresses */
	struct visit *prev, *next;    /* in the origin's queue */
	bool is_waiting;
	bool is_turn;                 /* it was let through by the queue */
	bool has_place;               /* the name took one, which its first new address may use */
	bool is_named;                /* the name may be looked up */
	bool is_resolved;             /* addrs are what it led to, without those that are refused */
	unsigned count, next_addr;    /* of addrs; which one is next to be tried */
	struct addr addrs[RESOLVE_MAX_ADDRS];
	enum reason reason;           /* why the last address was passed over */
	const char *setting, *entry;
};

struct visit {
	struct exchange *x;
	struct gate_origin *origin;
	struct gate_host *host;       /* NULL: not admitted yet */
	struct egress_destination destination; /* its host points to `name` */
	struct egress_verdict named;  /* of its name */
	enum egress_verdict_kind reached; /* of the address, as it was judged last */
	struct origin_place place;
	struct visit *before, *after; /* of its origin */
	struct gate_search *search;   /* NULL: it is over */
	uint64_t sentence;            /* the origin's, when it was judged */
	uint64_t counted[GATE_WAYS];  /* bytes that are in the counters */
	struct egress_mail mail;
	bool is_relay;                /* a tunnel to a mail relay, which is listened to */
	bool is_tunnel;
	bool is_single;               /* its connection is nobody else's, before or after */
	bool is_enforced;             /* false: monitor mode, or paused: nothing is refused for what it is */
	bool is_counted;              /* among the visits of its origin */
	uint16_t len;
	char name[];
};

/* gate.c */
MUST_CHECK bool gate_open(struct front *front, struct err *err);
void gate_close(struct gate *gate);
/* A connection's limit: as many as its origin may have visits, and no less than anybody has. */
uint32_t gate_connections(const struct front *front, const struct addr *peer);
/* NULL: it is none of them. */
struct gate_origin *gate_origin_of(struct gate *gate, const struct addr *peer);
enum egress_stage gate_stage(const struct gate_origin *origin);
uint64_t gate_now_ms(const struct gate *gate);

/* gate_judge.c */
enum step_result gate_judge(struct exchange *x);
/* A refusal that is not enforced is noted instead. True: refuse, by exchange_refuse(reason). */
bool gate_objects(struct visit *visit, enum reason reason, const char *setting, const char *entry);
/* The destination as it is told: "host:port". */
enum { GATE_TARGET_SIZE = EGRESS_DESTINATION_SIZE };
void gate_target(const struct visit *visit, char out[GATE_TARGET_SIZE]);
/* Its name is judged, and `named` is what came of it. False: *reason, and it is refused. */
MUST_CHECK bool gate_name_is_good(struct visit *visit, enum reason *reason);

/* gate_learn.c: egress.learning */
struct egress_verdict gate_judge_name(const struct visit *visit);
/* It is connected. */
void gate_learn_use(const struct visit *visit);
/* It was refused, and could be approved. */
void gate_learn_asked(const struct visit *visit);

/* gate_use.c: limits of an origin and of each of its hosts */
/* True: it goes on and is counted. Else *reason, with the setting in the verdict. */
bool gate_takes_request(struct visit *visit, enum reason *reason);
/* The host is one that it visits from here on. False: *reason, no memory or too many visits there. */
MUST_CHECK bool gate_enter_host(struct visit *visit, enum reason *reason);
void gate_leave_hosts(struct visit *visit);
void gate_forget_hosts(struct gate_origin *origin);

/* gate_names.c */
/* Begins to look up what the policy lists by name, for the kernel leg. */
MUST_CHECK bool gate_open_names(struct gate *gate, struct err *err);
void gate_close_names(struct gate *gate);
/* An origin is about to be told these, and will connect to them. names NULL: nobody needs them. */
void gate_found_name(struct gate_names *names, struct span host, const struct addr *addrs, unsigned count);

/* gate_admit.c */
enum step_result step_admit(struct exchange *x);
enum step_result step_resolve(struct exchange *x);
/* Leaves the queue and the look-up. */
void gate_end_search(struct visit *visit);
void gate_turn(struct timer *timer);
/* Who waits for a place in the budget is judged again, and tries. */
void gate_try_waiting(struct gate_origin *origin);

/* gate_tell.c: strikes and events */
void gate_tell(struct gate *gate, const struct egress_event *event);
void gate_refused(struct exchange *x, enum reason reason);
void gate_note(struct visit *visit, enum reason reason, const char *setting);
void gate_mails_too_much(struct visit *visit);
void gate_flush(struct timer *timer);

/* gate_visit.c */
struct visit *gate_visit_new(struct exchange *x, struct gate_origin *origin, struct span name);
void gate_visit_free(struct exchange *x);
MUST_CHECK bool gate_address_is_good(struct visit *visit, const struct addr *addr, enum reason *reason);
/* The address that the connection really has. False: *reason. */
MUST_CHECK bool gate_peer_is_good(struct exchange *x, enum reason *reason);
void gate_count(struct exchange *x);

/* gate_sentence.c */
void gate_join(struct visit *visit);
void gate_leave(struct visit *visit);
/* What was said of its name before it waited may hold no more. */
MUST_CHECK bool gate_is_still_good(struct visit *visit, enum reason *reason);
/* The origin has been sentenced since, and may not be there any more. */
bool gate_is_cut(struct exchange *x);
void gate_judge_again(struct task *task);
void gate_look(struct timer *timer);

/* gate_mail.c */
/* The next address to be connected to: perhaps a relay's, or its name was. False: *reason. */
MUST_CHECK bool gate_enter_relay(struct visit *visit, const struct addr *addr, enum reason *reason);
/* When it may go on reading what a relay gets; 0: at once, at most *room. */
uint64_t gate_mail_held_us(const struct visit *visit, uint64_t now_us, uint64_t *room);

/* gate_tunnel.c */
enum step_result step_open(struct exchange *x);

/* gate_dns.c: questions for names */
MUST_CHECK bool gate_start_dns(struct gate *gate, struct err *err);
void gate_stop_dns(struct gate *gate);

/* gate_reply.c */
/* A page for a machine's administrator: reason, setting, limit. */
size_t gate_page(const struct exchange *x, char *out, size_t room);
/* "Proxy-Status: …\r\n" (RFC 9209) */
size_t gate_status(const struct exchange *x, char *out, size_t room);

#endif
