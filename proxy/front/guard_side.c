/* What a worker keeps for the guard between exchanges: the newest baseline, contexts for digests, the
 * hot copies. A baseline is checked once, when it comes; exchanges that began under an older
 * one end under it. */
#include "front/guard.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sallyport/log.h"
#include "sallyport/shm.h"

struct known *known_ref(struct known *known)
{
	if (known)
		known->refs++;
	return known;
}

void known_unref(struct known *known)
{
	if (!known || --known->refs > 0)
		return;
	munmap((void *)(uintptr_t)known->map, known->baseline.len);
	free(known);
}

static struct known *known_open(int fd, size_t bytes, const uint8_t key[SIGN_PUBLIC_SIZE], struct err *err)
{
	struct known *known = calloc(1, sizeof(*known));
	if (!known) {
		err_set(err, "out of memory");
		return NULL;
	}
	known->refs = 1;
	known->map = shm_map_constant(fd, bytes, err);
	if (known->map && baseline_open(known->map, bytes, key, &known->baseline, err))
		return known;
	if (known->map)
		munmap((void *)(uintptr_t)known->map, bytes);
	free(known);
	return NULL;
}

void front_set_baseline(struct front *f, int fd, uint64_t bytes, const uint8_t key[SIGN_PUBLIC_SIZE])
{
	struct err err = {{0}};
	struct known *known = f->guard ? known_open(fd, (size_t)bytes, key, &err) : NULL;
	close(fd);
	if (!known) {
		if (f->guard)
			log_error("the baseline cannot be used: %s", err.text);
		return;
	}
	known_unref(f->guard->known);
	f->guard->known = known;
}

struct digest *guard_digest_take(struct guard_side *side)
{
	struct digest *digest =
	    side->digest_count > 0 ? side->digests[--side->digest_count] : digest_new();
	if (digest)
		digest_begin(digest);
	return digest;
}

void guard_digest_give(struct guard_side *side, struct digest *digest)
{
	if (digest && side->digest_count < DIGESTS_SPARE)
		side->digests[side->digest_count++] = digest;
	else if (digest)
		digest_free(digest);
}

/* OpenSSL finds its algorithms now, while files can still be read. */
static bool prepare_digests(struct guard_side *side)
{
	uint8_t sum[DIGEST_SIZE];
	struct digest *first = guard_digest_take(side);
	digest("", 0, sum);
	guard_digest_give(side, first);
	return first != NULL;
}

struct guard_side *guard_side_new(struct front *f, bool *ok, struct err *err)
{
	*ok = true;
	if (!f->settings->internals[INTERNAL_LIFEBOAT])
		return NULL;
	struct guard_side *side = calloc(1, sizeof(*side));
	if (side) {
		side->front = f;
		side->copies = copies_new(f);
		side->slow_until_ms = calloc(f->settings->sites.n, sizeof(*side->slow_until_ms));
	}
	if (side && side->copies && side->slow_until_ms && prepare_digests(side))
		return side;
	guard_side_free(side);
	*ok = err_set(err, "out of memory");
	return NULL;
}

void guard_side_free(struct guard_side *side)
{
	if (!side)
		return;
	known_unref(side->known);
	copies_free(side->copies);
	while (side->digest_count > 0)
		digest_free(side->digests[--side->digest_count]);
	free(side->slow_until_ms);
	free(side);
}
