#ifndef PROC_SCOUT_ORDERS_H
#define PROC_SCOUT_ORDERS_H

#include "sallyport/page.h"

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
	LINKS_BYTES = 16384,        /* in one message */
	LINKS_MAX = 2000,           /* of one job */
	SAMPLE_ERROR_SIZE = 256,
};

/* Who the scout claims to be: a page may look different to a search engine, or to its users. */
enum job_agent { JOB_AGENT_UNSET = 0, JOB_AGENT_OWN, JOB_AGENT_BROWSER, JOB_AGENT_SEARCH_BOT, JOB_AGENT_MOBILE, JOB_AGENT_COUNT };
/* Where it claims to come from. */
enum job_referer { JOB_REFERER_UNSET = 0, JOB_REFERER_NONE, JOB_REFERER_SEARCH, JOB_REFERER_COUNT };
/* What is looked for in the content. */
enum job_links {
	JOB_LINKS_UNSET = 0,
	JOB_LINKS_NONE,
	JOB_LINKS_PAGE,    /* links of HTML, and what it embeds */
	JOB_LINKS_SITEMAP, /* sitemap.xml, an index of sitemaps too */
	JOB_LINKS_ROBOTS,  /* robots.txt: its sitemaps */
	JOB_LINKS_COUNT
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
	uint8_t pad[5];
	char origin[JOB_HOST_SIZE]; /* name or literal without brackets: whom to connect to */
	char host[JOB_HOST_SIZE];   /* Host, and whose links count */
	char target[JOB_TARGET_SIZE]; /* "/path?query" */
};

enum sample_outcome {
	SAMPLE_UNSET = 0,
	SAMPLE_WHOLE,      /* a whole response, whatever its status */
	SAMPLE_UNREACHED,  /* no name, no connection, no TLS */
	SAMPLE_TIMEOUT,
	SAMPLE_BROKEN,     /* cut short, malformed, or a coding that does not decode */
	SAMPLE_TOO_LARGE,  /* more than max_bytes: page_digest is of the whole where it was read, see error */
	SAMPLE_REFUSED,    /* the job itself made no sense */
	SAMPLE_COUNT
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

/* Canonical targets of the site itself, "/path?query", one after the other, each with its NUL. */
struct scout_links {
	uint64_t id;
	uint32_t n;
	uint32_t bytes;
	char text[LINKS_BYTES];
};

#endif
