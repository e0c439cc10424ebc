/* The keeper's memory of sites and pages: one hash table of all pages, a heap of what is due for each
 * site. Keys are what visitors and origins choose, so the hash is seeded and every count has its
 * bound. */
#include "sallyport/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/hash.h"
#include "sallyport/page_key.h"

enum { FIRST_BUCKETS = 1024, FIRST_HEAP = 64 };

/* ---- the table ---- */

/* FNV-1a from a secret start, its bits mixed: who cannot see collisions cannot make many. */
static uint64_t hash_of(const struct ledger *ledger, uint64_t site, struct span key)
{
	uint64_t hash = hash_add_span(ledger->seed ^ site, key);
	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 32;
}

static struct page **bucket_of(const struct ledger *ledger, uint64_t hash)
{
	return &ledger->buckets[hash & (ledger->n_buckets - 1)];
}

static void put_in_bucket(struct ledger *ledger, struct page *page)
{
	struct page **bucket = bucket_of(ledger, page->hash);
	page->next_in_bucket = *bucket;
	*bucket = page;
}

static void take_from_bucket(struct ledger *ledger, struct page *page)
{
	struct page **at = bucket_of(ledger, page->hash);
	while (*at != page)
		at = &(*at)->next_in_bucket;
	*at = page->next_in_bucket;
}

/* Without memory it stays as it is, and gets slower. */
static void grow(struct ledger *ledger)
{
	size_t n = ledger->n_buckets * 2;
	struct page **bigger = calloc(n, sizeof(*bigger)), **old = ledger->buckets;
	size_t old_n = ledger->n_buckets;
	if (!bigger)
		return;
	ledger->buckets = bigger;
	ledger->n_buckets = n;
	for (size_t i = 0; i < old_n; i++)
		for (struct page *page = old[i], *next; page; page = next) {
			next = page->next_in_bucket;
			put_in_bucket(ledger, page);
		}
	free(old);
}

struct page *ledger_find(const struct ledger *ledger, const struct ledger_site *site,
			 struct span key)
{
	uint64_t hash = hash_of(ledger, site->plan->id, key);
	for (struct page *page = *bucket_of(ledger, hash); page; page = page->next_in_bucket)
		if (page->hash == hash && page->site == site && span_eq(page_key(page), key))
			return page;
	return NULL;
}

/* ---- what is due ---- */

static bool is_earlier(const struct ledger_site *site, unsigned a, unsigned b)
{
	return site->heap[a]->due_ms < site->heap[b]->due_ms;
}

static void swap(struct ledger_site *site, unsigned a, unsigned b)
{
	struct page *page = site->heap[a];
	site->heap[a] = site->heap[b];
	site->heap[b] = page;
	site->heap[a]->heap_pos = a;
	site->heap[b]->heap_pos = b;
}

static void sift(struct ledger_site *site, unsigned at)
{
	while (at > 1 && is_earlier(site, at, at / 2)) {
		swap(site, at, at / 2);
		at /= 2;
	}
	for (;;) {
		unsigned first = at;
		for (unsigned child = 2 * at; child <= 2 * at + 1 && child <= site->heap_n; child++)
			if (is_earlier(site, child, first))
				first = child;
		if (first == at)
			return;
		swap(site, at, first);
		at = first;
	}
}

static void leave_heap(struct page *page)
{
	struct ledger_site *site = page->site;
	unsigned at = page->heap_pos;
	if (at == 0)
		return;
	swap(site, at, site->heap_n--);
	page->heap_pos = 0;
	if (at <= site->heap_n)
		sift(site, at);
}

static bool enter_heap(struct page *page)
{
	struct ledger_site *site = page->site;
	if (site->heap_n + 1 >= site->heap_room) {
		unsigned room = site->heap_room ? site->heap_room * 2 : FIRST_HEAP;
		struct page **bigger = realloc(site->heap, room * sizeof(*bigger));
		if (!bigger)
			return false;
		site->heap = bigger;
		site->heap_room = room;
	}
	page->due_ms = UINT64_MAX;
	site->heap[++site->heap_n] = page;
	page->heap_pos = site->heap_n;
	return true;
}

void ledger_due(struct page *page, uint64_t due_ms)
{
	page->due_ms = due_ms;
	sift(page->site, page->heap_pos);
}

struct page *ledger_first(const struct ledger_site *site)
{
	return site->heap_n > 0 ? site->heap[1] : NULL;
}

/* ---- pages ---- */

/* Pages are made up easily where a site answers whatever is asked for: what visitors name may not crowd out what
 * the site itself does. */
static bool has_room(const struct ledger_site *site, enum page_source source)
{
	uint64_t max = site->plan->policy.max_pages;
	if (site->n_pages >= max)
		return false;
	return source != SOURCE_NOMINATED || site->n_nominated < (max + 1) / 2;
}

static bool is_key(struct span key)
{
	if (key.len == 0 || key.len > PAGE_KEY_MAX || key.ptr[0] != '/')
		return false;
	for (size_t i = 0; i < key.len; i++)
		if ((unsigned char)key.ptr[i] <= ' ' || key.ptr[i] == 0x7f || key.ptr[i] == '#')
			return false;
	return true;
}

static struct page *make(struct ledger_site *site, struct span key)
{
	struct page *page = calloc(1, sizeof(*page) + key.len + 1);
	if (!page)
		return NULL;
	page->site = site;
	memcpy(page->key, key.ptr, key.len);
	page->key_len = key.len;
	page->hash = hash_of(site->ledger, site->plan->id, key);
	if (enter_heap(page))
		return page;
	free(page);
	return NULL;
}

static void enlist(struct ledger_site *site, struct page *page)
{
	struct ledger *ledger = site->ledger;
	page->next = site->pages;
	if (page->next)
		page->next->prev = page;
	site->pages = page;
	site->n_pages++;
	site->n_nominated += page->source == SOURCE_NOMINATED;
	if (++ledger->n_pages > ledger->n_buckets)
		grow(ledger);
	put_in_bucket(ledger, page);
}

/* The site names it too, or an operator does. */
static void vouch(struct page *page, enum page_source source)
{
	if (page->source != SOURCE_NOMINATED || source == SOURCE_NOMINATED)
		return;
	page->source = (uint8_t)source;
	page->site->n_nominated--;
}

struct page *ledger_add(struct ledger_site *site, struct span key, enum page_source source,
			unsigned depth)
{
	struct page *page = is_key(key) ? ledger_find(site->ledger, site, key) : NULL;
	if (page) {
		vouch(page, source);
		return page;
	}
	if (is_key(key) && !plan_excludes(site->plan, key) &&
	    page_key_is_plain(&site->plan->policy.ignore_query, key) && has_room(site, source))
		page = make(site, key);
	if (!page) {
		site->refused++;
		return NULL;
	}
	page->policy = BASELINE_LEARNING;
	page->source = (uint8_t)source;
	page->depth = (uint8_t)(depth < UINT8_MAX ? depth : UINT8_MAX);
	enlist(site, page);
	return page;
}

static void leave_panel(struct seal *seal, const struct page *page)
{
	unsigned n = 0;
	for (unsigned i = 0; i < seal->n_panel; i++)
		if (seal->panel[i] != page)
			seal->panel[n++] = seal->panel[i];
	seal->n_panel = n;
}

void ledger_forget(struct page *page)
{
	struct ledger_site *site = page->site;
	struct ledger *ledger = site->ledger;
	leave_panel(&site->seal, page);
	leave_heap(page);
	take_from_bucket(ledger, page);
	if (page->prev)
		page->prev->next = page->next;
	else
		site->pages = page->next;
	if (page->next)
		page->next->prev = page->prev;
	site->n_pages--;
	site->n_nominated -= page->source == SOURCE_NOMINATED;
	ledger->n_pages--;
	free(page);
}

const struct plan_route *page_route(const struct page *page)
{
	struct span path = span_of(page->key, span_find(page_key(page), '?'));
	return plan_route(page->site->plan, path);
}

/* ---- marks ---- */

static struct page_mark *find(struct page_mark *marks, unsigned n, const uint8_t *digest)
{
	for (unsigned i = 0; i < n; i++)
		if (memcmp(marks[i].digest, digest, DIGEST_SIZE) == 0)
			return &marks[i];
	return NULL;
}

struct page_mark *page_good(struct page *page, const uint8_t digest[DIGEST_SIZE])
{
	return find(page->good, page->n_good, digest);
}

struct page_mark *page_seen(struct page *page, const uint8_t digest[DIGEST_SIZE])
{
	return find(page->seen, page->n_seen, digest);
}

void page_drop_good(struct page *page, const uint8_t digest[DIGEST_SIZE])
{
	struct page_mark *mark = page_good(page, digest);
	if (!mark)
		return;
	size_t at = (size_t)(mark - page->good);
	memmove(mark, mark + 1, (page->n_good - at - 1) * sizeof(*mark));
	page->n_good--;
}

static struct page_mark *longest_unseen(struct page *page)
{
	struct page_mark *found = NULL;
	for (unsigned i = 0; i < page->n_good; i++)
		if (!page->good[i].pinned && (!found || page->good[i].last_s <= found->last_s))
			found = &page->good[i];
	return found ? found : &page->good[page->n_good - 1];
}

bool page_add_good(struct page *page, const struct page_mark *mark, uint8_t dropped[DIGEST_SIZE])
{
	const struct page_mark copy = *mark;
	bool drops = page->n_good == PAGE_GOOD_MAX && !page_good(page, copy.digest);
	if (drops) {
		memcpy(dropped, longest_unseen(page)->digest, DIGEST_SIZE);
		page_drop_good(page, dropped);
	}
	page_drop_good(page, copy.digest);
	memmove(page->good + 1, page->good, page->n_good * sizeof(page->good[0]));
	page->good[0] = copy;
	page->n_good++;
	return drops;
}

void page_learn_anew(struct page *page, uint64_t now_s)
{
	page->policy = BASELINE_LEARNING;
	page->n_seen = page->n_good = 0;
	page->quiet = 0;
	page->quiet_since_s = now_s;
	page->changed_s = page->gone_s = 0;
	page->gone_rounds = page->bad_forms = 0;
	page->gone_told = page->was_published = false;
	page->look = LOOK_NONE;
}

/* ---- sites ---- */

bool ledger_init(struct ledger *ledger, uint64_t seed)
{
	*ledger = (struct ledger){.seed = seed ^ HASH_START};
	ledger->buckets = calloc(FIRST_BUCKETS, sizeof(*ledger->buckets));
	ledger->n_buckets = FIRST_BUCKETS;
	return ledger->buckets != NULL;
}

static void free_site(struct ledger_site *site)
{
	while (site->pages)
		ledger_forget(site->pages);
	for (unsigned i = 0; i < site->n_sitemaps; i++)
		free(site->sitemaps[i].target);
	free(site->heap);
	free(site);
}

void ledger_release(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->n; i++)
		free_site(ledger->sites[i]);
	free(ledger->sites);
	free(ledger->buckets);
	*ledger = (struct ledger){0};
}

struct ledger_site *ledger_site(const struct ledger *ledger, uint64_t id)
{
	for (size_t i = 0; i < ledger->n; i++)
		if (ledger->sites[i]->plan->id == id)
			return ledger->sites[i];
	return NULL;
}

struct ledger_site *ledger_site_named(const struct ledger *ledger, const char *name)
{
	struct ledger_site *site = ledger_site(ledger, site_id(name));
	return site && strcmp(site->plan->name, name) == 0 ? site : NULL;
}

static void watch_origins(struct ledger_site *site)
{
	site->n_origins = 0;
	for (size_t r = 0; r < site->plan->n; r++)
		for (size_t o = 0; o < site->plan->routes[r].n; o++)
			if (site->n_origins < ORIGINS_WATCHED)
				site->origins[site->n_origins++] =
				    (struct origin_look){.origin = &site->plan->routes[r].origins[o]};
}

static bool take_site(struct ledger *ledger, const struct plan_site *plan)
{
	struct ledger_site *site = ledger_site(ledger, plan->id);
	if (!site) {
		site = calloc(1, sizeof(*site));
		if (!site)
			return false;
		site->ledger = ledger;
		site->seal.state = GUARD_LEARNING;
		ledger->sites[ledger->n++] = site;
	}
	site->plan = plan;
	site->in_plan = true;
	watch_origins(site);
	return true;
}

static void forget_excluded(struct ledger_site *site)
{
	for (struct page *page = site->pages, *next; page; page = next) {
		next = page->next;
		if (plan_excludes(site->plan, page_key(page)))
			ledger_forget(page);
	}
}

static void drop_others(struct ledger *ledger)
{
	size_t n = 0;
	for (size_t i = 0; i < ledger->n; i++) {
		struct ledger_site *site = ledger->sites[i];
		if (site->in_plan)
			ledger->sites[n++] = site;
		else
			free_site(site);
	}
	ledger->n = n;
}

bool ledger_take_plan(struct ledger *ledger, const struct plan *plan)
{
	struct ledger_site **bigger =
	    realloc(ledger->sites, (ledger->n + plan->n + 1) * sizeof(*bigger));
	if (!bigger)
		return false;
	ledger->sites = bigger;
	for (size_t i = 0; i < ledger->n; i++)
		ledger->sites[i]->in_plan = false;
	for (size_t i = 0; i < plan->n; i++)
		if (!take_site(ledger, &plan->sites[i]))
			return false;
	drop_others(ledger);
	for (size_t i = 0; i < ledger->n; i++)
		forget_excluded(ledger->sites[i]);
	ledger->plans++;
	return true;
}
