/* Which origin is chosen, pooled connections, the queue, and health: against a
 * real listening socket, in one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "origin/origins.h"
#include "sallyport/fd_pass.h"

enum { ORIGINS = 3 };

struct bench {
	struct loop *loop;
	struct settings settings;
	struct origin_health *health;
	struct stats_slot stats;
	struct memory memory;
	struct site site;
	struct route *route_list[1];
	struct origin_spec specs[ORIGINS];
	struct origins *origins;
	int listen_fds[ORIGINS];
	int changes;
	bool last_is_down;
	int turns;
};

static void on_change(void *context, const struct origin_spec *spec, bool is_down, const char *sentence,
		      uint32_t folded)
{
	struct bench *b = context;
	(void)spec, (void)folded;
	assert_true(sentence[0] != '\0');
	b->changes++;
	b->last_is_down = is_down;
}

static void ignore_event(struct origin_conn *conn, unsigned events)
{
	(void)conn, (void)events;
}

static void on_turn(struct origin_claim *claim)
{
	struct bench *b = claim->owner;
	b->turns++;
	(void)origin_take(b->origins, claim);
}

static int listen_on_loopback(struct addr *addr)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	assert_true(addr_from_sockaddr((struct sockaddr *)&in, len, addr));
	return fd;
}

/* How an internal origin's process would get what is dialled. */
static int channel[2], internal_fds[INTERNAL_COUNT];

static void make_internal(struct bench *b)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, channel), 0);
	internal_fds[INTERNAL_CHALLENGES] = channel[1];
	for (unsigned i = 0; i < ORIGINS; i++)
		b->specs[i].internal = INTERNAL_CHALLENGES;
}

static void open_origins(struct bench *b, const struct route *anywhere)
{
	struct err err;
	struct origins_setup setup = {
	    .loop = b->loop, .settings = &b->settings, .health = b->health, .stats = &b->stats,
	    .memory = &b->memory, .anywhere = anywhere, .on_change = on_change, .context = b,
	    .internal_fds = internal_fds,
	};
	b->origins = origins_new(&setup, &err);
	assert_non_null(b->origins);
}

static struct bench *bench_new(int balance, uint64_t max_connections)
{
	struct err err;
	struct bench *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	b->loop = loop_new(&err);
	b->health = calloc(ORIGINS_MAX, sizeof(*b->health));
	b->memory.limit = 1 << 20;
	for (unsigned i = 0; i < ORIGINS; i++) {
		b->specs[i] = (struct origin_spec){
		    .url = "http://127.0.0.1", .host = "127.0.0.1", .is_literal = true, .index = i};
		b->listen_fds[i] = listen_on_loopback(&b->specs[i].addr);
	}
	b->site.root = (struct route){
	    .prefix = "/",
	    .prefix_len = 1,
	    .origins = b->specs,
	    .origin_count = ORIGINS,
	    .balance = balance,
	    .max_connections = max_connections,
	    .health = {.fall = 2, .rise = 1, .down_ms = 200},
	};
	b->route_list[0] = &b->site.root;
	b->site.routes = b->route_list;
	b->site.route_count = 1;
	b->settings = (struct settings){
	    .sites = {.items = &b->site, .n = 1},
	    .origin_count = ORIGINS,
	    .route_count = 1,
	    .timeouts.origin_idle = 1000,
	    .quotas.origin_idle = 2,
	};
	open_origins(b, NULL);
	return b;
}

/* The gate's: no origin but places. */
static struct bench *bench_of_places(void)
{
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	origins_free(b->origins);
	b->site.root.origin_count = 1;
	b->memory.limit = 1 << 22;
	open_origins(b, &b->site.root);
	return b;
}

static void bench_free(struct bench *b)
{
	origins_free(b->origins);
	assert_int_equal(b->memory.used, 0);
	for (int i = 0; i < ORIGINS; i++)
		close(b->listen_fds[i]);
	loop_free(b->loop);
	free(b->health);
	free(b);
}

static struct origin_claim claim_of(struct bench *b)
{
	return (struct origin_claim){
	    .route = &b->site.root, .on_event = ignore_event, .on_turn = on_turn, .owner = b};
}

static void rounds(struct bench *b, uint64_t ms)
{
	struct err err;
	uint64_t end = loop_now_ms(b->loop) + ms;
	do
		assert_true(loop_once(b->loop, (int)(ms < 5 ? ms : 5), &err));
	while (loop_now_ms(b->loop) < end);
}

static unsigned take_one(struct bench *b, struct origin_claim *claim)
{
	*claim = claim_of(b);
	enum origin_take result = origin_take(b->origins, claim);
	assert_true(result == ORIGIN_CONNECTING || result == ORIGIN_READY);
	return claim->spec->index;
}

static enum origin_take go_on(struct origin_conn *conn)
{
	enum reason reason;
	const char *openssl_says;
	return origin_connect(conn, &reason, &openssl_says);
}

static void connect_one(struct bench *b, struct origin_claim *claim)
{
	take_one(b, claim);
	rounds(b, 5);
	if (claim->conn->connecting)
		assert_int_equal(go_on(claim->conn), ORIGIN_READY);
}

static void round_robin_takes_turns(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	struct origin_claim claims[6];
	unsigned count[ORIGINS] = {0};
	for (int i = 0; i < 6; i++)
		count[take_one(b, &claims[i])]++;
	for (int i = 0; i < ORIGINS; i++)
		assert_int_equal(count[i], 2);
	for (int i = 0; i < 6; i++)
		origin_release(claims[i].conn, false);
	bench_free(b);
}

static void least_connections_takes_the_freest(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_LEAST_CONNECTIONS, 0);
	struct origin_claim claims[3], again;
	for (int i = 0; i < 3; i++)
		take_one(b, &claims[i]);
	unsigned freed = claims[1].spec->index;
	origin_release(claims[1].conn, false);
	assert_int_equal(take_one(b, &again), freed);
	origin_release(again.conn, false);
	origin_release(claims[0].conn, false);
	origin_release(claims[2].conn, false);
	bench_free(b);
}

static void released_connection_is_used_again(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	b->site.root.origin_count = 1;
	struct origin_claim claim;
	connect_one(b, &claim);
	struct origin_conn *conn = claim.conn;
	origin_release(conn, true);
	claim = claim_of(b);
	assert_int_equal(origin_take(b->origins, &claim), ORIGIN_READY);
	assert_ptr_equal(claim.conn, conn);
	assert_true(claim.conn->reused);
	origin_release(claim.conn, false);
	bench_free(b);
}

static void pooled_connection_that_speaks_unasked_is_thrown_away(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	b->site.root.origin_count = 1;
	struct origin_claim claim;
	connect_one(b, &claim);
	int origin_side = accept(b->listen_fds[0], NULL, NULL);
	assert_true(origin_side >= 0);
	origin_release(claim.conn, true);
	assert_int_equal(b->stats.origin_idle, 1);
	assert_int_equal(write(origin_side, "HTTP/1.1 200 OK\r\n\r\n", 19), 19);
	rounds(b, 20);
	assert_int_equal(b->stats.origin_idle, 0);
	assert_int_equal(b->stats.origin_open, 0);
	close(origin_side);
	bench_free(b);
}

static void pool_is_bounded(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	b->site.root.origin_count = 1;
	struct origin_claim claims[4];
	for (int i = 0; i < 4; i++)
		connect_one(b, &claims[i]);
	for (int i = 0; i < 4; i++)
		origin_release(claims[i].conn, true);
	assert_int_equal(b->stats.origin_idle, 2);
	bench_free(b);
}

static void full_origins_queue_and_wake_in_order(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 1);
	struct origin_claim claims[ORIGINS], waiting[2];
	for (int i = 0; i < ORIGINS; i++)
		take_one(b, &claims[i]);
	for (int i = 0; i < 2; i++) {
		waiting[i] = claim_of(b);
		assert_int_equal(origin_take(b->origins, &waiting[i]), ORIGIN_QUEUED);
	}
	origin_unclaim(&waiting[0]);
	origin_unclaim(&waiting[0]);
	origin_release(claims[0].conn, false);
	rounds(b, 5);
	assert_int_equal(b->turns, 1);
	assert_null(waiting[1].in_queue);
	origin_release(waiting[1].conn, false);
	origin_release(claims[1].conn, false);
	origin_release(claims[2].conn, false);
	bench_free(b);
}

static void one_free_place_wakes_no_more_than_it_serves(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 1);
	b->site.root.origin_count = 1;
	struct origin_claim first, waiting[3];
	take_one(b, &first);
	for (int i = 0; i < 3; i++) {
		waiting[i] = claim_of(b);
		assert_int_equal(origin_take(b->origins, &waiting[i]), ORIGIN_QUEUED);
	}
	origin_release(first.conn, false);
	rounds(b, 20);
	assert_non_null(waiting[0].conn);
	/* one was served, one found no place, and nobody asks on and on */
	assert_true(b->turns <= 3);
	origin_release(waiting[0].conn, false);
	rounds(b, 20);
	assert_non_null(waiting[1].conn); /* it kept its place */
	origin_release(waiting[1].conn, false);
	rounds(b, 20);
	origin_release(waiting[2].conn, false);
	bench_free(b);
}

static void who_comes_later_does_not_overtake_the_queue(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 1);
	b->site.root.origin_count = 1;
	struct origin_claim first, waiting = claim_of(b), late = claim_of(b);
	take_one(b, &first);
	assert_int_equal(origin_take(b->origins, &waiting), ORIGIN_QUEUED);
	origin_release(first.conn, false);
	assert_int_equal(origin_take(b->origins, &late), ORIGIN_QUEUED);
	rounds(b, 5);
	assert_non_null(waiting.conn);
	assert_null(late.conn);
	origin_release(waiting.conn, false);
	rounds(b, 5);
	assert_non_null(late.conn);
	origin_release(late.conn, false);
	bench_free(b);
}

static void failing_origin_is_avoided_and_told_of_once(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	struct origin *bad = &b->origins->all[1];
	origin_failed(bad, REASON_ORIGIN_REFUSED);
	assert_int_equal(b->changes, 0); /* it takes two: it is up */
	for (int i = 0; i < 4; i++)
		origin_failed(bad, REASON_ORIGIN_REFUSED);
	assert_int_equal(b->changes, 1);
	assert_true(b->last_is_down);
	for (int i = 0; i < 9; i++) {
		struct origin_claim claim;
		assert_int_not_equal(take_one(b, &claim), 1);
		origin_release(claim.conn, false);
	}
	rounds(b, 250);
	bool tried = false;
	for (int i = 0; i < 3; i++) {
		struct origin_claim claim;
		tried = take_one(b, &claim) == 1 || tried;
		origin_release(claim.conn, false);
	}
	assert_true(tried);
	bench_free(b);
}

static void what_a_visitor_may_cause_takes_no_origin_out(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	for (int i = 0; i < 10; i++) {
		origin_failed(&b->origins->all[0], REASON_ORIGIN_CLOSED);
		origin_failed(&b->origins->all[0], REASON_ORIGIN_TIMEOUT);
		origin_failed(&b->origins->all[0], REASON_ORIGIN_TRUNCATED);
	}
	assert_int_equal(b->changes, 0);
	assert_int_equal(health_standing(&b->origins->all[0]), STANDING_UP);
	assert_int_equal(b->stats.origin_failures, 30);
	bench_free(b);
}

static void all_down_lets_one_request_a_second_through(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	b->site.root.origin_count = 1;
	b->site.root.health.down_ms = 60000;
	struct origin *only = &b->origins->all[0];
	origin_failed(only, REASON_ORIGIN_REFUSED);
	origin_failed(only, REASON_ORIGIN_REFUSED);
	struct origin_claim claim = claim_of(b);
	assert_int_equal(origin_take(b->origins, &claim), ORIGIN_FAILED);
	assert_int_equal(claim.reason, REASON_ORIGIN_DOWN);
	rounds(b, 1010);
	claim = claim_of(b);
	assert_int_equal(origin_take(b->origins, &claim), ORIGIN_CONNECTING);
	struct origin_claim second = claim_of(b);
	assert_int_equal(origin_take(b->origins, &second), ORIGIN_FAILED);
	origin_succeeded(only);
	assert_false(b->last_is_down);
	origin_release(claim.conn, false);
	bench_free(b);
}

static void refused_connection_is_a_failure(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	b->site.root.origin_count = 1;
	close(b->listen_fds[0]);
	struct origin_claim claim = claim_of(b);
	enum origin_take result = origin_take(b->origins, &claim);
	if (result == ORIGIN_CONNECTING) {
		rounds(b, 10);
		assert_int_equal(go_on(claim.conn), ORIGIN_FAILED);
		origin_release(claim.conn, false);
	} else {
		assert_int_equal(result, ORIGIN_FAILED);
	}
	assert_int_equal(b->health[0].failures, 1);
	b->listen_fds[0] = dup(0);
	bench_free(b);
}

/* The far end of a connection that was dialled; -1: none came. */
static int dialled(void)
{
	char byte;
	return fd_receive(channel[0], &byte, 1);
}

static void an_internal_origin_is_sent_its_end_of_the_connection(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	make_internal(b);
	struct origin_claim claim = claim_of(b);
	assert_int_equal(origin_take(b->origins, &claim), ORIGIN_CONNECTING);
	int far = dialled();
	assert_true(far >= 0);
	rounds(b, 10);
	assert_true(claim.conn->stream.writable);
	assert_int_equal(go_on(claim.conn), ORIGIN_READY);
	struct iovec iov = {"ask", 3};
	assert_int_equal(stream_writev(&claim.conn->stream, &iov, 1), 3);
	char text[4] = "";
	assert_int_equal(read(far, text, sizeof(text)), 3);
	assert_string_equal(text, "ask");
	origin_release(claim.conn, true);
	assert_int_equal(b->stats.origin_idle, 1);
	close(far);
	rounds(b, 10);
	assert_int_equal(b->stats.origin_idle, 0);
	close(channel[0]);
	close(channel[1]);
	bench_free(b);
}

static void an_internal_origin_that_takes_nothing_is_down_after_a_while(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	b->site.root.origin_count = 1;
	make_internal(b);
	close(channel[0]);
	for (unsigned i = 0; i < 2; i++) {
		struct origin_claim claim = claim_of(b);
		assert_int_equal(origin_take(b->origins, &claim), ORIGIN_FAILED);
		assert_int_equal(claim.reason, REASON_ORIGIN_REFUSED);
	}
	assert_int_not_equal(health_standing(&b->origins->all[0]), STANDING_UP);
	assert_int_equal(b->stats.origin_open, 0);
	close(channel[1]);
	bench_free(b);
}

static void an_introduced_connection_is_never_pooled(void **state)
{
	(void)state;
	struct bench *b = bench_new(BALANCE_ROUND_ROBIN, 0);
	b->site.root.send_proxy = PROXY_VERSION_1;
	make_internal(b);
	struct origin_claim claim = claim_of(b);
	struct addr source, destination;
	char text[64] = "";
	assert_true(addr_parse_ip(SPAN("192.0.2.7"), 4711, &source));
	assert_true(addr_parse_ip(SPAN("192.0.2.1"), 80, &destination));
	claim.source = &source;
	claim.destination = &destination;
	assert_int_equal(origin_take(b->origins, &claim), ORIGIN_CONNECTING);
	int far = dialled();
	rounds(b, 10);
	assert_int_equal(go_on(claim.conn), ORIGIN_READY);
	assert_int_equal(read(far, text, sizeof(text) - 1), strlen("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n"));
	assert_string_equal(text, "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n");
	origin_release(claim.conn, true);
	assert_int_equal(b->stats.origin_idle, 0);
	assert_int_equal(read(far, text, 1), 0);
	close(far);
	close(channel[0]);
	close(channel[1]);
	bench_free(b);
}

static struct origin_place place_at(const struct bench *b, uint64_t owner)
{
	return (struct origin_place){.owner = owner, .host = SPAN("shop.example"), .addr = b->specs[0].addr};
}

static void a_place_stays_while_its_unused_connection_gives_way_to_a_new_one(void **state)
{
	(void)state;
	struct bench *b = bench_of_places();
	const struct origin_place place = place_at(b, 1);
	struct rlimit limit, none_left;
	struct origin_claim claim = claim_of(b);
	claim.place = &place;
	assert_int_equal(origin_take(b->origins, &claim), ORIGIN_CONNECTING);
	rounds(b, 10);
	assert_int_equal(go_on(claim.conn), ORIGIN_READY);
	origin_release(claim.conn, true);
	assert_int_equal(b->stats.origin_idle, 1);
	int next_fd = dup(0);
	assert_true(next_fd >= 0);
	close(next_fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none_left = (struct rlimit){(rlim_t)next_fd, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
	claim = claim_of(b);
	claim.place = &place;
	claim.fresh = true;
	enum origin_take result = origin_take(b->origins, &claim);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(result, ORIGIN_CONNECTING);
	assert_int_equal(b->stats.origin_idle, 0);
	assert_int_equal(b->origins->places.count, 1);
	origin_release(claim.conn, false);
	assert_int_equal(b->origins->places.count, 0);
	bench_free(b);
}

/* As many as it may have connections, by policy: more than the table keeps of unused ones. */
static void who_uses_many_places_keeps_nobody_from_one(void **state)
{
	enum { MANY = 3000 };
	static struct origin *used[MANY];
	(void)state;
	struct bench *b = bench_of_places();
	for (uint64_t i = 0; i < MANY; i++) {
		const struct origin_place place = place_at(b, i);
		used[i] = place_take(b->origins, &place);
		assert_non_null(used[i]);
		used[i]->claimed++;
	}
	assert_int_equal(b->origins->places.count, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		used[i]->claimed--;
		place_settle(used[i]);
	}
	assert_int_equal(b->origins->places.count, 0);
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_robin_takes_turns),
	    cmocka_unit_test(least_connections_takes_the_freest),
	    cmocka_unit_test(released_connection_is_used_again),
	    cmocka_unit_test(pooled_connection_that_speaks_unasked_is_thrown_away),
	    cmocka_unit_test(pool_is_bounded),
	    cmocka_unit_test(full_origins_queue_and_wake_in_order),
	    cmocka_unit_test(one_free_place_wakes_no_more_than_it_serves),
	    cmocka_unit_test(who_comes_later_does_not_overtake_the_queue),
	    cmocka_unit_test(failing_origin_is_avoided_and_told_of_once),
	    cmocka_unit_test(what_a_visitor_may_cause_takes_no_origin_out),
	    cmocka_unit_test(all_down_lets_one_request_a_second_through),
	    cmocka_unit_test(refused_connection_is_a_failure),
	    cmocka_unit_test(an_internal_origin_is_sent_its_end_of_the_connection),
	    cmocka_unit_test(an_internal_origin_that_takes_nothing_is_down_after_a_while),
	    cmocka_unit_test(an_introduced_connection_is_never_pooled),
	    cmocka_unit_test(a_place_stays_while_its_unused_connection_gives_way_to_a_new_one),
	    cmocka_unit_test(who_uses_many_places_keeps_nobody_from_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
