#ifndef SALLYPORT_SCOUT_H
#define SALLYPORT_SCOUT_H

/* Words that the keeper's decisions and the scout's fetches have in common. */

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

/* What a link is a link to. */
enum link_kind {
	LINK_UNSET = 0,
	LINK_TO_PAGE,
	LINK_TO_SITEMAP,
	LINK_TO_HOST, /* a foreign one, in a place where it takes the page over */
	LINK_KINDS
};

#endif
