#ifndef FRONT_GUARD_H
#define FRONT_GUARD_H

/* The guard's side of a worker. An exchange with a guarded site has up to three more things to do than
 * another: it may wait for a whole response before its first byte leaves, it may look at one
 * while it passes, and it may answer by a copy.
 *
 *   JUDGE ─► guard_enter ──┬─► ORIGIN … RELAY ─► guard_head ──┬─► hold ─► guard_finish ─► send
 *                          │                                  ├─► watch, and tell at the end
 *                          │                                  └─► pass
 *                          └─► COPY ◄── guard_takes_over: held, or the origin failed
 */

#include "front/front.h"
#include "sallyport/coding.h"
#include "sallyport/guard.h"
#include "sallyport/redirect.h"

/* Bytes that stay where they are while several use them. Owned by whoever has a reference. */
struct content {
	struct memory *memory;
	size_t len, room;
	unsigned refs;
	char bytes[];
};

/* content.c. NULL: the ceiling. */
struct content *content_new(struct memory *memory, size_t room);
/* Appends, and moves where there is no room left; a sole owner's only. False: the ceiling. */
MUST_CHECK bool content_add(struct content **content, const char *bytes, size_t len);
struct content *content_ref(struct content *content);
void content_unref(struct content *content); /* NULL is fine */

/* A baseline in use: unmapped when the last exchange that judges by it has ended. */
struct known {
	struct baseline baseline;
	const void *map;
	unsigned refs;
};

/* A content of the vault in this worker's memory, or on its way there. */
struct copy;
struct copies;

enum page_phase {
	PAGE_ASKING = 0, /* nothing of a response came */
	PAGE_HOLDING,
	PAGE_WATCHING,   /* streamed and digested */
	PAGE_SENDING,    /* judged: `out` goes to the client */
	PAGE_LOADING,    /* waits for its copy */
	PAGE_STREAMING,  /* its copy comes from the lifeboat as from an origin */
};

/* The part of a content that a copy is asked for. */
struct part {
	bool is_given;
	uint64_t first, last;
};

struct page {
	struct exchange *exchange;
	struct known *known;        /* what the plan points into */
	struct guard_plan plan;
	uint64_t site;
	uint8_t phase;              /* enum page_phase */
	bool copy_tried;
	uint8_t asked;              /* codings that the visitor takes, a bit each; CODING_UNSET's: he said so */

	/* A response that is held or watched: its head as it came, its content as it was coded. */
	struct content *head;
	struct content *content;
	struct span piece;          /* content that is whole in a read, and was not kept */
	size_t held;                /* counted in guard_side.held */
	uint64_t longest;           /* of the known versions */
	struct digest *digest;      /* of what came; of what it decodes to where it is watched */
	struct coding_list codings;
	struct coding_decoder *decoder;
	struct digest *decoded;
	uint64_t fed;               /* bytes of the content that the decoder has had */
	uint8_t coded[DIGEST_SIZE]; /* of what came, once it is whole */
	bool is_whole;              /* … so that `coded` is set */
	bool is_broken;             /* watched: its coding cannot be undone */

	/* What goes to the client. */
	struct content *out;
	uint64_t out_at, out_end;

	/* The copy. */
	struct baseline_version version;
	struct part part;
	struct copy *copy;
	struct page *wait_prev, *wait_next; /* for the same copy */

	size_t path_len, key_len, room;
	char key[];
};

enum { DECODED_SLOTS = 2048, TOLD_SLOTS = 256, DIGESTS_SPARE = 64 };

/* Coded contents that were decoded once: the same bytes decode to the same again. */
struct decoded {
	uint8_t coded[DIGEST_SIZE];
	uint8_t content[DIGEST_SIZE];
};

/* What was told lately, so that a held page is one event and not one per visitor. */
struct told {
	uint64_t hash;
	uint64_t until_ms;
	uint32_t folded;
};

struct guard_side {
	struct front *front;
	struct known *known;        /* the newest; NULL: none yet */
	struct copies *copies;
	uint64_t held;              /* bytes of pages that wait for their verdict */
	uint64_t *slow_until_ms;    /* by site->index: its origin let a known page wait */
	struct digest *digests[DIGESTS_SPARE];
	unsigned digest_count;
	struct decoded decoded[DECODED_SLOTS];
	struct told told[TOLD_SLOTS];
	struct page_collect collect; /* used within one call only */
};

/* guard_side.c. NULL with *ok where no site is guarded. */
struct guard_side *guard_side_new(struct front *front, bool *ok, struct err *err);
void guard_side_free(struct guard_side *side);
struct known *known_ref(struct known *known);
void known_unref(struct known *known); /* NULL is fine */
struct digest *guard_digest_take(struct guard_side *side);
void guard_digest_give(struct guard_side *side, struct digest *digest);

/* guard_enter.c: before an origin is asked. */
enum step_result guard_enter(struct exchange *x);
/* Fields that ask for less than the page, or for it in another coding than we know. codings: room for
 * GUARD_CODINGS_SIZE bytes; what to say for Accept-Encoding, ptr NULL: as the visitor. */
enum { GUARD_CODINGS_SIZE = 32 };
struct span guard_ask_plainly(struct exchange *x, char codings[GUARD_CODINGS_SIZE]);
void guard_release(struct exchange *x);
/* How much of this page waits for its verdict. */
void guard_count_held(struct exchange *x, size_t bytes);

/* guard_hold.c: what an origin answers. */
/* A final head came. AGAIN: go on as usual; END: nothing is sent yet, or *head_len bytes of
 * another head stand in front->out; FAIL. */
enum pump guard_head(struct exchange *x, struct http_head *head, size_t *head_len, enum reason *reason);
/* The response is held until it is judged; it will be; it is streamed and looked at. */
static inline bool guard_holds(const struct exchange *x)
{
	return x->page && (x->page->phase == PAGE_HOLDING || x->page->phase == PAGE_SENDING);
}
static inline bool guard_will_hold(const struct exchange *x)
{
	return x->page && x->page->plan.action == GUARD_HOLD;
}
static inline bool guard_watches(const struct exchange *x)
{
	return x->page && x->page->phase == PAGE_WATCHING;
}
/* Content of a response that is held. */
enum pump guard_hold(struct exchange *x, const char *bytes, size_t len, enum reason *reason);
/* All was read: judges, then sends. */
enum pump guard_finish(struct exchange *x, enum reason *reason);
/* Content of a response that passes. */
void guard_watch(struct exchange *x, const char *bytes, size_t len);
/* The exchange ends: what passed is judged now, and told. */
void guard_end(struct exchange *x);

/* guard_wait.c: how long the origin is waited for: most_ms, or less where a copy can stand in. */
uint64_t guard_waits_ms(const struct exchange *x, uint64_t most_ms);
void guard_was_slow(const struct exchange *x);
void guard_was_in_time(const struct exchange *x);

/* guard_part.c: what of a whole page is asked for. */
struct whole {
	unsigned status;
	uint64_t size;
	struct span etag, changed; /* its validators; empty: none */
	bool is_coded;             /* its parts would be parts of nobody else's coding */
};
/* The status that the visitor gets: 200, 206 with *part, 304, 416, or the page's own. */
unsigned guard_part_of(const struct http_head *request, const struct whole *whole, struct part *part);
/* Content-Range and Content-Length. */
void guard_add_length(const struct part *part, unsigned status, uint64_t size, struct strbuf *out);
/* A head of our own, into front->head, which borrows from text. */
MUST_CHECK bool guard_parse_own(struct exchange *x, const struct strbuf *text);
/* The head of a page that is good, of size bytes, as it was asked for, into front->out. 0: no room. Sets
 * x->status and page->part. */
size_t guard_narrow_head(struct exchange *x, struct http_head *head, uint64_t size);
/* What of its content goes out then. */
struct span guard_narrow(const struct exchange *x, struct span whole);

/* A verdict of the guard's own, as against an origin that fails. */
static inline bool guard_is_verdict(enum reason reason)
{
	return reason >= REASON_GUARD_CHANGED && reason <= REASON_GUARD_FULL;
}

/* guard_copy.c */
/* The exchange answers by a copy instead of failing for `reason`. */
bool guard_takes_over(struct exchange *x, enum reason reason);
enum step_result step_copy(struct exchange *x);
size_t guard_copy_request(const struct exchange *x, char *out, size_t room);
/* The lifeboat's head: checked, and replaced by the copy's, in front->out. 0: it is of no use. */
size_t guard_copy_head(struct exchange *x, const struct http_head *head);

/* guard_send.c: what is ready, piece by piece. */
/* Begins with a head of head_len bytes in front->out. False: the client is gone, or memory is. */
MUST_CHECK bool guard_send_head(struct exchange *x, size_t head_len);
enum pump guard_send(struct exchange *x);

/* copies.c: the hot ones, and how they come from the lifeboat. */
struct copies *copies_new(struct front *front);
void copies_free(struct copies *copies);
/* Larger ones are not kept. */
uint64_t copies_largest(const struct copies *copies);
/* The content where it is at hand. A reference of the caller's. */
struct content *copies_find(struct copies *copies, const uint8_t digest[DIGEST_SIZE], bool banner);
/* page waits until it is at hand, or cannot be had: then its exchange goes on. False: no memory. */
MUST_CHECK bool copies_wait(struct copies *copies, struct page *page, bool banner);
void copies_forget(struct page *page);

/* banner.c: a sentence behind the opening of the body. NULL: no memory, or there is no place for it;
 * then it stays as it is. */
struct content *banner_put(const struct content *html, struct memory *memory);

/* guard_note.c: one event, and the keeper is told. */
void guard_note(struct exchange *x, enum reason reason);
/* A page that nobody has judged went out: the keeper may want to know it. */
void guard_nominate(struct exchange *x);
/* Keeps what of a response was held against it, for the log. */
void guard_keep_evidence(struct exchange *x, struct span evidence);

#endif
