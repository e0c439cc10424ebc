/* Copies at hand: contents of the vault that were asked for lately, in memory that this worker keeps for
 * them. Who asks for one that is not there waits while it comes from the lifeboat, once for
 * all who want it. It counts only if its digest is the one that the baseline names: the lifeboat is
 * one of our own, but it reads a disk.
 *
 *   LOADING ─┬─► READY ─► … ─► gone, the one that was used longest ago first
 *            └─► gone: not there, damaged, or too slow; who asks next tries again */
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "front/guard.h"
#include "sallyport/hex.h"
#include "sallyport/log.h"

enum { LOAD_MS = 5000, WARN_EVERY_MS = 10000, HEAD_STEP = 1024, KEY_SIZE = DIGEST_SIZE + 1, LARGEST_PART = 4 };

struct copy {
	uint8_t key[KEY_SIZE]; /* its digest, and whether it has the banner */
	UT_hash_handle hh;
	struct copies *copies;
	struct copy *newer, *older;
	struct content *content; /* READY: whole; LOADING: what came so far */
	bool is_ready;

	/* LOADING */
	struct origin_claim claim;
	struct timer timer;
	struct digest *digest;
	struct page *waiting; /* who asked first, last in the list */
	uint64_t size;        /* as the baseline has it */
	bool head_read, was_retried;
};

struct copies {
	struct front *front;
	struct memory memory;
	struct copy *by_key;
	struct copy *newest, *oldest; /* of those that are ready */
	uint64_t warn_again_ms;
};

static struct loop *loop_of(const struct copy *copy)
{
	return copy->copies->front->loop;
}

/* ---- what is there ---- */

static void list_remove(struct copies *copies, struct copy *copy)
{
	*(copy->newer ? &copy->newer->older : &copies->newest) = copy->older;
	*(copy->older ? &copy->older->newer : &copies->oldest) = copy->newer;
	copy->newer = copy->older = NULL;
}

static void list_add(struct copies *copies, struct copy *copy)
{
	copy->older = copies->newest;
	*(copies->newest ? &copies->newest->newer : &copies->oldest) = copy;
	copies->newest = copy;
}

static void copy_free(struct copy *copy)
{
	struct copies *copies = copy->copies;
	if (copy->is_ready)
		list_remove(copies, copy);
	HASH_DEL(copies->by_key, copy);
	content_unref(copy->content);
	free(copy);
}

static struct copy *find(struct copies *copies, const uint8_t digest[DIGEST_SIZE], bool banner)
{
	uint8_t key[KEY_SIZE];
	struct copy *copy;
	memcpy(key, digest, DIGEST_SIZE);
	key[DIGEST_SIZE] = banner;
	HASH_FIND(hh, copies->by_key, key, KEY_SIZE, copy);
	return copy;
}

struct content *copies_find(struct copies *copies, const uint8_t digest[DIGEST_SIZE], bool banner)
{
	struct copy *copy = find(copies, digest, banner);
	if (!copy || !copy->is_ready)
		return NULL;
	if (copy != copies->newest) {
		list_remove(copies, copy);
		list_add(copies, copy);
	}
	return content_ref(copy->content);
}

/* Those that were used longest ago make room. */
static struct content *make_room(struct copies *copies, size_t size)
{
	struct content *content;
	while (!(content = content_new(&copies->memory, size)) && copies->oldest)
		copy_free(copies->oldest);
	return content;
}

/* ---- who waits ---- */

static void wait_add(struct copy *copy, struct page *page)
{
	page->copy = copy;
	page->wait_next = copy->waiting;
	page->wait_prev = NULL;
	if (copy->waiting)
		copy->waiting->wait_prev = page;
	copy->waiting = page;
}

void copies_forget(struct page *page)
{
	if (!page->copy)
		return;
	if (page->wait_prev)
		page->wait_prev->wait_next = page->wait_next;
	else
		page->copy->waiting = page->wait_next;
	if (page->wait_next)
		page->wait_next->wait_prev = page->wait_prev;
	page->copy = NULL;
}

static void wake_all(struct copy *copy)
{
	while (copy->waiting) {
		struct exchange *x = copy->waiting->exchange;
		copies_forget(copy->waiting);
		loop_defer(x->front->loop, &x->client->again);
	}
}

/* ---- how it comes ---- */

static void load_again(struct copy *copy);

static void stop_loading(struct copy *copy, bool reusable)
{
	struct origin_conn *conn = copy->claim.conn;
	loop_disarm(loop_of(copy), &copy->timer);
	origin_unclaim(&copy->claim);
	copy->claim.conn = NULL;
	if (conn)
		origin_release(conn, reusable);
}

static void load_ends(struct copy *copy)
{
	guard_digest_give(copy->copies->front->guard, copy->digest);
	copy->digest = NULL;
	wake_all(copy);
}

static void warn(struct copies *copies, const char *why)
{
	uint64_t now_ms = loop_now_ms(copies->front->loop);
	if (now_ms < copies->warn_again_ms)
		return;
	copies->warn_again_ms = now_ms + WARN_EVERY_MS;
	log_warn("a copy could not be had from the lifeboat: %s", why);
}

static void load_failed(struct copy *copy, const char *why)
{
	/* A pooled connection to a lifeboat that is gone says nothing about the one that came after. */
	bool may_retry = copy->claim.conn && copy->claim.conn->reused && !copy->head_read && !copy->was_retried;
	stop_loading(copy, false);
	if (may_retry) {
		copy->was_retried = copy->claim.fresh = true;
		load_again(copy);
		return;
	}
	warn(copy->copies, why);
	load_ends(copy);
	copy_free(copy);
}

static void load_done(struct copy *copy)
{
	struct copies *copies = copy->copies;
	uint8_t digest[DIGEST_SIZE];
	digest_end(copy->digest, digest);
	if (memcmp(digest, copy->key, DIGEST_SIZE) != 0) {
		load_failed(copy, "its digest is another");
		return;
	}
	stop_loading(copy, true);
	struct content *with_banner = copy->key[DIGEST_SIZE] ? banner_put(copy->content, &copies->memory) : NULL;
	if (with_banner) {
		content_unref(copy->content);
		copy->content = with_banner;
	}
	copy->is_ready = true;
	list_add(copies, copy);
	load_ends(copy);
}

static bool send_request(struct copy *copy)
{
	char digest[HEX_SIZE(DIGEST_SIZE)], text[sizeof(digest) + 64];
	int n = snprintf(text, sizeof(text), "GET /%s HTTP/1.1\r\nHost: lifeboat\r\n\r\n",
			 hex_write(copy->key, DIGEST_SIZE, digest));
	struct iovec iov = {text, (size_t)n};
	return stream_writev(&copy->claim.conn->stream, &iov, 1) == n;
}

/* Its head is at the start of the connection's hold; what stands behind it is content. */
static const char *take_head(struct copy *copy)
{
	struct front *f = copy->copies->front;
	struct hold *in = &copy->claim.conn->in;
	enum reason reason = REASON_UNSET;
	struct span evidence;
	enum http_parse parsed = http_parse_response(hold_ptr(in), in->len, 0, &f->response_limits, HTTP_GET,
						     &f->head, &reason, &evidence);
	if (parsed == HTTP_PARSE_MORE)
		return NULL;
	if (parsed == HTTP_PARSE_BAD)
		return reason_text(reason);
	if (f->head.status != 200)
		return "it is not there, or damaged";
	size_t rest = in->len - f->head.len;
	if (f->head.framing != HTTP_FRAMING_LENGTH || f->head.content_length != copy->size || rest > copy->size)
		return "it has another length";
	copy->head_read = true;
	digest_add(copy->digest, hold_ptr(in) + f->head.len, rest);
	if (!content_add(&copy->content, hold_ptr(in) + f->head.len, rest))
		return "out of memory";
	hold_release(in, &f->memory);
	return NULL;
}

/* Where the next bytes go. */
static char *room_of(struct copy *copy, size_t *room)
{
	struct hold *in = &copy->claim.conn->in;
	if (copy->head_read) {
		*room = (size_t)copy->size - copy->content->len;
		return copy->content->bytes + copy->content->len;
	}
	if (!hold_reserve(in, &copy->copies->front->memory, HEAD_STEP))
		return NULL;
	*room = in->room - in->off - in->len;
	return hold_ptr(in) + in->len;
}

static const char *take_bytes(struct copy *copy, const char *bytes, size_t n)
{
	if (!copy->head_read) {
		copy->claim.conn->in.len += (uint32_t)n;
		return take_head(copy);
	}
	digest_add(copy->digest, bytes, n);
	copy->content->len += n;
	return NULL;
}

static void load_read(struct copy *copy)
{
	while (!copy->head_read || copy->content->len < copy->size) {
		size_t room;
		char *at = room_of(copy, &room);
		ssize_t n = at ? stream_read(&copy->claim.conn->stream, at, room) : STREAM_ERROR;
		if (n == STREAM_AGAIN)
			return;
		const char *why = n < 0 ? "the connection ended" : take_bytes(copy, at, (size_t)n);
		if (why) {
			load_failed(copy, why);
			return;
		}
	}
	load_done(copy);
}

/* False: there is nothing to be read yet, or never. */
static bool load_connected(struct copy *copy, struct origin_conn *conn)
{
	enum reason reason;
	const char *text;
	enum origin_take connected = origin_connect(conn, &reason, &text);
	if (connected == ORIGIN_CONNECTING)
		return false;
	if (connected == ORIGIN_READY && send_request(copy))
		return true;
	load_failed(copy, "it takes no requests");
	return false;
}

static void load_event(struct origin_conn *conn, unsigned events)
{
	struct copy *copy = conn->owner;
	(void)events;
	if (conn->connecting && !load_connected(copy, conn))
		return;
	if (conn->stream.readable)
		load_read(copy);
}

static void load_again(struct copy *copy)
{
	switch (origin_take(copy->copies->front->origins, &copy->claim)) {
	case ORIGIN_READY:
		if (!send_request(copy))
			load_failed(copy, "it takes no requests");
		return;
	case ORIGIN_CONNECTING:
	case ORIGIN_QUEUED: return;
	default: load_failed(copy, reason_text(copy->claim.reason));
	}
}

static void load_turn(struct origin_claim *claim)
{
	load_again(claim->owner);
}

static void load_expired(struct timer *timer)
{
	struct copy *copy = (struct copy *)(void *)((char *)timer - offsetof(struct copy, timer));
	copy->was_retried = true;
	load_failed(copy, "it took too long");
}

static struct copy *copy_new(struct copies *copies, const struct baseline_version *version, bool banner)
{
	struct copy *copy = calloc(1, sizeof(*copy));
	if (!copy)
		return NULL;
	copy->copies = copies;
	copy->size = version->content_bytes;
	copy->digest = guard_digest_take(copies->front->guard);
	copy->content = make_room(copies, (size_t)copy->size);
	if (!copy->digest || !copy->content) {
		guard_digest_give(copies->front->guard, copy->digest);
		content_unref(copy->content);
		free(copy);
		return NULL;
	}
	memcpy(copy->key, version->content, DIGEST_SIZE);
	copy->key[DIGEST_SIZE] = banner;
	copy->timer.on_expiry = load_expired;
	copy->claim = (struct origin_claim){.route = copies->front->settings->internals[INTERNAL_LIFEBOAT],
					    .owner = copy,
					    .on_event = load_event,
					    .on_turn = load_turn};
	HASH_ADD(hh, copies->by_key, key, KEY_SIZE, copy);
	return copy;
}

bool copies_wait(struct copies *copies, struct page *page, bool banner)
{
	struct copy *copy = find(copies, page->version.content, banner);
	bool is_new = !copy;
	if (is_new)
		copy = copy_new(copies, &page->version, banner);
	if (!copy)
		return false;
	wait_add(copy, page);
	if (is_new) {
		loop_arm(copies->front->loop, &copy->timer, loop_now_ms(copies->front->loop) + LOAD_MS);
		load_again(copy);
	}
	return true;
}

/* ---- all of them ---- */

uint64_t copies_largest(const struct copies *copies)
{
	return copies->memory.limit / LARGEST_PART;
}

struct copies *copies_new(struct front *f)
{
	struct copies *copies = calloc(1, sizeof(*copies));
	if (copies) {
		copies->front = f;
		copies->memory = (struct memory){.limit = f->settings->quotas.copies, .gauge = &f->stats->copies_bytes};
	}
	return copies;
}

void copies_free(struct copies *copies)
{
	if (!copies)
		return;
	while (copies->by_key) {
		struct copy *copy = copies->by_key;
		stop_loading(copy, false);
		guard_digest_give(copies->front->guard, copy->digest);
		copy_free(copy);
	}
	free(copies);
}
