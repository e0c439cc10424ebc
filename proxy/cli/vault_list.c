/* sallyport vault list: the sites; the pages of one; what was held and waits. */
#include "cli/vault_reads.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/print.h"
#include "sallyport/cli.h"
#include "sallyport/hex.h"
#include "sallyport/nomination.h"

struct listing {
	struct vault_use *use;
	struct json_writer json;
	bool as_json;
	uint64_t rows;
};

/* ---- sites ---- */

static bool count_held(void *context, const struct vault_held *held)
{
	(void)held;
	++*(uint64_t *)context;
	return true;
}

static bool list_site(void *context, const struct vault_site *site)
{
	struct listing *listing = context;
	char since[CLI_TIME_SIZE];
	uint64_t pages = vault_page_count(listing->use->vault, site->id), held = 0;
	vault_held_list(listing->use->vault, site->id, count_held, &held);
	listing->rows++;
	if (!listing->as_json) {
		printf("%-20s %-11s %8" PRIu64 " %6" PRIu64 "  %-20s ", site->name,
		       guard_state_name(site->state), pages, held, cli_time(site->since_s, since));
		vault_cli_print(site->reason);
		puts("");
		return true;
	}
	json_open_object(&listing->json, NULL);
	json_add_text(&listing->json, "site", span_from_str(site->name));
	json_add_text(&listing->json, "state", span_from_str(guard_state_name(site->state)));
	json_add_text(&listing->json, "why", span_from_str(site->reason));
	json_add_number(&listing->json, "since_s", site->since_s);
	json_add_bool(&listing->json, "confirmed", site->confirmed);
	json_add_number(&listing->json, "publish_until_s", site->publish_until_s);
	json_add_number(&listing->json, "pages", pages);
	json_add_number(&listing->json, "held", held);
	json_close(&listing->json);
	return true;
}

/* ---- pages ---- */

struct version_counts {
	unsigned of[VAULT_STATES];
	unsigned all;
};

static bool count_version(void *context, const struct vault_version *version)
{
	struct version_counts *counts = context;
	counts->of[version->state]++;
	counts->all++;
	return true;
}

static const char *policy_name(enum baseline_policy policy)
{
	switch (policy) {
	case BASELINE_LEARNING: return "learning";
	case BASELINE_EXACT: return "exact";
	case BASELINE_VARYING: return "varying";
	default: return "-";
	}
}

static bool list_page(void *context, const struct vault_page *page)
{
	struct listing *listing = context;
	struct version_counts counts = {0};
	struct vault_version good = {.number = 0};
	char seen[CLI_TIME_SIZE];
	vault_versions(listing->use->vault, page->id, count_version, &counts);
	if (!vault_version_good(listing->use->vault, page->id, &good))
		good.number = 0;
	listing->rows++;
	if (!listing->as_json) {
		printf("%-9s %8u %7u %6u  %-20s ", policy_name(page->policy), counts.all, good.number,
		       counts.of[VAULT_HELD], cli_time(page->last_seen_s, seen));
		vault_cli_print(page->key);
		puts("");
		return true;
	}
	json_open_object(&listing->json, NULL);
	json_add_text(&listing->json, "url", span_from_str(page->key));
	json_add_text(&listing->json, "policy", span_from_str(policy_name(page->policy)));
	json_add_number(&listing->json, "versions", counts.all);
	json_add_number(&listing->json, "good", counts.of[VAULT_GOOD]);
	json_add_number(&listing->json, "held", counts.of[VAULT_HELD]);
	json_add_number(&listing->json, "serves", good.number);
	json_add_bool(&listing->json, "pinned", good.number > 0 && good.pinned);
	json_add_number(&listing->json, "first_seen_s", page->first_seen_s);
	json_add_number(&listing->json, "last_seen_s", page->last_seen_s);
	json_close(&listing->json);
	return true;
}

/* ---- held ---- */

static const char *severity_name(uint32_t severity)
{
	static const char *const names[SEVERITIES] = {"-", "note", "changed", "severe"};
	return severity < SEVERITIES ? names[severity] : "-";
}

static const char *site_name(struct vault_use *use, uint64_t id, struct vault_site *site)
{
	return vault_site_get(use->vault, id, site) ? site->name : "-";
}

static uint32_t version_number(struct vault_use *use, int64_t id)
{
	struct vault_version version;
	return id != 0 && vault_version_get(use->vault, id, &version) ? version.number : 0;
}

static void print_held(struct listing *listing, const struct vault_held *held, const char *name)
{
	char last[CLI_TIME_SIZE];
	printf("%-20s %6" PRIu64 " %-8s %7u  %-16s ", cli_time(held->last_s, last), held->times,
	       severity_name(held->severity), version_number(listing->use, held->version), name);
	vault_cli_print(held->key);
	fputs("  ", stdout);
	vault_cli_print(held->reason);
	if (held->host[0]) {
		fputs(" → ", stdout);
		vault_cli_print(held->host);
	}
	puts("");
}

static bool list_held(void *context, const struct vault_held *held)
{
	struct listing *listing = context;
	struct vault_site site;
	char hex[HEX_SIZE(DIGEST_SIZE)];
	const char *name = site_name(listing->use, held->site, &site);
	listing->rows++;
	if (!listing->as_json) {
		print_held(listing, held, name);
		return true;
	}
	json_open_object(&listing->json, NULL);
	json_add_text(&listing->json, "site", span_from_str(name));
	json_add_text(&listing->json, "url", span_from_str(held->key));
	json_add_text(&listing->json, "severity", span_from_str(severity_name(held->severity)));
	json_add_text(&listing->json, "reason", span_from_str(held->reason));
	json_add_text(&listing->json, "host", span_from_str(held->host));
	json_add_text(&listing->json, "digest", span_from_str(hex_write(held->digest, DIGEST_SIZE, hex)));
	json_add_number(&listing->json, "times", held->times);
	json_add_number(&listing->json, "first_s", held->first_s);
	json_add_number(&listing->json, "last_s", held->last_s);
	json_add_number(&listing->json, "version", version_number(listing->use, held->version));
	json_close(&listing->json);
	return true;
}

/* ---- which ---- */

static const char *title_of(const struct vault_options_given *given)
{
	if (given->held)
		return "LAST                  TIMES SEVERITY VERSION  SITE             URL AND REASON";
	return given->site ? "POLICY    VERSIONS  SERVES   HELD  LAST SEEN            URL"
			   : "SITE                 STATE          PAGES   HELD  SINCE                WHY";
}

static void list_rows(struct listing *listing, uint64_t site)
{
	struct vault *vault = listing->use->vault;
	if (listing->use->given.held)
		vault_held_list(vault, site, list_held, listing);
	else if (site != 0)
		vault_pages(vault, site, list_page, listing);
	else
		vault_sites(vault, list_site, listing);
}

static bool find_site(struct vault_use *use, uint64_t *out)
{
	struct vault_site site;
	struct err err = {""};
	*out = use->given.site ? site_id(use->given.site) : 0;
	if (*out == 0 || vault_site_get(use->vault, *out, &site))
		return true;
	err_set(&err, "the vault has no site \"%.64s\"", use->given.site);
	vault_cli_fail(use, &err);
	return false;
}

int vault_cli_list(struct vault_use *use)
{
	struct listing listing = {.use = use, .as_json = use->given.as_json};
	uint64_t site;
	if (!vault_cli_open(use, false) || !find_site(use, &site))
		return CLI_NO;
	if (!listing.as_json) {
		puts(title_of(&use->given));
		list_rows(&listing, site);
		return CLI_DONE;
	}
	json_begin(&listing.json);
	json_open_list(&listing.json, use->given.held ? "held" : use->given.site ? "pages" : "sites");
	list_rows(&listing, site);
	json_close(&listing.json);
	return vault_cli_print_json(use, &listing.json);
}
