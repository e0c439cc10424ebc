#ifndef SALLYPORT_EGRESS_TELL_H
#define SALLYPORT_EGRESS_TELL_H

#include "sallyport/egress_state.h"
#include "sallyport/log_record.h"
#include "sallyport/log_ring.h"
#include "sallyport/reason.h"
#include "sallyport/stats.h"

/* What is told of egress origins. Gate, warden and master tell it through here, into the log's rings, so
 * that all of it reads alike; the scribe writes it to the events log and passes it on to whoever is alerted.
 *
 * An infected machine makes thousands of refusals a second: of news that are alike (same origin, kind, reason and
 * offence) one is told at once and at most one more per second, with the number of those left out. */

/* EGRESS_NEWS(ID, "name", "what happened") */
#define EGRESS_NEWS(NEWS)                                                                          \
	NEWS(REFUSED, "refused", "something was refused")                                          \
	NEWS(STRIKE, "strike", "an offence that was counted, and convicted nobody")                \
	NEWS(QUARANTINE, "quarantine", "the origin is in quarantine from now on")                  \
	NEWS(RELEASE, "release", "an operator has released it")                                    \
	NEWS(END, "end", "the time of its quarantine is over")

enum egress_news {
	EGRESS_NEWS_UNSET = 0,
#define EGRESS_NEWS_MEMBER(id, name, what) EGRESS_NEWS_##id,
	EGRESS_NEWS(EGRESS_NEWS_MEMBER)
#undef EGRESS_NEWS_MEMBER
	EGRESS_NEWS_COUNT
};
/* "quarantine"; "-" for what is none. */
const char *egress_news_name(uint32_t news);

struct egress_event {
	enum egress_news news;
	const char *origin;         /* its name */
	enum reason reason;         /* REFUSED; else UNSET */
	enum egress_offence offence; /* STRIKE, QUARANTINE */
	enum egress_stage stage;    /* QUARANTINE; END: which one it was */
	uint64_t length_ms;         /* QUARANTINE; 0: until released */
	bool only_reports;          /* monitor mode, or paused: it would have been */
	/* What was seen; 0 and NULL where that is not known. "12 new destinations in 2 s, last 203.0.113.9:445" */
	uint64_t count;
	const char *counted;        /* "new destinations": in plural, by an s */
	uint64_t within_ms;
	const char *last;           /* "203.0.113.9:445"; an origin may have chosen it */
	const char *setting;        /* that decided: "egress.new_destinations" */
};

enum { EGRESS_SENTENCE_SIZE = 384, EGRESS_LIKE_MS = 1000, EGRESS_LIKES = 256 };

/* The sentence alone, cut where it is too long. */
void egress_sentence_of(const struct egress_event *event, char out[EGRESS_SENTENCE_SIZE]);

struct egress_like;
struct egress_teller {
	struct log_ring *ring;
	int event_fd;               /* the scribe's; borrowed */
	uint16_t slot;
	struct egress_like *likes;  /* EGRESS_LIKES, owned */
	uint64_t lost;              /* found no room in the ring */
};

MUST_CHECK bool egress_teller_init(struct egress_teller *teller, struct log_ring *ring, int event_fd, unsigned slot,
				   struct err *err);
void egress_teller_release(struct egress_teller *teller);
void egress_tell(struct egress_teller *teller, const struct egress_event *event, uint64_t now_ms);
/* Tells what was left out and is due. Returns when to call it again, UINT64_MAX: after the next egress_tell. */
uint64_t egress_teller_flush(struct egress_teller *teller, uint64_t now_ms);

#endif
