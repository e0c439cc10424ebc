#ifndef TESTS_VAULT_TOOLS_H
#define TESTS_VAULT_TOOLS_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sallyport/vault.h"

/* A vault in a directory of its own, what it tells, and pages to put into it. */

struct vault_bench {
	char directory[64];
	char path[96]; /* of the vault */
	struct vault *vault;
	unsigned told[VAULT_OVER_SIZE + 1];
	char last[512];
	struct err err;
};

#define BENCH_SITE "shop"
enum { BENCH_TIME = 1764129600 };

static inline void bench_finding(void *context, enum vault_finding finding, const char *text)
{
	struct vault_bench *bench = context;
	bench->told[finding]++;
	snprintf(bench->last, sizeof(bench->last), "%s", text);
}

static inline unsigned bench_told(const struct vault_bench *bench)
{
	unsigned sum = 0;
	for (unsigned i = 0; i <= VAULT_OVER_SIZE; i++)
		sum += i == VAULT_KEY_MADE ? 0 : bench->told[i];
	return sum;
}

static inline void bench_forget(struct vault_bench *bench)
{
	memset(bench->told, 0, sizeof(bench->told));
	bench->last[0] = '\0';
}

static inline enum vault_opened bench_open_as(struct vault_bench *bench, bool writes, bool anew)
{
	struct vault_options options = {bench->path, writes, anew, bench_finding, bench};
	bench->err.text[0] = '\0';
	return vault_open(&options, &bench->vault, &bench->err);
}

static inline void bench_open(struct vault_bench *bench)
{
	if (bench_open_as(bench, true, false) != VAULT_OPENED)
		fail_msg("%s", bench->err.text);
}

static inline void bench_close(struct vault_bench *bench)
{
	vault_close(bench->vault);
	bench->vault = NULL;
}

static inline void bench_reopen(struct vault_bench *bench)
{
	bench_close(bench);
	bench_open(bench);
}

static inline void bench_site(struct vault_bench *bench)
{
	struct vault_site site = {.id = site_id(BENCH_SITE), .name = BENCH_SITE, .confirmed = true};
	assert_true(vault_site_put(bench->vault, &site, &bench->err));
}

static inline void bench_begin(struct vault_bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	snprintf(bench->directory, sizeof(bench->directory), "%s/sallyport-vault-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(bench->directory));
	snprintf(bench->path, sizeof(bench->path), "%s/vault", bench->directory);
	bench_open(bench);
	bench_site(bench);
}

static inline int bench_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void bench_end(struct vault_bench *bench)
{
	bench_close(bench);
	nftw(bench->directory, bench_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int bench_setup(void **state)
{
	struct vault_bench *bench = calloc(1, sizeof(*bench));
	if (!bench)
		return -1;
	bench_begin(bench);
	*state = bench;
	return 0;
}

static inline int bench_teardown(void **state)
{
	bench_end(*state);
	free(*state);
	return 0;
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

static inline struct vault_page bench_page(struct vault_bench *bench, const char *key)
{
	struct vault_page page = {.site = site_id(BENCH_SITE), .policy = BASELINE_EXACT,
				  .first_seen_s = BENCH_TIME};
	snprintf(page.key, sizeof(page.key), "%s", key);
	if (!vault_page_put(bench->vault, &page, &bench->err))
		fail_msg("%s", bench->err.text);
	return page;
}

static inline struct vault_version bench_version_of(struct vault_bench *bench, int64_t page,
						    const char *content, enum vault_state state)
{
	struct vault_version version = {.page = page, .state = state, .samples = 3,
					.content_bytes = strlen(content),
					.first_seen_s = BENCH_TIME, .last_seen_s = BENCH_TIME};
	version.head.status = 200;
	version.head.fields[PAGE_FIELD_CONTENT_TYPE] = SPAN("text/html");
	snprintf(version.origin, sizeof(version.origin), "10.0.0.5:80");
	if (!vault_content_put(bench->vault, content, strlen(content), version.content, &bench->err))
		fail_msg("%s", bench->err.text);
	page_digest(&version.head, version.content, version.digest);
	return version;
}

static inline struct vault_version bench_add(struct vault_bench *bench, int64_t page,
					     const char *content, enum vault_state state,
					     uint64_t now_s)
{
	struct vault_version version = bench_version_of(bench, page, content, state);
	version.last_seen_s = now_s;
	if (!vault_version_add(bench->vault, &version, now_s, &bench->err))
		fail_msg("%s", bench->err.text);
	return version;
}

static inline uint64_t bench_baseline(struct vault_bench *bench, uint64_t now_s)
{
	struct strbuf file;
	struct baseline baseline;
	uint8_t key[SIGN_PUBLIC_SIZE];
	strbuf_init(&file, 1 << 26);
	if (!vault_baseline_make(bench->vault, "test", now_s, &file, &bench->err))
		fail_msg("%s", bench->err.text);
	vault_public_key(bench->vault, key);
	if (!baseline_open(file.data, file.len, key, &baseline, &bench->err))
		fail_msg("%s", bench->err.text);
	uint64_t number = baseline.number;
	strbuf_release(&file);
	return number;
}

/* What would be served, or "". */
static inline void bench_served(struct vault_bench *bench, int64_t page, char out[256])
{
	struct vault_version version;
	struct strbuf content;
	out[0] = '\0';
	strbuf_init(&content, 255);
	if (vault_version_good(bench->vault, page, &version) &&
	    vault_content_get(bench->vault, version.content, &content, &bench->err) && content.data)
		memcpy(out, content.data, content.len + 1);
	strbuf_release(&content);
}

static inline void bench_expect(struct vault_bench *bench, int64_t page, const char *wanted)
{
	char served[256];
	bench_served(bench, page, served);
	if (strcmp(served, wanted) != 0)
		fail_msg("\"%s\" is served instead of \"%s\"", served, wanted);
}

/* Writes over a part of a file of the vault; at < 0: from its end. */
static inline void bench_damage(struct vault_bench *bench, const char *name, long at,
				const char *bytes)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", bench->path, name);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, strlen(bytes), file), strlen(bytes));
	fclose(file);
}

static inline struct vault_report bench_verify(struct vault_bench *bench)
{
	struct vault_report report;
	bench_forget(bench);
	if (!vault_verify(bench->vault, &report, &bench->err))
		fail_msg("%s", bench->err.text);
	return report;
}

#endif
