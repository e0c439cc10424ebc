/* Versions of pages: what one was, and whether it is good. Each change signs the whole record
 * anew. What is good from which baseline to which is written down, to be gone back to. */
#include <stdio.h>
#include <string.h>

#include "guard/vault_inner.h"

enum { COL_SIGNATURE = 21, COL_FIELDS = 16 };

const char *vault_state_name(enum vault_state state)
{
	static const char *const names[VAULT_STATES] = {
	    "-", "candidate", "good", "retired", "held", "rejected",
	};
	return state >= VAULT_STATE_UNSET && state < VAULT_STATES ? names[state] : "-";
}

/* ---- records ---- */

static void record_version(struct vault *vault, const struct vault_version *version, uint64_t site,
			   const char *key)
{
	record_begin(vault, "version");
	record_int(vault, site);
	record_text(vault, key);
	record_int(vault, version->number);
	record_int(vault, version->state);
	record_int(vault, version->pinned);
	record_int(vault, version->samples);
	record_int(vault, version->head.status);
	record_bytes(vault, version->digest, DIGEST_SIZE);
	record_bytes(vault, version->content, DIGEST_SIZE);
	record_int(vault, version->content_bytes);
	record_int(vault, version->first_seen_s);
	record_int(vault, version->last_seen_s);
	record_int(vault, version->since_s);
	record_int(vault, (uint64_t)version->rank);
	record_text(vault, version->origin);
	record_text(vault, version->reason);
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++)
		record_span(vault, version->head.fields[i]);
}

static bool fill_fields(sqlite3_stmt *stmt, struct vault_version *out)
{
	char *at = out->texts;
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++) {
		struct span value = col_span(stmt, COL_FIELDS + (int)i);
		if (value.len > PAGE_FIELD_MAX)
			return false;
		if (!value.ptr)
			continue;
		memcpy(at, value.ptr, value.len);
		out->head.fields[i] = span_of(at, value.len);
		at += value.len;
	}
	return true;
}

static bool fill_version(sqlite3_stmt *stmt, struct vault_version *out)
{
	uint64_t state = col_int(stmt, 3), status = col_int(stmt, 6);
	memset(out, 0, offsetof(struct vault_version, texts));
	out->id = (int64_t)col_int(stmt, 0);
	out->page = (int64_t)col_int(stmt, 1);
	out->number = (uint32_t)col_int(stmt, 2);
	out->pinned = col_int(stmt, 4) == 1;
	out->samples = (uint32_t)col_int(stmt, 5);
	out->content_bytes = col_int(stmt, 9);
	out->first_seen_s = col_int(stmt, 10);
	out->last_seen_s = col_int(stmt, 11);
	out->since_s = col_int(stmt, 12);
	out->rank = (int64_t)col_int(stmt, 13);
	if (state == VAULT_STATE_UNSET || state >= VAULT_STATES || status < 200 || status > 599)
		return false;
	out->state = (enum vault_state)state;
	out->head.status = (uint16_t)status;
	return col_blob(stmt, 7, out->digest, DIGEST_SIZE) &&
	       col_blob(stmt, 8, out->content, DIGEST_SIZE) &&
	       col_text(stmt, 14, out->origin, sizeof(out->origin)) &&
	       col_text(stmt, 15, out->reason, sizeof(out->reason)) && fill_fields(stmt, out);
}

bool version_read(struct vault *vault, sqlite3_stmt *stmt, struct vault_version *out)
{
	char key[PAGE_KEY_MAX + 1] = "";
	bool ok = fill_version(stmt, out) && col_text(stmt, COL_SIGNATURE + 2, key, sizeof(key));
	record_version(vault, out, col_int(stmt, COL_SIGNATURE + 1), key);
	if (ok && record_is_signed(vault, stmt, COL_SIGNATURE))
		return true;
	vault_tell(vault, VAULT_BAD_SIGNATURE, "the record of version %u of page %.200s was not signed by us",
		   out->number, key);
	return false;
}

static bool sign_version(struct vault *vault, const struct vault_version *version,
			 uint8_t signature[SIGNATURE_SIZE], struct err *err)
{
	struct vault_page page;
	if (!vault_page_of(vault, version->page, &page))
		return err_set(err, "the version's page is not in the vault");
	record_version(vault, version, page.site, page.key);
	return record_sign(vault, signature, err);
}

bool version_save(struct vault *vault, const struct vault_version *version, struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	if (!sign_version(vault, version, signature, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_VERSION_SAVE);
	sql_int(stmt, 1, (uint64_t)version->id);
	sql_int(stmt, 2, version->state);
	sql_int(stmt, 3, version->pinned);
	sql_int(stmt, 4, version->samples);
	sql_int(stmt, 5, version->last_seen_s);
	sql_int(stmt, 6, version->since_s);
	sql_int(stmt, 7, (uint64_t)version->rank);
	sql_text(stmt, 8, version->reason);
	sql_blob(stmt, 9, signature, SIGNATURE_SIZE);
	return sql_run(vault, stmt, err);
}

/* ---- looking up ---- */

static bool read_one(struct vault *vault, sqlite3_stmt *stmt, struct vault_version *out)
{
	bool found = sql_row(vault, stmt) && version_read(vault, stmt, out);
	sql_end(stmt);
	return found;
}

bool vault_version_get(struct vault *vault, int64_t id, struct vault_version *out)
{
	sqlite3_stmt *stmt = sql(vault, SQL_VERSION_GET);
	sql_int(stmt, 1, (uint64_t)id);
	return read_one(vault, stmt, out);
}

bool vault_version_numbered(struct vault *vault, int64_t page, uint32_t number,
			    struct vault_version *out)
{
	sqlite3_stmt *stmt = sql(vault, SQL_VERSION_NUMBERED);
	sql_int(stmt, 1, (uint64_t)page);
	sql_int(stmt, 2, number);
	return read_one(vault, stmt, out);
}

bool vault_version_find(struct vault *vault, int64_t page, const uint8_t wanted[DIGEST_SIZE],
			struct vault_version *out)
{
	sqlite3_stmt *stmt = sql(vault, SQL_VERSION_FIND);
	sql_int(stmt, 1, (uint64_t)page);
	sql_blob(stmt, 2, wanted, DIGEST_SIZE);
	return read_one(vault, stmt, out);
}

/* One that is damaged does not hide the next. */
bool vault_version_good(struct vault *vault, int64_t page, struct vault_version *out)
{
	sqlite3_stmt *stmt = sql(vault, SQL_VERSIONS_GOOD);
	bool found = false;
	sql_int(stmt, 1, (uint64_t)page);
	while (!found && sql_row(vault, stmt))
		found = version_read(vault, stmt, out);
	sql_end(stmt);
	return found;
}

void vault_versions(struct vault *vault, int64_t page, vault_on_version *on_version, void *context)
{
	sqlite3_stmt *stmt = sql_own(vault, SQL_VERSIONS);
	struct vault_version version;
	bool more = true;
	sql_int(stmt, 1, (uint64_t)page);
	while (more && sql_row(vault, stmt))
		if (version_read(vault, stmt, &version))
			more = on_version(context, &version);
	sqlite3_finalize(stmt);
}

/* ---- changing ---- */

static bool begin_history(struct vault *vault, const struct vault_version *version, struct err *err)
{
	uint64_t number = baseline_next_number(vault);
	sqlite3_stmt *stmt = sql(vault, SQL_HISTORY_BEGIN);
	sql_int(stmt, 1, (uint64_t)version->id);
	sql_int(stmt, 2, (uint64_t)version->page);
	sql_int(stmt, 3, number);
	sql_int(stmt, 4, (uint64_t)version->rank);
	return sql_run(vault, stmt, err);
}

/* What was good for no baseline at all leaves no trace. */
bool version_end_history(struct vault *vault, const struct vault_version *version, struct err *err)
{
	uint64_t number = baseline_next_number(vault);
	sqlite3_stmt *stmt = sql(vault, SQL_HISTORY_END);
	sql_int(stmt, 1, (uint64_t)version->id);
	sql_int(stmt, 2, (uint64_t)version->page);
	sql_int(stmt, 3, number);
	if (!sql_run(vault, stmt, err))
		return false;
	stmt = sql(vault, SQL_HISTORY_DROP_EMPTY);
	sql_int(stmt, 1, (uint64_t)version->id);
	sql_int(stmt, 2, (uint64_t)version->page);
	return sql_run(vault, stmt, err);
}

static void become_good(struct vault *vault, struct vault_version *version, uint64_t now_s)
{
	version->since_s = now_s;
	version->rank = (int64_t)sql_number(vault, sql(vault, SQL_VERSION_RANK));
}

static void bind_version(sqlite3_stmt *stmt, const struct vault_version *version,
			 const uint8_t signature[SIGNATURE_SIZE])
{
	sql_int(stmt, 1, (uint64_t)version->page);
	sql_int(stmt, 2, version->number);
	sql_int(stmt, 3, version->state);
	sql_int(stmt, 4, version->pinned);
	sql_int(stmt, 5, version->samples);
	sql_int(stmt, 6, version->head.status);
	sql_blob(stmt, 7, version->digest, DIGEST_SIZE);
	sql_blob(stmt, 8, version->content, DIGEST_SIZE);
	sql_int(stmt, 9, version->content_bytes);
	sql_int(stmt, 10, version->first_seen_s);
	sql_int(stmt, 11, version->last_seen_s);
	sql_int(stmt, 12, version->since_s);
	sql_int(stmt, 13, (uint64_t)version->rank);
	sql_text(stmt, 14, version->origin);
	sql_text(stmt, 15, version->reason);
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++)
		sql_span(stmt, 16 + (int)i, version->head.fields[i]);
	sql_blob(stmt, 21, signature, SIGNATURE_SIZE);
}

static bool is_addable(struct vault *vault, const struct vault_version *version, struct err *err)
{
	if (version->state <= VAULT_STATE_UNSET || version->state >= VAULT_STATES)
		return err_set(err, "a version needs a state");
	if (version->head.status < 200 || version->head.status > 599)
		return err_set(err, "a version cannot have status %u", version->head.status);
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++)
		if (version->head.fields[i].len > PAGE_FIELD_MAX)
			return err_set(err, "a field of a version has more than %d bytes",
				       PAGE_FIELD_MAX);
	return vault_content_exists(vault, version->content, version->content_bytes) ||
	       err_set(err, "a version's content is not in the vault");
}

/* A record with that digest that is damaged makes room. */
static bool clear_damaged(struct vault *vault, const struct vault_version *version, struct err *err)
{
	struct vault_version there;
	if (vault_version_find(vault, version->page, version->digest, &there))
		return err_set(err, "version %u of the page is the same", there.number);
	sqlite3_stmt *stmt = sql(vault, SQL_VERSION_CLEAR);
	sql_int(stmt, 1, (uint64_t)version->page);
	sql_blob(stmt, 2, version->digest, DIGEST_SIZE);
	return sql_run(vault, stmt, err);
}

static bool number_version(struct vault *vault, struct vault_version *version, struct err *err)
{
	int64_t number;
	sqlite3_stmt *stmt = sql(vault, SQL_PAGE_NUMBER);
	sql_int(stmt, 1, (uint64_t)version->page);
	if (!sql_returning(vault, stmt, &number, err))
		return false;
	version->number = (uint32_t)number;
	return true;
}

static bool insert_version(struct vault *vault, struct vault_version *version, uint64_t now_s,
			   struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	if (!is_addable(vault, version, err) || !clear_damaged(vault, version, err) ||
	    !number_version(vault, version, err))
		return false;
	if (version->state == VAULT_GOOD)
		become_good(vault, version, now_s);
	if (!sign_version(vault, version, signature, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_VERSION_ADD);
	bind_version(stmt, version, signature);
	return sql_returning(vault, stmt, &version->id, err) &&
	       (version->state != VAULT_GOOD || begin_history(vault, version, err));
}

bool vault_version_add(struct vault *vault, struct vault_version *version, uint64_t now_s,
		       struct err *err)
{
	if (!vault_begin(vault, err))
		return false;
	if (insert_version(vault, version, now_s, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

/* ---- one change at a time, each a transaction ---- */

typedef bool change(struct vault *vault, struct vault_version *version, const void *argument,
		    uint64_t now_s, struct err *err);

static bool change_version(struct vault *vault, int64_t id, change *apply, const void *argument,
			   uint64_t now_s, struct err *err)
{
	struct vault_version version;
	if (!vault_begin(vault, err))
		return false;
	bool found = vault_version_get(vault, id, &version);
	if (!found)
		err_set(err, "there is no such version in the vault");
	if (found && apply(vault, &version, argument, now_s, err) &&
	    version_save(vault, &version, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

static bool see(struct vault *vault, struct vault_version *version, const void *argument,
		uint64_t now_s, struct err *err)
{
	(void)vault;
	(void)argument;
	(void)err;
	version->last_seen_s = now_s;
	version->samples += version->samples < UINT32_MAX;
	return true;
}

bool vault_version_seen(struct vault *vault, int64_t id, uint64_t now_s, struct err *err)
{
	return change_version(vault, id, see, NULL, now_s, err);
}

/* Good once more: nothing but its reason changes. */
static bool move(struct vault *vault, struct vault_version *version, enum vault_state state,
		 uint64_t now_s, struct err *err)
{
	enum vault_state before = version->state;
	version->state = state;
	if (state == before)
		return true;
	if (before == VAULT_GOOD)
		return version_end_history(vault, version, err);
	if (state != VAULT_GOOD)
		return true;
	become_good(vault, version, now_s);
	return begin_history(vault, version, err);
}

struct mark {
	enum vault_state state;
	const char *reason;
};

static bool mark(struct vault *vault, struct vault_version *version, const void *argument,
		 uint64_t now_s, struct err *err)
{
	const struct mark *wanted = argument;
	if (wanted->state <= VAULT_STATE_UNSET || wanted->state >= VAULT_STATES)
		return err_set(err, "a version needs a state");
	if (version->pinned && wanted->state != VAULT_GOOD)
		return err_set(err, "version %u is pinned", version->number);
	snprintf(version->reason, sizeof(version->reason), "%s", wanted->reason ? wanted->reason : "");
	return move(vault, version, wanted->state, now_s, err);
}

bool vault_mark(struct vault *vault, int64_t id, enum vault_state state, const char *reason,
		uint64_t now_s, struct err *err)
{
	struct mark wanted = {state, reason};
	return change_version(vault, id, mark, &wanted, now_s, err);
}

struct pinned_one {
	int64_t id;
	int64_t except;
};

static bool note_pinned(void *context, const struct vault_version *version)
{
	struct pinned_one *one = context;
	if (version->pinned && version->id != one->except)
		one->id = version->id;
	return one->id == 0;
}

static bool pin(struct vault *vault, struct vault_version *version, const void *argument,
		uint64_t now_s, struct err *err)
{
	struct pinned_one other = {0, version->id};
	version->pinned = *(const bool *)argument;
	if (!version->pinned)
		return true;
	vault_versions(vault, version->page, note_pinned, &other);
	if (other.id != 0 && !vault_pin(vault, other.id, false, now_s, err))
		return false;
	return move(vault, version, VAULT_GOOD, now_s, err);
}

bool vault_pin(struct vault *vault, int64_t id, bool pinned, uint64_t now_s, struct err *err)
{
	return change_version(vault, id, pin, &pinned, now_s, err);
}
