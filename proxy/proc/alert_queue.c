/* See alert_queue.h. An origin that is defaced makes alerts without end, and a receiver may be gone for
 * hours: neither costs more than this structure, and what is left out is counted and told. */
#include "proc/alert_queue.h"

#include "sallyport/hash.h"

void alert_queue_init(struct alert_queue *queue, uint64_t window_ms, uint64_t first_number)
{
	memset(queue, 0, sizeof(*queue));
	queue->window_ms = window_ms;
	queue->next_number = first_number;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	return hash_add(hash_add_span(hash, span_from_str(text)), 0xff); /* which is in no text */
}

/* Never 0. */
static uint64_t key_of(const struct alert *alert)
{
	uint64_t hash = hash_text(HASH_START, alert->site);
	if (alert->kind == ALERT_EGRESS) /* the text names a destination, and there are thousands */
		hash = hash_text(hash_text(hash, alert->egress), alert->reason);
	else if (alert->url[0] == '\0')
		hash = hash_text(hash, alert->text); /* it says which origin, which state */
	return (hash_text(hash, alert->url) ^ alert->kind) | UINT64_C(1) << 63;
}

static void push(struct alert_queue *queue, const struct alert *alert, uint64_t now_ms)
{
	if (queue->count == ALERT_QUEUE_MAX) {
		queue->dropped++;
		return;
	}
	queue->items[(queue->first + queue->count++) % ALERT_QUEUE_MAX] =
	    (struct queued_alert){*alert, queue->next_number++, now_ms};
}

/* What was folded is told as one. */
static void close_window(struct alert_queue *queue, struct alert_window *window, uint64_t now_ms)
{
	if (window->folded > 0) {
		window->last.folded += window->folded - 1;
		push(queue, &window->last, now_ms);
	}
	window->key = 0;
}

/* The window of that key; else one that is free, or ends first, and is closed. */
static struct alert_window *find_window(struct alert_queue *queue, uint64_t key, uint64_t now_ms)
{
	struct alert_window *best = &queue->windows[0];
	for (unsigned i = 0; i < ALERT_WINDOWS; i++) {
		struct alert_window *window = &queue->windows[i];
		if (window->key == key)
			return window;
		uint64_t until_ms = window->key ? window->until_ms : 0;
		if (until_ms < (best->key ? best->until_ms : 0))
			best = window;
	}
	if (best->key)
		close_window(queue, best, now_ms);
	return best;
}

static void close_windows(struct alert_queue *queue, uint64_t now_ms)
{
	for (unsigned i = 0; i < ALERT_WINDOWS; i++)
		if (queue->windows[i].key && queue->windows[i].until_ms <= now_ms)
			close_window(queue, &queue->windows[i], now_ms);
}

void alert_queue_add(struct alert_queue *queue, const struct alert *alert, uint64_t now_ms)
{
	uint64_t key = key_of(alert);
	close_windows(queue, now_ms);
	struct alert_window *window = find_window(queue, key, now_ms);
	if (window->key == key) {
		uint32_t before = window->folded ? window->last.folded : 0;
		window->last = *alert;
		window->last.folded += before;
		window->folded++;
		return;
	}
	*window = (struct alert_window){.key = key, .until_ms = now_ms + queue->window_ms};
	push(queue, alert, now_ms);
}

static void pop(struct alert_queue *queue)
{
	queue->first = (queue->first + 1) % ALERT_QUEUE_MAX;
	queue->count--;
}

const struct queued_alert *alert_queue_due(struct alert_queue *queue, uint64_t now_ms)
{
	close_windows(queue, now_ms);
	while (queue->count > 0 && queue->items[queue->first].since_ms + ALERT_GIVE_UP_MS <= now_ms) {
		queue->dropped++;
		pop(queue);
	}
	if (queue->count == 0 || now_ms < queue->not_before_ms)
		return NULL;
	return &queue->items[queue->first];
}

void alert_queue_delivered(struct alert_queue *queue)
{
	queue->retry_ms = 0;
	queue->not_before_ms = 0;
	pop(queue);
}

void alert_queue_failed(struct alert_queue *queue, uint64_t now_ms)
{
	queue->retry_ms = queue->retry_ms == 0 ? ALERT_RETRY_MIN_MS : queue->retry_ms * 2;
	if (queue->retry_ms > ALERT_RETRY_MAX_MS)
		queue->retry_ms = ALERT_RETRY_MAX_MS;
	queue->not_before_ms = now_ms + queue->retry_ms;
}

uint64_t alert_queue_next_ms(const struct alert_queue *queue)
{
	uint64_t next_ms = queue->count > 0 ? queue->not_before_ms : UINT64_MAX;
	for (unsigned i = 0; i < ALERT_WINDOWS; i++)
		if (queue->windows[i].key && queue->windows[i].until_ms < next_ms)
			next_ms = queue->windows[i].until_ms;
	return next_ms;
}
