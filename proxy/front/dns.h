#ifndef FRONT_DNS_H
#define FRONT_DNS_H

#include <netinet/in.h>
#include "sallyport/dns_message.h"
#include "sallyport/dns_service.h"

/* The parts of the DNS listener: dns.c judges and asks, dns_udp.c and dns_tcp.c carry. */

struct dns_connection;

/* How an answer gets to whom it is for. */
struct dns_way {
	struct dns_connection *connection; /* NULL: by packet */
	struct addr peer;
	size_t local_len;                  /* the control message that says which of our addresses was asked */
	_Alignas(struct cmsghdr) uint8_t local[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* A question that waits for its answer. */
struct dns_asking {
	struct lookup lookup;              /* first: on_done gets the question by it */
	struct dns_service *service;
	struct dns_asking *next_free;
	const struct egress_origin *origin;
	struct dns_query query;
	char question[DNS_NAME_SIZE + 4];
	struct dns_way way;
};

/* One origin of the policy, by its index. */
struct dns_origin {
	struct egress_state *state;        /* NULL: it has no standing */
	struct egress_asked asked;
	uint16_t askings, connections;
};

struct dns_service {
	struct dns_service_setup setup;
	struct watch udp;
	struct watch tcp;
	struct dns_asking *askings, *free_asking;
	struct dns_origin *origins;
	struct dns_connection *connections;
	unsigned connection_total;
	uint64_t seed;
};

/* One message of somebody. Answers at once, later, or never. False: it is none that gets an answer. */
bool dns_take(struct dns_service *service, struct span message, const struct dns_way *way);
/* That question's asker has gone. */
void dns_forget(struct dns_service *service, const struct dns_connection *connection);

MUST_CHECK bool dns_udp_start(struct dns_service *service, struct err *err);
void dns_udp_send(const struct dns_service *service, const struct dns_way *way, const uint8_t *bytes, size_t len);

MUST_CHECK bool dns_tcp_start(struct dns_service *service, struct err *err);
/* Sent by the next dns_tcp_go_on, which may end the connection. */
void dns_tcp_send(struct dns_connection *connection, const uint8_t *bytes, size_t len);
void dns_tcp_go_on(struct dns_connection *connection);
void dns_tcp_stop(struct dns_service *service);

#endif
