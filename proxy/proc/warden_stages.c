/* Who is in quarantine: the kernel has it in two sets with timeouts, and puts origins there by itself; the
 * memory shared with gate and master has the sentence, with its reason and length. What the kernel decided is
 * written there; what stands there is put into the kernel. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proc/warden.h"
#include "sallyport/clock.h"
#include "sallyport/log.h"

enum { STRIKES_MOST = 1 << 16, TEXT_BYTES = 2048 };

static const struct warden_origin *origin_at(unsigned i)
{
	return &warden.plan->origins[i];
}

static uint64_t wall_ms(void)
{
	return clock_wall_us() / 1000;
}

/* ---- telling ---- */

static void tell(unsigned origin, enum egress_news news, enum egress_offence offence, const struct egress_sentence *sentence,
		 const struct kernel_event *event)
{
	char last[ADDR_TEXT_SIZE] = "";
	uint64_t now_ms = clock_mono_ms();
	struct egress_event told = {
	    .news = news,
	    .origin = origin_at(origin)->name,
	    .offence = offence,
	    .stage = sentence->stage,
	    .only_reports = warden.reports_only,
	};
	if (event && event->has_addresses) {
		bool has_port = event->protocol == IPPROTO_TCP || event->protocol == IPPROTO_UDP;
		(void)(has_port ? addr_format(&event->to, last) : addr_format_ip(&event->to, last));
		told.last = last;
	}
	if (news == EGRESS_NEWS_QUARANTINE && sentence->until_ms != UINT64_MAX)
		told.length_ms = sentence->until_ms > now_ms ? sentence->until_ms - now_ms : 1;
	egress_tell(&warden.teller, &told, now_ms);
}

/* ---- into the kernel ---- */

static void add_element(struct strbuf *out, const char *set, uint32_t key, uint64_t left_ms)
{
	if (left_ms == UINT64_MAX)
		strbuf_addf(out, "add element inet " RULESET_TABLE " %s { 0x%08" PRIx32 " }\n", set, key);
	else
		strbuf_addf(out, "add element inet " RULESET_TABLE " %s { 0x%08" PRIx32 " timeout %" PRIu64 "s }\n", set, key,
			    left_ms / 1000 + 1);
}

/* Added first, so that it is no error where it is not there. */
static void remove_element(struct strbuf *out, const char *set, uint32_t key)
{
	strbuf_addf(out, "add element inet " RULESET_TABLE " %s { 0x%08" PRIx32 " timeout 60s }\n"
			 "delete element inet " RULESET_TABLE " %s { 0x%08" PRIx32 " }\n", set, key, set, key);
}

/* Who is free again is not held to what was found before. */
static void forget_offences(struct strbuf *out, const struct warden_origin *origin)
{
	static const char *const sets[] = {"struck", "cut"};
	for (size_t i = 0; i < 2; i++)
		for (char family = '4'; family <= '6'; family = (char)(family + 2))
			if (ruleset_has_sets(origin, family))
				strbuf_addf(out, "flush set inet " RULESET_TABLE " o%016" PRIx64 "_%s%c\n", origin->id, sets[i],
					    family);
}

static void put(unsigned i, enum egress_stage stage, uint64_t until_ms, uint64_t now_ms)
{
	const uint32_t key = ruleset_key(origin_at(i)->id);
	uint64_t left_ms = until_ms == UINT64_MAX ? UINT64_MAX : until_ms - now_ms;
	struct err err = {{0}};
	struct strbuf text;
	strbuf_init(&text, TEXT_BYTES);
	remove_element(&text, "stage1", key);
	remove_element(&text, "stage2", key);
	if (stage >= EGRESS_LISTED_ONLY)
		add_element(&text, "stage1", key, left_ms);
	if (stage == EGRESS_REPLIES_ONLY)
		add_element(&text, "stage2", key, left_ms);
	bool is_freed = stage == EGRESS_FREE && warden.known[i].stage > EGRESS_FREE;
	if (is_freed)
		forget_offences(&text, origin_at(i));
	if (kernel_nft_load(warden.nft, text.data, &err)) {
		warden.known[i].stage = stage;
		warden.known[i].until_ms = until_ms;
		if (is_freed)
			rules_reset_quota(origin_at(i));
	} else {
		log_error("%s is not %s in the kernel: %s", origin_at(i)->name, egress_stage_name(stage), err.text);
	}
	strbuf_release(&text);
}

static void apply(unsigned i)
{
	struct warden_known *known = &warden.known[i];
	uint64_t now_ms = clock_mono_ms(), until_ms;
	if (!known->state)
		return;
	enum egress_stage stage = egress_stage_now(known->state, now_ms);
	egress_sentence_now(known->state, now_ms, &until_ms);
	if (stage == EGRESS_FREE)
		until_ms = 0;
	if (stage != known->stage || until_ms != known->until_ms)
		put(i, stage, until_ms, now_ms);
}

void stages_apply(void)
{
	for (unsigned i = 0; warden.has_table && i < warden.plan->origin_count; i++)
		apply(i);
}

/* ---- out of the kernel ---- */

void stages_strike(unsigned origin, enum egress_offence offence, const struct kernel_event *event)
{
	struct warden_known *known = &warden.known[origin];
	if (!known->state)
		return;
	struct egress_sentence sentence = egress_strike(known->state, &warden.plan->law, offence, clock_mono_ms(), wall_ms());
	tell(origin, sentence.is_new ? EGRESS_NEWS_QUARANTINE : EGRESS_NEWS_STRIKE, offence, &sentence, event);
	if (sentence.is_new)
		apply(origin);
}

/* As many strikes as it takes: the memory's count lags behind the kernel's, which tells of some only. */
void stages_convict(unsigned origin, enum egress_stage stage, enum egress_offence offence, const struct kernel_event *event)
{
	struct warden_known *known = &warden.known[origin];
	struct egress_sentence sentence = {0};
	uint64_t now_ms = clock_mono_ms();
	if (!known->state)
		return;
	for (int i = 0; i < STRIKES_MOST && egress_stage_now(known->state, now_ms) < stage && !sentence.is_new; i++)
		sentence = egress_strike(known->state, &warden.plan->law, offence, now_ms, wall_ms());
	if (sentence.is_new)
		tell(origin, EGRESS_NEWS_QUARANTINE, offence, &sentence, event);
	apply(origin);
}

struct element {
	uint64_t key, left_ms; /* UINT64_MAX: for ever */
};

/* One without a timeout is listed as a number alone. */
static bool read_element(const struct json_value *list, size_t index, struct element *out)
{
	const struct json_value *inner = json_member(json_element(list, index), "elem");
	uint64_t expires_s = 0;
	out->left_ms = UINT64_MAX;
	if (!inner)
		return json_get_element_number(list, index, &out->key);
	if (json_get_number(inner, "expires", &expires_s))
		out->left_ms = expires_s * 1000;
	return json_get_number(inner, "val", &out->key);
}

/* What the kernel has of each origin; stage UNSET: nothing. */
static struct {
	enum egress_stage stage;
	uint64_t left_ms;
} found[EGRESS_ORIGINS_MAX];

static void take_element(const struct element *element, enum egress_stage stage)
{
	for (unsigned i = 0; i < warden.plan->origin_count; i++) {
		if (ruleset_key(origin_at(i)->id) != element->key || found[i].stage > stage)
			continue;
		found[i].stage = stage;
		found[i].left_ms = element->left_ms;
	}
}

static void take_set(const char *name, enum egress_stage stage)
{
	struct json_value *document = NULL;
	struct err err = {{0}};
	char command[64];
	snprintf(command, sizeof(command), "list set inet " RULESET_TABLE " %s", name);
	const struct json_value *listed = kernel_nft_list(warden.nft, command, &document, &err);
	for (size_t i = 0; i < json_count(listed); i++) {
		const struct json_value *elements = json_member(json_member(json_element(listed, i), "set"), "elem");
		struct element element;
		for (size_t k = 0; k < json_count(elements); k++)
			if (read_element(elements, k, &element))
				take_element(&element, stage);
	}
	json_free(document);
}

static void adopt(unsigned i, uint64_t now_ms)
{
	uint64_t left_ms = found[i].left_ms;
	const struct egress_sentence sentence = {.stage = found[i].stage,
						 .until_ms = left_ms == UINT64_MAX ? UINT64_MAX : now_ms + left_ms};
	egress_quarantine(warden.known[i].state, found[i].stage, left_ms == UINT64_MAX ? 0 : left_ms, now_ms, wall_ms());
	tell(i, EGRESS_NEWS_QUARANTINE, EGRESS_OFFENCE_UNSET, &sentence, NULL);
}

/* What the kernel is about to say is told with its reason then: so it is asked twice. */
static void compare(unsigned i)
{
	struct warden_known *known = &warden.known[i];
	uint64_t now_ms = clock_mono_ms();
	bool is_behind = known->state && egress_stage_now(known->state, now_ms) < found[i].stage;
	if (is_behind && known->is_unheard)
		adopt(i, now_ms);
	known->is_unheard = is_behind && !known->is_unheard;
	/* who is free in both places by now is not touched: the kernel may convict it meanwhile */
	if (known->stage == EGRESS_STAGE_UNSET && found[i].stage == EGRESS_STAGE_UNSET)
		known->stage = EGRESS_FREE;
}

void stages_reconcile(void)
{
	if (!warden.has_table)
		return;
	memset(found, 0, sizeof(found));
	take_set("stage1", EGRESS_LISTED_ONLY);
	take_set("stage2", EGRESS_REPLIES_ONLY);
	for (unsigned i = 0; i < warden.plan->origin_count; i++)
		compare(i);
	stages_apply();
}

void stages_begin(void)
{
	for (unsigned i = 0; i < warden.plan->origin_count; i++)
		warden.known[i] = (struct warden_known){
		    .state = egress_states_find(warden.states, origin_at(i)->name),
		    .stage = EGRESS_STAGE_UNSET, /* not known */
		    .is_unheard = true,          /* nobody listened */
		};
	stages_reconcile();
}
