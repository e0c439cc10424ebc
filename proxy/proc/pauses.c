/* Pausing a leg of a site: the operator's way out of trouble. The master writes when a pause
 * ends into the sites' states, where workers see it with their next request. It says in its log
 * when one begins, ends by order and runs out. Requests come from the console, which is trusted
 * with nothing, and are checked here. */
#include <string.h>

#include "proc/master.h"
#include "sallyport/clock.h"
#include "sallyport/log.h"
#include "sallyport/shm.h"
#include "sallyport/suggest.h"

enum { SHOWN_IN_STATUS = 64, NAMED_IN_ERROR = 5 };

_Static_assert(SITE_STATES >= 2 * SITES_MAX, "the serving and the coming policy's sites fit");

static uint64_t until_of(const struct site_state *state, uint32_t leg)
{
	return atomic_load_explicit(&state->paused_until_ms[leg], memory_order_relaxed);
}

static void set_until(struct site_state *state, uint32_t leg, uint64_t until_ms)
{
	atomic_store_explicit(&state->paused_until_ms[leg], until_ms, memory_order_release);
}

/* ---- whose states there are ---- */

static bool claim(struct gen *gen, const char *name)
{
	struct site_set kept = gen->sites;
	for (size_t i = 0; master.active && i < SITE_STATES / 64; i++)
		kept.bits[i] |= master.active->sites.bits[i];
	int slot = site_states_claim(master.site_states, name, &kept);
	if (slot >= 0)
		site_set_add(&gen->sites, (unsigned)slot);
	return slot >= 0;
}

bool pauses_note_sites(struct gen *gen, const struct ipc_message *message)
{
	const struct sites_report *report = (const void *)message->payload;
	const size_t head = offsetof(struct sites_report, names);
	if (message->len < head || report->n > SITES_PER_REPORT ||
	    message->len != head + report->n * sizeof(report->names[0]))
		return false;
	for (uint32_t i = 0; i < report->n; i++)
		if (!ORDERS_TEXT_OK(report->names[i]) || !claim(gen, report->names[i]))
			return false;
	return true;
}

/* NULL: the policy that serves has no such site. */
static struct site_state *find_site(const char *name)
{
	for (unsigned i = 0; master.active && i < SITE_STATES; i++)
		if (site_set_has(&master.active->sites, i) &&
		    strcmp(master.site_states->of[i].name, name) == 0)
			return &master.site_states->of[i];
	return NULL;
}

bool pauses_note_guard(uint64_t site, uint32_t state)
{
	for (unsigned i = 0; i < SITE_STATES; i++) {
		struct site_state *known = &master.site_states->of[i];
		if (atomic_load_explicit(&known->id, memory_order_relaxed) != site)
			continue;
		atomic_store_explicit(&known->guard_state, state, memory_order_release);
		return true;
	}
	return false;
}

/* ---- the ends of pauses ---- */

static void arm(void)
{
	uint64_t first_ms = UINT64_MAX;
	for (unsigned i = 0; i < SITE_STATES; i++)
		for (uint32_t leg = LEG_UNSET + 1; leg < LEG_COUNT; leg++) {
			uint64_t until_ms = until_of(&master.site_states->of[i], leg);
			if (until_ms != 0 && until_ms < first_ms)
				first_ms = until_ms;
		}
	if (egress_pause_until() != 0 && egress_pause_until() < first_ms)
		first_ms = egress_pause_until();
	if (first_ms == UINT64_MAX)
		loop_disarm(master.loop, &master.pause_end);
	else
		loop_arm(master.loop, &master.pause_end, first_ms);
}

static void on_pause_end(struct timer *timer)
{
	uint64_t now_ms = loop_now_ms(master.loop);
	(void)timer;
	for (unsigned i = 0; i < SITE_STATES; i++)
		for (uint32_t leg = LEG_UNSET + 1; leg < LEG_COUNT; leg++) {
			struct site_state *state = &master.site_states->of[i];
			uint64_t until_ms = until_of(state, leg);
			if (until_ms == 0 || until_ms > now_ms)
				continue;
			set_until(state, leg, 0);
			log_info("site %s: the pause of its %s has run out", state->name,
				 leg_name(leg));
		}
	if (egress_pause_until() != 0 && egress_pause_until() <= now_ms) {
		egress_set_pause(0);
		log_info("the pause of egress has run out");
	}
	arm();
}

bool pauses_init(struct err *err)
{
	void *memory = NULL;
	master.pause_end.on_expiry = on_pause_end;
	master.sites_fd =
	    shm_publish("sallyport-sites", sizeof(struct site_states), &memory, err);
	master.site_states = memory;
	return master.sites_fd >= 0;
}

/* ---- orders ---- */

static bool is_sound(const struct pause_request *request)
{
	return request->leg > LEG_UNSET && request->leg < LEG_COUNT &&
	       request->duration_ms <= PAUSE_MAX_MS && ORDERS_TEXT_OK(request->site) &&
	       (request->site[0] == '\0') == (request->leg == LEG_EGRESS);
}

static bool unknown_site(const char *name, struct err *err)
{
	struct suggestion suggestion;
	struct strbuf known;
	unsigned n = 0;
	suggest_init(&suggestion, name);
	strbuf_init(&known, (NAMED_IN_ERROR + 1) * SITE_NAME_SIZE);
	for (unsigned i = 0; i < SITE_STATES; i++) {
		const char *site = master.site_states->of[i].name;
		if (!site_set_has(&master.active->sites, i))
			continue;
		suggest_offer(&suggestion, site);
		if (n++ < NAMED_IN_ERROR)
			strbuf_addf(&known, "%s%s", n > 1 ? ", " : "", site);
	}
	if (suggestion.nearest)
		err_set(err, "there is no site \"%s\", did you mean \"%s\"?", name,
			suggestion.nearest);
	else
		err_set(err, "there is no site \"%s\"; there is %s%s", name,
			known.data ? known.data : "none", n > NAMED_IN_ERROR ? " and others" : "");
	strbuf_release(&known);
	return false;
}

static void pause_leg(struct site_state *state, const struct pause_request *request)
{
	char until[CLOCK_ISO_SIZE];
	clock_format_iso(clock_wall_us() + request->duration_ms * 1000, until);
	set_until(state, request->leg, loop_now_ms(master.loop) + request->duration_ms);
	log_info("site %s: its %s is paused by order, until %s", state->name,
		 leg_name(request->leg), until);
}

static void resume_leg(struct site_state *state, uint32_t leg)
{
	bool was_paused = until_of(state, leg) != 0;
	set_until(state, leg, 0);
	if (was_paused)
		log_info("site %s: its %s is resumed by order", state->name, leg_name(leg));
}

bool pauses_order(const struct pause_request *request, struct err *err)
{
	if (!is_sound(request))
		return err_set(err, "the order makes no sense");
	if (!master.active)
		return err_set(err, "no policy is in force now");
	if (request->leg == LEG_EGRESS) {
		bool ok = egress_pause(request->duration_ms, err);
		arm();
		return ok;
	}
	struct site_state *state = find_site(request->site);
	if (!state)
		return unknown_site(request->site, err);
	if (request->duration_ms > 0)
		pause_leg(state, request);
	else
		resume_leg(state, request->leg);
	arm();
	return true;
}

/* ---- status ---- */

/* site NULL: the leg is of no site. */
static void describe(struct json_writer *json, const char *site, uint32_t leg, uint64_t left_ms)
{
	char until[CLOCK_ISO_SIZE];
	clock_format_iso(clock_wall_us() + left_ms * 1000, until);
	json_open_object(json, NULL);
	json_add_text(json, "leg", span_from_str(leg_name(leg)));
	if (site)
		json_add_text(json, "site", span_from_str(site));
	json_add_number(json, "left_s", (left_ms + 999) / 1000);
	json_add_text(json, "until", span_from_str(until));
	json_close(json);
}

/* Bounded, since an answer is: the first of many pauses, and how many there are. */
void pauses_describe(struct json_writer *json)
{
	uint64_t now_ms = loop_now_ms(master.loop);
	unsigned n = 0;
	json_open_list(json, "paused");
	if (egress_pause_until() > now_ms) {
		describe(json, NULL, LEG_EGRESS, egress_pause_until() - now_ms);
		n++;
	}
	for (unsigned i = 0; i < SITE_STATES; i++)
		for (uint32_t leg = LEG_UNSET + 1; leg < LEG_COUNT; leg++) {
			const struct site_state *state = &master.site_states->of[i];
			uint64_t until_ms = until_of(state, leg);
			if (until_ms > now_ms && n++ < SHOWN_IN_STATUS)
				describe(json, state->name, leg, until_ms - now_ms);
		}
	json_close(json);
	json_add_number(json, "paused_count", n);
}
