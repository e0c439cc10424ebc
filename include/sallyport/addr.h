#ifndef SALLYPORT_ADDR_H
#define SALLYPORT_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "sallyport/err.h"
#include "sallyport/span.h"

/* An IP address with a port. IPv4-mapped IPv6 addresses are folded to IPv4. */
struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} u;
};

#define ADDR_TEXT_SIZE 56 /* "[v6]:65535" with its NUL */

socklen_t addr_len(const struct addr *addr);
/* "10.0.0.5:80", "[::1]:80", ":80" and "*:80" (any address, IPv6 with IPv4). Literals only. Port 0 is taken. */
MUST_CHECK bool addr_parse(struct span text, struct addr *out, struct err *err);
/* An address without a port, "10.0.0.5", "::1" or "[::1]". False where it is a name. */
bool addr_parse_ip(struct span text, uint16_t port, struct addr *out);
bool addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out);
uint16_t addr_port(const struct addr *addr);
void addr_set_port(struct addr *addr, uint16_t port);
/* Without and with the port; return the length written. */
size_t addr_format_ip(const struct addr *addr, char out[ADDR_TEXT_SIZE]);
size_t addr_format(const struct addr *addr, char out[ADDR_TEXT_SIZE]);
bool addr_eq(const struct addr *a, const struct addr *b); /* with the port */
/* What a quota counts by: the whole IPv4 address, the /64 of an IPv6 one. Never 0. */
uint64_t addr_client_key(const struct addr *addr);
/* The 16 bytes of the IPv6 address, or of ::ffff:a.b.c.d. False where it is neither. */
bool addr_mapped_bytes(const struct addr *addr, uint8_t out[16]);

/* A network: "10.0.0.0/8", "2001:db8::/32", or one address. */
struct cidr {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix;    /* 0 to 128 on that form */
};
/* Rejects set host bits ("10.0.0.1/8"), naming the network that was meant. */
MUST_CHECK bool cidr_parse(struct span text, struct cidr *out, struct err *err);
#define CIDR_TEXT_SIZE (ADDR_TEXT_SIZE + 4)
/* "10.0.0.0/8"; one address without its prefix. */
void cidr_format(const struct cidr *cidr, char out[CIDR_TEXT_SIZE]);
bool cidr_has(const struct cidr *cidr, const struct addr *addr);

/* 0.0.0.0 or ::, whatever the port. */
bool addr_is_any(const struct addr *addr);

#endif
