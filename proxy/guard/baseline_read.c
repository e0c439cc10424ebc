/* Opens a baseline and looks pages up in it. Trusts nothing until it is checked: the size, the
 * signature, then every record, so that a look-up afterwards needs no check at all. The bytes
 * must not change while they are in use: give it a sealed memfd or memory of one's own. */
#include "guard/baseline_format.h"


/* ---- records ---- */

static const uint8_t *page_record(const struct baseline *b, uint32_t i)
{
	return b->page_table + (size_t)i * PAGE_SIZE;
}

static const uint8_t *version_record(const struct baseline *b, uint32_t i)
{
	return b->version_table + (size_t)i * VERSION_SIZE;
}

static const uint8_t *host_record(const struct baseline *b, uint32_t i)
{
	return b->host_table + (size_t)i * HOST_SIZE;
}

static uint32_t bucket_start(const struct baseline *b, uint32_t i)
{
	return load32(b->bucket_table + (size_t)i * BUCKET_SIZE);
}

static struct span text_at(const struct baseline *b, uint32_t offset, uint16_t len)
{
	return span_of(b->texts + offset, len);
}

static struct span page_key(const struct baseline *b, const uint8_t *page)
{
	return text_at(b, load32(page + PAGE_KEY), load16(page + PAGE_KEY_LEN));
}

static struct span host_name(const struct baseline *b, const uint8_t *host)
{
	return text_at(b, load32(host + HOST_NAME), load16(host + HOST_NAME_LEN));
}

/* ---- opening ---- */

static bool read_header(struct baseline *b, struct err *err)
{
	const uint8_t *at = b->data;
	if (b->len < HEADER_SIZE + SIGNATURE_SIZE || memcmp(at, BASELINE_MAGIC, MAGIC_SIZE) != 0)
		return err_set(err, "this is no baseline");
	if (load64(at + HEADER_FILE_BYTES) != b->len)
		return err_set(err, "the baseline has %zu bytes, and says that it has %llu", b->len,
			       (unsigned long long)load64(at + HEADER_FILE_BYTES));
	b->number = load64(at + HEADER_NUMBER);
	b->made_s = load64(at + HEADER_MADE);
	b->seed[0] = load64(at + HEADER_SEED);
	b->seed[1] = load64(at + HEADER_SEED + 8);
	b->sites = load32(at + HEADER_SITES);
	b->pages = load32(at + HEADER_PAGES);
	b->version_count = load32(at + HEADER_VERSIONS);
	b->hosts = load32(at + HEADER_HOSTS);
	b->text_bytes = load32(at + HEADER_TEXTS);
	b->bucket_bits = load32(at + HEADER_BUCKET_BITS);
	return b->bucket_bits <= BUCKET_BITS_MAX ||
	       err_set(err, "the baseline's index has 2^%u buckets", b->bucket_bits);
}

/* The sections, one after the other; they have to end where the signature begins. No sum of
 * 32-bit counts times small sizes overflows 64 bits. */
static bool place_tables(struct baseline *b, struct err *err)
{
	uint64_t buckets = (UINT64_C(1) << b->bucket_bits) + 1;
	uint64_t sites = HEADER_SIZE, index = sites + (uint64_t)b->sites * SITE_SIZE;
	uint64_t pages = index + buckets * BUCKET_SIZE;
	uint64_t versions = pages + (uint64_t)b->pages * PAGE_SIZE;
	uint64_t hosts = versions + (uint64_t)b->version_count * VERSION_SIZE;
	uint64_t texts = hosts + (uint64_t)b->hosts * HOST_SIZE;
	if (texts + b->text_bytes + SIGNATURE_SIZE != b->len)
		return err_set(err, "the baseline's sections do not fill its %zu bytes", b->len);
	b->site_table = b->data + sites;
	b->bucket_table = b->data + index;
	b->page_table = b->data + pages;
	b->version_table = b->data + versions;
	b->host_table = b->data + hosts;
	b->texts = (const char *)b->data + texts;
	return true;
}

static bool check_signature(const struct baseline *b, const uint8_t key[SIGN_PUBLIC_SIZE],
			    struct err *err)
{
	uint8_t text[BASELINE_SIGNED_SIZE];
	size_t len = b->len - SIGNATURE_SIZE;
	baseline_signed(b->data, len, text);
	return sign_verify(key, text, sizeof(text), b->data + len) ||
	       err_set(err, "the baseline's signature is not that of the vault's key");
}

static bool check_sites(const struct baseline *b)
{
	for (uint32_t i = 1; i < b->sites; i++)
		if (load64(b->site_table + (size_t)(i - 1) * SITE_SIZE) >=
		    load64(b->site_table + (size_t)i * SITE_SIZE))
			return false;
	return true;
}

static bool check_buckets(const struct baseline *b)
{
	uint32_t buckets = UINT32_C(1) << b->bucket_bits;
	if (bucket_start(b, 0) != 0 || bucket_start(b, buckets) != b->pages)
		return false;
	for (uint32_t i = 0; i < buckets; i++)
		if (bucket_start(b, i + 1) < bucket_start(b, i) ||
		    bucket_start(b, i + 1) - bucket_start(b, i) > BUCKET_PAGES)
			return false;
	return true;
}

static bool text_fits(const struct baseline *b, uint32_t offset, uint16_t len)
{
	return offset <= b->text_bytes && len <= b->text_bytes - offset;
}

static bool is_before(const struct baseline *b, const uint8_t *page, const uint8_t *next)
{
	uint64_t hash = load64(page + PAGE_HASH), next_hash = load64(next + PAGE_HASH);
	if (hash != next_hash)
		return hash < next_hash;
	return baseline_compare(load64(page + PAGE_SITE), page_key(b, page), load64(next + PAGE_SITE),
				page_key(b, next)) < 0;
}

static bool page_text_ok(const struct baseline *b, const uint8_t *page)
{
	return text_fits(b, load32(page + PAGE_KEY), load16(page + PAGE_KEY_LEN)) &&
	       baseline_key_ok(page_key(b, page));
}

static bool page_policy_ok(const uint8_t *page)
{
	uint8_t policy = page[PAGE_POLICY];
	uint32_t versions = load32(page + PAGE_VERSIONS);
	return policy > BASELINE_UNSET && policy <= BASELINE_VARYING && page[PAGE_ZERO] == 0 &&
	       (policy != BASELINE_EXACT || versions > 0);
}

/* Its place follows from its hash, and the hash from site and key. */
static bool page_place_ok(const struct baseline *b, uint32_t i)
{
	const uint8_t *page = page_record(b, i);
	uint64_t hash = load64(page + PAGE_HASH), site = load64(page + PAGE_SITE);
	uint32_t bucket = bucket_of(hash, b->bucket_bits);
	return hash == baseline_hash(b->seed, site, page_key(b, page)) &&
	       baseline_has_site(b, site) && bucket_start(b, bucket) <= i &&
	       i < bucket_start(b, bucket + 1) && (i == 0 || is_before(b, page_record(b, i - 1), page));
}

static bool check_pages(const struct baseline *b)
{
	uint32_t versions = 0;
	for (uint32_t i = 0; i < b->pages; i++) {
		const uint8_t *page = page_record(b, i);
		if (!page_text_ok(b, page) || !page_policy_ok(page) || !page_place_ok(b, i))
			return false;
		if (load32(page + PAGE_FIRST) != versions ||
		    load32(page + PAGE_VERSIONS) > b->version_count - versions)
			return false;
		versions += load32(page + PAGE_VERSIONS);
	}
	return versions == b->version_count;
}

static bool field_ok(const struct baseline *b, const uint8_t *version, unsigned field)
{
	uint32_t offset = load32(version + VERSION_FIELDS + 4 * field);
	uint16_t len = load16(version + VERSION_FIELD_LENS + 2 * field);
	if (len == FIELD_ABSENT)
		return offset == 0;
	return text_fits(b, offset, len) && baseline_field_ok(text_at(b, offset, len));
}

static bool check_versions(const struct baseline *b)
{
	for (uint32_t i = 0; i < b->version_count; i++) {
		const uint8_t *version = version_record(b, i);
		uint16_t status = load16(version + VERSION_STATUS);
		if (status < 200 || status > 599)
			return false;
		for (unsigned field = 0; field < PAGE_FIELD_COUNT; field++)
			if (!field_ok(b, version, field))
				return false;
	}
	return true;
}

static bool check_hosts(const struct baseline *b)
{
	for (uint32_t i = 0; i < b->hosts; i++) {
		const uint8_t *host = host_record(b, i), *last = host - (i > 0 ? HOST_SIZE : 0);
		uint64_t site = load64(host + HOST_SITE);
		if (!text_fits(b, load32(host + HOST_NAME), load16(host + HOST_NAME_LEN)) ||
		    !baseline_host_ok(host_name(b, host)) || load16(host + HOST_ZERO) != 0 ||
		    !baseline_has_site(b, site))
			return false;
		if (i > 0 && baseline_compare(load64(last + HOST_SITE), host_name(b, last), site,
					      host_name(b, host)) >= 0)
			return false;
	}
	return true;
}

static bool check_records(const struct baseline *b, struct err *err)
{
	if (!check_sites(b))
		return err_set(err, "the baseline's sites are not in order");
	if (!check_buckets(b))
		return err_set(err, "the baseline's index of pages is damaged");
	if (!check_pages(b))
		return err_set(err, "the baseline has a damaged page");
	if (!check_versions(b))
		return err_set(err, "the baseline has a damaged version of a page");
	return check_hosts(b) || err_set(err, "the baseline has a damaged host");
}

bool baseline_open(const void *data, size_t len, const uint8_t key[SIGN_PUBLIC_SIZE],
		   struct baseline *out, struct err *err)
{
	struct baseline b = {.data = data, .len = len};
	if (!read_header(&b, err) || !place_tables(&b, err))
		return false;
	if (key && !check_signature(&b, key, err))
		return false;
	if (!check_records(&b, err))
		return false;
	*out = b;
	return true;
}

/* ---- looking up ---- */

bool baseline_has_site(const struct baseline *b, uint64_t site)
{
	uint32_t from = 0, to = b->sites;
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		uint64_t id = load64(b->site_table + (size_t)middle * SITE_SIZE);
		if (id == site)
			return true;
		if (id < site)
			from = middle + 1;
		else
			to = middle;
	}
	return false;
}

static void fill_page(const uint8_t *record, struct baseline_page *out)
{
	out->policy = (enum baseline_policy)record[PAGE_POLICY];
	out->first = load32(record + PAGE_FIRST);
	out->versions = load32(record + PAGE_VERSIONS);
}

bool baseline_find(const struct baseline *b, uint64_t site, struct span key,
		   struct baseline_page *out)
{
	uint64_t hash = baseline_hash(b->seed, site, key);
	uint32_t bucket = bucket_of(hash, b->bucket_bits), end = bucket_start(b, bucket + 1);
	for (uint32_t i = bucket_start(b, bucket); i < end; i++) {
		const uint8_t *record = page_record(b, i);
		if (load64(record + PAGE_HASH) != hash || load64(record + PAGE_SITE) != site ||
		    !span_eq(page_key(b, record), key))
			continue;
		fill_page(record, out);
		return true;
	}
	return false;
}

void baseline_page_at(const struct baseline *b, uint32_t index, uint64_t *site, struct span *key,
		      struct baseline_page *out)
{
	const uint8_t *record = page_record(b, index);
	*site = load64(record + PAGE_SITE);
	*key = page_key(b, record);
	fill_page(record, out);
}

void baseline_version_of(const struct baseline *b, const struct baseline_page *page, unsigned number,
			 struct baseline_version *out)
{
	const uint8_t *record = version_record(b, page->first + number);
	memcpy(out->page, record + VERSION_PAGE, DIGEST_SIZE);
	memcpy(out->content, record + VERSION_CONTENT, DIGEST_SIZE);
	out->content_bytes = load64(record + VERSION_BYTES);
	out->since_s = load64(record + VERSION_SINCE);
	out->head.status = load16(record + VERSION_STATUS);
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++) {
		uint16_t len = load16(record + VERSION_FIELD_LENS + 2 * i);
		out->head.fields[i] = len == FIELD_ABSENT
					  ? (struct span){NULL, 0}
					  : text_at(b, load32(record + VERSION_FIELDS + 4 * i), len);
	}
}

int baseline_match(const struct baseline *b, const struct baseline_page *page,
		   const uint8_t digest[DIGEST_SIZE])
{
	for (unsigned i = 0; i < page->versions; i++)
		if (memcmp(version_record(b, page->first + i) + VERSION_PAGE, digest, DIGEST_SIZE) == 0)
			return (int)i;
	return -1;
}

bool baseline_knows_host(const struct baseline *b, uint64_t site, struct span host)
{
	uint32_t from = 0, to = b->hosts;
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		const uint8_t *record = host_record(b, middle);
		int order =
		    baseline_compare(load64(record + HOST_SITE), host_name(b, record), site, host);
		if (order == 0)
			return true;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return false;
}
