/* Keeping to a size: the oldest versions go, never what is served last nor what is pinned. The
 * catalogue forgets first, the files go after: a kill in between leaves files that nobody
 * names, which the next open sweeps away. */
#include <stdlib.h>

#include "guard/vault_inner.h"

enum { BATCH = 256 };

struct victim {
	int64_t version;
	uint64_t bytes;
	uint8_t content[DIGEST_SIZE];
	bool is_good;
};

struct batch {
	struct victim of[BATCH];
	unsigned n;
};

static bool forget(struct vault *vault, const struct victim *victim, struct vault_eviction *out,
		   struct err *err)
{
	struct vault_version version;
	if (victim->is_good && vault_version_get(vault, victim->version, &version) &&
	    !version_end_history(vault, &version, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_VERSION_FORGET);
	sql_int(stmt, 1, (uint64_t)victim->version);
	if (!sql_run(vault, stmt, err))
		return false;
	out->versions++;
	out->baseline_changed |= victim->is_good;
	return true;
}

/* Whom one leaves alone does not depend on whether another goes, so many are found at once. */
static void find_victims(struct vault *vault, sqlite3_stmt *stmt, struct batch *out)
{
	out->n = 0;
	while (out->n < BATCH && sql_row(vault, stmt)) {
		struct victim *victim = &out->of[out->n++];
		victim->version = (int64_t)col_int(stmt, 0);
		victim->is_good = col_int(stmt, 1) == VAULT_GOOD;
		victim->bytes = col_int(stmt, 2);
		if (!col_blob(stmt, 3, victim->content, DIGEST_SIZE))
			victim->bytes = 0;
	}
	sql_end(stmt);
}

static bool trim_pages(struct vault *vault, uint64_t versions, struct vault_eviction *out,
		       struct err *err)
{
	struct batch batch;
	do {
		sqlite3_stmt *stmt = sql(vault, SQL_EVICT_OF_PAGES);
		sql_int(stmt, 1, versions);
		find_victims(vault, stmt, &batch);
		for (unsigned i = 0; i < batch.n; i++)
			if (!forget(vault, &batch.of[i], out, err))
				return false;
	} while (batch.n == BATCH);
	return true;
}

/* ---- contents that no version names any more ---- */

struct unused {
	uint8_t (*digests)[DIGEST_SIZE];
	size_t n, room;
	uint64_t bytes;
};

static bool note(struct unused *unused, sqlite3_stmt *stmt)
{
	if (unused->n == unused->room) {
		size_t room = unused->room ? 2 * unused->room : 64;
		uint8_t(*more)[DIGEST_SIZE] = realloc(unused->digests, room * DIGEST_SIZE);
		if (!more)
			return false;
		unused->digests = more;
		unused->room = room;
	}
	if (col_blob(stmt, 0, unused->digests[unused->n], DIGEST_SIZE)) {
		unused->n++;
		unused->bytes += col_int(stmt, 1);
	}
	return true;
}

static bool find_unused(struct vault *vault, struct unused *out, struct err *err)
{
	sqlite3_stmt *stmt = sql(vault, SQL_CONTENTS_UNUSED);
	bool ok = true;
	while (ok && sql_row(vault, stmt))
		ok = note(out, stmt);
	sql_end(stmt);
	return ok || err_set(err, "no memory to tidy the vault up");
}

static bool forget_unused(struct vault *vault, struct unused *out, struct err *err)
{
	return find_unused(vault, out, err) &&
	       sql_run(vault, sql(vault, SQL_CONTENTS_FORGET_UNUSED), err);
}

static void remove_unused(struct vault *vault, const struct unused *unused)
{
	for (size_t i = 0; i < unused->n; i++)
		content_remove(vault, unused->digests[i]);
}

/* ---- in all ---- */

static bool is_used(struct vault *vault, const uint8_t content[DIGEST_SIZE])
{
	sqlite3_stmt *stmt = sql(vault, SQL_CONTENT_IS_USED);
	sql_blob(stmt, 1, content, DIGEST_SIZE);
	return sql_number(vault, stmt) != 0;
}

/* *size: what is left after each of them. */
static bool forget_until(struct vault *vault, const struct batch *batch, uint64_t size_bytes,
			 uint64_t *size, struct vault_eviction *out, struct err *err)
{
	for (unsigned i = 0; i < batch->n && *size > size_bytes; i++) {
		const struct victim *victim = &batch->of[i];
		if (!forget(vault, victim, out, err))
			return false;
		if (!is_used(vault, victim->content))
			*size -= victim->bytes < *size ? victim->bytes : *size;
	}
	return true;
}

static bool trim_size(struct vault *vault, uint64_t size_bytes, struct unused *unused,
		      struct vault_eviction *out, struct err *err)
{
	uint64_t size = vault_size(vault);
	struct batch batch = {.n = BATCH};
	while (size > size_bytes && batch.n > 0) {
		find_victims(vault, sql(vault, SQL_EVICT_OLDEST), &batch);
		if (!forget_until(vault, &batch, size_bytes, &size, out, err))
			return false;
	}
	out->over_size = size > size_bytes;
	return forget_unused(vault, unused, err);
}

static bool evict(struct vault *vault, uint64_t size_bytes, uint64_t versions,
		  struct unused *unused, struct vault_eviction *out, struct err *err)
{
	if (!vault_begin(vault, err))
		return false;
	if (trim_pages(vault, versions, out, err) && forget_unused(vault, unused, err) &&
	    trim_size(vault, size_bytes, unused, out, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

bool vault_evict(struct vault *vault, uint64_t size_bytes, uint64_t versions,
		 struct vault_eviction *out, struct err *err)
{
	struct unused unused = {0};
	*out = (struct vault_eviction){0};
	if (vault->depth > 0)
		return err_set(err, "files cannot be removed before a change stands");
	bool ok = evict(vault, size_bytes, versions, &unused, out, err);
	if (ok) {
		remove_unused(vault, &unused);
		out->bytes = unused.bytes;
	}
	if (ok && out->over_size)
		vault_tell(vault, VAULT_OVER_SIZE,
			   "the vault has %llu bytes that must be kept, and the policy allows %llu",
			   (unsigned long long)vault_size(vault), (unsigned long long)size_bytes);
	free(unused.digests);
	return ok;
}
