#ifndef NET_DNS_SERVER_H
#define NET_DNS_SERVER_H

/* A DNS server of the test's own, on loopback, in the test's loop. It is no real server: it answers by rote, and
 * badly where a test wants that. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "sallyport/clock.h"
#include "sallyport/log.h"
#include "sallyport/resolve.h"

enum { TYPE_A = 1, TYPE_AAAA = 28, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, WAIT_MS = 10000 };

struct server {
	struct watch udp, tcp, connection;
	struct loop *loop;
	struct resolver *resolver;
	uint16_t port;
	/* what it answers */
	unsigned a_count, aaaa_count; /* addresses from 10.0.0.1 and 2001:db8::1 on */
	unsigned rcode;
	uint32_t ttl;
	bool is_garbage;
	unsigned silent;    /* so many queries get no answer */
	unsigned udp_limit; /* more addresses than that are cut off: ask by TCP */
	/* what it saw */
	unsigned queries, tcp_queries;
};

static uint8_t *put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *put_record(uint8_t *at, unsigned type, uint32_t ttl, unsigned i)
{
	static const uint8_t v4[4] = {10, 0, 0, 0}, v6[16] = {0x20, 1, 0xd, 0xb8};
	size_t len = type == TYPE_A ? sizeof(v4) : sizeof(v6);
	at = put16(at, 0xc00c); /* the name of the question */
	at = put16(at, type);
	at = put16(at, 1);
	at = put16(at, ttl >> 16);
	at = put16(at, ttl & 0xffff);
	at = put16(at, (unsigned)len);
	memcpy(at, type == TYPE_A ? v4 : v6, len);
	at[len - 1] = (uint8_t)(i + 1);
	return at + len;
}

/* Turns the query of len bytes into its answer, in place; returns its length. */
static size_t answer(struct server *server, uint8_t *packet, size_t len, bool by_tcp)
{
	assert_true(len > 16);
	uint8_t *end = packet + 12;
	while (*end)
		end += *end + 1;
	unsigned type = (unsigned)end[1] << 8 | end[2];
	end += 5;
	unsigned count = type == TYPE_A      ? server->a_count
			 : type == TYPE_AAAA ? server->aaaa_count
					     : 0;
	if (server->rcode)
		count = 0;
	bool truncated = !by_tcp && server->udp_limit && count > server->udp_limit;
	put16(packet + 2, 0x8180 | (truncated ? 0x0200U : 0U) | server->rcode);
	put16(packet + 6, truncated ? 0 : count);
	put16(packet + 8, 0);
	put16(packet + 10, 0);
	if (server->is_garbage) {
		memset(end, 0xff, 40);
		put16(packet + 6, 9);
		return (size_t)(end - packet) + 40;
	}
	for (unsigned i = 0; i < count && !truncated; i++)
		end = put_record(end, type, server->ttl, i);
	return (size_t)(end - packet);
}

static struct server *server_of(struct watch *watch, size_t offset)
{
	return (struct server *)(void *)((char *)watch - offset);
}

static void on_udp(struct watch *watch, unsigned events)
{
	struct server *server = server_of(watch, offsetof(struct server, udp));
	uint8_t packet[4096];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	(void)events;
	ssize_t len = recvfrom(watch->fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
	assert_true(len > 0);
	server->queries++;
	if (server->silent > 0) {
		server->silent--;
		return;
	}
	size_t answer_len = answer(server, packet, (size_t)len, false);
	assert_int_equal(
	    sendto(watch->fd, packet, answer_len, 0, (struct sockaddr *)&from, from_len),
	    answer_len);
}

static void on_connection(struct watch *watch, unsigned events)
{
	struct server *server = server_of(watch, offsetof(struct server, connection));
	uint8_t packet[4096];
	(void)events;
	ssize_t len = recv(watch->fd, packet, 2, MSG_WAITALL);
	if (len == 2)
		len = recv(watch->fd, packet + 2, (size_t)packet[0] << 8 | packet[1], MSG_WAITALL);
	if (len <= 0) {
		loop_unwatch(server->loop, watch);
		close(watch->fd);
		return;
	}
	server->tcp_queries++;
	size_t answer_len = answer(server, packet + 2, (size_t)len, true);
	put16(packet, (unsigned)answer_len);
	/* in two pieces: the reader must wait for the second */
	assert_int_equal(send(watch->fd, packet, 30, 0), 30);
	assert_int_equal(send(watch->fd, packet + 30, answer_len - 28, 0), answer_len - 28);
}

static void on_accept(struct watch *watch, unsigned events)
{
	struct server *server = server_of(watch, offsetof(struct server, tcp));
	(void)events;
	int fd = accept(watch->fd, NULL, NULL);
	assert_true(fd >= 0);
	if (server->connection.slot) {
		loop_unwatch(server->loop, &server->connection);
		close(server->connection.fd);
	}
	server->connection = (struct watch){.on_event = on_connection, .fd = fd};
	assert_true(loop_watch_input(server->loop, &server->connection, NULL));
}

static void start_socket(struct server *server, struct watch *watch, int type)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(server->port)};
	socklen_t len = sizeof(here);
	int one = 1;
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	watch->fd = socket(AF_INET, type, 0);
	assert_int_equal(setsockopt(watch->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(watch->fd, (struct sockaddr *)&here, sizeof(here)), 0);
	assert_int_equal(getsockname(watch->fd, (struct sockaddr *)&here, &len), 0);
	server->port = ntohs(here.sin_port);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(watch->fd, 8), 0);
	assert_true(loop_watch_input(server->loop, watch, NULL));
}

static struct server *server_new(void)
{
	static const struct resolver_times quick = {
	    .ttl_min = 30,
	    .ttl_max = 60,
	    .retry_min = 10,
	    .retry_max = 40,
	    .answer = 100,
	};
	static struct server server;
	struct err err;
	char address[32];
	server = (struct server){.udp.on_event = on_udp, .tcp.on_event = on_accept, .ttl = 60};
	log_init("test", LOG_LEVEL_ERROR);
	server.loop = loop_new(&err);
	/* TCP first: a port that is free there is almost surely free for UDP */
	start_socket(&server, &server.tcp, SOCK_STREAM);
	start_socket(&server, &server.udp, SOCK_DGRAM);
	server.resolver = resolver_new(server.loop, &err);
	assert_non_null(server.resolver);
	assert_true(resolver_set_times(server.resolver, &quick, &err));
	snprintf(address, sizeof(address), "127.0.0.1:%u", server.port);
	assert_true(resolver_set_servers(server.resolver, address, &err));
	return &server;
}

static void server_free(struct server *server)
{
	resolver_free(server->resolver);
	struct watch *const all[] = {&server->udp, &server->tcp, &server->connection};
	for (size_t i = 0; i < 3; i++) {
		if (!all[i]->slot)
			continue;
		loop_unwatch(server->loop, all[i]);
		close(all[i]->fd);
	}
	loop_free(server->loop);
}

#endif
