/* The ring between a worker and the scribe. The writer never waits; the reader takes
 * every number in the ring for hostile: head, tail and lengths are read once, into
 * locals, and checked before use. A worker that was captured can lose or forge
 * its own records, nothing more. Does not look inside a record. */
#include "sallyport/log_ring.h"

#include <string.h>

enum { LENGTH_BYTES = sizeof(uint32_t), RECORD_ALIGN = 8 };

static size_t padded(size_t len)
{
	return (LENGTH_BYTES + len + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
}

/* The bytes from position at on may go on at the ring's start. */
static void copy_in(struct log_ring *ring, uint64_t at, const void *from, size_t len)
{
	size_t offset = at % LOG_RING_BYTES;
	size_t first = len < LOG_RING_BYTES - offset ? len : LOG_RING_BYTES - offset;
	memcpy(ring->data + offset, from, first);
	memcpy(ring->data, (const char *)from + first, len - first);
}

static void copy_out(const struct log_ring *ring, uint64_t at, void *to, size_t len)
{
	size_t offset = at % LOG_RING_BYTES;
	size_t first = len < LOG_RING_BYTES - offset ? len : LOG_RING_BYTES - offset;
	memcpy(to, ring->data + offset, first);
	memcpy((char *)to + first, ring->data, len - first);
}

/* The order of head's store and this load against the reader's, which sets
 * reader_asleep and then looks at head once more, is what loses no wake-up. */
static bool must_wake(struct log_ring *ring, uint64_t used_before, uint64_t used_after)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&ring->reader_asleep, memory_order_relaxed) &&
	    atomic_exchange(&ring->reader_asleep, 0))
		return true;
	return used_before < LOG_RING_BYTES / 2 && used_after >= LOG_RING_BYTES / 2;
}

bool log_ring_put(struct log_ring *ring, const void *record, size_t len, bool *wake)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	uint64_t used = head - tail;
	*wake = false;
	if (len == 0 || len > LOG_RECORD_MAX || used > LOG_RING_BYTES ||
	    padded(len) > LOG_RING_BYTES - used) {
		uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);
		atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
		return false;
	}
	uint32_t length = (uint32_t)len;
	copy_in(ring, head, &length, LENGTH_BYTES);
	copy_in(ring, head + LENGTH_BYTES, record, len);
	atomic_store_explicit(&ring->head, head + padded(len), memory_order_release);
	*wake = must_wake(ring, used, used + padded(len));
	return true;
}

uint64_t log_ring_used(const struct log_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	return head - atomic_load_explicit(&ring->tail, memory_order_acquire);
}

/* Also brings the positions back to where an honest writer can go on. */
static size_t empty_damaged(struct log_ring *ring, uint64_t head, bool *damaged)
{
	uint64_t aligned = head & ~(uint64_t)(RECORD_ALIGN - 1);
	if (aligned != head)
		atomic_store_explicit(&ring->head, aligned, memory_order_relaxed);
	atomic_store_explicit(&ring->tail, aligned, memory_order_release);
	*damaged = true;
	return 0;
}

size_t log_ring_take(struct log_ring *ring, void *buf, bool *damaged)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint64_t used = head - tail;
	*damaged = false;
	if (head == tail)
		return 0;
	if (used > LOG_RING_BYTES || used < RECORD_ALIGN || (head | tail) % RECORD_ALIGN != 0)
		return empty_damaged(ring, head, damaged);
	uint32_t length;
	copy_out(ring, tail, &length, LENGTH_BYTES);
	/* the compiler must not read it a second time after the check */
	atomic_signal_fence(memory_order_seq_cst);
	if (length == 0 || length > LOG_RECORD_MAX || padded(length) > used)
		return empty_damaged(ring, head, damaged);
	copy_out(ring, tail + LENGTH_BYTES, buf, length);
	atomic_store_explicit(&ring->tail, tail + padded(length), memory_order_release);
	return length;
}
