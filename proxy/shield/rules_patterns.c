/* Patterns: vectorscan behind a door. Compiling allocates; scanning allocates nothing and makes no
 * system call, so it may run inside the sandbox. */
#include "shield/rules_patterns.h"

#include <hs.h>
#include <stdlib.h>

#include "sallyport/crypto.h"

struct pattern_scratch {
	hs_scratch_t *memory;
};

static const hs_database_t *database_of(const struct patterns *patterns)
{
	return (const hs_database_t *)(const void *)patterns;
}

static unsigned flags_of(const struct pattern_source *source)
{
	return HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL | (source->cased ? 0 : HS_FLAG_CASELESS) |
	       (source->kind == PATTERN_FILTER ? HS_FLAG_PREFILTER : 0);
}

bool patterns_are_possible(void)
{
	return hs_valid_platform() == HS_SUCCESS;
}

static int note_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		      void *context)
{
	(void)id;
	(void)from;
	(void)to;
	(void)flags;
	*(bool *)context = true;
	return 0;
}

/* vectorscan 5.4.9 looks back from a literal for where its prefix may begin, and does not get as far as
 * the NUL here. Hyperscan 5.4.0 does. */
bool patterns_are_sound(void)
{
	char text[160];
	bool found = false;
	hs_database_t *database = NULL;
	hs_scratch_t *memory = NULL;
	hs_compile_error_t *error = NULL;
	memset(text, 'x', sizeof(text));
	memcpy(text + 120, "\0or 1=1", 8);
	if (hs_compile("\\x00[\\w.]*\\s*(?:or|and)\\s*\\d+\\s*=", HS_FLAG_DOTALL, HS_MODE_BLOCK, NULL, &database,
		       &error) != HS_SUCCESS) {
		hs_free_compile_error(error);
		return false;
	}
	if (hs_alloc_scratch(database, &memory) == HS_SUCCESS &&
	    hs_scan(database, text, sizeof(text), 0, memory, note_match, &found) != HS_SUCCESS)
		found = false;
	hs_free_scratch(memory);
	hs_free_database(database);
	return found;
}

enum pattern_kind pattern_check(const char *text, bool cased, struct err *err)
{
	struct pattern_source source = {.text = text, .cased = cased};
	for (source.kind = PATTERN_WHOLE; source.kind <= PATTERN_FILTER; source.kind++) {
		hs_compile_error_t *error = NULL;
		hs_expr_info_t *info = NULL;
		if (hs_expression_info(text, flags_of(&source), &info, &error) ==
		    HS_SUCCESS) {
			bool matches_all = info->min_width == 0;
			free(info);
			if (!matches_all || source.kind == PATTERN_FILTER)
				return source.kind;
			err_set(err, "it matches an empty text, so anything");
			return PATTERN_BAD;
		}
		if (source.kind == PATTERN_WHOLE)
			err_set(err, "%s", error->message);
		hs_free_compile_error(error);
	}
	return PATTERN_BAD;
}

/* The sources as the library wants them. */
struct batch {
	const char **texts;
	unsigned *flags, *ids;
};

static bool batch_init(struct batch *batch, const struct pattern_source *sources, size_t n)
{
	*batch = (struct batch){.texts = calloc(n + 1, sizeof(*batch->texts)),
				.flags = calloc(n + 1, sizeof(*batch->flags)),
				.ids = calloc(n + 1, sizeof(*batch->ids))};
	if (!batch->texts || !batch->flags || !batch->ids)
		return false;
	for (size_t i = 0; i < n; i++) {
		batch->texts[i] = sources[i].text;
		batch->flags[i] = flags_of(&sources[i]);
		batch->ids[i] = sources[i].id;
	}
	return true;
}

static void batch_release(struct batch *batch)
{
	free(batch->texts);
	free(batch->flags);
	free(batch->ids);
}

/* All that decides what comes out. */
static void write_key(const struct pattern_source *sources, size_t n, uint8_t key[RULE_KEY_SIZE])
{
	struct digest *digest = digest_new();
	hs_platform_info_t platform = {0};
	memset(key, 0, RULE_KEY_SIZE);
	if (!digest || hs_populate_platform(&platform) != HS_SUCCESS) {
		digest_free(digest);
		return;
	}
	digest_begin(digest);
	digest_add(digest, hs_version(), strlen(hs_version()));
	digest_add(digest, &platform, sizeof(platform));
	for (size_t i = 0; i < n; i++) {
		const unsigned numbers[] = {flags_of(&sources[i]), sources[i].id};
		digest_add(digest, numbers, sizeof(numbers));
		digest_add(digest, sources[i].text, strlen(sources[i].text) + 1);
	}
	digest_end(digest, key);
	digest_free(digest);
}

static hs_database_t *load(const struct rule_cache *cache, const uint8_t key[RULE_KEY_SIZE])
{
	hs_database_t *database = NULL;
	size_t len;
	char *bytes = cache->load ? cache->load(key, &len) : NULL;
	if (bytes && hs_deserialize_database(bytes, len, &database) != HS_SUCCESS)
		database = NULL; /* another version's, or damaged: it is compiled anew */
	free(bytes);
	return database;
}

static void store(const struct rule_cache *cache, const uint8_t key[RULE_KEY_SIZE],
		  const hs_database_t *database)
{
	char *bytes;
	size_t len;
	if (!cache->store || hs_serialize_database(database, &bytes, &len) != HS_SUCCESS)
		return;
	cache->store(key, bytes, len);
	free(bytes);
}

static hs_database_t *compile(const struct pattern_source *sources, size_t n, size_t *bad, struct err *err)
{
	hs_compile_error_t *error = NULL;
	hs_database_t *database = NULL;
	struct batch batch;
	*bad = n;
	if (!batch_init(&batch, sources, n)) {
		err_set(err, "no memory for %zu patterns", n);
	} else if (hs_compile_multi(batch.texts, batch.flags, batch.ids, (unsigned)n, HS_MODE_BLOCK,
				    NULL, &database, &error) != HS_SUCCESS) {
		if (error->expression >= 0)
			*bad = (size_t)error->expression;
		err_set(err, "%s", error->message);
		hs_free_compile_error(error);
		database = NULL;
	}
	batch_release(&batch);
	return database;
}

struct patterns *patterns_new(const struct pattern_source *sources, size_t n,
			      const struct rule_cache *cache, size_t *bad, struct err *err)
{
	uint8_t key[RULE_KEY_SIZE];
	write_key(sources, n, key);
	hs_database_t *database = load(cache, key);
	if (!database) {
		database = compile(sources, n, bad, err);
		if (database)
			store(cache, key, database);
	}
	return (struct patterns *)(void *)database;
}

void patterns_free(struct patterns *patterns)
{
	hs_free_database((hs_database_t *)(void *)patterns);
}

struct pattern_scratch *pattern_scratch_new(void)
{
	return calloc(1, sizeof(struct pattern_scratch));
}

void pattern_scratch_free(struct pattern_scratch *scratch)
{
	if (!scratch)
		return;
	hs_free_scratch(scratch->memory);
	free(scratch);
}

bool pattern_scratch_fit(struct pattern_scratch *scratch, const struct patterns *patterns,
			 struct err *err)
{
	return hs_alloc_scratch(database_of(patterns), &scratch->memory) == HS_SUCCESS ||
	       err_set(err, "no memory to match rules in");
}

struct finder {
	pattern_found *found;
	void *context;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		    void *context)
{
	const struct finder *finder = context;
	(void)from;
	(void)flags;
	finder->found(finder->context, id, (size_t)to);
	return 0;
}

bool patterns_scan(const struct patterns *patterns, struct pattern_scratch *scratch,
		   struct span text, pattern_found *found, void *context)
{
	struct finder finder = {found, context};
	return hs_scan(database_of(patterns), text.ptr, (unsigned)text.len, 0, scratch->memory, on_match,
		       &finder) == HS_SUCCESS;
}
