/* Connections to origins: made, pooled while they are idle, and queued for where
 * a limit is reached. A pooled connection that closes, or says anything unasked,
 * is thrown away: whatever an origin sends outside of a response is no response. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "origin/origins.h"

static void conn_event(struct watch *watch, unsigned events);

static struct origin_conn *conn_of_watch(struct watch *watch)
{
	return (struct origin_conn *)(void *)((char *)watch - offsetof(struct origin_conn, watch));
}

static struct origins *origins_of(const struct origin_conn *conn)
{
	return conn->origin->origins;
}

static void pool_remove(struct origin_conn *conn)
{
	struct origin *origin = conn->origin;
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		origin->pool = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	else
		origin->pool_oldest = conn->prev;
	conn->prev = conn->next = NULL;
	origin->pooled--;
	stat_sub(&origins_of(conn)->setup.stats->origin_idle, 1);
	loop_disarm(origins_of(conn)->setup.loop, &conn->idle);
}

static void conn_close(struct origin_conn *conn, bool abort_it)
{
	struct origins_setup *setup = &origins_of(conn)->setup;
	loop_forget(setup->loop, &conn->watch);
	conn->stream.ops->close(&conn->stream, abort_it);
	hold_release(&conn->in, setup->memory);
	stat_sub(&setup->stats->origin_open, 1);
	memory_give(setup->memory, conn, sizeof(*conn));
}

static void pool_discard(struct origin_conn *conn)
{
	pool_remove(conn);
	conn_close(conn, false);
}

/* The same where nobody holds its origin, which may go with it. */
static void pool_drop(struct origin_conn *conn)
{
	struct origin *origin = conn->origin;
	pool_discard(conn);
	place_settle(origin);
}

static void idle_expired(struct timer *timer)
{
	pool_drop((struct origin_conn *)(void *)((char *)timer - offsetof(struct origin_conn, idle)));
}

/* Nothing may wait to be read: it would be taken for the next response. */
static bool is_quiet(struct origin_conn *conn)
{
	char byte;
	if (conn->in.len > 0 || conn->stream.peer_closed)
		return false;
	return !conn->stream.readable || stream_read(&conn->stream, &byte, 1) == STREAM_AGAIN;
}

static void conn_event(struct watch *watch, unsigned events)
{
	struct origin_conn *conn = conn_of_watch(watch);
	stream_note(&conn->stream, events);
	if (conn->owner)
		conn->on_event(conn, events);
	else if (!is_quiet(conn)) /* over TLS it may have said something that is no answer: a ticket, say */
		pool_drop(conn);
}

static void pool_add(struct origin_conn *conn)
{
	struct origins *origins = origins_of(conn);
	struct origin *origin = conn->origin;
	const struct settings *settings = origins->setup.settings;
	conn->next = origin->pool;
	if (conn->next)
		conn->next->prev = conn;
	else
		origin->pool_oldest = conn;
	origin->pool = conn;
	/* That it speaks or ends must be known before a request could be given to it. */
	conn->watch.urgent = true;
	origin->pooled++;
	stat_add(&origins->setup.stats->origin_idle, 1);
	conn->idle.on_expiry = idle_expired;
	loop_arm(origins->setup.loop, &conn->idle,
		 loop_now_ms(origins->setup.loop) + settings->timeouts.origin_idle);
	if (origin->pooled > settings->quotas.origin_idle)
		pool_discard(origin->pool_oldest);
}

static void queue_remove(struct origin_route *route, struct origin_claim *claim)
{
	if (claim->prev)
		claim->prev->next = claim->next;
	else
		route->queue = claim->next;
	if (claim->next)
		claim->next->prev = claim->prev;
	else
		route->queue_end = claim->prev;
	claim->prev = claim->next = NULL;
	claim->in_queue = NULL;
}

static void queue_add_last(struct origin_route *route, struct origin_claim *claim)
{
	claim->prev = route->queue_end;
	claim->next = NULL;
	if (route->queue_end)
		route->queue_end->next = claim;
	else
		route->queue = claim;
	route->queue_end = claim;
	claim->in_queue = route;
}

/* It had its turn for nothing and keeps its place. */
static void queue_add_first(struct origin_route *route, struct origin_claim *claim)
{
	claim->prev = NULL;
	claim->next = route->queue;
	if (route->queue)
		route->queue->prev = claim;
	else
		route->queue_end = claim;
	route->queue = claim;
	claim->in_queue = route;
}

static void wake_queue(struct origin_route *route)
{
	if (route->queue)
		loop_defer(route->origins[0].origins->setup.loop, &route->wake);
}

/* A place became free, perhaps several: those who wait longest try again, until
 * one finds none. Whoever gives the next place back wakes that one. */
static void queue_wake(struct task *task)
{
	struct origin_route *route =
	    (struct origin_route *)(void *)((char *)task - offsetof(struct origin_route, wake));
	struct origin_claim *claim = route->queue;
	if (!claim)
		return;
	queue_remove(route, claim);
	route->waking = true;
	claim->on_turn(claim);
	if (route->waking)
		wake_queue(route);
	route->waking = false;
}

/* Who comes while others wait stands behind them; and they look again, since the
 * origins may have changed. */
static enum origin_take queue_for(struct origin_route *route, struct origin_claim *claim)
{
	if (route->waking) {
		route->waking = false;
		queue_add_first(route, claim);
	} else {
		queue_add_last(route, claim);
	}
	return ORIGIN_QUEUED;
}

bool origins_give_way(struct origins *origins)
{
	struct origin *fullest = places_idle(origins);
	for (size_t i = 0; i < origins->origin_count; i++) {
		struct origin *origin = &origins->all[i];
		if (origin->pooled > 0 && (!fullest || origin->pooled > fullest->pooled))
			fullest = origin;
	}
	if (!fullest)
		return false;
	pool_drop(fullest->pool_oldest);
	return true;
}

static struct origin_conn *conn_new(struct origin *origin, enum reason *reason)
{
	struct origins_setup *setup = &origin->origins->setup;
	struct origin_conn *conn = memory_take(setup->memory, sizeof(*conn));
	if (!conn) {
		*reason = REASON_OVERLOAD;
		return NULL;
	}
	*conn = (struct origin_conn){.origin = origin, .connecting = true};
	if (!origin_dial(origin, &conn->stream, reason) &&
	    !(*reason == REASON_NO_SOCKET && origins_give_way(origin->origins) &&
	      origin_dial(origin, &conn->stream, reason))) {
		memory_give(setup->memory, conn, sizeof(*conn));
		return NULL;
	}
	conn->watch.fd = conn->stream.fd;
	conn->watch.on_event = conn_event;
	stat_add(&setup->stats->origin_open, 1);
	if (!loop_watch(setup->loop, &conn->watch, NULL)) {
		conn_close(conn, false);
		*reason = REASON_OVERLOAD;
		return NULL;
	}
	stat_add(&setup->stats->origin_connections, 1);
	return conn;
}

static struct origin_conn *pool_take(struct origin *origin)
{
	struct origin_conn *conn = origin->pool;
	if (!conn)
		return NULL;
	pool_remove(conn);
	conn->watch.urgent = false;
	conn->reused = true;
	stat_add(&origin->origins->setup.stats->origin_reused, 1);
	return conn;
}

static struct origin_route *route_of(struct origins *origins, const struct route *route)
{
	return &origins->routes[route->index];
}

static enum origin_take take_from(struct origin *origin, struct origin_claim *claim)
{
	claim->spec = origin->spec;
	/* Before anything is dialled: for want of descriptors its own unused connections may have to give way,
	 * and a place must not be forgotten with the last of them. */
	origin->claimed++;
	struct origin_conn *conn = claim->fresh ? NULL : pool_take(origin);
	if (!conn)
		conn = conn_new(origin, &claim->reason);
	if (!conn) {
		origin->claimed--;
		if (claim->reason != REASON_OVERLOAD && claim->reason != REASON_NO_SOCKET)
			origin_failed(origin, claim->reason);
		return ORIGIN_FAILED;
	}
	conn->owner = claim->owner;
	conn->on_event = claim->on_event;
	conn->source = claim->source;
	conn->destination = claim->destination;
	claim->conn = conn;
	return conn->connecting ? ORIGIN_CONNECTING : ORIGIN_READY;
}

static enum origin_take take_from_place(struct origins *origins, struct origin_claim *claim)
{
	struct origin *origin = place_take(origins, claim->place);
	claim->reason = REASON_OVERLOAD;
	if (!origin)
		return ORIGIN_FAILED;
	enum origin_take result = take_from(origin, claim);
	place_settle(origin);
	return result;
}

enum origin_take origin_take(struct origins *origins, struct origin_claim *claim)
{
	claim->conn = NULL;
	if (claim->place)
		return take_from_place(origins, claim);
	struct origin_route *route = route_of(origins, claim->route);
	if (route->queue && !route->waking) {
		wake_queue(route);
		return queue_for(route, claim);
	}
	struct origin *origin = origin_choose(route, claim, &claim->reason);
	if (!origin)
		return claim->reason == REASON_ORIGIN_BUSY ? queue_for(route, claim) : ORIGIN_FAILED;
	enum origin_take result = take_from(origin, claim);
	if (result == ORIGIN_FAILED)
		claim->failed = origin;
	return result;
}

void origin_unclaim(struct origin_claim *claim)
{
	if (!claim->in_queue)
		return;
	queue_remove(claim->in_queue, claim);
}

enum origin_take origin_connect(struct origin_conn *conn, enum reason *reason, const char **text)
{
	const struct origin_visit visit = {conn->source, conn->destination};
	enum origin_take result =
	    origin_dial_more(conn->origin, &visit, &conn->stream, &conn->is_open, reason);
	*text = tls_fault(&conn->stream).text;
	conn->connecting = result == ORIGIN_CONNECTING;
	if (result == ORIGIN_FAILED)
		origin_failed(conn->origin, *reason);
	else if (result == ORIGIN_READY)
		origin_succeeded(conn->origin);
	return result;
}

bool origin_is_silent(struct origin_conn *conn)
{
	return conn->stream.ops->is_silent(&conn->stream);
}

void origin_release(struct origin_conn *conn, bool reusable)
{
	struct origin *origin = conn->origin;
	struct origin_route *route = origin->route;
	origin->claimed--;
	conn->owner = NULL;
	if (reusable && !origin->origins->draining && !is_personal(origin) && !place_is_single(origin) &&
	    is_quiet(conn))
		pool_add(conn);
	else
		conn_close(conn, !reusable);
	wake_queue(route);
	place_settle(origin);
}

unsigned origin_addresses(const struct origin *origin)
{
	struct addr addrs[RESOLVE_MAX_ADDRS];
	return origin->name ? resolver_addrs(origin->name, addrs) : 1;
}

const struct origin_spec *origin_spec(const struct origin *origin)
{
	return origin->spec;
}

static bool origin_init(struct origins *origins, struct origin_route *route,
			const struct origin_spec *spec)
{
	struct origin *origin = &origins->all[spec->index];
	*origin = (struct origin){
	    .origins = origins,
	    .route = route,
	    .spec = spec,
	    .health = &origins->setup.health[spec->index],
	    .addr = &spec->addr,
	};
	if (!spec->is_literal) {
		origin->name = resolver_watch(origins->setup.resolver, spec->host, spec->port);
		if (!origin->name)
			return false;
	}
	return !route->route->health.path || probe_new(origin);
}

static bool route_init(struct origins *origins, const struct route *spec)
{
	struct origin_route *route = &origins->routes[spec->index];
	/* The origins of a route have consecutive indexes. */
	*route = (struct origin_route){.route = spec, .origins = &origins->all[spec->origins[0].index]};
	route->wake.run = queue_wake;
	for (size_t i = 0; i < spec->origin_count; i++) {
		if (!origin_init(origins, route, &spec->origins[i]))
			return false;
	}
	return true;
}

/* All that the policy names. */
static bool routes_init(struct origins *origins, const struct settings *settings)
{
	const struct site *sites = settings->sites.items;
	origins->route_count = settings->route_count;
	origins->origin_count = settings->origin_count;
	origins->routes = calloc(origins->route_count, sizeof(*origins->routes));
	origins->all = calloc(origins->origin_count, sizeof(*origins->all));
	if (!origins->routes || !origins->all)
		return false;
	for (size_t i = 0; i < settings->sites.n; i++) {
		for (size_t j = 0; j < sites[i].route_count; j++) {
			if (!route_init(origins, sites[i].routes[j]))
				return false;
		}
	}
	for (size_t i = 0; i < INTERNAL_COUNT; i++) {
		if (settings->internals[i] && !route_init(origins, settings->internals[i]))
			return false;
	}
	return true;
}

struct origins *origins_new(const struct origins_setup *setup, struct err *err)
{
	struct origins *origins = calloc(1, sizeof(*origins));
	if (!origins) {
		err_set(err, "out of memory");
		return NULL;
	}
	origins->setup = *setup;
	if (setup->anywhere ? places_init(origins, err)
			    : routes_init(origins, setup->settings) || err_set(err, "out of memory"))
		return origins;
	origins_free(origins);
	return NULL;
}

void origins_start(struct origins *origins)
{
	for (size_t i = 0; i < origins->origin_count; i++) {
		if (origins->all[i].probe)
			probe_start(&origins->all[i]);
	}
}

void pool_close(struct origin *origin)
{
	while (origin->pool)
		pool_discard(origin->pool);
	place_settle(origin);
}

void origins_drain(struct origins *origins)
{
	origins->draining = true;
	for (size_t i = 0; i < origins->origin_count; i++) {
		pool_close(&origins->all[i]);
		tls_session_release(&origins->all[i].session);
		probe_free(&origins->all[i]);
	}
	for (struct origin *origin; (origin = places_idle(origins));)
		pool_close(origin);
}

void origins_free(struct origins *origins)
{
	if (!origins)
		return;
	if (origins->setup.anywhere || (origins->all && origins->routes))
		origins_drain(origins);
	places_release(origins);
	free(origins->routes);
	free(origins->all);
	free(origins);
}
