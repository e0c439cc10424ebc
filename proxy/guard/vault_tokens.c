/* One-time tokens of deploy pipelines: kept by their digest, so that who reads the vault can use
 * none of them. */
#include <string.h>

#include "guard/vault_inner.h"

static void record_token(struct vault *vault, const struct vault_token *token)
{
	record_begin(vault, "token");
	record_bytes(vault, token->token, DIGEST_SIZE);
	record_int(vault, token->site);
	record_int(vault, token->made_s);
	record_int(vault, token->expires_s);
	record_int(vault, token->publish_s);
	record_int(vault, token->used_s);
	record_text(vault, token->label);
}

bool token_save(struct vault *vault, const struct vault_token *token, struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	record_token(vault, token);
	if (!record_sign(vault, signature, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_TOKEN_PUT);
	sql_blob(stmt, 1, token->token, DIGEST_SIZE);
	sql_int(stmt, 2, token->site);
	sql_int(stmt, 3, token->made_s);
	sql_int(stmt, 4, token->expires_s);
	sql_int(stmt, 5, token->publish_s);
	sql_int(stmt, 6, token->used_s);
	sql_text(stmt, 7, token->label);
	sql_blob(stmt, 8, signature, SIGNATURE_SIZE);
	return sql_run(vault, stmt, err);
}

/* Those that expired before it was made are of no use to anybody. */
bool vault_token_add(struct vault *vault, const struct vault_token *token, struct err *err)
{
	if (!vault_begin(vault, err))
		return false;
	sqlite3_stmt *stmt = sql(vault, SQL_TOKENS_EXPIRE);
	sql_int(stmt, 1, token->made_s);
	if (sql_run(vault, stmt, err) && token_save(vault, token, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}

static bool fill_token(sqlite3_stmt *stmt, struct vault_token *out)
{
	*out = (struct vault_token){.site = col_int(stmt, 1)};
	out->made_s = col_int(stmt, 2);
	out->expires_s = col_int(stmt, 3);
	out->publish_s = col_int(stmt, 4);
	out->used_s = col_int(stmt, 5);
	return col_blob(stmt, 0, out->token, DIGEST_SIZE) &&
	       col_text(stmt, 6, out->label, sizeof(out->label));
}

bool token_read(struct vault *vault, sqlite3_stmt *stmt, struct vault_token *out)
{
	bool ok = fill_token(stmt, out);
	record_token(vault, out);
	if (ok && record_is_signed(vault, stmt, 7))
		return true;
	vault_tell(vault, VAULT_BAD_SIGNATURE, "the record of token %s was not signed by us", out->label);
	return false;
}

static bool get_token(struct vault *vault, const uint8_t token[DIGEST_SIZE], struct vault_token *out)
{
	sqlite3_stmt *stmt = sql(vault, SQL_TOKEN_GET);
	sql_blob(stmt, 1, token, DIGEST_SIZE);
	bool found = sql_row(vault, stmt) && token_read(vault, stmt, out);
	sql_end(stmt);
	return found;
}

static bool use_token(struct vault *vault, const uint8_t token[DIGEST_SIZE], uint64_t now_s,
		      struct vault_token *out, struct err *err)
{
	if (!get_token(vault, token, out))
		return err_set(err, "there is no such token");
	if (out->used_s > 0)
		return err_set(err, "the token was used before");
	if (out->expires_s <= now_s)
		return err_set(err, "the token has expired");
	out->used_s = now_s;
	return token_save(vault, out, err);
}

bool vault_token_use(struct vault *vault, const uint8_t token[DIGEST_SIZE], uint64_t now_s,
		     struct vault_token *out, struct err *err)
{
	if (!vault_begin(vault, err))
		return false;
	if (use_token(vault, token, now_s, out, err))
		return vault_commit(vault, err);
	vault_abort(vault);
	return false;
}
