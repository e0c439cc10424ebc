/* The kernel leg's table: what this machine has for it, the text as it has to be here and now, what of an older
 * table has no place in it any more. All of it goes to the kernel as one transaction. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proc/warden.h"
#include "sallyport/clock.h"
#include "sallyport/log.h"

enum { OBJECTS_MAX = 65536, LOOKS_MAX = 5 };

/* ---- what this machine has ---- */

static bool kernel_takes(const char *text)
{
	struct err err = {{0}};
	return kernel_nft_check(warden.nft, text, &err);
}

void rules_probe(void)
{
	static const char log_text[] = "add table inet " RULESET_TABLE "_probe\nadd chain inet " RULESET_TABLE "_probe c\n"
				       "add rule inet " RULESET_TABLE "_probe c log group 8355 snaplen 96 prefix \"x\"\n";
	static const char bridge_text[] =
	    "add table bridge " RULESET_TABLE "_probe\nadd chain bridge " RULESET_TABLE
	    "_probe c { type filter hook prerouting priority -310 ; }\nadd rule bridge " RULESET_TABLE
	    "_probe c iifname \"x\" arp saddr ip != 10.0.0.1 drop\n";
	warden.facts.has_log = warden.events && kernel_takes(log_text);
	warden.facts.has_bridge = kernel_takes(bridge_text);
	if (!warden.facts.has_log)
		log_warn("this kernel has no NFLOG for us: strikes and quarantines of the kernel leg are told late, without "
			 "destinations, and slow scans are not seen");
	if (!warden.facts.has_bridge)
		log_warn("this kernel filters no bridges: origins on one bridge can pass for one another among themselves");
	if (!warden.flows)
		log_warn("the kernel's table of connections cannot be asked: slow scans are not seen");
}

static void find_facts(const struct warden_plan *plan, struct ruleset_facts *facts)
{
	*facts = warden.facts;
	facts->reports_only = rules_only_report(plan);
	places_find(plan, facts);
}

bool rules_only_report(const struct warden_plan *plan)
{
	return egress_only_reports((int)plan->mode, warden.states, clock_mono_ms());
}

/* ---- what an older table has left ---- */

struct stale {
	struct ruleset_object *of; /* room for OBJECTS_MAX */
	size_t n;
	struct ruleset_declared declared;
};

static const char *const kinds[KERNEL_OBJECTS] = {[KERNEL_CHAIN] = "chain", [KERNEL_SET] = "set", [KERNEL_LIMIT] = "limit",
						   [KERNEL_QUOTA] = "quota", [KERNEL_COUNTER] = "counter"};

struct listing {
	struct stale *stale;
	const char *kind, *family;
};

static void consider(void *context, const char *name)
{
	const struct listing *listing = context;
	struct stale *stale = listing->stale;
	struct ruleset_object *object = &stale->of[stale->n];
	if (stale->n == OBJECTS_MAX || strlen(name) >= sizeof(object->name) || strpbrk(name, " \n"))
		return;
	snprintf(object->family, sizeof(object->family), "%s", listing->family);
	snprintf(object->kind, sizeof(object->kind), "%s", listing->kind);
	snprintf(object->name, sizeof(object->name), "%s", name);
	if (!ruleset_declares(&stale->declared, object))
		stale->n++;
}

/* Where somebody else changes rules meanwhile, some may be missing: it is looked at anew. */
static bool list(struct stale *stale, enum kernel_object of, bool is_bridge, struct err *err)
{
	struct listing listing = {stale, kinds[of], is_bridge ? "bridge" : "inet"};
	const size_t before = stale->n;
	for (int i = 0; i < LOOKS_MAX; i++) {
		stale->n = before;
		errno = 0;
		if (kernel_objects_read(warden.counters_fd, is_bridge, RULESET_TABLE, of, consider, &listing, err))
			return true;
		if (errno != EINTR)
			return false;
	}
	return false;
}

static void add_all(struct strbuf *out, const struct stale *stale, const char *verb, const char *kind)
{
	for (size_t i = 0; i < stale->n; i++)
		if (strcmp(stale->of[i].kind, kind) == 0)
			strbuf_addf(out, "%s %s %s " RULESET_TABLE " %s\n", verb, kind, stale->of[i].family,
				    stale->of[i].name);
}

/* Chains first, emptied before any goes, since they name one another and all else. */
static void add_removals(struct strbuf *out, const struct stale *stale)
{
	add_all(out, stale, "flush", kinds[KERNEL_CHAIN]);
	for (size_t i = 0; i < KERNEL_OBJECTS; i++)
		add_all(out, stale, "delete", kinds[i]);
}

static bool find_stale(struct stale *stale, struct err *err)
{
	bool is_whole = true;
	for (int of = 0; of < KERNEL_OBJECTS && is_whole; of++)
		is_whole = list(stale, (enum kernel_object)of, false, err);
	return is_whole && (!warden.facts.has_bridge || list(stale, KERNEL_CHAIN, true, err));
}

static bool add_stale(struct strbuf *out, struct err *err)
{
	struct stale stale = {.of = calloc(OBJECTS_MAX + 1, sizeof(*stale.of))};
	if (!stale.of || !ruleset_declared_init(&stale.declared, strbuf_span(out))) {
		free(stale.of);
		return err_set(err, "egress: memory is exhausted");
	}
	bool is_found = find_stale(&stale, err);
	ruleset_declared_release(&stale.declared);
	if (is_found)
		add_removals(out, &stale);
	free(stale.of);
	return is_found;
}

/* ---- text ---- */

static bool write_text(const struct warden_plan *plan, const struct ruleset_facts *facts, struct strbuf *out,
		       struct err *err)
{
	strbuf_init(out, RULESET_BYTES_MAX);
	ruleset_write(plan, facts, out);
	return add_stale(out, err) &&
	       (!out->truncated || err_set(err, "egress: the rules for the kernel are too many, or memory is exhausted"));
}

bool rules_check(const struct warden_plan *plan, struct err *err)
{
	struct ruleset_facts facts;
	struct strbuf text;
	find_facts(plan, &facts);
	bool is_good = write_text(plan, &facts, &text, err) && kernel_nft_check(warden.nft, text.data, err);
	strbuf_release(&text);
	return is_good;
}

bool rules_load(struct err *err)
{
	struct ruleset_facts facts;
	struct strbuf text;
	find_facts(warden.plan, &facts);
	bool is_good = write_text(warden.plan, &facts, &text, err) && kernel_nft_load(warden.nft, text.data, err);
	strbuf_release(&text);
	if (!is_good)
		return false;
	warden.facts = facts;
	warden.has_table = true;
	warden.reports_only = facts.reports_only;
	atomic_store_explicit(&warden.states->kernel_why, 0, memory_order_relaxed);
	atomic_store_explicit(&warden.states->kernel_active, 1, memory_order_release);
	return true;
}

void rules_remove(void)
{
	struct err err = {{0}};
	struct strbuf text;
	if (!warden.nft)
		return;
	atomic_store_explicit(&warden.states->kernel_active, 0, memory_order_release);
	strbuf_init(&text, 4096);
	ruleset_write_removal(warden.facts.has_bridge, &text);
	if (!kernel_nft_load(warden.nft, text.data, &err))
		log_error("the kernel leg's table stays: %s", err.text);
	strbuf_release(&text);
	warden.has_table = false;
}

bool rules_follow_network(struct err *err)
{
	struct ruleset_facts facts;
	if (!warden.plan || !warden.has_table)
		return true;
	find_facts(warden.plan, &facts);
	if (memcmp(&facts, &warden.facts, sizeof(facts)) == 0)
		return true;
	if (!rules_load(err))
		return false;
	log_info("the kernel leg follows a change of this machine's network");
	return true;
}

void rules_reset_quota(const struct warden_origin *origin)
{
	struct err err = {{0}};
	char command[128];
	for (uint32_t i = 0; warden.plan && warden.plan->hourly_bytes > 0 && i < warden.plan->origin_count; i++) {
		const struct warden_origin *each = &warden.plan->origins[i];
		if (origin && origin != each)
			continue;
		snprintf(command, sizeof(command), "reset quota inet " RULESET_TABLE " o%016" PRIx64 "_hour", each->id);
		if (!kernel_nft_load(warden.nft, command, &err))
			log_warn("egress.flows.hourly_bytes of %s does not begin anew: %s", each->name, err.text);
	}
}
