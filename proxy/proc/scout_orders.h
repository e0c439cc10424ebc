#ifndef PROC_SCOUT_ORDERS_H
#define PROC_SCOUT_ORDERS_H

#include "sallyport/page.h"
#include "sallyport/scout.h"

/* What keeper and scout say to one another, over a channel of their own that the master makes. The
 * keeper decides what is fetched and how often; the scout remembers nothing but the jobs that run.
 *
 *   keeper                         scout
 *     | ORDER_JOB                    |
 *     |----------------------------->|  fetches, decodes, parses
 *     |                REPORT_LINKS  |
 *     |<-----------------------------|  as many as it takes, none where none were wanted
 *     |       REPORT_SAMPLE + memfd  |
 *     |<-----------------------------|  exactly one, the last word on this job
 *
 * The keeper trusts the scout with what it fetched, and with nothing else: the scout has read what an
 * origin wrote. Sizes, counts and texts are checked. */

enum {
	JOBS_MAX = 32,              /* under way at once */
	JOB_HOST_SIZE = 264,        /* a name of 253 bytes, a port */
	JOB_TARGET_SIZE = PAGE_KEY_MAX + 1,
	JOB_HOSTS_SIZE = 4096,
	JOB_TIMEOUT_MAX_MS = 600000,
	JOB_BYTES_MAX = 256 << 20,
	LINKS_BYTES = 16384,        /* in one message */
	LINKS_MAX = 2000,           /* of one job */
	SAMPLE_ERROR_SIZE = 256,
};

struct scout_job {
	uint64_t id;
	uint64_t site;         /* site_id() */
	uint64_t timeout_ms;   /* for all of it */
	uint64_t max_bytes;    /* of content, decoded; more is an outcome of its own */
	uint32_t agent;        /* enum job_agent */
	uint32_t referer;      /* enum job_referer */
	uint32_t links;        /* enum job_links */
	uint32_t links_max;
	uint16_t port;
	uint8_t tls;           /* to the origin */
	uint8_t tls_unverified; /* whatever certificate it shows */
	uint8_t https;         /* how visitors come, and so what the origin is told */
	uint8_t pad[3];
	char origin[JOB_HOST_SIZE]; /* name or literal without brackets: whom to connect to */
	char host[JOB_HOST_SIZE];   /* Host, and whose links count */
	char tls_name[JOB_HOST_SIZE]; /* whom its certificate has to name; empty: the origin */
	char hosts[JOB_HOSTS_SIZE]; /* whose links count, too: the site's, with commas, "*.x" for all below x */
	char target[JOB_TARGET_SIZE]; /* "/path?query" */
};

/* A field that is not there. */
#define SAMPLE_NO_FIELD UINT32_MAX

struct scout_sample {
	uint64_t id;
	uint32_t outcome;      /* enum sample_outcome; of WHOLE alone the rest is set, but for error */
	uint32_t took_ms;
	uint64_t content_bytes;
	uint32_t links;        /* how many were sent */
	uint16_t status;
	uint16_t pad;
	uint8_t content[DIGEST_SIZE]; /* of the decoded content */
	uint8_t page[DIGEST_SIZE];    /* page_digest() */
	uint32_t field_len[PAGE_FIELD_COUNT]; /* at most PAGE_FIELD_MAX, or SAMPLE_NO_FIELD */
	char fields[PAGE_FIELD_COUNT][PAGE_FIELD_MAX];
	char error[SAMPLE_ERROR_SIZE];
};
/* With WHOLE comes one descriptor: a sealed memfd (shm_constant) of content_bytes; none where there is
 * no content. */

/* Canonical targets of the site itself, "/path?query", one after the other, each with its NUL. Of
 * LINK_TO_HOST, foreign hosts and where they stand: "script evil.example" (link_place_name). */
struct scout_links {
	uint64_t id;
	uint32_t n;
	uint32_t bytes;
	uint32_t kind;         /* enum link_kind */
	uint32_t pad;
	char text[LINKS_BYTES];
};

#endif
