/* Going back: what was good when some baseline was made is good again. What an operator has
 * rejected since, or whose record or content is gone, does not come back. */
#include <string.h>

#include "guard/vault_inner.h"

enum { THEN_MAX = 64 };

struct then {
	int64_t ids[THEN_MAX]; /* lowest rank first */
	unsigned n;
	unsigned known; /* that were good then, whether or not they are there still */
};

struct journey {
	struct vault *vault;
	uint64_t number, now_s;
	const char *reason;
	struct vault_travel *out;
	struct err *err;
	bool failed;
};

static bool can_return(struct vault *vault, int64_t id)
{
	struct vault_version version;
	return vault_version_get(vault, id, &version) && version.since_s > 0 &&
	       version.state != VAULT_REJECTED &&
	       vault_content_exists(vault, version.content, version.content_bytes);
}

static void find_then(const struct journey *journey, int64_t page, struct then *then)
{
	sqlite3_stmt *stmt = sql_own(journey->vault, SQL_HISTORY_OF_PAGE);
	sql_int(stmt, 1, (uint64_t)page);
	sql_int(stmt, 2, journey->number);
	then->n = then->known = 0;
	while (then->n < THEN_MAX && sql_row(journey->vault, stmt)) {
		int64_t id = (int64_t)col_int(stmt, 0);
		then->known++;
		if (can_return(journey->vault, id))
			then->ids[then->n++] = id;
	}
	sqlite3_finalize(stmt);
}

static void find_now(struct vault *vault, int64_t page, struct then *now)
{
	sqlite3_stmt *stmt = sql_own(vault, SQL_VERSIONS_GOOD);
	struct vault_version version;
	sql_int(stmt, 1, (uint64_t)page);
	now->n = now->known = 0;
	while (now->n < THEN_MAX && sql_row(vault, stmt))
		if (version_read(vault, stmt, &version))
			now->ids[now->n++] = version.id;
	sqlite3_finalize(stmt);
}

static bool has(const struct then *then, int64_t id)
{
	for (unsigned i = 0; i < then->n; i++)
		if (then->ids[i] == id)
			return true;
	return false;
}

static bool is_same(const struct then *then, const struct then *now)
{
	/* the first to be served now is the last in rank then */
	if (then->n != now->n || (then->n > 0 && then->ids[then->n - 1] != now->ids[0]))
		return false;
	for (unsigned i = 0; i < now->n; i++)
		if (!has(then, now->ids[i]))
			return false;
	return true;
}

static bool retire(const struct journey *journey, int64_t id)
{
	return vault_pin(journey->vault, id, false, journey->now_s, journey->err) &&
	       vault_mark(journey->vault, id, VAULT_RETIRED, journey->reason, journey->now_s,
			  journey->err);
}

/* Retired first even where it is good: the ranks are given anew, in their order. */
static bool restore(const struct journey *journey, int64_t id, bool is_good)
{
	return (!is_good || retire(journey, id)) &&
	       vault_mark(journey->vault, id, VAULT_GOOD, journey->reason, journey->now_s,
			  journey->err);
}

static bool change(const struct journey *journey, const struct then *then, const struct then *now)
{
	for (unsigned i = 0; i < now->n; i++)
		if (!has(then, now->ids[i]) && !retire(journey, now->ids[i]))
			return false;
	for (unsigned i = 0; i < then->n; i++)
		if (!restore(journey, then->ids[i], has(now, then->ids[i])))
			return false;
	return true;
}

static bool move_page(struct journey *journey, int64_t page)
{
	struct then then, now;
	find_then(journey, page, &then);
	find_now(journey->vault, page, &now);
	if (then.n == 0 && then.known > 0) {
		journey->out->missing++;
		return true;
	}
	if (is_same(&then, &now))
		return true;
	if (then.n == 0)
		journey->out->dropped++;
	else
		journey->out->pages++;
	return change(journey, &then, &now);
}

static bool on_page(void *context, const struct vault_page *page)
{
	struct journey *journey = context;
	journey->failed = !move_page(journey, page->id);
	return !journey->failed;
}

static bool go(struct journey *journey, uint64_t site, const char *key)
{
	struct vault_page page;
	if (!key) {
		vault_pages(journey->vault, site, on_page, journey);
		return !journey->failed;
	}
	if (!vault_page_get(journey->vault, site, key, &page))
		return err_set(journey->err, "the vault has no page %s of that site", key);
	return move_page(journey, page.id);
}

bool vault_travel(struct vault *vault, uint64_t site, const char *key, uint64_t number,
		  uint64_t now_s, struct vault_travel *out, struct err *err)
{
	struct journey journey = {.vault = vault, .number = number, .now_s = now_s,
				  .reason = "gone back to", .out = out, .err = err};
	*out = (struct vault_travel){0};
	if (number == 0 || number >= baseline_next_number(vault))
		return err_set(err, "the vault has no baseline %llu", (unsigned long long)number);
	if (!vault_begin(vault, err))
		return false;
	if (go(&journey, site, key))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

static bool go_back(const struct journey *journey, int64_t id)
{
	struct vault_version version;
	struct then now, then = {.ids = {id}, .n = 1, .known = 1};
	if (!vault_version_get(journey->vault, id, &version))
		return err_set(journey->err, "there is no such version in the vault");
	if (!vault_content_exists(journey->vault, version.content, version.content_bytes))
		return err_set(journey->err, "the content of version %u is gone", version.number);
	find_now(journey->vault, version.page, &now);
	return change(journey, &then, &now);
}

bool vault_go_back(struct vault *vault, int64_t version, const char *reason, uint64_t now_s,
		   struct err *err)
{
	struct journey journey = {.vault = vault, .now_s = now_s, .reason = reason, .err = err};
	if (!vault_begin(vault, err))
		return false;
	if (go_back(&journey, version))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}
