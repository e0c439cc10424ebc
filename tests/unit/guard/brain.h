#ifndef TESTS_GUARD_BRAIN_H
#define TESTS_GUARD_BRAIN_H

#include <stdio.h>
#include <string.h>

#include "sallyport/learn.h"
#include "sallyport/schedule.h"
#include "sallyport/seal.h"

/* A site to think about, without a vault, a scout or a clock. */

static struct plan_origin brain_origins[3] = {
    {.host = "a", .port = 80, .text = "a:80"},
    {.host = "b", .port = 80, .text = "b:80"},
    {.host = "c", .port = 80, .text = "c:80"},
};
static struct plan_route brain_routes[2];
static struct plan_site brain_sites[2];
static struct plan brain_plan;
static struct ledger brain;

static struct ledger_site *brain_begin(unsigned origins)
{
	static const char *seeds[] = {"/", NULL};
	struct guard_policy policy = {
	    .mode = GUARD_ENFORCE, .samples = 3, .sample_interval_ms = 1000, .settle_ms = 100000,
	    .probe_interval_ms = 5000, .max_pages = 100, .depth = 3, .recover = 2,
	    .rate = {5, 1000}, .seeds = {.items = seeds, .n = 1}, .sitemap = true,
	};
	for (size_t i = 0; i < 2; i++) {
		brain_routes[i] = (struct plan_route){
		    .prefix = SPAN("/"), .host = "shop.example", .origins = brain_origins, .n = origins};
		brain_sites[i] = (struct plan_site){.name = i ? "blog" : "shop",
						    .id = site_id(i ? "blog" : "shop"),
						    .policy = policy, .routes = &brain_routes[i], .n = 1};
	}
	brain_plan = (struct plan){.sites = brain_sites, .n = 1};
	assert_true(ledger_init(&brain, 7));
	assert_true(ledger_take_plan(&brain, &brain_plan));
	brain.sites[0]->confirmed = true;
	return brain.sites[0];
}

static inline int brain_end(void **state)
{
	(void)state;
	ledger_release(&brain);
	return 0;
}

/* A digest for a letter. */
static inline const uint8_t *brain_digest(char letter)
{
	static uint8_t digests[128][DIGEST_SIZE];
	memset(digests[(int)letter], letter, DIGEST_SIZE);
	return digests[(int)letter];
}

#endif
