#ifndef GUARD_VAULT_SQL_H
#define GUARD_VAULT_SQL_H

/* Every statement that the vault runs, and its tables. Values are bound, never written into a
 * text; that is why there is no other SQL anywhere. */

#define VAULT_TABLES                                                                               \
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL, signature BLOB NOT NULL)"   \
	" STRICT, WITHOUT ROWID;"                                                                  \
	"CREATE TABLE old_keys(key BLOB PRIMARY KEY, until_s INTEGER NOT NULL,"                    \
	" signature BLOB NOT NULL) STRICT, WITHOUT ROWID;"                                         \
	"CREATE TABLE sites(site INTEGER PRIMARY KEY, name TEXT NOT NULL, state INTEGER NOT NULL," \
	" reason TEXT NOT NULL, since_s INTEGER NOT NULL, confirmed INTEGER NOT NULL,"             \
	" publish_until_s INTEGER NOT NULL, signature BLOB NOT NULL) STRICT;"                      \
	"CREATE TABLE pages(page INTEGER PRIMARY KEY, site INTEGER NOT NULL REFERENCES sites"      \
	" ON DELETE CASCADE, key TEXT NOT NULL, policy INTEGER NOT NULL, depth INTEGER NOT NULL,"  \
	" source INTEGER NOT NULL, first_seen_s INTEGER NOT NULL, last_seen_s INTEGER NOT NULL,"   \
	" due_s INTEGER NOT NULL, last_number INTEGER NOT NULL DEFAULT 0, signature BLOB NOT NULL,"\
	" UNIQUE(site, key)) STRICT;"                                                              \
	"CREATE TABLE versions(version INTEGER PRIMARY KEY AUTOINCREMENT, page INTEGER NOT NULL REFERENCES pages"\
	" ON DELETE CASCADE, number INTEGER NOT NULL, state INTEGER NOT NULL,"                     \
	" pinned INTEGER NOT NULL, samples INTEGER NOT NULL, status INTEGER NOT NULL,"             \
	" digest BLOB NOT NULL, content BLOB NOT NULL, bytes INTEGER NOT NULL,"                    \
	" first_seen_s INTEGER NOT NULL, last_seen_s INTEGER NOT NULL, since_s INTEGER NOT NULL,"  \
	" rank INTEGER NOT NULL, origin TEXT NOT NULL, reason TEXT NOT NULL, field_0 BLOB,"        \
	" field_1 BLOB, field_2 BLOB, field_3 BLOB, field_4 BLOB, signature BLOB NOT NULL,"        \
	" UNIQUE(page, digest), UNIQUE(page, number)) STRICT;"                                     \
	"CREATE INDEX versions_content ON versions(content);"                                      \
	"CREATE TABLE contents(content BLOB PRIMARY KEY, bytes INTEGER NOT NULL) STRICT,"          \
	" WITHOUT ROWID;"                                                                          \
	"CREATE TABLE history(version INTEGER NOT NULL, page INTEGER NOT NULL REFERENCES pages"    \
	" ON DELETE CASCADE, from_number INTEGER NOT NULL, until_number INTEGER,"                  \
	" rank INTEGER NOT NULL, PRIMARY KEY(page, version, from_number)) STRICT, WITHOUT ROWID;"  \
	"CREATE TABLE hosts(site INTEGER NOT NULL REFERENCES sites ON DELETE CASCADE,"             \
	" host TEXT NOT NULL, who TEXT NOT NULL, since_s INTEGER NOT NULL,"                        \
	" signature BLOB NOT NULL, PRIMARY KEY(site, host)) STRICT, WITHOUT ROWID;"                \
	"CREATE TABLE held(held INTEGER PRIMARY KEY, site INTEGER NOT NULL, key TEXT NOT NULL,"    \
	" digest BLOB NOT NULL, severity INTEGER NOT NULL, reason TEXT NOT NULL,"                  \
	" host TEXT NOT NULL, first_s INTEGER NOT NULL, last_s INTEGER NOT NULL,"                  \
	" times INTEGER NOT NULL, version INTEGER NOT NULL, UNIQUE(site, key, digest)) STRICT;"    \
	"CREATE TABLE tokens(token BLOB PRIMARY KEY, site INTEGER NOT NULL, made_s INTEGER"        \
	" NOT NULL, expires_s INTEGER NOT NULL, publish_s INTEGER NOT NULL, used_s INTEGER"        \
	" NOT NULL, label TEXT NOT NULL, signature BLOB NOT NULL) STRICT, WITHOUT ROWID;"          \
	"CREATE TABLE baselines(number INTEGER PRIMARY KEY, made_s INTEGER NOT NULL,"              \
	" bytes INTEGER NOT NULL, digest BLOB NOT NULL, reason TEXT NOT NULL,"                     \
	" signature BLOB NOT NULL) STRICT;"

#define SITE_COLUMNS "site, name, state, reason, since_s, confirmed, publish_until_s, signature"
#define PAGE_COLUMNS                                                                               \
	"page, site, key, policy, depth, source, first_seen_s, last_seen_s, due_s, signature"
#define VERSION_COLUMNS                                                                            \
	"v.version, v.page, v.number, v.state, v.pinned, v.samples, v.status, v.digest, v.content,"\
	" v.bytes, v.first_seen_s, v.last_seen_s, v.since_s, v.rank, v.origin, v.reason,"          \
	" v.field_0, v.field_1, v.field_2, v.field_3, v.field_4, v.signature, p.site, p.key"
#define FROM_VERSIONS " FROM versions v JOIN pages p ON p.page = v.page "
/* Needed: pinned, or what is served; of a page where nothing is good, what was good last. */
#define FROM_VERSIONS_NEEDED                                                                       \
	" FROM (SELECT *, pinned OR (since_s > 0 AND row_number() OVER (PARTITION BY page ORDER"   \
	" BY pinned DESC, state = 2 DESC, since_s > 0 DESC, rank DESC) = 1) AS needed"             \
	" FROM versions) "
#define HELD_COLUMNS                                                                               \
	"held, site, key, digest, severity, reason, host, first_s, last_s, times, version"
#define TOKEN_COLUMNS "token, site, made_s, expires_s, publish_s, used_s, label, signature"

/* States are those of enum vault_state: 2 good, 3 retired. */
#define VAULT_SQL(ROW)                                                                             \
	ROW(BEGIN, "BEGIN IMMEDIATE")                                                              \
	ROW(COMMIT, "COMMIT")                                                                      \
	ROW(ROLLBACK, "ROLLBACK")                                                                  \
	ROW(META_GET, "SELECT value, signature FROM meta WHERE name = ?1")                         \
	ROW(META_PUT, "INSERT OR REPLACE INTO meta(name, value, signature) VALUES(?1, ?2, ?3)")    \
	ROW(ALL_META, "SELECT name, value, signature FROM meta")                                   \
	ROW(OLD_KEYS, "SELECT key, until_s, signature FROM old_keys ORDER BY until_s DESC")        \
	ROW(OLD_KEY_PUT,                                                                           \
	    "INSERT OR REPLACE INTO old_keys(key, until_s, signature) VALUES(?1, ?2, ?3)")         \
	ROW(SITES, "SELECT " SITE_COLUMNS " FROM sites ORDER BY name")                             \
	ROW(SITE_GET, "SELECT " SITE_COLUMNS " FROM sites WHERE site = ?1")                        \
	ROW(SITE_PUT,                                                                              \
	    "INSERT INTO sites(" SITE_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"           \
	    " ON CONFLICT(site) DO UPDATE SET name = ?2, state = ?3, reason = ?4, since_s = ?5,"   \
	    " confirmed = ?6, publish_until_s = ?7, signature = ?8")                               \
	ROW(PAGES, "SELECT " PAGE_COLUMNS " FROM pages WHERE site = ?1 ORDER BY key")              \
	ROW(PAGE_GET, "SELECT " PAGE_COLUMNS " FROM pages WHERE site = ?1 AND key = ?2")           \
	ROW(PAGE_OF, "SELECT " PAGE_COLUMNS " FROM pages WHERE page = ?1")                         \
	ROW(PAGE_PUT,                                                                              \
	    "INSERT INTO pages(site, key, policy, depth, source, first_seen_s, last_seen_s,"       \
	    " due_s, signature) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                        \
	    " ON CONFLICT(site, key) DO UPDATE SET policy = ?3, depth = ?4, source = ?5,"          \
	    " first_seen_s = ?6, last_seen_s = ?7, due_s = ?8, signature = ?9 RETURNING page")     \
	ROW(PAGE_COUNT, "SELECT count(*) FROM pages WHERE site = ?1")                              \
	ROW(PAGE_FORGET, "DELETE FROM pages WHERE page = ?1")                                      \
	ROW(PAGE_NUMBER,                                                                           \
	    "UPDATE pages SET last_number = last_number + 1 WHERE page = ?1 RETURNING last_number")\
	ROW(ALL_VERSIONS, "SELECT " VERSION_COLUMNS FROM_VERSIONS "ORDER BY v.version")            \
	ROW(VERSIONS,                                                                              \
	    "SELECT " VERSION_COLUMNS FROM_VERSIONS "WHERE v.page = ?1 ORDER BY v.number DESC")    \
	ROW(VERSION_GET, "SELECT " VERSION_COLUMNS FROM_VERSIONS "WHERE v.version = ?1")           \
	ROW(VERSION_NUMBERED,                                                                      \
	    "SELECT " VERSION_COLUMNS FROM_VERSIONS "WHERE v.page = ?1 AND v.number = ?2")         \
	ROW(VERSION_FIND,                                                                          \
	    "SELECT " VERSION_COLUMNS FROM_VERSIONS "WHERE v.page = ?1 AND v.digest = ?2")         \
	ROW(VERSIONS_GOOD,                                                                         \
	    "SELECT " VERSION_COLUMNS FROM_VERSIONS "WHERE v.page = ?1 AND v.state = 2"            \
	    " ORDER BY v.pinned DESC, v.rank DESC")                                                \
	ROW(VERSION_ADD,                                                                           \
	    "INSERT INTO versions(page, number, state, pinned, samples, status, digest, content,"  \
	    " bytes, first_seen_s, last_seen_s, since_s, rank, origin, reason, field_0, field_1,"  \
	    " field_2, field_3, field_4, signature) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"    \
	    " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21) RETURNING version")      \
	ROW(VERSION_SAVE,                                                                          \
	    "UPDATE versions SET state = ?2, pinned = ?3, samples = ?4, last_seen_s = ?5,"         \
	    " since_s = ?6, rank = ?7, reason = ?8, signature = ?9 WHERE version = ?1")            \
	ROW(VERSION_CLEAR, "DELETE FROM versions WHERE page = ?1 AND digest = ?2")                 \
	ROW(VERSION_FORGET, "DELETE FROM versions WHERE version = ?1")                             \
	ROW(VERSION_RANK, "SELECT coalesce(max(rank), 0) + 1 FROM versions")                       \
	ROW(CONTENT_ADD, "INSERT OR IGNORE INTO contents(content, bytes) VALUES(?1, ?2)")          \
	ROW(CONTENT_SIZE, "SELECT bytes FROM contents WHERE content = ?1")                         \
	ROW(CONTENTS, "SELECT content, bytes FROM contents")                                       \
	ROW(CONTENT_IS_USED, "SELECT count(*) FROM versions WHERE content = ?1")                   \
	ROW(CONTENT_TOTAL, "SELECT coalesce(sum(bytes), 0) FROM contents")                         \
	ROW(CONTENTS_UNUSED,                                                                       \
	    "SELECT content, bytes FROM contents c WHERE NOT EXISTS"                               \
	    " (SELECT 1 FROM versions v WHERE v.content = c.content)")                             \
	ROW(CONTENTS_FORGET_UNUSED,                                                                \
	    "DELETE FROM contents WHERE NOT EXISTS"                                                \
	    " (SELECT 1 FROM versions v WHERE v.content = contents.content)")                      \
	ROW(HISTORY_BEGIN,                                                                         \
	    "INSERT OR REPLACE INTO history(version, page, from_number, until_number, rank)"       \
	    " VALUES(?1, ?2, ?3, NULL, ?4)")                                                       \
	ROW(HISTORY_END,                                                                           \
	    "UPDATE history SET until_number = ?3 WHERE page = ?2 AND version = ?1"                \
	    " AND until_number IS NULL")                                                           \
	ROW(HISTORY_DROP_EMPTY,                                                                    \
	    "DELETE FROM history WHERE page = ?2 AND version = ?1"                                 \
	    " AND until_number <= from_number")                                                    \
	ROW(HISTORY_OF_PAGE,                                                                       \
	    "SELECT version FROM history WHERE page = ?1 AND from_number <= ?2"                    \
	    " AND (until_number IS NULL OR until_number > ?2) ORDER BY rank")                      \
	ROW(HISTORY_TRIM, "DELETE FROM history WHERE until_number <= ?1")                          \
	ROW(HOSTS, "SELECT host, who, since_s, signature FROM hosts WHERE site = ?1 ORDER BY host")\
	ROW(HOST_PUT,                                                                              \
	    "INSERT OR REPLACE INTO hosts(site, host, who, since_s, signature)"                    \
	    " VALUES(?1, ?2, ?3, ?4, ?5)")                                                         \
	ROW(HELD_FIND,                                                                             \
	    "SELECT held, first_s FROM held WHERE site = ?1 AND key = ?2 AND digest = ?3")         \
	ROW(HELD_ADD,                                                                              \
	    "INSERT INTO held(site, key, digest, severity, reason, host, first_s, last_s, times,"  \
	    " version) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING held")            \
	ROW(HELD_AGAIN,                                                                            \
	    "UPDATE held SET severity = max(severity, ?2), reason = ?3, host = ?4, last_s = ?5,"   \
	    " times = times + ?6, version = max(version, ?7) WHERE held = ?1")                     \
	ROW(HELD_TRIM,                                                                             \
	    "DELETE FROM held WHERE held IN (SELECT held FROM held WHERE site = ?1"                \
	    " ORDER BY last_s DESC, held DESC LIMIT -1 OFFSET ?2)")                                \
	ROW(HELD,                                                                                  \
	    "SELECT " HELD_COLUMNS " FROM held WHERE ?1 = 0 OR site = ?1"                          \
	    " ORDER BY last_s DESC, held DESC")                                                    \
	ROW(HELD_CLEAR, "DELETE FROM held WHERE site = ?1 AND (?2 IS NULL OR key = ?2)")           \
	ROW(TOKENS, "SELECT " TOKEN_COLUMNS " FROM tokens ORDER BY made_s")                        \
	ROW(TOKEN_GET, "SELECT " TOKEN_COLUMNS " FROM tokens WHERE token = ?1")                    \
	ROW(TOKEN_PUT,                                                                             \
	    "INSERT OR REPLACE INTO tokens(" TOKEN_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7,"  \
	    " ?8)")                                                                                \
	ROW(TOKENS_EXPIRE, "DELETE FROM tokens WHERE expires_s < ?1")                              \
	ROW(BASELINES,                                                                             \
	    "SELECT number, made_s, bytes, digest, reason, signature FROM baselines"               \
	    " ORDER BY number DESC")                                                               \
	ROW(BASELINE_AT,                                                                           \
	    "SELECT number, made_s, bytes, digest, reason, signature FROM baselines"               \
	    " WHERE made_s <= ?1 ORDER BY number DESC")                                            \
	ROW(BASELINE_ADD,                                                                          \
	    "INSERT INTO baselines(number, made_s, bytes, digest, reason, signature)"              \
	    " VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                                     \
	ROW(BASELINES_TRIM, "DELETE FROM baselines WHERE number <= ?1")                            \
	ROW(BASELINE_NEXT, "SELECT coalesce(max(number), 0) + 1 FROM baselines")                   \
	ROW(ALL_PAGES, "SELECT " PAGE_COLUMNS " FROM pages")                                       \
	ROW(ALL_HOSTS, "SELECT host, who, since_s, signature, site FROM hosts")                    \
	ROW(RESIGN_META, "UPDATE meta SET signature = ?1 WHERE name = ?2")                         \
	ROW(RESIGN_OLD_KEY, "UPDATE old_keys SET signature = ?1 WHERE key = ?2")                   \
	ROW(RESIGN_SITE, "UPDATE sites SET signature = ?1 WHERE site = ?2")                        \
	ROW(RESIGN_PAGE, "UPDATE pages SET signature = ?1 WHERE page = ?2")                        \
	ROW(RESIGN_VERSION, "UPDATE versions SET signature = ?1 WHERE version = ?2")               \
	ROW(RESIGN_HOST, "UPDATE hosts SET signature = ?1 WHERE host = ?2 AND site = ?3")          \
	ROW(RESIGN_TOKEN, "UPDATE tokens SET signature = ?1 WHERE token = ?2")                     \
	ROW(RESIGN_BASELINE, "UPDATE baselines SET signature = ?1 WHERE number = ?2")              \
	ROW(EVICT_OF_PAGES,                                                                        \
	    "SELECT version, state, bytes, content FROM (SELECT version, state, bytes, content,"   \
	    " needed,"                                                                             \
	    " row_number() OVER (PARTITION BY page ORDER BY needed DESC, state = 2 DESC,"          \
	    " number DESC) AS place" FROM_VERSIONS_NEEDED ") WHERE place > ?1 AND NOT needed")     \
	ROW(EVICT_OLDEST,                                                                          \
	    "SELECT version, state, bytes, content" FROM_VERSIONS_NEEDED                           \
	    "WHERE NOT needed ORDER BY state = 2, last_seen_s, version")

enum vault_sql {
#define ROW(name, text) SQL_##name,
	VAULT_SQL(ROW)
#undef ROW
	    SQL_COUNT
};

#endif
