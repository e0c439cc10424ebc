/* Chained buckets, and one list from the newest to the oldest through all of them. */
#include "sallyport/lru.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/crypto.h"
#include "sallyport/hash.h"

bool lru_init(struct lru *lru, size_t bucket_count, struct err *err)
{
	*lru = (struct lru){.bucket_count = bucket_count};
	if (!crypto_random(&lru->seed, sizeof(lru->seed), err))
		return false;
	lru->buckets = calloc(bucket_count, sizeof(struct lru_entry *));
	return lru->buckets || err_set(err, "out of memory");
}

void lru_release(struct lru *lru)
{
	free(lru->buckets);
	*lru = (struct lru){0};
}

uint64_t lru_hash(uint64_t h, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	h ^= len * 0x9e3779b97f4a7c15u;
	for (; len > 0; at += sizeof(uint64_t)) {
		size_t n = len < sizeof(uint64_t) ? len : sizeof(uint64_t);
		uint64_t word = 0;
		memcpy(&word, at, n);
		h = hash_fold(h ^ word, 0xd6e8feb86659fd93u) + 0xa0761d6478bd642fu;
		len -= n;
	}
	return h;
}

static struct lru_entry **bucket_of(const struct lru *lru, uint64_t hash)
{
	return &lru->buckets[hash & (lru->bucket_count - 1)];
}

struct lru_entry *lru_find(const struct lru *lru, uint64_t hash,
			   bool (*is_it)(const struct lru_entry *entry, const void *key), const void *key)
{
	struct lru_entry *entry = *bucket_of(lru, hash);
	while (entry && (entry->hash != hash || !is_it(entry, key)))
		entry = entry->in_bucket;
	return entry;
}

static void link_newest(struct lru *lru, struct lru_entry *entry)
{
	entry->newer = NULL;
	entry->older = lru->newest;
	if (lru->newest)
		lru->newest->newer = entry;
	else
		lru->oldest = entry;
	lru->newest = entry;
}

static void unlink_entry(struct lru *lru, struct lru_entry *entry)
{
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		lru->newest = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		lru->oldest = entry->newer;
}

void lru_add(struct lru *lru, struct lru_entry *entry, uint64_t hash)
{
	struct lru_entry **bucket = bucket_of(lru, hash);
	entry->hash = hash;
	entry->in_bucket = *bucket;
	*bucket = entry;
	link_newest(lru, entry);
	lru->count++;
}

void lru_touch(struct lru *lru, struct lru_entry *entry)
{
	if (lru->newest == entry)
		return;
	unlink_entry(lru, entry);
	link_newest(lru, entry);
}

void lru_remove(struct lru *lru, struct lru_entry *entry)
{
	struct lru_entry **at = bucket_of(lru, entry->hash);
	while (*at != entry)
		at = &(*at)->in_bucket;
	*at = entry->in_bucket;
	unlink_entry(lru, entry);
	lru->count--;
}
