#ifndef SALLYPORT_DNS_SERVICE_H
#define SALLYPORT_DNS_SERVICE_H

#include "sallyport/egress_dns.h"
#include "sallyport/egress_tell.h"
#include "sallyport/lookup.h"

/* Names for egress origins (egress.dns), over UDP and TCP: what the lists allow is looked up, everything else is
 * REFUSED and never asked of anybody; who is none of the origins gets no answer at all. Only addresses are
 * given away, and none that the origin may not reach. */
struct dns_service;

enum {
	DNS_ASKING_MAX = 512,        /* questions under way, of all origins */
	DNS_ASKING_OF_ORIGIN = 32,   /* … of one; over it SERVFAIL */
	DNS_CONNECTIONS_MAX = 128,
	DNS_CONNECTIONS_OF_ORIGIN = 8,
	DNS_CONNECTION_MS = 10000,   /* that one may be without a whole question */
	DNS_TTL_S = 30,              /* how long an origin may keep an answer: a reload may take it back */
};

struct dns_service_setup {
	struct loop *loop;
	struct lookups *lookups;
	const struct egress_policy *policy;
	struct egress_states *states;  /* NULL: nobody has a standing */
	/* On whose account an origin's questions go: outlives the service, since they do. */
	struct lookup_asker *(*asker)(void *context, const struct egress_origin *origin);
	/* What there is to tell of an origin; NULL: nobody is told. */
	void (*tell)(void *context, const struct egress_origin *origin, const struct egress_event *event);
	/* The addresses that an origin is about to be told; NULL: nobody else needs them. */
	void (*found)(void *context, struct span host, const struct addr *addrs, unsigned count);
	void *context;
	int udp_fd, tcp_fd;            /* bound, non-blocking; borrowed. -1: not that way */
};

struct dns_service *dns_service_new(const struct dns_service_setup *setup, struct err *err);
/* Questions under way get no answer. */
void dns_service_free(struct dns_service *service);

#endif
