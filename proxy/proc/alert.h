#ifndef PROC_ALERT_H
#define PROC_ALERT_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/egress_state.h"
#include "sallyport/site_state.h"
#include "sallyport/span.h"

/* What an operator is to be told of at once. Whoever sees it says it on the alert channel: the scribe,
 * of events that workers, gate, warden and master recorded, and the keeper, of its own decisions. The herald hears it.
 * One message each, never waited for: where the channel is full, it is lost, and counted. */

/* ALERT(ID, "name", "what happened") */
#define ALERTS(ALERT)                                                                              \
	ALERT(HELD, "held", "a response was not known to be good, and was held")                   \
	ALERT(FAILED, "failed", "an origin failed, and a copy was served or missing")              \
	ALERT(SEALED, "sealed", "a site was sealed: copies only")                                  \
	ALERT(RECOVERED, "recovered", "a sealed site is served by its origins again")              \
	ALERT(PUBLISHED, "published", "changes of a site were taken for good")                     \
	ALERT(VAULT, "vault", "the vault is damaged, full or cannot be read")                      \
	ALERT(ORIGIN, "origin", "an origin went down, or came up again")                           \
	ALERT(QUARANTINE, "quarantine", "an egress origin is in quarantine, or is out of it")      \
	ALERT(EGRESS, "egress", "an egress origin was refused something, or has a strike")

enum alert_kind {
	ALERT_UNSET = 0,
#define ALERT(id, name, what) ALERT_##id,
	ALERTS(ALERT)
#undef ALERT
	ALERT_KINDS
};

enum { ALERT_URL_SIZE = 1032, ALERT_REASON_SIZE = 40, ALERT_TEXT_SIZE = 512 };

struct alert {
	uint64_t wall_us;  /* when it happened */
	uint32_t kind;     /* enum alert_kind */
	uint32_t folded;   /* how many more like this its sender has counted */
	char site[SITE_NAME_SIZE];        /* empty: none */
	char egress[EGRESS_NAME_SIZE];    /* the egress origin that it is about; empty: none */
	char url[ALERT_URL_SIZE];         /* "/path?query", perhaps cut; empty: none */
	char reason[ALERT_REASON_SIZE];   /* reason_name() */
	char text[ALERT_TEXT_SIZE];       /* one sentence */
};

const char *alert_kind_name(uint32_t kind);

/* An alert of now. Texts are cut where they are too long, control bytes are replaced. */
void alert_fill(struct alert *alert, enum alert_kind kind, struct span site, struct span url,
		const char *reason, struct span text);
/* The egress origin that it is about, and what kind of news of it (enum egress_news): alike ones are folded by that. */
void alert_about_egress(struct alert *alert, struct span origin, uint32_t news);
/* fd -1: nobody listens, and that is fine. False: it is lost. */
bool alert_send(int fd, const struct alert *alert);
/* Kind and texts make sense. */
bool alert_is_sound(const struct alert *alert);

#endif
