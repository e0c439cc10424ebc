/* A worker's data plane: listeners, quotas of connections, taking connections
 * over from the last generation, and draining. */
#include "sallyport/worker.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/gate.h"
#include "front/guard.h"
#include "sallyport/crypto.h"
#include "sallyport/fd_pass.h"
#include "sallyport/json.h"
#include "sallyport/log.h"

enum {
	ACCEPT_AGAIN_MS = 50,  /* where descriptors ran out */
	LOOK_AGAIN_MS = 50,    /* while draining, for what became idle */
	ADOPTIONS_PER_EVENT = 8,
	SHED_AFTER_MS = 1000,  /* a client has to have been idle, or slow, so long to make room for another */
	SHED_EVERY_MS = 100,   /* at most: it looks at everybody */
	TICKETS_EVERY_MS = 60000,
	DATE_EVERY_US = 1000000,
	FDS_BESIDE = 64,       /* for all that is no connection */
	FDS_A_CONNECTION = 2,  /* one to an origin, too */
};

struct span front_date(struct front *f)
{
	uint64_t second = loop_now_us(f->loop) / DATE_EVERY_US;
	if (second != f->date_second) {
		clock_format_http(clock_wall_us(), f->date);
		f->date_second = second;
	}
	return span_of(f->date, CLOCK_HTTP_SIZE - 1);
}

static bool is_full(const struct front *f)
{
	return census_total(f->census) >= f->settings->quotas.connections ||
	       f->stats->connections >= f->max_connections;
}

/* The longest idle connection makes room. */
static bool shed_idle(struct front *f)
{
	struct client *oldest = f->idle_last;
	if (tarpit_make_room(f))
		return true;
	if (!oldest || loop_now_ms(f->loop) - oldest->idle_since_ms < SHED_AFTER_MS)
		return false;
	client_free(oldest, false);
	return true;
}

/* How long a client has been letting us wait, while it holds memory. */
static uint64_t waited_ms(const struct front *f, const struct client *c)
{
	uint64_t since_ms = 0;
	if (c->state == CLIENT_HEAD)
		since_ms = c->head_start_us / 1000;
	else if (c->state == CLIENT_HANDSHAKE)
		since_ms = c->idle_since_ms;
	else if (c->exchange && c->exchange->up_patience.since_ms)
		since_ms = c->exchange->up_patience.since_ms;
	else if (c->exchange)
		since_ms = c->exchange->down_patience.since_ms;
	return since_ms ? loop_now_ms(f->loop) - since_ms : 0;
}

/* Memory is short: those who have it and are slow are worth less than newcomers.
 * Looks at everybody, so it does so only so often. True: there is room now. */
static bool shed_slow(struct front *f)
{
	uint64_t now_ms = loop_now_ms(f->loop), longest_ms = SHED_AFTER_MS;
	struct client *next;
	if (now_ms < f->shed_again_ms)
		return false;
	f->shed_again_ms = now_ms + SHED_EVERY_MS;
	for (const struct client *c = f->clients; c; c = c->next) {
		uint64_t ms = waited_ms(f, c);
		longest_ms = ms > longest_ms ? ms : longest_ms;
	}
	for (struct client *c = f->clients; c && memory_is_tight(&f->memory); c = next) {
		next = c->next;
		if (waited_ms(f, c) < longest_ms / 2 || waited_ms(f, c) < SHED_AFTER_MS)
			continue;
		stat_add(&f->stats->shed, 1);
		if (c->exchange)
			exchange_abort(c->exchange, REASON_OVERLOAD);
		else
			client_free(c, true);
	}
	return !memory_is_tight(&f->memory);
}

bool front_has_room(struct front *f)
{
	return !memory_is_tight(&f->memory) || shed_slow(f);
}

/* listen: where it came in; NULL: nowhere that is there yet. adopted: an older generation took it in. */
static void take_connection(struct front *f, int fd, const struct addr *peer, const struct listen_settings *listen,
			    bool adopted)
{
	bool is_tls = !adopted && listen->tls.server;
	uint64_t key = addr_client_key(peer);
	bool is_proxied = !adopted && listen->proxy_from_count > 0;
	/* Behind a proxy there are many visitors; and what was taken in is not thrown out. */
	bool is_counted = !is_proxied && !is_trusted(f->settings, peer);
	uint32_t limit = adopted      ? UINT32_MAX
			 : f->gate    ? gate_connections(f, peer)
			 : is_counted ? (uint32_t)f->settings->quotas.per_client
				      : UINT32_MAX;
	stat_add(adopted ? &f->stats->adopted : &f->stats->connections_accepted, 1);
	if (is_proxied && !is_in(listen->proxy_from, listen->proxy_from_count, peer)) {
		reply_refuse_connection(f, fd, peer, REASON_PROXY_SENDER, is_tls);
	} else if (!adopted && is_full(f) && !shed_idle(f)) {
		reply_refuse_connection(f, fd, peer, REASON_ALL_CONNECTIONS, is_tls);
	} else if (!census_enter(f->census, key, limit)) {
		reply_refuse_connection(f, fd, peer, REASON_CLIENT_CONNECTIONS, is_tls);
	} else if (!front_has_room(f) || !client_new(f, fd, peer, listen, adopted)) {
		census_leave(f->census, key);
		reply_refuse_connection(f, fd, peer, REASON_OVERLOAD, is_tls);
	}
}

/* The gate and the workers have listeners of their own; and questions for names are no connections of this kind. */
static bool is_accepted_here(const struct front *f, size_t i)
{
	const struct listen_settings *listens = f->settings->listens.items;
	return f->setup.listen_fds[i] >= 0 && !listens[i].dns;
}

/* No descriptors left: accepting would spin. Others may have some, and time helps. */
static void pause_accepting(struct front *f)
{
	for (size_t i = 0; i < f->settings->listens.n; i++) {
		if (!is_accepted_here(f, i))
			continue;
		loop_unwatch(f->loop, &f->listeners[i].watch);
		f->listeners[i].paused = true;
	}
	loop_arm(f->loop, &f->accept_again, loop_now_ms(f->loop) + ACCEPT_AGAIN_MS);
}

static void accept_again(struct timer *timer)
{
	struct front *f = (struct front *)(void *)((char *)timer - offsetof(struct front, accept_again));
	struct err err;
	for (size_t i = 0; i < f->settings->listens.n; i++) {
		struct listener *listener = &f->listeners[i];
		if (!listener->paused)
			continue;
		if (loop_watch_listener(f->loop, &listener->watch, &err))
			listener->paused = false;
		else
			loop_arm(f->loop, timer, loop_now_ms(f->loop) + ACCEPT_AGAIN_MS);
	}
}

/* One connection an event: a second call would mostly find out that there is
 * none, and what waits goes to whichever worker is free. */
static void listener_event(struct watch *watch, unsigned events)
{
	struct listener *listener = (struct listener *)(void *)((char *)watch - offsetof(struct listener, watch));
	struct front *f = listener->front;
	const struct listen_settings *listens = f->settings->listens.items;
	const struct listen_settings *listen = &listens[listener - f->listeners];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr peer;
	(void)events;
	int fd = accept4(watch->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
		if (is_short && !origins_give_way(f->origins) && !shed_idle(f))
			pause_accepting(f);
		return;
	}
	if (addr_from_sockaddr((struct sockaddr *)&ss, len, &peer))
		take_connection(f, fd, &peer, listen, false);
	else
		close(fd);
}

/* Where a connection came in that another generation accepted; NULL: no listener is there any more. */
static const struct listen_settings *listen_of(const struct front *f, int fd)
{
	const struct listen_settings *listens = f->settings->listens.items;
	struct sockaddr_storage ss, bound;
	struct addr local, at;
	for (size_t i = 0; i < f->settings->listens.n; i++) {
		socklen_t len = sizeof(ss), bound_len = sizeof(bound);
		if (is_accepted_here(f, i) && getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
		    addr_from_sockaddr((struct sockaddr *)&ss, len, &local) &&
		    getsockname(f->setup.listen_fds[i], (struct sockaddr *)&bound, &bound_len) == 0 &&
		    addr_from_sockaddr((struct sockaddr *)&bound, bound_len, &at) && addr_port(&local) == addr_port(&at) &&
		    (addr_eq(&local, &at) || addr_is_any(&at)))
			return &listens[i];
	}
	return NULL;
}

/* An idle connection of the last generation, and whose it is. Both ends of this channel are
 * workers; an address that is none makes it worthless, not dangerous. */
static void adopt_event(struct watch *watch, unsigned events)
{
	struct front *f = (struct front *)(void *)((char *)watch - offsetof(struct front, adopt));
	(void)events;
	for (int i = 0; i < ADOPTIONS_PER_EVENT; i++) {
		struct addr said, peer;
		int fd = fd_receive(watch->fd, &said, sizeof(said));
		if (fd == FD_NONE)
			return;
		if (fd < 0)
			continue;
		if (addr_from_sockaddr(&said.u.sa, sizeof(said), &peer))
			take_connection(f, fd, &peer, listen_of(f, fd), true);
		else
			close(fd);
	}
}

static void maybe_drained(struct front *f)
{
	if (!f->draining || f->told_drained || f->clients)
		return;
	f->told_drained = true;
	loop_disarm(f->loop, &f->drain_timer);
	loop_disarm(f->loop, &f->hand_over_again);
	origins_drain(f->origins);
	f->setup.on_drained(f->setup.context);
}

/* While draining: hands over what became idle, and looks whether all are gone. */
static void hand_over_again(struct timer *timer)
{
	struct front *f = (struct front *)(void *)((char *)timer - offsetof(struct front, hand_over_again));
	bool all = client_hand_over_all(f);
	maybe_drained(f);
	if (!f->told_drained)
		loop_arm(f->loop, timer, loop_now_ms(f->loop) + (all ? LOOK_AGAIN_MS : HAND_OVER_AGAIN_MS));
}

static void drain_expired(struct timer *timer)
{
	struct front *f = (struct front *)(void *)((char *)timer - offsetof(struct front, drain_timer));
	unsigned cut = 0;
	while (f->clients) {
		struct client *c = f->clients;
		cut += c->state != CLIENT_IDLE && c->state != CLIENT_HANDSHAKE;
		if (c->exchange)
			exchange_abort(c->exchange, REASON_SHUTTING_DOWN);
		else
			client_free(c, false);
	}
	if (cut > 0)
		log_warn("%u connections were still open at the drain deadline and are cut", cut);
	maybe_drained(f);
}

void front_drain(struct front *f, bool hand_over, uint64_t deadline_ms)
{
	if (f->draining) {
		f->hand_over = f->hand_over && hand_over;
		if (deadline_ms < f->drain_timer.deadline_ms)
			loop_arm(f->loop, &f->drain_timer, deadline_ms);
		return;
	}
	f->draining = true;
	f->hand_over = hand_over && f->setup.hand_over_fd >= 0;
	for (size_t i = 0; i < f->settings->listens.n; i++)
		loop_unwatch(f->loop, &f->listeners[i].watch);
	loop_unwatch(f->loop, &f->adopt);
	loop_disarm(f->loop, &f->accept_again);
	if (f->gate)
		gate_stop_dns(f->gate);
	loop_arm(f->loop, &f->drain_timer, deadline_ms);
	tarpit_empty(f);
	hand_over_again(&f->hand_over_again);
}

/* Keys of tickets are over by time, also where nobody comes. */
static void tend_tickets(struct timer *timer)
{
	struct front *f = (struct front *)(void *)((char *)timer - offsetof(struct front, tickets_timer));
	uint64_t now_ms = loop_now_ms(f->loop);
	tls_tickets_tend(f->tickets, now_ms);
	loop_arm(f->loop, timer, now_ms + TICKETS_EVERY_MS);
}

/* The listeners are the process's own copy; what is shared are the keys. */
static void open_tickets(struct front *f)
{
	const struct listen_settings *listens = f->settings->listens.items;
	bool is_needed = false;
	f->tickets_timer.on_expiry = tend_tickets;
	f->tickets = f->setup.memory.tickets ? tls_tickets_of(f->setup.memory.tickets) : NULL;
	for (size_t i = 0; f->tickets && i < f->settings->listens.n; i++) {
		if (!listens[i].tls.server)
			continue;
		tls_server_use_tickets(listens[i].tls.server, f->tickets);
		is_needed = true;
	}
	if (is_needed)
		tend_tickets(&f->tickets_timer);
}

static struct http_limits limits_of(uint64_t head, uint64_t target, uint64_t fields, uint64_t field)
{
	return (struct http_limits){(uint32_t)head, (uint32_t)target, (uint32_t)fields, (uint32_t)field};
}

/* Looked for once: a request goes straight to its site's state. */
static bool link_sites(struct front *f, struct err *err)
{
	const struct site *sites = f->settings->sites.items;
	f->site_links = calloc(f->settings->sites.n, sizeof(*f->site_links));
	if (!f->site_links)
		return err_set(err, "out of memory");
	for (size_t i = 0; i < f->settings->sites.n; i++)
		f->site_links[i] = site_states_link(f->setup.memory.sites, sites[i].name);
	return true;
}

static bool open_scratch(struct front *f, struct err *err)
{
	const struct site *sites = f->settings->sites.items;
	size_t n = f->settings->sites.n;
	const struct shield **shields = calloc(n ? n : 1, sizeof(*shields));
	if (!shields)
		return err_set(err, "out of memory");
	for (size_t i = 0; i < n; i++)
		shields[i] = sites[i].shield;
	f->scratch = shield_scratch_new(shields, n, err);
	free(shields);
	return f->scratch != NULL;
}

static bool open_origins(struct front *f, struct err *err)
{
	f->resolver = f->setup.is_gate ? resolver_new_literal(f->loop, err) : resolver_new(f->loop, err);
	if (!f->resolver)
		return false;
	struct origins_setup setup = {
	    .loop = f->loop,
	    .settings = f->settings,
	    .health = f->setup.memory.health,
	    .internal_fds = f->setup.internal_fds,
	    .stats = f->stats,
	    .memory = &f->memory,
	    .resolver = f->resolver,
	    .anywhere = f->setup.is_gate ? &f->settings->egress_site->root : NULL,
	    .on_change = record_event,
	    .context = f,
	};
	f->origins = origins_new(&setup, err);
	return f->origins != NULL;
}

/* Each connection may need one to an origin, too; pipes for splice give way first. */
uint64_t front_connections_possible(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur > 2 * FDS_BESIDE ? (limit.rlim_cur - FDS_BESIDE) / FDS_A_CONNECTION
					       : FDS_BESIDE / FDS_A_CONNECTION;
}

/* What visitors need, and the gate has not. */
static bool open_sites(struct front *f, struct err *err)
{
	bool guard_ok = true;
	f->throttle = throttle_of(f->setup.memory.throttle);
	f->guard = guard_side_new(f, &guard_ok, err);
	if (!guard_ok || !link_sites(f, err) || !open_scratch(f, err) || !handshake_compile(f, err))
		return false;
	open_tickets(f);
	return true;
}

struct front *front_new(struct loop *loop, const struct worker_setup *setup, struct err *err)
{
	struct front *f = calloc(1, sizeof(*f));
	if (!f) {
		err_set(err, "out of memory");
		return NULL;
	}
	const struct limit_settings *l = &setup->settings->limits;
	f->loop = loop;
	f->setup = *setup;
	f->settings = setup->settings;
	f->stats = &setup->memory.stats->slots[setup->slot];
	f->memory = (struct memory){.limit = f->settings->quotas.memory, .gauge = &f->stats->memory_bytes};
	f->request_limits = limits_of(l->head_bytes, l->target_bytes, l->fields, l->field_bytes);
	f->response_limits = limits_of(l->response_head_bytes, l->response_head_bytes, l->response_fields,
				       l->response_head_bytes);
	f->drain_timer.on_expiry = drain_expired;
	f->hand_over_again.on_expiry = hand_over_again;
	f->accept_again.on_expiry = accept_again;
	f->date_second = UINT64_MAX;
	f->max_connections = front_connections_possible();
	f->listeners = calloc(f->settings->listens.n, sizeof(*f->listeners));
	f->census = census_open(setup->memory.census, setup->slot);
	if (!f->listeners || !f->census) {
		err_set(err, "out of memory");
		goto fail;
	}
	json_prepare();
	if (!crypto_random(&f->id_prefix, sizeof(f->id_prefix), err) ||
	    !crypto_random(&f->inspect_seed, sizeof(f->inspect_seed), err) || !open_origins(f, err) ||
	    !(setup->is_gate ? gate_open(f, err) : open_sites(f, err)))
		goto fail;
	return f;
fail:
	front_free(f);
	return NULL;
}

bool front_start(struct front *f, struct err *err)
{
	for (size_t i = 0; i < f->settings->listens.n; i++) {
		struct listener *listener = &f->listeners[i];
		if (!is_accepted_here(f, i))
			continue;
		listener->front = f;
		listener->watch = (struct watch){.fd = f->setup.listen_fds[i], .on_event = listener_event};
		if (!loop_watch_listener(f->loop, &listener->watch, err))
			return false;
	}
	f->adopt = (struct watch){.fd = f->setup.adopt_fd, .on_event = adopt_event};
	if (f->setup.adopt_fd >= 0 && !loop_watch_listener(f->loop, &f->adopt, err))
		return false;
	origins_start(f->origins);
	return !f->gate || gate_start_dns(f->gate, err);
}

void front_free(struct front *f)
{
	if (!f)
		return;
	while (f->clients) {
		if (f->clients->exchange)
			exchange_abort(f->clients->exchange, REASON_SHUTTING_DOWN);
		else
			client_free(f->clients, true);
	}
	for (size_t i = 0; f->listeners && i < f->settings->listens.n; i++)
		loop_unwatch(f->loop, &f->listeners[i].watch);
	loop_unwatch(f->loop, &f->adopt);
	loop_disarm(f->loop, &f->accept_again);
	loop_disarm(f->loop, &f->tickets_timer);
	loop_disarm(f->loop, &f->drain_timer);
	loop_disarm(f->loop, &f->hand_over_again);
	guard_side_free(f->guard);
	if (f->gate)
		gate_stop_dns(f->gate);
	origins_free(f->origins);
	resolver_free(f->resolver);
	gate_close(f->gate);
	shield_scratch_free(f->scratch);
	census_close(f->census);
	while (f->spare) {
		struct exchange *x = f->spare;
		f->spare = x->next_spare;
		memory_give(&f->memory, x, sizeof(*x));
	}
	while (f->conduit_count > 0) {
		close(f->conduits[--f->conduit_count].read_fd);
		close(f->conduits[f->conduit_count].write_fd);
	}
	free(f->site_links);
	free(f->listeners);
	free(f);
}
