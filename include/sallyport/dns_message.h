#ifndef SALLYPORT_DNS_MESSAGE_H
#define SALLYPORT_DNS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include "sallyport/addr.h"

/* The little DNS (RFC 1035) that a listener speaks which gives addresses and nothing else: questions read, and
 * answers written, never the other way round: whom we ask is c-ares's affair. Pure. */

enum {
	DNS_QUERY_MAX = 512,    /* bytes; a question has 300 at most, so what is longer carries something else */
	DNS_NAME_SIZE = 256,
	DNS_ANSWER_MAX = 1232,  /* as much as passes everywhere in one packet (DNS flag day 2020) */
	DNS_PLAIN_MAX = 512,    /* for a client that says nothing of itself: RFC 1035 section 4.2.1 */
};

enum dns_type { DNS_TYPE_A = 1, DNS_TYPE_AAAA = 28 };
enum dns_code { DNS_NOERROR = 0, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_REFUSED = 5 };

struct dns_query {
	uint16_t id, type;
	bool wants_recursion, has_edns;
	char name[DNS_NAME_SIZE]; /* in lower case, no final dot; letters, digits, "-" and "_" only */
	struct span question;     /* as it came, borrowed from the bytes: an answer repeats it letter by letter */
};

/* One whole message. False: no question of one name, and no answer to it either: what is malformed, or an answer
 * itself, must not make us send anything to whom a forged source names. */
bool dns_query_parse(struct span bytes, struct dns_query *out);

/* An answer with the addresses that are of the question's type, as many as a client that did not say what it
 * takes must take; each may be kept for ttl_s. Returns its length. */
size_t dns_answer_write(const struct dns_query *query, enum dns_code code, const struct addr *addrs, size_t addr_count,
			uint32_t ttl_s, uint8_t out[DNS_ANSWER_MAX]);

#endif
