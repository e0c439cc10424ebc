#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

/* What the files of front/ share: the worker's context, a client connection and
 * an exchange. Both sides of an exchange are hostile; the comments say whose
 * bytes a member holds. */

#include "front/evidence.h"
#include "sallyport/census.h"
#include "sallyport/clock.h"
#include "sallyport/hold.h"
#include "sallyport/http_chunk.h"
#include "sallyport/http_forward.h"
#include "sallyport/http_head.h"
#include "sallyport/judge.h"
#include "sallyport/log_record.h"
#include "sallyport/origin.h"
#include "sallyport/settings.h"
#include "sallyport/shield.h"
#include "sallyport/stats.h"
#include "sallyport/stream.h"
#include "sallyport/throttle.h"
#include "sallyport/worker.h"

enum {
	FRONT_READ_BYTES = 1 << 16,          /* one read of either side */
	FRONT_HEAD_BYTES = HTTP_HEAD_MAX + 4096, /* a head written anew: the largest, and what we add */
	FRONT_ID_BYTES = REQUEST_ID_SIZE,
	EXCHANGE_TEXT_BYTES = 3072,          /* request head and canonical path of the usual exchange */
	EXCHANGE_SPARE = 64,                 /* freed ones kept for the next */
	HAND_OVER_AGAIN_MS = 10,
	CLIENT_TLS_BYTES = 16384,            /* what OpenSSL holds for a connection: measured 13 kB idle */
};

struct client;
struct exchange;
struct page;
struct guard_side;
struct gate;
struct visit;

struct listener {
	struct watch watch;
	struct front *front;
	bool paused; /* no descriptors left: tried again by the timer */
};

/* A pipe for splice(2) and how much is in it. */
struct conduit {
	int read_fd, write_fd; /* 0: none */
	size_t held;
};

struct front {
	struct loop *loop;
	struct worker_setup setup;
	const struct settings *settings;
	struct stats_slot *stats;
	struct memory memory;
	struct census *census;
	struct throttle_table *throttle;
	struct guard_side *guard; /* NULL: no site is guarded */
	struct gate *gate;        /* NULL: a worker, whose clients are visitors */
	struct resolver *resolver;
	struct origins *origins;
	struct shield_scratch *scratch;
	struct site_link *site_links; /* by site->index */
	struct evidence_rate evidence_rate;
	struct tls_tickets *tickets;  /* NULL: none */
	struct timer tickets_timer;
	struct throttle_rate handshake_rate;
	uint64_t handshake_site;
	struct http_limits request_limits, response_limits;

	struct listener *listeners;
	struct timer accept_again;
	struct watch adopt;
	struct client *clients;              /* all of them */
	struct client *idle, *idle_last;     /* between requests, or before the first; the longest idle last */
	struct client *tarpit, *tarpit_last; /* held without a word; who came first last */
	uint64_t tarpit_count;
	uint64_t max_connections;            /* that this worker has descriptors for */
	uint64_t shed_again_ms;              /* when memory may be won back next */

	bool draining, hand_over, told_drained;
	struct timer drain_timer;
	struct timer hand_over_again;

	uint64_t id_prefix, id_count;
	uint64_t inspect_seed; /* of hash tables that clients fill; told to nobody */
	char date[CLOCK_HTTP_SIZE];
	uint64_t date_second;

	struct exchange *spare; /* free exchanges */
	unsigned spare_count;
	struct conduit conduits[32]; /* free pipes */
	unsigned conduit_count;

	/* Used within one call only. */
	struct http_head head;
	char in[FRONT_READ_BYTES];
	char out[FRONT_HEAD_BYTES];
	char record[LOG_RECORD_MAX];
};

enum client_state {
	CLIENT_UNSET = 0,
	CLIENT_PROXY,
	CLIENT_HELLO,
	CLIENT_HANDSHAKE,
	CLIENT_IDLE,
	CLIENT_HEAD,
	CLIENT_EXCHANGE,
	CLIENT_LINGER,
	CLIENT_TARPIT,
};

struct client {
	struct stream stream;
	struct watch watch;
	struct timer timer;
	struct task again;          /* more of this connection after the others had their turn */
	struct front *front;
	struct exchange *exchange;
	struct client *prev, *next; /* front->clients */
	struct client *idle_prev, *idle_next; /* front->idle, or front->tarpit */
	struct hold in;             /* client's bytes not yet understood */
	uint64_t head_start_us;     /* first byte of the head that is awaited */
	uint64_t idle_since_ms;
	uint64_t key;               /* addr_client_key() */
	struct addr peer;
	uint32_t seen;              /* of `in`, looked at by the parser */
	uint32_t lingered;          /* bytes thrown away after the answer */
	uint8_t state;              /* enum client_state */
	bool peer_trusted;
	bool is_mute;               /* it never asked for anything: it gets bytes from where it goes, none of ours */
	bool tls_charged;           /* CLIENT_TLS_BYTES are counted for it */
	const struct listen_settings *listen; /* where it came in; NULL: at a listener that is gone */
};

enum exchange_step {
	STEP_UNSET = 0,
	STEP_JUDGE,   /* head → verdict, site, route */
	STEP_ADMIT,   /* the gate: a place in the budget of new destinations */
	STEP_RESOLVE, /* the gate: the addresses of a name */
	STEP_COLLECT, /* small content, before an origin is asked */
	STEP_ORIGIN,  /* a connection to an origin */
	STEP_QUEUE,   /* … when one becomes free */
	STEP_CONNECT, /* … when it is through */
	STEP_SEND,    /* the head written anew */
	STEP_RELAY,   /* content up, response down */
	STEP_OPEN,    /* the gate: the tunnel stands */
	STEP_TUNNEL,  /* both ways, after the protocol was changed */
	STEP_REPLY,   /* an answer of our own */
	STEP_COPY,    /* a known-good copy */
	STEP_END,
	STEP_COUNT
};

enum step_result { STEP_RESULT_UNSET = 0, STEP_MORE, STEP_WAIT, STEP_DONE };

/* How long a peer may still let us wait: timeouts.body_grace at first, less by every wait, more by
 * what its bytes may take at timeouts.min_rate, and never more than a minute. Zeroed is the beginning. */
struct patience {
	uint64_t since_ms;   /* it lets us wait since; 0: it does not */
	uint64_t bytes;      /* that have earned already */
	int64_t balance_ms;  /* above or below the grace */
};

/* The rate that a visitor's replies are held to, and where it is counted. */
struct reply_flow {
	const struct throttle_byte_rate *rate; /* NULL: none, and the rest means nothing */
	struct throttle_client who;
};

enum gate_way { GATE_OUT, GATE_IN, GATE_WAYS }; /* from the client; to it */

/* One request and its response. Zeroed at birth up to `request`. */
struct exchange {
	struct front *front;
	struct client *client;
	struct exchange *next_spare;
	uint8_t step; /* enum exchange_step */

	/* what is known of the request */
	struct subject subject;
	struct verdict verdict;
	bool rules_asked;           /* in STEP_JUDGE: the scratch's tally is this request's */
	struct addr visitor;        /* behind trusted proxies */
	uint64_t in_work[2];        /* what it counts as in the census, at its site and its path; 0: nothing */
	uint64_t id[2];

	/* content, client to origin */
	struct http_chunked up_coding;
	uint64_t up_left;           /* LENGTH: still to be read */
	uint64_t up_bytes;          /* read so far, decoded */
	struct patience up_patience;
	uint8_t up_framing;         /* towards the origin */
	bool up_read;               /* all was read from the client */
	bool up_sent;               /* … and written to the origin */
	bool up_broken;             /* the origin takes no more: only its response counts */
	bool up_streamed;           /* some content is gone: no retry */
	bool continued;             /* 100 Continue was said */
	bool upgrade;               /* a WebSocket was asked for */
	bool client_ended, origin_ended; /* of a tunnel: it sends no more */
	struct hold body;           /* collected content */
	struct body *inspection;    /* NULL: nobody looks into the content, or no longer */
	struct shield_content *content_rules; /* what they found in it; NULL: it is not looked into */
	struct rule_scan *content_scan;       /* of the piece in hand */
	struct login_attempt login; /* rule NULL: it is none */
	uint32_t inspect_hold;      /* bytes of it that are collected at most, until its end; 0: see quotas.collect */
	bool inspect_streams;       /* what is more goes on as it comes */
	struct hold up_pending;     /* for the origin, not yet taken */
	struct conduit up_conduit;

	/* the origin */
	struct origin_claim claim;
	struct addr door;           /* that the visitor came in by; for send_proxy only */
	unsigned attempts;
	bool retried;
	bool queued;                /* it waited for a place: connecting has its own time */
	uint64_t collect_until_ms;
	uint64_t connect_until_ms;
	uint64_t attempt_until_ms;  /* after which another origin is tried */
	const char *origin_evidence; /* what OpenSSL said of it; NULL: nothing. Lives for ever */
	uint64_t origin_moved_ms;   /* the origin last took or gave a byte */

	/* the response, origin to client */
	struct http_chunked down_coding;
	uint64_t down_left;
	uint64_t down_bytes;
	struct patience down_patience;
	uint16_t status;
	uint8_t down_framing;       /* the origin's */
	uint8_t client_framing;     /* ours towards the client */
	uint8_t interim;            /* 1xx responses so far */
	bool head_read;             /* a final head came from the origin */
	bool head_sent;             /* … and one went to the client */
	bool down_read;             /* the whole response was read */
	bool origin_reusable;
	bool close;                 /* the client connection ends with this exchange */
	bool aborted;               /* … by a reset */
	bool logged_extra;
	struct hold down_pending;   /* for the client, not yet taken */
	struct conduit down_conduit;
	struct reply_flow reply;
	uint64_t resume_ms[GATE_WAYS]; /* no more is read, or sent, that way before then; 0: it may be */

	/* the guard (front/guard.h) */
	struct page *page;          /* NULL: the site is not guarded */
	bool guard_enforces;
	struct hold evidence;       /* what of the response was held against it */

	/* the gate (front/gate.h) */
	struct visit *visit;        /* NULL: a visitor's request, or one that was refused at once */

	/* microseconds, monotonic; 0: has not happened */
	uint64_t start_us, head_us, ask_us, connected_us, sent_us, first_byte_us;
	uint64_t wall_us;

	char *text;
	size_t text_room;
	struct http_head request;   /* base: text */
	char text_inline[EXCHANGE_TEXT_BYTES];
};

/* client.c */
/* Whose it is is known: its transport begins, and its first request may come. May end it. */
void client_begin(struct client *client);
/* A whole head that the client did not send. May end it. */
void client_take(struct client *client, const char *head, size_t len);
/* Two lines, and it ends. client: who it would have been. */
void client_refuse(struct client *client, const struct addr *peer, enum reason reason);
/* A connection begins; it may end at once. listen: where it came in, NULL: unknown. adopted: it has
 * had requests already, plain ones. False: no memory, and fd is still the caller's. */
MUST_CHECK bool client_new(struct front *front, int fd, const struct addr *peer, const struct listen_settings *listen,
			   bool adopted);
/* Its transport is ready: requests may come. */
void client_ready(struct client *client);
/* Waits in that state for so long. */
void client_await(struct client *client, enum client_state state, uint64_t ms);
/* Ends it after what was sent is read. */
void client_linger(struct client *client);
/* Its next response is its last. */
bool client_is_last(const struct client *client);
void client_free(struct client *client, bool abort_it);
/* The exchange ended. keep: another request may follow. Otherwise, announced: the client
 * said itself that its request, read whole, is the last. */
void client_next(struct client *client, bool keep, bool announced);
/* False: some could not be handed over now. */
bool client_hand_over_all(struct front *front);

/* handshake.c */
MUST_CHECK bool handshake_compile(struct front *front, struct err *err);
/* The connection is to speak TLS from here on. False: it was refused, and is gone. */
MUST_CHECK bool handshake_begin(struct client *client);
void handshake_go_on(struct client *client);
void handshake_expired(struct client *client);

/* secure.c */
/* The visitor came by TLS, to us or to a trusted proxy before us. */
bool is_secure(const struct exchange *x);
bool is_redirected(const struct exchange *x);
bool is_misdirected(const struct exchange *x);
enum step_result redirect(struct exchange *x);
/* "Location: …\r\n"; 0: this answer has none. */
size_t redirect_location(const struct exchange *x, char *out, size_t room);
/* NULL: none is to be added. */
const struct http_added_field *hsts_of(const struct exchange *x);
/* Why the client went away: a broken record, perhaps. */
enum reason client_cause(const struct exchange *x, enum reason reason, struct span *evidence);

/* tarpit.c */
bool tarpit_has_room(const struct front *front);
/* The connection's exchange has ended; it is held now, and closed by its timer, or its peer. */
void tarpit_take(struct client *client);
/* Before a connection that is held is forgotten. */
void tarpit_leave(struct client *client);
/* Closes the one that is held longest. False: there is none. */
bool tarpit_make_room(struct front *front);
void tarpit_empty(struct front *front);

/* preface.c: what comes before all requests, looked at in the socket. */
/* It has as long as a head. */
void preface_begin(struct client *client, enum client_state state);
/* Bytes so far, at most `most`, borrowed until the next call that reads. False: there are none now, or the client is gone. */
MUST_CHECK bool preface_peek(struct client *client, size_t most, struct span *out);
/* They are a part of what may follow, unless the client has ended: then it is gone. */
void preface_wait(struct client *client);
/* Its end, which is logged. */
void preface_refuse(struct client *client, enum reason reason);

/* proxied.c: the PROXY header before all else. Each may end the connection. */
void proxied_begin(struct client *client);
void proxied_read(struct client *client);

/* redirected.c: clients of egress.transparent */
/* Where it was going. False: it was not redirected. */
bool redirected_to(const struct client *client, struct addr *to);
/* True: it makes requests. */
bool redirected_begin(struct client *client);
void redirected_read(struct client *client);

/* exchange.c */
/* A whole head stands in bytes: understood (reason UNSET) or refused for `reason`. Takes what it needs.
 * False: no memory. */
bool exchange_begin(struct client *client, const struct http_head *head, const char *bytes, size_t len,
		    enum reason reason, struct span evidence);
void exchange_run(struct exchange *x);
/* The client is gone, or has to go: ends without another byte to it. */
void exchange_abort(struct exchange *x, enum reason reason);
void exchange_expired(struct exchange *x);
/* Leads to an answer of our own, or, where a response has begun, to a reset. */
enum step_result exchange_refuse(struct exchange *x, enum reason reason);

/* judge.c */
enum step_result step_judge(struct exchange *x);
/* The host of s->target or the Host field, which agree. */
bool judge_authority(const struct http_head *head, struct subject *s, enum reason *reason);
void exchange_begin_content(struct exchange *x);
/* Keeps for the record what a verdict says about exceptions. */
void note_excepted(struct exchange *x, const struct verdict *verdict);
/* ask.c */
enum step_result step_origin(struct exchange *x);
enum step_result step_queue(struct exchange *x);
enum step_result step_connect(struct exchange *x);
enum step_result step_send(struct exchange *x);
/* The attempt to connect took too long. True: another is made. */
bool ask_another(struct exchange *x);
/* True where the request was taken back and will be sent again. */
bool ask_again(struct exchange *x);
void exchange_leave_origin(struct exchange *x, bool reusable);
/* inspect.c: the content, as far as the site's shield.bodies looks into it. */
/* The worker's memory, for who decodes. */
struct coding_memory front_memory(struct front *front);
/* The head was allowed, and content follows. False: x->verdict refuses it. */
MUST_CHECK bool inspect_begin(struct exchange *x);
/* The next piece, decoded from its framing; x->up_read: the last one. False: x->verdict and *reason refuse it. */
MUST_CHECK bool inspect_piece(struct exchange *x, const char *bytes, size_t len, enum reason *reason);
void inspect_release(struct exchange *x);
/* upload.c */
enum step_result step_collect(struct exchange *x);
/* What a pump did: moved something, is at its end, waits, or *reason ended it. */
enum pump { PUMP_UNSET = 0, PUMP_WAIT, PUMP_AGAIN, PUMP_END, PUMP_FAIL };
enum pump upload_pump(struct exchange *x, enum reason *reason);
/* download.c */
enum pump download_pump(struct exchange *x, enum reason *reason);
/* Decides how a response with this head goes to the client, and writes the head into front->out. 0: no room. */
size_t response_head(struct exchange *x, struct http_head *head);
/* Sends it, where head_len > 0, and a piece of content. False: the client is gone, or memory is. */
bool response_send(struct exchange *x, size_t head_len, struct span piece);
/* Writes to the client, keeps what it does not take. False: the client is gone, or memory is. */
bool client_send(struct exchange *x, const struct iovec *iov, int n);
bool client_flush(struct exchange *x);
/* The client has taken more since it was last looked at, though there was no room to write more: that earns it
 * patience, and begins its wait anew. False: it has not. */
bool client_takes(struct exchange *x);
/* tunnel.c */
/* Whether the request asks for a protocol that its route allows. False: it does so wrongly. */
bool tunnel_judge(struct exchange *x);
/* The origin's 101 stands in front->head, and `data` behind it: the exchange becomes a tunnel. */
bool tunnel_open(struct exchange *x, struct http_head *head, const char *data, size_t len, enum reason *reason);
enum step_result step_tunnel(struct exchange *x);
/* reply.c */
enum step_result step_reply(struct exchange *x);
/* Two lines to a connection that is refused, as far as it takes them; none for a reason without status,
 * nor to one that is to speak TLS, and so cannot be told anything yet. Counted and logged. */
void reply_refusal(struct front *front, int fd, const struct addr *peer, enum reason reason, bool is_tls);
/* The same to one that has said nothing yet, and its end. */
void reply_refuse_connection(struct front *front, int fd, const struct addr *peer, enum reason reason, bool is_tls);

/* concurrency.c: requests of a visitor at once. False: x->verdict refuses it, or notes that it would. */
MUST_CHECK bool concurrency_begin(struct exchange *x);
/* It is over, or is no request any longer. */
void concurrency_end(struct exchange *x);

/* login.c */
void login_begin(struct exchange *x, const struct login_rule *rule);
void login_read_query(struct exchange *x);
void login_read_value(struct exchange *x, const struct body_value *value);
/* A user was tried too often: once. */
MUST_CHECK bool login_is_refused(struct exchange *x, struct verdict *verdict);
/* The origin's final answer. */
void login_has_reply(struct exchange *x, const struct http_head *head);

/* reply_flow.c: what a visitor gets a second */
void reply_flow_begin(struct exchange *x);
/* How much may pass now, at most `wanted`; 0: see flow_hold(). */
size_t reply_flow_room(struct exchange *x, size_t wanted);
void reply_flow_charge(struct exchange *x, size_t bytes);

static inline size_t reply_may_pass(struct exchange *x, size_t wanted)
{
	return x->reply.rate ? reply_flow_room(x, wanted) : wanted;
}

static inline void reply_passed(struct exchange *x, size_t bytes)
{
	if (x->reply.rate)
		reply_flow_charge(x, bytes);
}

/* deadline.c: nothing passes that way before then; the exchange's timer comes back to it. Nobody is to blame for
 * that wait. Returns 0, which is how much may pass now. */
size_t flow_hold(struct exchange *x, enum gate_way way, uint64_t until_us);

/* gate_flow.c: what the gate lets pass a second. For all others: any amount. */
/* How much may be read now, at most `wanted`; 0: see flow_hold(). */
size_t gate_may_read(struct visit *visit, enum gate_way way, size_t wanted);
void gate_has_read(struct visit *visit, enum gate_way way, size_t bytes);

/* Is what passes to be read? Then by flow_heard, and never by splice(2). */
bool gate_listens(const struct visit *visit);
/* gate_mail.c */
void gate_hear(struct visit *visit, enum gate_way way, struct span bytes);

/* What is asked for where bytes pass by splice(2). */
enum { FLOW_SPLICE_BYTES = 1 << 24 };
/* The reading waits for its time, not for the peer. */
static inline bool flow_is_held(const struct exchange *x, enum gate_way way)
{
	return x->resume_ms[way] != 0;
}

static inline size_t flow_may_read(struct exchange *x, enum gate_way way, size_t wanted)
{
	if (x->visit)
		return gate_may_read(x->visit, way, wanted);
	return way == GATE_IN ? reply_may_pass(x, wanted) : wanted;
}

static inline bool flow_is_heard(const struct exchange *x)
{
	return x->visit && gate_listens(x->visit);
}

static inline void flow_has_read(const struct exchange *x, enum gate_way way, size_t bytes)
{
	if (x->visit)
		gate_has_read(x->visit, way, bytes);
}

/* deadline.c */
struct deadline {
	uint64_t at_ms;
	enum reason reason;
};
struct deadline exchange_deadline(const struct exchange *x);
/* A wait begins; it ends, with `bytes` moved in all; when it has to have ended. */
void patience_begin(struct patience *p, uint64_t now_ms);
void patience_end(struct patience *p, const struct timeout_settings *t, uint64_t bytes, uint64_t now_ms);
uint64_t patience_deadline(const struct patience *p, const struct timeout_settings *t);

/* conduit.c: bytes past user space. */
enum { CONDUIT_MIN_BYTES = 1 << 18 };
bool conduit_open(struct front *front, struct conduit *conduit);
void conduit_close(struct front *front, struct conduit *conduit);
/* Moves up to *left bytes from one to the other; *left (what is still to be read) and *moved (what was written)
 * follow. Reads at most `room` of them now: AGAIN where they are used up. FAIL: *failed is who. */
enum pump conduit_pump(struct conduit *conduit, struct stream *from, struct stream *to, uint64_t *left,
		       uint64_t room, uint64_t *moved, struct stream **failed);
/* The same for what has no length: END once `from` has ended and all of it was written. *read follows. */
enum pump conduit_pass(struct conduit *conduit, struct stream *from, struct stream *to, uint64_t room,
		       uint64_t *read, uint64_t *moved, struct stream **failed);

/* record.c */
void record_exchange(struct exchange *x);
void record_connection(struct front *front, const struct addr *peer, enum reason reason, unsigned status);
/* The same for one that there is; evidence: NULL, or a text. */
void record_client(const struct client *client, enum reason reason, unsigned status, const char *evidence);
struct guard_event {
	const struct site *site;
	enum reason reason;
	struct span sentence, evidence;
	uint32_t folded; /* left out since the last like it */
};
void record_guard(struct front *front, const struct guard_event *event);
void record_event(void *front, const struct origin_spec *spec, bool is_down, const char *sentence,
		  uint32_t folded);

/* forwarded.c: who the visitor is, as trusted proxies tell it. */
bool is_in(const struct cidr *networks, size_t n, const struct addr *addr);
bool is_trusted(const struct settings *settings, const struct addr *addr);
struct addr visitor_of(const struct settings *settings, const struct addr *peer,
		       const struct http_head *head);

/* New work may begin: there is memory, or there is after ending those who hold it
 * and are slow. May end any other connection, so call it where none but your own is in hand. */
bool front_has_room(struct front *front);

struct span front_date(struct front *front);

#endif
