/* The audit in the vault: what a line says, and where its head is kept. Lines are written and
 * synced right before their transaction counts; where it then does not, or the process was killed
 * in between, they are cut off again, since what they tell did not happen. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guard/vault_inner.h"
#include "sallyport/clock.h"
#include "sallyport/files.h"
#include "sallyport/json.h"

#define AUDIT_META "audit"

static bool put_head(struct vault *vault, const struct audit_head *head, struct err *err)
{
	uint8_t bytes[AUDIT_HEAD_SIZE];
	audit_head_pack(head, bytes);
	return meta_put(vault, AUDIT_META, bytes, sizeof(bytes), err);
}

bool audit_head_get(struct vault *vault, struct audit_head *out)
{
	uint8_t bytes[AUDIT_HEAD_SIZE];
	bool is_there;
	if (!meta_get(vault, AUDIT_META, bytes, sizeof(bytes), &is_there))
		return false;
	audit_head_unpack(bytes, out);
	return true;
}

bool vault_audit_begin(struct vault *vault, struct err *err)
{
	struct audit_head none = {0};
	return put_head(vault, &none, err);
}

/* A chain that is broken stays as it is, beside a new one. */
static bool begin_anew(struct vault *vault, struct err *err)
{
	char aside[64];
	struct audit_head none = {0};
	snprintf(aside, sizeof(aside), AUDIT_FILE ".broken-%lld", (long long)time(NULL));
	if (renameat(vault->directory, AUDIT_FILE, vault->directory, aside) != 0 && errno != ENOENT)
		return err_set(err, "cannot rename " AUDIT_FILE ": %s", strerror(errno));
	audit_release(&vault->audit);
	audit_init(&vault->audit, &none);
	return put_head(vault, &none, err);
}

bool vault_audit_open(struct vault *vault, struct err *err)
{
	struct err why = {"the end of " AUDIT_FILE " is not known"};
	struct audit_head head = {0};
	bool is_known = audit_head_get(vault, &head);
	audit_init(&vault->audit, &head);
	if (!is_known || !audit_check_end(vault->directory, &head, &why)) {
		vault_tell(vault, VAULT_BAD_AUDIT, "%s", why.text);
		return !vault->writes || begin_anew(vault, err);
	}
	if (!vault->writes)
		return true;
	vault->audit.written = true; /* by whoever was killed, perhaps */
	return audit_undo(&vault->audit, vault->directory, err);
}

bool vault_audit_flush(struct vault *vault, struct err *err)
{
	struct err why = {""};
	if (vault->audit.lines.len == 0)
		return true;
	if (!audit_write(&vault->audit, vault->directory, &why)) {
		vault_tell_errno(vault, &why);
		return err_set(err, "%s", why.text);
	}
	return put_head(vault, &vault->audit.pending, err);
}

void vault_audit_undo(struct vault *vault)
{
	struct err why = {""};
	if (!audit_undo(&vault->audit, vault->directory, &why))
		vault_tell(vault, VAULT_WRITE_FAILED, "%s", why.text);
}

static void add_text(struct json_writer *writer, const char *key, const char *text)
{
	if (text)
		json_add_text(writer, key, span_from_str(text));
}

static size_t write_members(const struct vault_decision *decision, uint64_t now_s,
			    char out[AUDIT_LINE_MAX])
{
	char when[CLOCK_ISO_SIZE];
	struct json_writer writer;
	clock_format_iso(now_s * 1000000, when);
	json_begin(&writer);
	add_text(&writer, "time", when);
	add_text(&writer, "who", decision->who);
	add_text(&writer, "what", decision->what);
	add_text(&writer, "site", decision->site);
	add_text(&writer, "url", decision->url);
	if (decision->version > 0)
		json_add_number(&writer, "version", decision->version);
	add_text(&writer, "why", decision->why);
	return json_end_to(&writer, out, AUDIT_LINE_MAX);
}

static bool add_line(struct vault *vault, const struct vault_decision *decision, uint64_t now_s,
		     struct err *err)
{
	char members[AUDIT_LINE_MAX];
	size_t len = write_members(decision, now_s, members);
	if (len < 2)
		return err_set(err, "a decision is too long for the audit");
	/* without its braces */
	return audit_add(&vault->audit, span_of(members + 1, len - 2), err);
}

bool vault_audit(struct vault *vault, const struct vault_decision *decision, uint64_t now_s,
		 struct err *err)
{
	if (!vault_begin(vault, err))
		return false;
	if (add_line(vault, decision, now_s, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}
