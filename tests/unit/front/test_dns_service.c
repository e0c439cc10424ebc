/* The DNS listener between a client and a DNS server of the test's own, on loopback, in one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include "../egress/egress_policy.h"
#include "sallyport/clock.h"
#include "sallyport/dns_message.h"
#include "sallyport/dns_service.h"

#define ALLOW "allow = ( \"shop.example:443\", \"*.cdn.example\", \"inside.example\" ); deny = ( \"bad.cdn.example\" );"

enum { WAIT_MS = 5000, A = DNS_TYPE_A };

/* Everything of one test. */
static struct {
	struct loop *loop;
	struct resolver *resolver;
	struct memory memory;
	struct lookups *lookups;
	struct lookup_asker asker;
	struct section *section;
	struct egress_states *states;
	struct dns_service *service;
	struct watch upstream;
	unsigned asked;     /* of upstream */
	bool is_silent;
	const char *address; /* that it answers */
	int udp_fd, tcp_fd;
	struct sockaddr_in door;
} all;

/* Answers each question for A with that one address, and others with none. */
static void on_upstream(struct watch *watch, unsigned events)
{
	uint8_t packet[DNS_ANSWER_MAX + 32];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct dns_query query;
	struct addr addr = address(all.address, 0);
	(void)events;
	ssize_t len = recvfrom(watch->fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
	assert_true(len > 0);
	all.asked++;
	if (all.is_silent)
		return;
	char copy[512];
	memcpy(copy, packet, (size_t)len);
	assert_true(dns_query_parse(span_of(copy, (size_t)len), &query));
	size_t n = dns_answer_write(&query, DNS_NOERROR, &addr, 1, 60, packet);
	assert_int_equal(sendto(watch->fd, packet, n, 0, (struct sockaddr *)&from, from_len), n);
}

/* -1: the port is taken. */
static int bound(int type, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)at, sizeof(*at)) == 0 && getsockname(fd, (struct sockaddr *)at, &len) == 0)
		return fd;
	close(fd);
	return -1;
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct lookup_asker *asker_of(void *context, const struct egress_origin *origin)
{
	(void)context;
	assert_int_equal(origin->index, 0);
	return &all.asker;
}

static void open_upstream(void)
{
	struct err err;
	char servers[64];
	struct sockaddr_in at = loopback();
	all.upstream = (struct watch){.fd = bound(SOCK_DGRAM, &at), .on_event = on_upstream};
	assert_true(loop_watch_input(all.loop, &all.upstream, &err));
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", ntohs(at.sin_port));
	assert_true(resolver_set_servers(all.resolver, servers, &err));
}

static void open_door(void)
{
	for (all.udp_fd = all.tcp_fd = -1; all.tcp_fd < 0;) {
		close(all.udp_fd);
		all.door = loopback();
		all.udp_fd = bound(SOCK_DGRAM, &all.door);
		all.tcp_fd = bound(SOCK_STREAM, &all.door);
	}
	assert_int_equal(listen(all.tcp_fd, 8), 0);
}

/* policy: more of the section `egress`. */
static void begin(const char *policy)
{
	struct err err;
	char text[512];
	memset(&all, 0, sizeof(all));
	all.address = "45.0.0.7";
	snprintf(text, sizeof(text), "%s %s", ALLOW, policy);
	all.section = section_of(text);
	all.loop = loop_new(&err);
	all.resolver = resolver_new(all.loop, &err);
	all.memory = (struct memory){.limit = 1 << 20};
	all.lookups = lookups_new(all.loop, all.resolver, &all.memory, &err);
	all.states = calloc(1, sizeof(*all.states));
	assert_true(all.loop && all.resolver && all.lookups && all.states);
	const uint64_t kept[EGRESS_STATES / 64] = {0};
	assert_true(egress_states_claim(all.states, "127.0.0.1", kept) >= 0);
	open_upstream();
	open_door();
	const struct dns_service_setup setup = {.loop = all.loop,
						.lookups = all.lookups,
						.policy = &all.section->egress,
						.states = all.states,
						.asker = asker_of,
						.udp_fd = all.udp_fd,
						.tcp_fd = all.tcp_fd};
	all.service = dns_service_new(&setup, &err);
	assert_non_null(all.service);
}

static void end(void)
{
	dns_service_free(all.service);
	loop_unwatch(all.loop, &all.upstream);
	resolver_free(all.resolver);
	lookups_free(all.lookups);
	close(all.upstream.fd);
	close(all.udp_fd);
	close(all.tcp_fd);
	loop_free(all.loop);
	free(all.states);
	section_free(all.section);
}

/* ---- the client ---- */

static int client(int type)
{
	int fd = socket(AF_INET, type, 0);
	assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&all.door, sizeof(all.door)) == 0);
	return fd;
}

static size_t question(const char *name, uint16_t type, uint8_t out[DNS_QUERY_MAX])
{
	size_t at = 12;
	memcpy(out, "\x12\x34\x01\0\0\x01\0\0\0\0\0\0", at);
	for (const char *label = name; *label; label += strcspn(label, ".") + (label[strcspn(label, ".")] == '.')) {
		size_t len = strcspn(label, ".");
		out[at++] = (uint8_t)len;
		memcpy(out + at, label, len);
		at += len;
	}
	memcpy(out + at, (const uint8_t[]){0, (uint8_t)(type >> 8), (uint8_t)type, 0, 1}, 5);
	return at + 5;
}

/* Runs the loop until something came; its length, 0 for the end, -1: nothing within wait_ms. */
static ssize_t next_bytes(int fd, void *out, size_t room, uint64_t wait_ms)
{
	struct err err;
	uint64_t until_ms = clock_mono_ms() + wait_ms;
	while (clock_mono_ms() < until_ms) {
		ssize_t n = recv(fd, out, room, MSG_DONTWAIT);
		if (n >= 0)
			return n;
		assert_true(loop_once(all.loop, 5, &err));
	}
	return -1;
}

/* The answer's code, and how many addresses it has. */
static int ask_for(const char *name, uint16_t type, unsigned *count)
{
	uint8_t packet[DNS_ANSWER_MAX];
	int fd = client(SOCK_DGRAM);
	size_t len = question(name, type, packet);
	assert_int_equal(send(fd, packet, len, 0), len);
	assert_true(next_bytes(fd, packet, sizeof(packet), WAIT_MS) >= 12);
	close(fd);
	*count = packet[7];
	return packet[3] & 15;
}

static void answered(const char *name, uint16_t type, enum dns_code code, unsigned count)
{
	unsigned got;
	assert_int_equal(ask_for(name, type, &got), code);
	assert_int_equal(got, count);
}

/* ---- tests ---- */

static void what_is_listed_is_looked_up_and_nothing_else(void **state)
{
	(void)state;
	begin("origins = ( \"127.0.0.1\" );");
	answered("other.example", A, DNS_REFUSED, 0);
	answered("www.shop.example", A, DNS_REFUSED, 0);
	answered("bad.cdn.example", A, DNS_REFUSED, 0);
	answered("cdn.example", A, DNS_REFUSED, 0);
	assert_int_equal(all.asked, 0);
	answered("Shop.Example", A, DNS_NOERROR, 1);
	answered("img.cdn.example", A, DNS_NOERROR, 1);
	answered("shop.example", DNS_TYPE_AAAA, DNS_NOERROR, 0);
	unsigned asked = all.asked;
	answered("shop.example", 16, DNS_NOERROR, 0);
	answered("shop.example", A, DNS_NOERROR, 1);
	assert_int_equal(all.asked, asked);
	assert_int_equal(egress_states_find(all.states, "127.0.0.1")->dns_queries, 9);
	assert_int_equal(egress_states_find(all.states, "127.0.0.1")->dns_refused, 4);
	end();
}

static void strangers_get_nothing(void **state)
{
	(void)state;
	uint8_t packet[DNS_QUERY_MAX];
	begin("origins = ( \"10.0.0.5\" );");
	int udp = client(SOCK_DGRAM), tcp = client(SOCK_STREAM);
	size_t len = question("shop.example", A, packet);
	assert_int_equal(send(udp, packet, len, 0), len);
	assert_int_equal(next_bytes(udp, packet, sizeof(packet), 100), -1);
	assert_int_equal(next_bytes(tcp, packet, sizeof(packet), WAIT_MS), 0);
	assert_int_equal(all.asked, 0);
	close(udp);
	close(tcp);
	end();
}

static void a_listed_name_does_not_lead_inside(void **state)
{
	(void)state;
	begin("origins = ( \"127.0.0.1\" );");
	all.address = "10.0.0.9";
	answered("inside.example", A, DNS_REFUSED, 0);
	all.address = "127.0.0.1";
	answered("x.cdn.example", A, DNS_REFUSED, 0);
	end();
}

static void monitoring_answers_everything(void **state)
{
	(void)state;
	begin("mode = \"monitor\"; origins = ( \"127.0.0.1\" );");
	answered("other.example", A, DNS_NOERROR, 1);
	assert_int_equal(egress_states_find(all.states, "127.0.0.1")->dns_refused, 1);
	end();
}

static void a_tunnel_is_cut_and_convicted(void **state)
{
	(void)state;
	char name[64];
	unsigned admitted = 0, count;
	begin("origins = ( \"127.0.0.1\" ); dns_names = \"5/min\";");
	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "payload%u.cdn.example", i);
		admitted += ask_for(name, A, &count) == DNS_NOERROR;
	}
	assert_int_equal(admitted, 10);
	struct egress_state *origin = egress_states_find(all.states, "127.0.0.1");
	assert_int_equal(egress_stage_now(origin, clock_mono_ms()), EGRESS_LISTED_ONLY);
	answered("payload0.cdn.example", A, DNS_NOERROR, 1);
	answered("shop.example", A, DNS_NOERROR, 1);
	egress_quarantine(origin, EGRESS_REPLIES_ONLY, 0, clock_mono_ms(), 1);
	answered("shop.example", A, DNS_REFUSED, 0);
	end();
}

static void tcp_has_one_question_after_the_other(void **state)
{
	(void)state;
	uint8_t out[DNS_QUERY_MAX + 2], packet[DNS_ANSWER_MAX];
	begin("origins = ( \"127.0.0.1\" );");
	int fd = client(SOCK_STREAM);
	for (int round = 0; round < 3; round++) {
		size_t len = question(round == 1 ? "other.example" : "shop.example", A, out + 2);
		out[0] = 0;
		out[1] = (uint8_t)len;
		for (size_t i = 0; i < len + 2; i++)
			assert_int_equal(send(fd, out + i, 1, 0), 1);
	}
	for (int round = 0; round < 3; round++) {
		size_t have = 0, whole = 2;
		while (have < whole) {
			ssize_t n = next_bytes(fd, packet + have, whole - have, WAIT_MS);
			assert_true(n > 0);
			have += (size_t)n;
			whole = have >= 2 ? 2U + ((size_t)packet[0] << 8 | packet[1]) : 2;
		}
		assert_int_equal(packet[5] & 15, round == 1 ? DNS_REFUSED : DNS_NOERROR);
	}
	assert_int_equal(send(fd, "\xff\xff", 2, 0), 2);
	assert_int_equal(next_bytes(fd, packet, sizeof(packet), WAIT_MS), 0);
	close(fd);
	end();
}

/* Questions that are answered at once, more of them than fit into a turn. */
static void many_questions_of_one_connection_leave_time_for_others(void **state)
{
	enum { MANY = 300, A_ROUND_MAX = 40 };
	(void)state;
	struct err err;
	uint8_t one[DNS_QUERY_MAX + 2], packet[DNS_ANSWER_MAX];
	size_t answers = 0;
	begin("origins = ( \"127.0.0.1\" );");
	const struct egress_state *origin = egress_states_find(all.states, "127.0.0.1");
	int fd = client(SOCK_STREAM);
	size_t len = question("other.example", A, one + 2);
	one[0] = 0;
	one[1] = (uint8_t)len;
	for (int i = 0; i < MANY; i++)
		assert_int_equal(send(fd, one, len + 2, 0), len + 2);
	while (origin->dns_queries < MANY) {
		uint64_t before = origin->dns_queries;
		assert_true(loop_once(all.loop, 5, &err));
		assert_in_range(origin->dns_queries - before, 0, A_ROUND_MAX);
	}
	while (answers < MANY * (len + 2)) {
		ssize_t n = next_bytes(fd, packet, sizeof(packet), WAIT_MS);
		assert_true(n > 0);
		answers += (size_t)n;
	}
	assert_int_equal(origin->dns_queries, MANY);
	close(fd);
	end();
}

static void who_goes_away_is_forgotten(void **state)
{
	(void)state;
	struct err err;
	uint8_t out[DNS_QUERY_MAX + 2];
	begin("origins = ( \"127.0.0.1\" );");
	all.is_silent = true;
	int fd = client(SOCK_STREAM);
	size_t len = question("shop.example", A, out + 2);
	out[0] = 0;
	out[1] = (uint8_t)len;
	assert_int_equal(send(fd, out, len + 2, 0), len + 2);
	while (all.asked == 0)
		assert_true(loop_once(all.loop, 5, &err));
	const struct linger reset = {1, 0};
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(fd);
	for (int i = 0; i < 20; i++)
		assert_true(loop_once(all.loop, 5, &err));
	end();
}

static void questions_under_way_are_bounded(void **state)
{
	(void)state;
	uint8_t packet[DNS_ANSWER_MAX];
	char name[64];
	unsigned failed = 0;
	begin("origins = ( \"127.0.0.1\" ); dns_names = \"100/min\";");
	all.is_silent = true;
	int fd = client(SOCK_DGRAM);
	for (unsigned i = 0; i < DNS_ASKING_OF_ORIGIN + 10; i++) {
		snprintf(name, sizeof(name), "n%u.cdn.example", i);
		size_t len = question(name, A, packet);
		assert_int_equal(send(fd, packet, len, 0), len);
	}
	while (next_bytes(fd, packet, sizeof(packet), 200) > 0)
		failed += (packet[3] & 15) == DNS_SERVFAIL;
	assert_int_equal(failed, 10);
	close(fd);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_listed_is_looked_up_and_nothing_else),
	    cmocka_unit_test(strangers_get_nothing),
	    cmocka_unit_test(a_listed_name_does_not_lead_inside),
	    cmocka_unit_test(monitoring_answers_everything),
	    cmocka_unit_test(a_tunnel_is_cut_and_convicted),
	    cmocka_unit_test(tcp_has_one_question_after_the_other),
	    cmocka_unit_test(many_questions_of_one_connection_leave_time_for_others),
	    cmocka_unit_test(who_goes_away_is_forgotten),
	    cmocka_unit_test(questions_under_way_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
