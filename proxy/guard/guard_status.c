/* The guard's figures in shared memory. One writer, which never waits; readers try again while it
 * writes. Where the keeper was ended in the middle of a write its successor writes everything
 * anew. Readers trust no text to end. */
#include "sallyport/guard_status.h"

#include <string.h>

enum { TRIES = 1000 };

static void put(_Atomic uint32_t *turn, void *to, const void *from, size_t len)
{
	uint32_t now = atomic_load_explicit(turn, memory_order_relaxed) | 1;
	atomic_store_explicit(turn, now, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(to, from, len);
	atomic_store_explicit(turn, now + 1, memory_order_release);
}

static bool get(const _Atomic uint32_t *turn, void *to, const void *from, size_t len)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t before = atomic_load_explicit(turn, memory_order_acquire);
		if (before & 1)
			continue;
		memcpy(to, from, len);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(turn, memory_order_relaxed) == before)
			return true;
	}
	return false;
}

void guard_status_put(struct guard_status *status, const struct guard_figures *figures)
{
	put(&status->turn, &status->figures, figures, sizeof(*figures));
}

void guard_status_put_site(struct guard_status *status, unsigned index,
			   const struct guard_site_figures *figures)
{
	if (index < GUARD_SITES_MAX)
		put(&status->of[index].turn, &status->of[index].figures, figures,
		    sizeof(*figures));
}

bool guard_status_get(const struct guard_status *status, struct guard_figures *out)
{
	if (!get(&status->turn, out, &status->figures, sizeof(*out)))
		return false;
	out->vault_error[GUARD_WHY_SIZE - 1] = '\0';
	return true;
}

bool guard_status_get_site(const struct guard_status *status, unsigned index,
			   struct guard_site_figures *out)
{
	if (index >= GUARD_SITES_MAX ||
	    !get(&status->of[index].turn, out, &status->of[index].figures, sizeof(*out)))
		return false;
	out->name[SITE_NAME_SIZE - 1] = '\0';
	out->why[GUARD_WHY_SIZE - 1] = '\0';
	return out->site != 0;
}
