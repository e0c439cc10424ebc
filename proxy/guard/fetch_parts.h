#ifndef SALLYPORT_GUARD_FETCH_PARTS_H
#define SALLYPORT_GUARD_FETCH_PARTS_H

#include <curl/curl.h>

#include "guard/fetch_reply.h"

/* A fetch and its fetcher, for the files that make them up: fetch.c, their lives; fetch_ask.c, what is
 * asked and where the answer goes. */

struct name {
	struct name *next;
	struct resolver_name *addresses;
	uint16_t port;
	char host[];
};

struct fetch {
	struct timer timer; /* first: on_expiry gets the fetch by it */
	struct fetcher *fetcher;
	struct fetch *next, *prev; /* in the order in which they were started */
	struct fetch_request request;
	char *origin, *host, *target, *tls_name; /* owned, NULL: none */
	fetch_done *done;
	void *context;
	uint64_t started_ms, deadline_ms;
	const struct name *name; /* NULL: the origin is a literal */
	struct addr addrs[RESOLVE_MAX_ADDRS];
	unsigned addr_count, tried, first;
	CURL *curl;
	struct curl_slist *fields, *connect_to;
	bool paused;
	struct fetch_reply reply;
	char error[CURL_ERROR_SIZE];
};

struct fetcher {
	struct watch watch; /* first: on_event gets the fetcher by it */
	struct timer timer; /* libcurl's own */
	struct fetcher_setup setup;
	CURLM *multi;
	struct name *names;
	unsigned name_count, turn;
	struct fetch *oldest, *newest;
	uint64_t memory_used;
};

/* Sets up fetch->curl to ask that address. False: no memory, or texts that make no request. */
MUST_CHECK bool fetch_set_up(struct fetch *fetch, const struct addr *addr, uint64_t left_ms,
			     bool is_last_address);

#endif
