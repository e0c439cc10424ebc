#ifndef SALLYPORT_FETCH_H
#define SALLYPORT_FETCH_H

#include "sallyport/loop.h"
#include "sallyport/page.h"
#include "sallyport/resolve.h"
#include "sallyport/scout.h"

/* Pages from an origin server, as a visitor nobody knows would get them: straight from its address,
 * with no cookie, no authorisation, no proxy, and no redirect followed. The head is read as
 * strictly as a worker reads it, the content is decoded; whatever is wrong is an outcome.
 *
 * Requests of one fetcher differ in User-Agent and Referer only, so that a difference in what
 * comes is due to who asked. */

enum {
	FETCH_HEAD_MAX = 32768,    /* bytes of a response head; interim responses count, too */
	FETCH_FIELD_MAX = 8192,    /* of a field line */
	FETCH_NAMES_MAX = 1024,    /* of origins that are no literals, over all the fetcher's life */
	FETCH_ERROR_SIZE = 256,
};

struct fetch_tls {
	bool verify;
	const char *name;    /* whom the certificate has to name; NULL: the origin */
	struct span ca;      /* PEM, borrowed for as long as it runs; empty: the fetcher's */
};

struct fetch_request {
	const char *origin;  /* name or literal without brackets */
	uint16_t port;
	bool tls;
	struct fetch_tls tls_with;
	const char *host;    /* the Host field */
	const char *target;  /* sent as it is: a caller must have checked it, and the host */
	enum job_agent agent;
	enum job_referer referer;
	uint64_t timeout_ms; /* for all of it */
	uint64_t max_bytes;  /* of content, decoded */
	struct span content; /* to be sent by POST, as JSON; ptr NULL: it is a GET. Borrowed until done */
	const char *const *fields; /* further ones, "Name: value", NULL at the end; NULL: none. Borrowed
				    * until done */
};

struct fetch_result {
	enum sample_outcome outcome;
	const char *error;               /* one sentence where it is not WHOLE, else "" */
	const struct page_collect *page; /* WHOLE: status and fields */
	struct span content;             /* WHOLE: decoded */
	uint64_t took_ms;
};

/* Borrowed until it returns. It may start other fetches. */
typedef void fetch_done(void *context, const struct fetch_result *result);

struct fetcher_setup {
	struct loop *loop;
	struct resolver *resolver;
	struct span ca;        /* PEM, borrowed; see fetch_read_authorities */
	uint64_t memory_bytes; /* of contents of all fetches together. At the limit only the oldest that has
				* content goes on, so that it is passed by two contents at most */
};

struct fetcher;
struct fetch;

/* The system's certificate authorities, to be freed; NULL where there are none. Before the
 * sandbox closes. */
char *fetch_read_authorities(size_t *len);
/* The same from one file. */
char *fetch_read_authorities_of(const char *path, size_t *len);

/* Sets everything up that would be opened when it is first used, so: before the sandbox closes. */
struct fetcher *fetcher_new(const struct fetcher_setup *setup, struct err *err);
/* Running fetches end without a word. */
void fetcher_free(struct fetcher *fetcher);

/* Bytes that contents take now. */
uint64_t fetcher_memory(const struct fetcher *fetcher);

/* done comes later, once, never from in here. NULL only without memory. Everything is copied but
 * tls_with.ca. */
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
			  fetch_done *done, void *context);
/* No word comes any more. */
void fetch_cancel(struct fetch *fetch);

#endif
