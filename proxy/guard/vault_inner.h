#ifndef GUARD_VAULT_INNER_H
#define GUARD_VAULT_INNER_H

#include <limits.h>
#include <sqlite3.h>
#include "guard/audit.h"
#include "guard/vault_sql.h"
#include "sallyport/vault.h"

/* What the vault's own files share. */

#define VAULT_CATALOGUE "catalogue.db"
#define VAULT_BASELINE_FILE "baseline"
#define VAULT_BASELINE_NEXT "baseline.next"

enum {
	VAULT_FORMAT = 1,
	RECORD_MAX = 1 << 16,
	BASELINE_FILE_MAX = 1 << 30,
	CONTENT_FILE_MAX = 1 << 30,
	OLD_KEYS_MAX = 32, /* the newest count */
};

struct verified; /* a set of digests, such as those of records whose signature was found good */

struct vault {
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT];
	char path[PATH_MAX];
	int directory, content, lock;
	bool writes;
	struct sign_key *key; /* NULL where it only reads */
	uint8_t public_part[SIGN_PUBLIC_SIZE];
	vault_on_finding *on_finding;
	void *context;
	uint64_t findings;
	struct verified *told; /* digests of what was said of single records: once is enough */
	bool tell_all;        /* while it verifies */
	/* Keys whose signatures count as well, while records are signed anew. */
	uint8_t also[OLD_KEYS_MAX][SIGN_PUBLIC_SIZE];
	unsigned also_n;
	struct strbuf record; /* the one that is being signed or checked */
	struct verified *verified;
	unsigned depth;  /* of transactions */
	bool aborted;    /* an inner one was */
	bool has_next_baseline; /* VAULT_BASELINE_NEXT is whole, and the transaction's */
	struct audit audit;
};

/* ---- findings (vault_open.c) ---- */

void vault_tell(struct vault *vault, enum vault_finding finding, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Some disk said no, errno says why: a finding. Returns false. */
bool vault_tell_errno(struct vault *vault, const struct err *err);

/* ---- the catalogue (vault_open.c) ---- */

/* Ends all statements, and the database with them. */
void catalogue_close(struct vault *vault);
void catalogue_reset(struct vault *vault); /* the statements alone */
/* Hardens a database that is open, and finds out whether it is a whole catalogue of this format. */
MUST_CHECK bool catalogue_accept(struct vault *vault, struct err *err);

/* ---- statements (vault_sql.c). A NULL statement makes each of these fail ---- */

/* The vault's own, reset, nothing bound. NULL: it cannot be prepared, and that was told. */
sqlite3_stmt *sql(struct vault *vault, enum vault_sql which);
/* Another of the same, for loops in which others run; end it with sqlite3_finalize. */
sqlite3_stmt *sql_own(struct vault *vault, enum vault_sql which);
/* Positions count from 1. Bytes must stay until the statement ran. */
void sql_int(sqlite3_stmt *stmt, int at, uint64_t value);
void sql_text(sqlite3_stmt *stmt, int at, const char *text);
void sql_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t len);
/* ptr NULL: NULL. */
void sql_span(sqlite3_stmt *stmt, int at, struct span bytes);
/* Runs to its end and resets. False: what failed is told, and stands in err. */
MUST_CHECK bool sql_run(struct vault *vault, sqlite3_stmt *stmt, struct err *err);
/* The same for a statement with RETURNING: its one number. */
MUST_CHECK bool sql_returning(struct vault *vault, sqlite3_stmt *stmt, int64_t *out,
			      struct err *err);
/* Another row. A failure is told and ends the rows. */
bool sql_row(struct vault *vault, sqlite3_stmt *stmt);
/* Columns count from 0. */
uint64_t col_int(sqlite3_stmt *stmt, int at);
/* False: too long, a NUL inside, or no text. */
bool col_text(sqlite3_stmt *stmt, int at, char *out, size_t room);
/* False: of another size. */
bool col_blob(sqlite3_stmt *stmt, int at, void *out, size_t len);
struct span col_span(sqlite3_stmt *stmt, int at);
/* Ends the rows of a statement that sql() gave. */
void sql_end(sqlite3_stmt *stmt);
/* The only number of its only row; 0 where there is none. */
uint64_t sql_number(struct vault *vault, sqlite3_stmt *stmt);
/* Makes the tables that are missing. */
MUST_CHECK bool sql_create(struct vault *vault, struct err *err);
/* Tells what SQLite says went wrong last. Returns false. */
bool sql_fail(struct vault *vault, struct err *err);

/* ---- meta (vault_meta.c): a name and a signed value ---- */

/* False: not there, of another size or not signed; told. */
bool meta_get(struct vault *vault, const char *name, void *out, size_t len, bool *is_there);
MUST_CHECK bool meta_put(struct vault *vault, const char *name, const void *value, size_t len,
			 struct err *err);

/* ---- records (vault_record.c): what is signed is their kind and all that they say ---- */

void record_begin(struct vault *vault, const char *kind);
void record_int(struct vault *vault, uint64_t value);
void record_text(struct vault *vault, const char *text);
void record_bytes(struct vault *vault, const void *bytes, size_t len);
void record_span(struct vault *vault, struct span bytes); /* absent is another than empty */
/* Signs what was put together. */
MUST_CHECK bool record_sign(struct vault *vault, uint8_t out[SIGNATURE_SIZE], struct err *err);
/* Whether column `at` is the signature of what was put together. */
bool record_is_signed(struct vault *vault, sqlite3_stmt *stmt, int at);
void record_forget(struct vault *vault); /* what is known to be signed: the key is another now */
/* True the first time, as far as memory goes. */
bool record_tell_once(struct vault *vault, const char *text);
void record_release(struct vault *vault);

/* ---- reading a row of each table: false where it is damaged or not signed, which is told. The
 * record is left as it would be signed ---- */

bool meta_read(struct vault *vault, sqlite3_stmt *stmt);    /* of ALL_META */
bool old_key_read(struct vault *vault, sqlite3_stmt *stmt); /* of OLD_KEYS */
bool site_read(struct vault *vault, sqlite3_stmt *stmt, struct vault_site *out);
bool page_read(struct vault *vault, sqlite3_stmt *stmt, struct vault_page *out);
bool host_read(struct vault *vault, sqlite3_stmt *stmt); /* of ALL_HOSTS */
bool baseline_read(struct vault *vault, sqlite3_stmt *stmt); /* of BASELINES */

/* ---- keys (vault_keys.c) ---- */

MUST_CHECK enum vault_opened vault_key_open(struct vault *vault, struct err *err);
/* Makes key and catalogue agree. */
MUST_CHECK bool vault_key_settle(struct vault *vault, struct err *err);
/* A key that signed here once. */
MUST_CHECK bool old_key_add(struct vault *vault, const uint8_t key[SIGN_PUBLIC_SIZE], uint64_t now_s,
			    struct err *err);
/* Its old keys count as well from now on. */
void old_keys_accept(struct vault *vault);
/* Signs with vault->key whatever is signed with a key that counts. *versions: how many of these.
 * Records that nobody signed stay as they are. */
MUST_CHECK bool resign_all(struct vault *vault, uint64_t *versions, struct err *err);
/* Which key the catalogue is signed with. */
MUST_CHECK bool meta_put_key(struct vault *vault, struct err *err);

/* ---- sizes and places ---- */

/* vault_content_get that tells nobody. */
MUST_CHECK bool content_read(struct vault *vault, const uint8_t digest[DIGEST_SIZE],
			     struct strbuf *out, struct err *err);
/* The catalogue has it. */
bool content_is_named(struct vault *vault, const uint8_t digest[DIGEST_SIZE]);
/* Removes files of contents that no version names. */
void content_sweep(struct vault *vault);
void content_remove(struct vault *vault, const uint8_t digest[DIGEST_SIZE]);

/* ---- versions (vault_versions.c) ---- */

/* From a row of the columns that VERSION_COLUMNS names. False: damaged or not signed: told. */
bool version_read(struct vault *vault, sqlite3_stmt *stmt, struct vault_version *out);
/* Signs and writes all that may change. */
MUST_CHECK bool version_save(struct vault *vault, const struct vault_version *version,
			     struct err *err);
/* It is good no more, from the next baseline on. */
MUST_CHECK bool version_end_history(struct vault *vault, const struct vault_version *version,
				    struct err *err);
/* From a row of TOKEN_COLUMNS, as above. */
bool token_read(struct vault *vault, sqlite3_stmt *stmt, struct vault_token *out);
MUST_CHECK bool token_save(struct vault *vault, const struct vault_token *token, struct err *err);
/* The number that the next baseline will have. */
uint64_t baseline_next_number(struct vault *vault);

/* With this number, if that is not lower than the next one. */
MUST_CHECK bool baseline_make_from(struct vault *vault, uint64_t number, const char *reason,
				   uint64_t now_s, struct strbuf *out, struct err *err);
/* vault_baseline_load that tells nobody. */
MUST_CHECK bool baseline_load(struct vault *vault, struct strbuf *out, struct err *err);
/* A baseline that was made but not put in its place by a writer that was killed. */
void baseline_settle(struct vault *vault);

/* ---- audit (vault_audit.c) ---- */

/* False: somebody took it away, or it is not ours. */
bool audit_head_get(struct vault *vault, struct audit_head *out);
/* The head of a chain that has no line yet. */
MUST_CHECK bool vault_audit_begin(struct vault *vault, struct err *err);
/* Finds the end of the chain, and makes file and catalogue agree. */
MUST_CHECK bool vault_audit_open(struct vault *vault, struct err *err);
/* The lines of this transaction: on disk, and their head in the catalogue. */
MUST_CHECK bool vault_audit_flush(struct vault *vault, struct err *err);
/* They did not happen. */
void vault_audit_undo(struct vault *vault);

#endif
