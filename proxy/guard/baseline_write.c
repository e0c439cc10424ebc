/* Builds a baseline. What is added is kept in tables that grow; only baseline_finish knows the
 * order, which depends on a seed that is chosen then. Checks what is added by the same rules as
 * the reader, so that what was built can be opened. */
#include "guard/baseline_format.h"

#include <stdlib.h>
#include <uthash.h>

enum { SEEDS_TRIED = 16 };

struct pending_page {
	uint64_t hash, site;
	uint32_t key, first, versions;
	uint16_t key_len;
	uint8_t policy;
};

struct pending_host {
	uint64_t site;
	uint32_t name;
	uint16_t name_len;
};

/* The value of a field that stands in the texts already: few types serve many pages. */
struct shared_text {
	UT_hash_handle hh;
	uint32_t offset;
	char text[];
};

struct baseline_builder {
	uint64_t number, made_s;
	uint64_t seed[2];
	struct strbuf sites;    /* uint64_t each */
	struct strbuf pages;    /* struct pending_page each */
	struct strbuf versions; /* records as in the file, in the order in which they came */
	struct strbuf hosts;    /* struct pending_host each */
	struct strbuf texts;
	struct shared_text *shared;
	bool failed; /* for want of memory */
};

/* ---- adding ---- */

struct baseline_builder *baseline_builder_new(uint64_t number, uint64_t made_s)
{
	struct baseline_builder *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->number = number;
	b->made_s = made_s;
	strbuf_init(&b->sites, UINT32_MAX);
	strbuf_init(&b->pages, UINT32_MAX);
	strbuf_init(&b->versions, UINT32_MAX);
	strbuf_init(&b->hosts, UINT32_MAX);
	strbuf_init(&b->texts, UINT32_MAX);
	return b;
}

void baseline_builder_free(struct baseline_builder *b)
{
	struct shared_text *text, *next;
	if (!b)
		return;
	HASH_ITER(hh, b->shared, text, next)
	{
		HASH_DEL(b->shared, text);
		free(text);
	}
	strbuf_release(&b->sites);
	strbuf_release(&b->pages);
	strbuf_release(&b->versions);
	strbuf_release(&b->hosts);
	strbuf_release(&b->texts);
	free(b);
}

static bool add_record(struct baseline_builder *b, struct strbuf *table, const void *record, size_t size)
{
	strbuf_add(table, record, size);
	b->failed |= table->truncated;
	return !b->failed;
}

static uint32_t add_text(struct baseline_builder *b, struct span text)
{
	uint32_t offset = (uint32_t)b->texts.len;
	strbuf_add_span(&b->texts, text);
	b->failed |= b->texts.truncated;
	return offset;
}

static uint32_t add_shared_text(struct baseline_builder *b, struct span text)
{
	struct shared_text *known = NULL;
	HASH_FIND(hh, b->shared, text.ptr, text.len, known);
	if (known)
		return known->offset;
	known = calloc(1, sizeof(*known) + text.len);
	if (!known) {
		b->failed = true;
		return 0;
	}
	known->offset = add_text(b, text);
	if (text.len > 0)
		memcpy(known->text, text.ptr, text.len);
	HASH_ADD(hh, b->shared, text, text.len, known);
	return known->offset;
}

bool baseline_add_site(struct baseline_builder *b, uint64_t site)
{
	return add_record(b, &b->sites, &site, sizeof(site));
}

static bool version_ok(const struct baseline_version *version)
{
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++)
		if (version->head.fields[i].ptr && !baseline_field_ok(version->head.fields[i]))
			return false;
	return version->head.status >= 200 && version->head.status <= 599;
}

static void add_version(struct baseline_builder *b, const struct baseline_version *version)
{
	uint8_t record[VERSION_SIZE] = {0};
	memcpy(record + VERSION_PAGE, version->page, DIGEST_SIZE);
	memcpy(record + VERSION_CONTENT, version->content, DIGEST_SIZE);
	store64(record + VERSION_BYTES, version->content_bytes);
	store64(record + VERSION_SINCE, version->since_s);
	store16(record + VERSION_STATUS, version->head.status);
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++) {
		struct span field = version->head.fields[i];
		uint32_t offset = field.ptr ? add_shared_text(b, field) : 0;
		store32(record + VERSION_FIELDS + 4 * i, offset);
		store16(record + VERSION_FIELD_LENS + 2 * i,
			field.ptr ? (uint16_t)field.len : FIELD_ABSENT);
	}
	add_record(b, &b->versions, record, sizeof(record));
}

bool baseline_add_page(struct baseline_builder *b, uint64_t site, struct span key,
		       enum baseline_policy policy, const struct baseline_version *versions, unsigned n)
{
	if (!baseline_key_ok(key) || policy <= BASELINE_UNSET || policy > BASELINE_VARYING ||
	    (policy == BASELINE_EXACT && n == 0))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!version_ok(&versions[i]))
			return false;
	struct pending_page page = {.site = site,
				    .key = add_text(b, key),
				    .key_len = (uint16_t)key.len,
				    .policy = (uint8_t)policy,
				    .first = (uint32_t)(b->versions.len / VERSION_SIZE),
				    .versions = n};
	for (unsigned i = 0; i < n; i++)
		add_version(b, &versions[i]);
	return add_record(b, &b->pages, &page, sizeof(page));
}

bool baseline_add_host(struct baseline_builder *b, uint64_t site, struct span host)
{
	if (!baseline_host_ok(host))
		return false;
	struct pending_host pending = {
	    .site = site, .name = add_text(b, host), .name_len = (uint16_t)host.len};
	return add_record(b, &b->hosts, &pending, sizeof(pending));
}

/* ---- order ---- */

static uint32_t page_count(const struct baseline_builder *b)
{
	return (uint32_t)(b->pages.len / sizeof(struct pending_page));
}

static uint32_t host_count(const struct baseline_builder *b)
{
	return (uint32_t)(b->hosts.len / sizeof(struct pending_host));
}

static uint32_t site_count(const struct baseline_builder *b)
{
	return (uint32_t)(b->sites.len / sizeof(uint64_t));
}

static struct span key_of(const struct baseline_builder *b, const struct pending_page *page)
{
	return span_of(b->texts.data + page->key, page->key_len);
}

static struct span name_of(const struct baseline_builder *b, const struct pending_host *host)
{
	return span_of(b->texts.data + host->name, host->name_len);
}

static int compare_ids(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

static int compare_pages(const void *left, const void *right, void *builder)
{
	const struct pending_page *a = left, *b = right;
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return baseline_compare(a->site, key_of(builder, a), b->site, key_of(builder, b));
}

static int compare_hosts(const void *left, const void *right, void *builder)
{
	const struct pending_host *a = left, *b = right;
	return baseline_compare(a->site, name_of(builder, a), b->site, name_of(builder, b));
}

static bool has_site(const struct baseline_builder *b, uint64_t site)
{
	return bsearch(&site, b->sites.data, site_count(b), sizeof(site), compare_ids) != NULL;
}

static bool sort_sites(struct baseline_builder *b, struct err *err)
{
	uint64_t *sites = (uint64_t *)(void *)b->sites.data;
	uint32_t n = site_count(b);
	if (n > 0)
		qsort(sites, n, sizeof(*sites), compare_ids);
	for (uint32_t i = 1; i < n; i++)
		if (sites[i - 1] == sites[i])
			return err_set(err, "a site stands in the baseline twice");
	return true;
}

static bool sort_hosts(struct baseline_builder *b, struct err *err)
{
	struct pending_host *hosts = (struct pending_host *)(void *)b->hosts.data;
	uint32_t n = host_count(b);
	if (n > 0)
		qsort_r(hosts, n, sizeof(*hosts), compare_hosts, b);
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0 && compare_hosts(&hosts[i - 1], &hosts[i], b) == 0)
			return err_set(err, "a host stands in the baseline twice");
		if (!has_site(b, hosts[i].site))
			return err_set(err, "a host in the baseline belongs to no site of it");
	}
	return true;
}

static bool check_pages(struct baseline_builder *b, struct err *err)
{
	const struct pending_page *pages = (const void *)b->pages.data;
	uint32_t n = page_count(b);
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0 && compare_pages(&pages[i - 1], &pages[i], b) == 0)
			return err_set(err, "a page stands in the baseline twice");
		if (!has_site(b, pages[i].site))
			return err_set(err, "a page in the baseline belongs to no site of it");
	}
	return true;
}

/* Sorted pages; starts has room for one more than there are buckets. False: a bucket has too many. */
static bool fill_buckets(const struct baseline_builder *b, uint32_t bits, uint32_t *starts)
{
	const struct pending_page *pages = (const void *)b->pages.data;
	uint32_t n = page_count(b), at = 0;
	for (uint32_t bucket = 0; bucket < UINT32_C(1) << bits; bucket++) {
		starts[bucket] = at;
		while (at < n && bucket_of(pages[at].hash, bits) == bucket)
			at++;
		if (at - starts[bucket] > BUCKET_PAGES)
			return false;
	}
	starts[UINT32_C(1) << bits] = at;
	return true;
}

static void sort_pages(struct baseline_builder *b)
{
	struct pending_page *pages = (struct pending_page *)(void *)b->pages.data;
	uint32_t n = page_count(b);
	for (uint32_t i = 0; i < n; i++)
		pages[i].hash = baseline_hash(b->seed, pages[i].site, key_of(b, &pages[i]));
	if (n > 0)
		qsort_r(pages, n, sizeof(*pages), compare_pages, b);
}

static uint32_t bits_for(uint32_t pages)
{
	uint32_t bits = 0;
	while (bits < BUCKET_BITS_MAX && UINT32_C(1) << bits < pages)
		bits++;
	return bits;
}

/* Another seed where somebody's URLs crowd one bucket. */
static bool index_pages(struct baseline_builder *b, uint32_t bits, uint32_t *starts, struct err *err)
{
	for (unsigned i = 0; i < SEEDS_TRIED; i++) {
		if (!crypto_random(b->seed, sizeof(b->seed), err))
			return false;
		sort_pages(b);
		if (!check_pages(b, err))
			return false;
		if (fill_buckets(b, bits, starts))
			return true;
	}
	return err_set(err, "%u pages are too many for one baseline", page_count(b));
}

/* ---- writing ---- */

static void put32(struct strbuf *out, uint32_t n)
{
	uint8_t bytes[4];
	store32(bytes, n);
	strbuf_add(out, bytes, sizeof(bytes));
}

static void put64(struct strbuf *out, uint64_t n)
{
	uint8_t bytes[8];
	store64(bytes, n);
	strbuf_add(out, bytes, sizeof(bytes));
}

static uint64_t file_bytes(const struct baseline_builder *b, uint32_t bits)
{
	return HEADER_SIZE + (uint64_t)site_count(b) * SITE_SIZE +
	       ((UINT64_C(1) << bits) + 1) * BUCKET_SIZE + (uint64_t)page_count(b) * PAGE_SIZE +
	       b->versions.len + (uint64_t)host_count(b) * HOST_SIZE + b->texts.len + SIGNATURE_SIZE;
}

static void put_header(const struct baseline_builder *b, uint32_t bits, struct strbuf *out)
{
	strbuf_add(out, BASELINE_MAGIC, MAGIC_SIZE);
	put64(out, file_bytes(b, bits));
	put64(out, b->number);
	put64(out, b->made_s);
	put64(out, b->seed[0]);
	put64(out, b->seed[1]);
	put32(out, site_count(b));
	put32(out, page_count(b));
	put32(out, (uint32_t)(b->versions.len / VERSION_SIZE));
	put32(out, host_count(b));
	put32(out, (uint32_t)b->texts.len);
	put32(out, bits);
}

static void put_sites(const struct baseline_builder *b, struct strbuf *out)
{
	const uint64_t *sites = (const void *)b->sites.data;
	for (uint32_t i = 0; i < site_count(b); i++)
		put64(out, sites[i]);
}

static void put_buckets(const uint32_t *starts, uint32_t bits, struct strbuf *out)
{
	for (uint32_t i = 0; i <= UINT32_C(1) << bits; i++)
		put32(out, starts[i]);
}

static void put_pages(const struct baseline_builder *b, struct strbuf *out)
{
	const struct pending_page *pages = (const void *)b->pages.data;
	uint32_t first = 0;
	for (uint32_t i = 0; i < page_count(b); i++) {
		uint8_t record[PAGE_SIZE] = {0};
		store64(record + PAGE_HASH, pages[i].hash);
		store64(record + PAGE_SITE, pages[i].site);
		store32(record + PAGE_KEY, pages[i].key);
		store16(record + PAGE_KEY_LEN, pages[i].key_len);
		record[PAGE_POLICY] = pages[i].policy;
		store32(record + PAGE_FIRST, first);
		store32(record + PAGE_VERSIONS, pages[i].versions);
		strbuf_add(out, record, sizeof(record));
		first += pages[i].versions;
	}
}

static void put_versions(const struct baseline_builder *b, struct strbuf *out)
{
	const struct pending_page *pages = (const void *)b->pages.data;
	for (uint32_t i = 0; i < page_count(b); i++)
		if (pages[i].versions > 0)
			strbuf_add(out, b->versions.data + (size_t)pages[i].first * VERSION_SIZE,
				   (size_t)pages[i].versions * VERSION_SIZE);
}

static void put_hosts(const struct baseline_builder *b, struct strbuf *out)
{
	const struct pending_host *hosts = (const void *)b->hosts.data;
	for (uint32_t i = 0; i < host_count(b); i++) {
		uint8_t record[HOST_SIZE] = {0};
		store64(record + HOST_SITE, hosts[i].site);
		store32(record + HOST_NAME, hosts[i].name);
		store16(record + HOST_NAME_LEN, hosts[i].name_len);
		strbuf_add(out, record, sizeof(record));
	}
}

static bool put_signature(const struct sign_key *key, struct strbuf *out, struct err *err)
{
	uint8_t text[BASELINE_SIGNED_SIZE], signature[SIGNATURE_SIZE];
	if (out->truncated)
		return err_set(err, "the baseline is larger than %zu bytes, or memory is short",
			       out->cap);
	baseline_signed(out->data, out->len, text);
	if (!sign(key, text, sizeof(text), signature, err))
		return false;
	strbuf_add(out, signature, sizeof(signature));
	return !out->truncated || err_set(err, "the baseline is larger than %zu bytes", out->cap);
}

bool baseline_finish(struct baseline_builder *b, const struct sign_key *key, struct strbuf *out,
		     struct err *err)
{
	uint32_t bits = bits_for(page_count(b));
	uint32_t *starts = calloc((UINT64_C(1) << bits) + 1, sizeof(*starts));
	bool ok = false;
	if (!starts || b->failed) {
		err_set(err, "no memory for a baseline of %u pages", page_count(b));
		goto out;
	}
	if (!sort_sites(b, err) || !sort_hosts(b, err) || !index_pages(b, bits, starts, err))
		goto out;
	put_header(b, bits, out);
	put_sites(b, out);
	put_buckets(starts, bits, out);
	put_pages(b, out);
	put_versions(b, out);
	put_hosts(b, out);
	strbuf_add_span(out, strbuf_span(&b->texts));
	ok = put_signature(key, out, err);
out:
	free(starts);
	return ok;
}
