/* The rules that come with sallyport over up to eight values: what matches in each value by itself must match in
 * all of them together, and nothing else; and no value may take long for its length. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sallyport/settings.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VALUES = 8, NS_PER_BYTE = 60000, NS_ALWAYS = 20000000 };

static struct settings *settings;
static struct rule_scratch *scratch;

/* Compiling takes seconds, which are no input's. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct settings_overrides overrides = {.listen = ":8080", .origin = "http://192.0.2.1"};
	struct policy_errors *errors = policy_errors_new();
	struct err err;
	setenv("SALLYPORT_DATADIR", ".", 0);
	settings = settings_load(NULL, &overrides, errors);
	policy_errors_free(errors);
	scratch = rule_scratch_new();
	if (!settings || !scratch || !rule_scratch_fit(scratch, settings->rule_set, &err))
		abort();
	(void)argc, (void)argv;
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void fail(const char *what, const struct rule_hit *hit)
{
	fprintf(stderr, "%s: %s\n", what, settings->rule_specs[hit->rule].id);
	abort();
}

static void scan(const struct rule_value *values, size_t n, struct rule_tally *tally)
{
	struct rule_scan scan;
	rule_tally_begin(tally);
	rule_scan_begin(&scan, settings->rule_set, scratch, tally, NULL);
	for (size_t i = 0; i < n; i++)
		rule_scan_add(&scan, &values[i]);
	rule_scan_run(&scan);
	if (tally->broken)
		abort();
}

static bool is_simple(const struct rule_hit *hit)
{
	return settings->rule_specs[hit->rule].condition_count == 1;
}

static bool has(const struct rule_tally *tally, uint32_t rule)
{
	for (uint32_t i = 0; i < tally->hit_count; i++) {
		if (tally->hits[i].rule == rule)
			return true;
	}
	return tally->hit_count == RULE_HITS_MAX;
}

/* Each value is a byte for its target and what follows up to the next 0xff. */
static size_t split(const uint8_t *data, size_t size, struct rule_value values[VALUES])
{
	size_t n = 0;
	while (size > 0 && n < VALUES) {
		const uint8_t *end = memchr(data, 0xff, size);
		size_t len = end ? (size_t)(end - data) : size;
		if (len > 0) {
			struct span text = span_of((const char *)data + 1, len - 1);
			values[n++] = (struct rule_value){
			    .target = (enum rule_target)(1 + data[0] % (TARGET_COUNT - 1)),
			    .name = SPAN("q"), .value = text, .raw = text};
		}
		data += end ? len + 1 : len;
		size -= end ? len + 1 : len;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rule_tally alone[VALUES], together;
	struct rule_value values[VALUES];
	size_t n = split(data, size, values);
	uint64_t begin = cpu_ns();
	scan(values, n, &together);
	if (cpu_ns() - begin > NS_ALWAYS + size * NS_PER_BYTE)
		abort();
	for (size_t i = 0; i < n; i++) {
		scan(&values[i], 1, &alone[i]);
		for (uint32_t j = 0; j < alone[i].hit_count; j++) {
			if (!has(&together, alone[i].hits[j].rule))
				fail("not among others", &alone[i].hits[j]);
		}
	}
	for (uint32_t j = 0; j < together.hit_count; j++) {
		bool found = !is_simple(&together.hits[j]);
		for (size_t i = 0; i < n; i++)
			found |= has(&alone[i], together.hits[j].rule);
		if (!found)
			fail("only among others", &together.hits[j]);
	}
	return 0;
}
