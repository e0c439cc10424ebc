/* What is listed, denied and special, as sets. Overlapping intervals would be refused by the kernel, so
 * they are joined here, those of one list with the same ports in one set. Names have sets of their own,
 * which are filled as their addresses become known. */
#include "egress/ruleset_text.h"

#include <stdlib.h>

struct interval {
	uint8_t first[16], last[16];
};

enum { BLOCKS_MAX = 128 };

static int by_first(const void *a, const void *b)
{
	return memcmp(((const struct interval *)a)->first, ((const struct interval *)b)->first, 16);
}

static struct interval interval_of(const struct cidr *network)
{
	struct interval out;
	memcpy(out.first, network->bytes, 16);
	memcpy(out.last, network->bytes, 16);
	for (unsigned bit = network->prefix; bit < 128; bit++)
		out.last[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return out;
}

/* Networks either contain one another or are apart. */
static size_t join(struct interval *of, size_t n)
{
	size_t kept = 0;
	qsort(of, n, sizeof(*of), by_first);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && memcmp(of[i].first, of[kept - 1].last, 16) <= 0) {
			if (memcmp(of[i].last, of[kept - 1].last, 16) > 0)
				memcpy(of[kept - 1].last, of[i].last, 16);
		} else {
			of[kept++] = of[i];
		}
	}
	return kept;
}

static void add_bound(struct strbuf *out, const uint8_t bytes[16])
{
	struct cidr one = {.prefix = 128};
	memcpy(one.bytes, bytes, 16);
	ruleset_add_network(out, &one);
}

static void add_intervals(struct strbuf *out, const struct interval *of, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		strbuf_add_str(out, i > 0 ? ", " : "");
		add_bound(out, of[i].first);
		if (memcmp(of[i].first, of[i].last, 16) == 0)
			continue;
		strbuf_add_char(out, '-');
		add_bound(out, of[i].last);
	}
}

/* ---- groups: entries of one list with the same ports ---- */

static bool same_group(const struct warden_entry *a, const struct warden_entry *b)
{
	return a->list == b->list && a->port_min == b->port_min && a->port_max == b->port_max;
}

/* The first of its group: a plan has each group's entries one after the other. */
static bool leads(const struct warden_plan *plan, uint32_t index)
{
	return index == 0 || !same_group(&plan->entries[index - 1], &plan->entries[index]);
}

void ruleset_add_group(struct strbuf *out, const struct warden_entry *of, char family)
{
	static const char *const names[] = {
	    [WARDEN_DENIED] = "deny",	 [WARDEN_LISTED_SPECIAL] = "open", [WARDEN_LISTED] = "allow",
	    [WARDEN_LISTED_NAME] = "name", [WARDEN_RELAY] = "relay",	   [WARDEN_RELAY_NAME] = "mail"};
	strbuf_addf(out, "%s_%u_%u_%c", names[of->list], of->port_min, of->port_max, family);
}

/* What of an entry is opened by it: not the smaller blocks within. Networks contain one another or are apart. */
static bool is_within(const struct interval *inner, const struct interval *outer)
{
	return memcmp(inner->first, outer->first, 16) >= 0 && memcmp(inner->last, outer->last, 16) <= 0;
}

static void step(uint8_t bytes[16], int by)
{
	for (int i = 15; i >= 0; i--) {
		bytes[i] = (uint8_t)(bytes[i] + by);
		if (bytes[i] != (by > 0 ? 0 : 0xff))
			return;
	}
}

/* The smaller blocks within an entry, joined; room for BLOCKS_MAX. */
static size_t inner_blocks(const struct interval *entry, struct interval *out)
{
	size_t blocks, n = 0;
	const struct egress_special *special = egress_special_blocks(&blocks);
	for (size_t i = 0; i < blocks && n < BLOCKS_MAX; i++) {
		struct interval block = interval_of(&special[i].network);
		if (is_within(&block, entry) && memcmp(&block, entry, sizeof(block)) != 0)
			out[n++] = block;
	}
	return join(out, n);
}

static size_t add_opened(const struct interval *entry, struct interval *out)
{
	struct interval inner[BLOCKS_MAX], rest = *entry;
	size_t blocks = inner_blocks(entry, inner), n = 0;
	for (size_t i = 0; i < blocks; i++) {
		if (memcmp(inner[i].first, rest.first, 16) > 0) {
			out[n] = rest;
			memcpy(out[n].last, inner[i].first, 16);
			step(out[n++].last, -1);
		}
		if (memcmp(inner[i].last, entry->last, 16) == 0)
			return n;
		memcpy(rest.first, inner[i].last, 16);
		step(rest.first, 1);
	}
	out[n++] = rest;
	return n;
}

static size_t collect(const struct warden_plan *plan, const struct warden_entry *group, char family,
		      struct interval *out)
{
	size_t n = 0;
	const struct warden_entry *end = plan->entries + plan->entry_count;
	for (const struct warden_entry *entry = group; entry < end && same_group(entry, group); entry++) {
		if (!ruleset_has_family(&entry->network, family))
			continue;
		struct interval interval = interval_of(&entry->network);
		if (group->list == WARDEN_LISTED_SPECIAL)
			n += add_opened(&interval, out + n);
		else
			out[n++] = interval;
	}
	return join(out, n);
}

/* How many there may be: each block within an entry cuts it once more. */
static size_t room_needed(const struct warden_plan *plan)
{
	size_t n = BLOCKS_MAX;
	for (uint32_t i = 0; i < plan->entry_count; i++)
		n += plan->entries[i].list == WARDEN_LISTED_SPECIAL ? BLOCKS_MAX : 1;
	return n;
}

static void declare_group(const struct ruleset_writer *w, const struct warden_entry *group, char family,
			  struct interval *room)
{
	bool is_name = group->list == WARDEN_LISTED_NAME || group->list == WARDEN_RELAY_NAME;
	strbuf_add_str(w->out, "add set inet " RULESET_TABLE " ");
	ruleset_add_group(w->out, group, family);
	strbuf_addf(w->out, is_name ? " { type ipv%c_addr ; flags timeout ; size %d ; }\n"
				    : " { type ipv%c_addr ; flags interval ; }\n", family, RULESET_KNOWN_MAX);
	size_t n = is_name ? 0 : collect(w->plan, group, family, room);
	if (is_name)
		return;
	strbuf_add_str(w->out, "flush set inet " RULESET_TABLE " ");
	ruleset_add_group(w->out, group, family);
	if (n > 0) {
		strbuf_add_str(w->out, "\nadd element inet " RULESET_TABLE " ");
		ruleset_add_group(w->out, group, family);
		strbuf_add_str(w->out, " { ");
		add_intervals(w->out, room, n);
		strbuf_add_str(w->out, " }");
	}
	strbuf_add_char(w->out, '\n');
}

static size_t collect_special(char family, struct interval *out)
{
	size_t blocks, n = 0;
	const struct egress_special *special = egress_special_blocks(&blocks);
	for (size_t i = 0; i < blocks && n < BLOCKS_MAX; i++)
		if (ruleset_has_family(&special[i].network, family))
			out[n++] = interval_of(&special[i].network);
	return join(out, n);
}

static void declare_special(const struct ruleset_writer *w, char family, struct interval *room)
{
	strbuf_addf(w->out, "add set inet " RULESET_TABLE " special%c { type ipv%c_addr ; flags interval ; }\n"
			    "flush set inet " RULESET_TABLE " special%c\n"
			    "add element inet " RULESET_TABLE " special%c { ", family, family, family, family);
	add_intervals(w->out, room, collect_special(family, room));
	strbuf_add_str(w->out, " }\n");
}

void ruleset_declare_lists(const struct ruleset_writer *w)
{
	static const char families[] = {'4', '6'};
	const struct warden_plan *plan = w->plan;
	struct interval *room = calloc(room_needed(plan), sizeof(*room));
	if (!room) {
		w->out->truncated = true;
		return;
	}
	for (size_t f = 0; f < sizeof(families); f++) {
		declare_special(w, families[f], room);
		for (uint32_t i = 0; i < plan->entry_count; i++)
			if (leads(plan, i))
				declare_group(w, &plan->entries[i], families[f], room);
	}
	free(room);
}

static void add_ports(struct strbuf *out, const struct warden_entry *entry)
{
	strbuf_addf(out, "meta l4proto @transport th dport %u", entry->port_min);
	if (entry->port_max != entry->port_min)
		strbuf_addf(out, "-%u", entry->port_max);
	strbuf_add_char(out, ' ');
}

void ruleset_match_lists(const struct ruleset_writer *w, const char *chain, unsigned list, const char *target)
{
	for (uint32_t i = 0; i < w->plan->entry_count; i++) {
		const struct warden_entry *entry = &w->plan->entries[i];
		if (entry->list != list || !leads(w->plan, i))
			continue;
		strbuf_add_str(w->out, "add rule inet " RULESET_TABLE " ");
		ruleset_add_prefix(w->out, w->origin);
		strbuf_addf(w->out, "%s%c ", chain, w->family);
		if (entry->port_min > 0 || entry->port_max < UINT16_MAX)
			add_ports(w->out, entry);
		strbuf_addf(w->out, "%s daddr @", w->family == '4' ? "ip" : "ip6");
		ruleset_add_group(w->out, entry, w->family);
		strbuf_add_str(w->out, " goto ");
		ruleset_add_prefix(w->out, w->origin);
		strbuf_addf(w->out, "%s%c\n", target, w->family);
	}
}
