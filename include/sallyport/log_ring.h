#ifndef SALLYPORT_LOG_RING_H
#define SALLYPORT_LOG_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A ring of records in shared memory, one writer and one reader, no locks. The
 * writer never waits: a full ring loses the record and counts it. The reader
 * trusts nothing that the writer left there: every length is checked against
 * the ring before it is used, a copy is made before it is looked at.
 *
 *   head: bytes ever written      tail: bytes ever read      (head - tail <= size)
 *   record: uint32 length of what follows, then the bytes, padded to 8
 */
enum { LOG_RING_BYTES = 1 << 20, LOG_RECORD_MAX = 1 << 15 };

struct log_ring {
	_Atomic uint64_t head;
	char pad1[56];
	_Atomic uint64_t tail;
	_Atomic uint32_t reader_asleep; /* the reader waits on its eventfd */
	char pad2[52];
	_Atomic uint64_t dropped; /* records that found no room */
	char pad3[56];
	char data[LOG_RING_BYTES];
};

/* Writer. False: no room, counted. *wake: the reader sleeps or the ring is half
 * full, write to its eventfd. */
bool log_ring_put(struct log_ring *ring, const void *record, size_t len, bool *wake);
/* Writer. Bytes that the reader has not taken yet. */
uint64_t log_ring_used(const struct log_ring *ring);
/* Reader. Copies the next record into buf (LOG_RECORD_MAX bytes), returns its
 * length; 0: none. A damaged ring is emptied and *damaged set. */
size_t log_ring_take(struct log_ring *ring, void *buf, bool *damaged);

#endif
