#ifndef SALLYPORT_LRU_H
#define SALLYPORT_LRU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sallyport/err.h"

/* A hash table that knows which of its entries was used longest ago, so that a table of fixed size can
 * give that one away. Entries are their owner's, who embeds the links; nothing is allocated but the buckets,
 * once. Keys that somebody else chooses are hashed with a secret seed. */
struct lru_entry {
	uint64_t hash;
	struct lru_entry *in_bucket;    /* the next of the same bucket */
	struct lru_entry *newer, *older;
};

struct lru {
	struct lru_entry **buckets;     /* a power of two of them */
	size_t bucket_count;
	struct lru_entry *newest, *oldest;
	size_t count;
	uint64_t seed;
};

/* Takes the seed from the kernel. False: no memory. */
MUST_CHECK bool lru_init(struct lru *lru, size_t bucket_count, struct err *err);
/* The entries are forgotten, not freed. */
void lru_release(struct lru *lru);

/* h: lru->seed, or what a call for an earlier part of the key gave. */
uint64_t lru_hash(uint64_t h, const void *bytes, size_t len);
/* NULL: none. is_it compares what the hash stands for. Does not make it newer. */
struct lru_entry *lru_find(const struct lru *lru, uint64_t hash,
			   bool (*is_it)(const struct lru_entry *entry, const void *key), const void *key);
/* As the newest. */
void lru_add(struct lru *lru, struct lru_entry *entry, uint64_t hash);
void lru_touch(struct lru *lru, struct lru_entry *entry);
void lru_remove(struct lru *lru, struct lru_entry *entry);

#endif
