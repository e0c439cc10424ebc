/* Transactions: what belongs together in the catalogue, the audit's lines about it, and the
 * baseline that comes of it. Their order makes a kill harmless: lines are written and their head
 * is put into the transaction, the transaction is committed, the new baseline file takes the old
 * one's place. */
#include <unistd.h>

#include "guard/vault_inner.h"
#include "sallyport/files.h"

bool vault_begin(struct vault *vault, struct err *err)
{
	if (!vault->writes)
		return err_set(err, "the vault is open for reading only");
	if (vault->depth == 0) {
		if (!sql_run(vault, sql(vault, SQL_BEGIN), err))
			return false;
		vault->aborted = false;
	}
	vault->depth++;
	return true;
}

static void undo(struct vault *vault)
{
	/* SQLite may have done it by itself, where the disk is full */
	if (!sqlite3_get_autocommit(vault->db) && !sql_run(vault, sql(vault, SQL_ROLLBACK), NULL))
		vault_tell(vault, VAULT_WRITE_FAILED, "a change of the vault could not be taken back");
	vault_audit_undo(vault);
	if (vault->has_next_baseline)
		unlinkat(vault->directory, VAULT_BASELINE_NEXT, 0);
	vault->has_next_baseline = false;
}

void vault_abort(struct vault *vault)
{
	if (vault->depth == 0)
		return;
	vault->aborted = true;
	if (--vault->depth == 0)
		undo(vault);
}

/* The transaction stands, so this is no reason to say that it does not: the next open ends it. */
static void place_baseline(struct vault *vault)
{
	struct err err = {""};
	if (vault->has_next_baseline &&
	    !file_rename(vault->directory, VAULT_BASELINE_NEXT, VAULT_BASELINE_FILE, &err))
		vault_tell_errno(vault, &err);
	vault->has_next_baseline = false;
}

static bool finish(struct vault *vault, struct err *err)
{
	if (vault->aborted)
		return err_set(err, "a part of the change failed");
	return vault_audit_flush(vault, err) && sql_run(vault, sql(vault, SQL_COMMIT), err);
}

bool vault_commit(struct vault *vault, struct err *err)
{
	if (vault->depth == 0)
		return err_set(err, "no change of the vault is under way");
	if (vault->depth > 1) {
		vault->depth--;
		return !vault->aborted || err_set(err, "a part of the change failed");
	}
	bool ok = finish(vault, err);
	vault->depth = 0;
	if (!ok) {
		undo(vault);
		return false;
	}
	audit_settle(&vault->audit);
	place_baseline(vault);
	return true;
}
