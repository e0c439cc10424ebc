/* What is told of egress origins: one sentence for each kind of news, and the folding of those that are
 * alike. Trusts nothing of what an origin may have chosen: the scribe escapes it, and it is cut here. Never
 * waits: a full ring loses the record, counted. */
#include "sallyport/egress_tell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sallyport/clock.h"
#include "sallyport/hash.h"
#include "sallyport/units.h"

enum { LAST_SIZE = 264 };

/* One kind of news of one origin, of late. Its texts are those of the last one that was left out. */
struct egress_like {
	uint64_t hash;       /* 0: free */
	uint64_t until_ms;   /* others are left out till then */
	uint32_t left_out;
	uint16_t reason;
	uint16_t news;
	const char *setting, *offence;
	char origin[EGRESS_NAME_SIZE];
	char last[LAST_SIZE];
	char sentence[EGRESS_SENTENCE_SIZE];
};

const char *egress_news_name(uint32_t news)
{
	static const char *const names[EGRESS_NEWS_COUNT] = {
	    "-",
#define NAME(id, name, what) name,
	    EGRESS_NEWS(NAME)
#undef NAME
	};
	return news < EGRESS_NEWS_COUNT ? names[news] : "-";
}

/* ---- sentences ---- */

struct sentence {
	char *text;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct sentence *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(s->text + s->len, EGRESS_SENTENCE_SIZE - s->len, fmt, ap);
	va_end(ap);
	size_t room = EGRESS_SENTENCE_SIZE - 1 - s->len;
	s->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
}

static void add_length(struct sentence *s, uint64_t ms)
{
	char text[UNITS_TEXT_SIZE];
	if (ms == 0) {
		add(s, " until it is released");
		return;
	}
	units_format(SETTING_TIME, ms, text);
	add(s, " for %s", text);
}

/* "scan, 12 new destinations in 2 s, last 203.0.113.9:445" */
static void add_offence(struct sentence *s, const struct egress_event *event)
{
	char text[UNITS_TEXT_SIZE];
	add(s, ": %s", egress_offence_name(event->offence));
	if (event->counted) /* "1 refusal", "2 refusals" */
		add(s, ", %" PRIu64 " %.*s", event->count, (int)strlen(event->counted) - (event->count == 1), event->counted);
	if (event->counted && event->within_ms > 0) {
		units_format(SETTING_TIME, event->within_ms, text);
		add(s, " in %s", text);
	}
	if (event->last)
		add(s, ", last %.*s", LAST_SIZE - 1, event->last);
}

void egress_sentence_of(const struct egress_event *event, char out[EGRESS_SENTENCE_SIZE])
{
	struct sentence s = {.text = out};
	add(&s, "origin %.*s ", EGRESS_NAME_SIZE - 1, event->origin);
	switch (event->news) {
	case EGRESS_NEWS_REFUSED:
		add(&s, "%s refused %.*s: %s", event->only_reports ? "would have been" : "was", LAST_SIZE - 1,
		    event->last ? event->last : "a packet", reason_text(event->reason));
		break;
	case EGRESS_NEWS_STRIKE:
		add(&s, "has a strike");
		add_offence(&s, event);
		break;
	case EGRESS_NEWS_QUARANTINE:
		add(&s, "%s in quarantine (%s)", event->only_reports ? "would be" : "is",
		    egress_stage_name(event->stage));
		add_length(&s, event->length_ms);
		add_offence(&s, event);
		break;
	case EGRESS_NEWS_RELEASE: add(&s, "is released from quarantine by order"); break;
	case EGRESS_NEWS_END:
		add(&s, "is free again: its time in quarantine (%s) is over", egress_stage_name(event->stage));
		break;
	default: add(&s, "has no news"); break;
	}
}

/* ---- records ---- */

static void put(struct egress_teller *teller, const struct egress_like *like, uint32_t folded)
{
	char buf[sizeof(struct log_record) + EGRESS_NAME_SIZE + LAST_SIZE + EGRESS_SENTENCE_SIZE + 128];
	struct span texts[LOG_TEXT_COUNT] = {{0}};
	struct log_record record = {
	    .kind = LOG_RECORD_EVENT,
	    .reason = like->reason,
	    .slot = teller->slot,
	    .wall_us = clock_wall_us(),
	    .folded = folded,
	    .news = like->news,
	};
	bool wake = false;
	texts[LOG_TEXT_EGRESS] = span_from_str(like->origin);
	texts[LOG_TEXT_RULE] = span_from_str(like->offence);
	texts[LOG_TEXT_EVIDENCE] = span_from_str(like->last);
	texts[LOG_TEXT_SETTING] = span_from_str(like->setting);
	texts[LOG_TEXT_ORIGIN] = span_from_str(like->sentence);
	size_t len = log_record_pack(&record, texts, buf, sizeof(buf));
	if (!log_ring_put(teller->ring, buf, len, &wake))
		teller->lost++;
	if (wake) {
		uint64_t one = 1;
		/* Full means that it is awake already. */
		ssize_t n = write(teller->event_fd, &one, sizeof(one));
		(void)n;
	}
}

/* ---- folding ---- */

static uint64_t hash_of(const struct egress_event *event)
{
	uint64_t hash = egress_id(event->origin);
	hash = hash_add(hash, (uint64_t)event->news);
	hash = hash_add(hash, (uint64_t)event->reason);
	hash = hash_add(hash, (uint64_t)event->offence ^ (uint64_t)event->stage << 8);
	return hash ? hash : 1;
}

static void take_down(struct egress_like *like, const struct egress_event *event)
{
	like->reason = (uint16_t)event->reason;
	if (event->news == EGRESS_NEWS_QUARANTINE)
		like->reason = REASON_EGRESS_QUARANTINED;
	like->news = (uint16_t)event->news;
	like->setting = event->setting ? event->setting : "";
	like->offence = event->offence ? egress_offence_name(event->offence) : "";
	snprintf(like->origin, sizeof(like->origin), "%s", event->origin);
	snprintf(like->last, sizeof(like->last), "%s", event->last ? event->last : "");
	egress_sentence_of(event, like->sentence);
}

static void close_like(struct egress_teller *teller, struct egress_like *like)
{
	if (like->left_out > 0)
		put(teller, like, like->left_out - 1);
	like->hash = 0;
}

/* Its place, or that of another which makes room. */
static struct egress_like *find(struct egress_teller *teller, uint64_t hash)
{
	enum { WAYS = 4 };
	struct egress_like *oldest = NULL;
	for (unsigned i = 0; i < WAYS; i++) {
		struct egress_like *like = &teller->likes[((hash ^ hash >> 32) + i) % EGRESS_LIKES];
		if (like->hash == hash)
			return like;
		if (!oldest || (like->hash ? like->until_ms : 0) < (oldest->hash ? oldest->until_ms : 0))
			oldest = like;
	}
	if (oldest->hash)
		close_like(teller, oldest);
	return oldest;
}

void egress_tell(struct egress_teller *teller, const struct egress_event *event, uint64_t now_ms)
{
	uint64_t hash = hash_of(event);
	struct egress_like *like = find(teller, hash);
	bool is_known = like->hash == hash;
	if (is_known && now_ms < like->until_ms) {
		like->left_out++;
		take_down(like, event);
		return;
	}
	uint32_t left_out = is_known ? like->left_out : 0;
	*like = (struct egress_like){.hash = hash, .until_ms = now_ms + EGRESS_LIKE_MS};
	take_down(like, event);
	put(teller, like, left_out);
}

uint64_t egress_teller_flush(struct egress_teller *teller, uint64_t now_ms)
{
	uint64_t next_ms = UINT64_MAX;
	for (unsigned i = 0; i < EGRESS_LIKES; i++) {
		struct egress_like *like = &teller->likes[i];
		if (!like->hash)
			continue;
		if (now_ms >= like->until_ms && like->left_out == 0) {
			like->hash = 0;
			continue;
		}
		if (now_ms >= like->until_ms) {
			put(teller, like, like->left_out - 1);
			like->left_out = 0;
			like->until_ms = now_ms + EGRESS_LIKE_MS;
		}
		if (like->until_ms < next_ms)
			next_ms = like->until_ms;
	}
	return next_ms;
}

bool egress_teller_init(struct egress_teller *teller, struct log_ring *ring, int event_fd, unsigned slot,
			struct err *err)
{
	*teller = (struct egress_teller){.ring = ring, .event_fd = event_fd, .slot = (uint16_t)slot};
	teller->likes = calloc(EGRESS_LIKES, sizeof(*teller->likes));
	return teller->likes || err_set(err, "out of memory");
}

void egress_teller_release(struct egress_teller *teller)
{
	free(teller->likes);
	teller->likes = NULL;
}
