#ifndef TESTS_FRONT_COST_H
#define TESTS_FRONT_COST_H

#include <stdlib.h>
#include <time.h>

#include "sallyport/settings.h"

/* What the rules that come with sallyport cost for one value, in time of this thread, so that the load of
 * the machine matters little. After setjmp.h, without cmocka. */

struct cost {
	struct settings *settings;
	struct rule_scratch *scratch;
};

static inline bool cost_open(struct cost *cost)
{
	const struct settings_overrides overrides = {.listen = ":8080", .origin = "http://192.0.2.1"};
	struct policy_errors *errors = policy_errors_new();
	struct err err;
	setenv("SALLYPORT_DATADIR", ".", 0);
	cost->settings = settings_load(NULL, &overrides, errors);
	policy_errors_free(errors);
	cost->scratch = rule_scratch_new();
	return cost->settings && cost->scratch && rule_scratch_fit(cost->scratch, cost->settings->rule_set, &err);
}

static inline void cost_close(struct cost *cost)
{
	rule_scratch_free(cost->scratch);
	settings_free(cost->settings);
}

static inline uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

enum { YARDSTICK_NS = 1750000 };

/* The same work always, in the caches as rules and values are. */
static inline uint64_t yardstick_ns(void)
{
	enum { CELLS = 1 << 16, STEPS = 1 << 18 };
	static uint32_t table[CELLS];
	uint64_t x = 1, begin = cpu_ns();
	for (unsigned i = 0; i < STEPS; i++) {
		x = (x ^ table[x >> 20 & (CELLS - 1)]) * 0x100000001b3;
		table[i & (CELLS - 1)] = (uint32_t)(x >> 32);
	}
	return cpu_ns() - begin;
}

/* What took so long just now, in time of the machine that bounds were measured on: others are slower, and so is that
 * one where its cores are shared. */
static inline uint64_t paced_ns(uint64_t ns)
{
	uint64_t yard = yardstick_ns();
	return ns == UINT64_MAX || yard <= YARDSTICK_NS ? ns : (uint64_t)((double)ns * YARDSTICK_NS / (double)yard);
}

/* UINT64_MAX: it could not be scanned. */
static inline uint64_t cost_of_value(const struct cost *cost, enum rule_target target, struct span text)
{
	static struct rule_tally tally;
	struct rule_scan scan;
	const struct rule_value value = {.target = target, .name = SPAN("q"), .value = text, .raw = text};
	uint64_t begin = cpu_ns();
	rule_tally_begin(&tally);
	rule_scan_begin(&scan, cost->settings->rule_set, cost->scratch, &tally, NULL);
	rule_scan_add(&scan, &value);
	rule_scan_run(&scan);
	return tally.broken ? UINT64_MAX : cpu_ns() - begin;
}

/* The unit over and over between two ends. */
static inline void cost_fill(char *text, size_t len, struct span before, struct span unit, struct span behind)
{
	size_t at = before.len < len ? before.len : len, end = behind.len < len - at ? len - behind.len : len;
	memcpy(text, before.ptr, at);
	for (size_t i = 0; at < end; i++)
		text[at++] = unit.ptr[i % unit.len];
	memcpy(text + at, behind.ptr, len - at);
}

#endif
