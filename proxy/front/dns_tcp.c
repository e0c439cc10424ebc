/* DNS questions by TCP (RFC 7766): two bytes of length and a message, one after the other. Answers by packet are never
 * cut, so hardly anybody needs it but those who are told to use nothing else. */
#include "front/dns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "sallyport/stream.h"

enum { LENGTH_BYTES = 2, ACCEPTS_PER_TURN = 16, QUESTIONS_PER_TURN = 16 };

struct dns_connection {
	struct watch watch; /* first: on_event gets the connection by it */
	struct timer timer;
	struct task again;
	struct dns_service *service;
	struct dns_connection *prev, *next;
	const struct egress_origin *origin;
	struct stream stream;
	struct dns_way way;
	bool is_asking;              /* the next question is not read before this one's answer is on its way */
	size_t in_len, out_len, out_sent;
	char in[LENGTH_BYTES + DNS_QUERY_MAX];
	uint8_t out[LENGTH_BYTES + DNS_ANSWER_MAX];
};

static void end(struct dns_connection *connection)
{
	struct dns_service *service = connection->service;
	dns_forget(service, connection);
	loop_disarm(service->setup.loop, &connection->timer);
	loop_cancel(&connection->again);
	loop_forget(service->setup.loop, &connection->watch);
	connection->stream.ops->close(&connection->stream, false);
	*(connection->prev ? &connection->prev->next : &service->connections) = connection->next;
	if (connection->next)
		connection->next->prev = connection->prev;
	service->origins[connection->origin->index].connections--;
	service->connection_total--;
	free(connection);
}

static void on_late(struct timer *timer)
{
	end((struct dns_connection *)(void *)((char *)timer - offsetof(struct dns_connection, timer)));
}

static void give_time(struct dns_connection *connection)
{
	struct loop *loop = connection->service->setup.loop;
	loop_arm(loop, &connection->timer, loop_now_ms(loop) + DNS_CONNECTION_MS);
}

/* ---- answers ---- */

/* False: it is broken. */
static bool write_out(struct dns_connection *connection)
{
	while (connection->out_sent < connection->out_len && connection->stream.writable) {
		struct iovec part = {connection->out + connection->out_sent, connection->out_len - connection->out_sent};
		ssize_t n = stream_writev(&connection->stream, &part, 1);
		if (n == STREAM_AGAIN)
			break;
		if (n < 0)
			return false;
		connection->out_sent += (size_t)n;
	}
	if (connection->out_sent == connection->out_len)
		connection->out_sent = connection->out_len = 0;
	return true;
}

void dns_tcp_send(struct dns_connection *connection, const uint8_t *bytes, size_t len)
{
	connection->out[0] = (uint8_t)(len >> 8);
	connection->out[1] = (uint8_t)len;
	memcpy(connection->out + LENGTH_BYTES, bytes, len);
	connection->out_len = LENGTH_BYTES + len;
	connection->is_asking = false;
}

/* ---- questions ---- */

static size_t message_len(const struct dns_connection *connection)
{
	return (size_t)(uint8_t)connection->in[0] << 8 | (uint8_t)connection->in[1];
}

/* How much is still lacking of the length, or of the message behind it. */
static size_t lacking(const struct dns_connection *connection)
{
	if (connection->in_len < LENGTH_BYTES)
		return LENGTH_BYTES - connection->in_len;
	return LENGTH_BYTES + message_len(connection) - connection->in_len;
}

/* False: it has no more to say, or what nobody understands. */
static bool read_in(struct dns_connection *connection)
{
	while (connection->stream.readable && lacking(connection) > 0) {
		ssize_t n = stream_read(&connection->stream, connection->in + connection->in_len, lacking(connection));
		if (n == STREAM_AGAIN)
			break;
		if (n < 0)
			return false;
		connection->in_len += (size_t)n;
		if (connection->in_len >= LENGTH_BYTES &&
		    (message_len(connection) > DNS_QUERY_MAX || message_len(connection) == 0))
			return false;
	}
	return true;
}

static bool take_question(struct dns_connection *connection)
{
	struct span message = span_of(connection->in + LENGTH_BYTES, connection->in_len - LENGTH_BYTES);
	connection->in_len = 0;
	connection->is_asking = true;
	give_time(connection);
	return dns_take(connection->service, message, &connection->way);
}

/* As far as it goes now, and others may wait. False: the connection is over. */
static bool go_on(struct dns_connection *connection)
{
	for (int i = 0; i < QUESTIONS_PER_TURN; i++) {
		if (!write_out(connection))
			return false;
		if (connection->is_asking || connection->out_len > 0)
			return true;
		if (!read_in(connection))
			return false;
		if (lacking(connection) > 0)
			return true;
		if (!take_question(connection))
			return false;
	}
	loop_defer(connection->service->setup.loop, &connection->again);
	return true;
}

static void on_again(struct task *task)
{
	dns_tcp_go_on((struct dns_connection *)(void *)((char *)task - offsetof(struct dns_connection, again)));
}

static void on_event(struct watch *watch, unsigned events)
{
	struct dns_connection *connection = (struct dns_connection *)(void *)watch;
	stream_note(&connection->stream, events);
	if ((events & LOOP_ERROR) || !go_on(connection))
		end(connection);
}

void dns_tcp_go_on(struct dns_connection *connection)
{
	if (!go_on(connection))
		end(connection);
}

/* ---- connections ---- */

static void begin(struct dns_service *service, int fd, const struct addr *peer, const struct egress_origin *origin)
{
	struct err err;
	struct dns_connection *connection = calloc(1, sizeof(*connection));
	if (!connection) {
		close(fd);
		return;
	}
	connection->service = service;
	connection->origin = origin;
	connection->way = (struct dns_way){.connection = connection, .peer = *peer};
	connection->timer.on_expiry = on_late;
	connection->again.run = on_again;
	connection->watch = (struct watch){.fd = fd, .on_event = on_event};
	stream_init_plain(&connection->stream, fd);
	if (!loop_watch(service->setup.loop, &connection->watch, &err)) {
		close(fd);
		free(connection);
		return;
	}
	connection->next = service->connections;
	if (connection->next)
		connection->next->prev = connection;
	service->connections = connection;
	service->origins[origin->index].connections++;
	service->connection_total++;
	give_time(connection);
}

static bool is_welcome(const struct dns_service *service, const struct egress_origin *origin)
{
	return origin && service->connection_total < DNS_CONNECTIONS_MAX &&
	       service->origins[origin->index].connections < DNS_CONNECTIONS_OF_ORIGIN;
}

static void on_accept(struct watch *watch, unsigned events)
{
	struct dns_service *service =
	    (struct dns_service *)(void *)((char *)watch - offsetof(struct dns_service, tcp));
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		struct addr peer;
		int fd = accept4(watch->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		const struct egress_origin *origin = addr_from_sockaddr((struct sockaddr *)&from, len, &peer)
							 ? egress_origin_of(service->setup.policy, &peer)
							 : NULL;
		if (is_welcome(service, origin))
			begin(service, fd, &peer, origin);
		else
			close(fd);
	}
}

bool dns_tcp_start(struct dns_service *service, struct err *err)
{
	if (service->setup.tcp_fd < 0)
		return true;
	service->tcp = (struct watch){.fd = service->setup.tcp_fd, .on_event = on_accept};
	return loop_watch_listener(service->setup.loop, &service->tcp, err);
}

void dns_tcp_stop(struct dns_service *service)
{
	loop_unwatch(service->setup.loop, &service->tcp);
	while (service->connections)
		end(service->connections);
}
