/* What the console says of the egress legs, out of memory that master, gate and warden write; and what it reads of
 * orders about them. A captured gate can write anything into that memory: names are cut and, in labels, cleaned, all
 * else is a number or a name of ours. An order's content is trusted with nothing; whether there
 * is such an origin, the master knows. */
#include "serve/console_egress.h"

#include <inttypes.h>
#include <string.h>

#include "sallyport/clock.h"
#include "sallyport/egress.h"

#define LOAD(member) atomic_load_explicit(&(member), memory_order_relaxed)

static const char *const modes[] = {"none", "off", "monitor", "enforce"};
static const char *const kernels[] = {"-", "off", "auto", "required"};

static const char *name_of(const char *const *names, size_t n, uint32_t value)
{
	return value < n ? names[value] : "-";
}

#define NAME_OF(names, value) name_of((names), sizeof(names) / sizeof((names)[0]), (value))

static bool has_section(const struct egress_states *states)
{
	return states && LOAD(states->mode) != EGRESS_UNSET;
}

/* The name as far as it ends: another process wrote it. */
static struct span origin_name(const struct egress_state *state)
{
	return span_of(state->name, strnlen(state->name, sizeof(state->name)));
}

/* ---- JSON ---- */

static void add_wall(struct json_writer *json, const char *key, uint64_t wall_ms)
{
	char text[CLOCK_ISO_SIZE];
	if (wall_ms == 0)
		return;
	clock_format_iso(wall_ms * 1000, text);
	json_add_text(json, key, span_from_str(text));
}

static void add_end(struct json_writer *json, uint64_t until_ms, uint64_t now_ms)
{
	uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
	json_add_number(json, "left_s", (left_ms + 999) / 1000);
	add_wall(json, "until", clock_wall_us() / 1000 + left_ms);
}

static void add_counters(struct json_writer *json, const struct egress_state *state)
{
	json_open_object(json, "counters");
#define ADD(name, help) json_add_number(json, #name, LOAD(state->name));
	EGRESS_COUNTS(ADD)
#undef ADD
	json_close(json);
}

static void add_origin(struct json_writer *json, const struct egress_state *state, uint64_t now_ms)
{
	uint64_t until_ms = 0;
	enum egress_stage stage = egress_stage_now(state, now_ms);
	enum egress_offence offence = egress_sentence_now(state, now_ms, &until_ms);
	json_open_object(json, NULL);
	json_add_text(json, "origin", origin_name(state));
	json_add_text(json, "stage", span_from_str(egress_stage_name(stage)));
	if (stage != EGRESS_FREE) {
		json_add_text(json, "offence", span_from_str(egress_offence_name(offence)));
		add_wall(json, "since", LOAD(state->since_wall_ms));
	}
	if (stage != EGRESS_FREE && until_ms != UINT64_MAX)
		add_end(json, until_ms, now_ms);
	json_add_number(json, "convictions", LOAD(state->convictions));
	json_add_bool(json, "struck", LOAD(state->strikes_until_ms) > now_ms);
	if (LOAD(state->last_offence) != EGRESS_OFFENCE_UNSET) {
		json_add_text(json, "last_offence", span_from_str(egress_offence_name(LOAD(state->last_offence))));
		add_wall(json, "last_offence_at", LOAD(state->last_offence_wall_ms));
	}
	add_counters(json, state);
	json_close(json);
}

/* Who is in quarantine comes first. */
static void add_origins(struct json_writer *json, const struct egress_states *states, uint64_t now_ms)
{
	json_open_list(json, "origins");
	for (int is_free = 0; is_free <= 1; is_free++)
		for (unsigned i = 0; i < EGRESS_STATES; i++) {
			const struct egress_state *state = &states->of[i];
			if (LOAD(state->in_force) && (egress_stage_now(state, now_ms) == EGRESS_FREE) == is_free)
				add_origin(json, state, now_ms);
		}
	json_close(json);
}

/* What the kernel leg would guard, and nobody does. */
static const char *left_open(const struct egress_states *states)
{
	if (LOAD(states->mode) == EGRESS_OFF)
		return "everything: egress.mode is \"off\"";
	if (!LOAD(states->has_gate))
		return "everything: neither a gate nor the kernel leg limits what origins send";
	return "what origins send past the gate, on a network that has another exit";
}

static const char *why_not(const struct egress_states *states)
{
	uint32_t why = LOAD(states->kernel_why);
	if (LOAD(states->kernel) == EGRESS_KERNEL_OFF)
		return "egress.kernel is \"off\"";
	return why == EGRESS_KERNEL_WHY_UNSET ? "no warden runs" : egress_kernel_why_text(why);
}

static void add_kernel(struct json_writer *json, const struct egress_states *states)
{
	bool is_active = LOAD(states->kernel_active) != 0;
	json_add_text(json, "kernel", span_from_str(NAME_OF(kernels, LOAD(states->kernel))));
	json_add_bool(json, "kernel_active", is_active);
	if (is_active)
		return;
	json_add_text(json, "kernel_why", span_from_str(why_not(states)));
	json_add_text(json, "left_open", span_from_str(left_open(states)));
}

void console_egress_write(const struct egress_states *states, struct json_writer *json)
{
	uint64_t now_ms = clock_mono_ms();
	if (!has_section(states)) {
		json_add_text(json, "mode", SPAN("none"));
		json_open_list(json, "origins");
		json_close(json);
		return;
	}
	uint64_t paused_until_ms = LOAD(states->paused_until_ms);
	json_add_text(json, "mode", span_from_str(NAME_OF(modes, LOAD(states->mode))));
	json_add_bool(json, "gate", LOAD(states->has_gate) != 0);
	add_kernel(json, states);
	if (paused_until_ms > now_ms) {
		json_open_object(json, "paused");
		add_end(json, paused_until_ms, now_ms);
		json_close(json);
	}
	add_origins(json, states, now_ms);
}

/* ---- what they taught ---- */

/* Whatever its clock says, that was so long ago. */
static uint64_t wall_of(uint64_t then_ms, uint64_t now_ms)
{
	const uint64_t ago_ms = now_ms > then_ms ? now_ms - then_ms : 0, wall_ms = clock_wall_us() / 1000;
	return wall_ms > ago_ms ? wall_ms - ago_ms : 1;
}

static void add_lesson(struct json_writer *json, const struct egress_state *state, const struct egress_lesson_shown *lesson,
		       uint64_t now_ms)
{
	json_open_object(json, NULL);
	json_add_text(json, "origin", origin_name(state));
	json_add_text(json, "destination", span_from_str(lesson->destination));
	json_add_text(json, "state", span_from_str(egress_standing_name(lesson->standing)));
	json_add_number(json, "uses", lesson->uses);
	add_wall(json, "first_use", wall_of(lesson->first_ms, now_ms));
	add_wall(json, "last_use", wall_of(lesson->last_ms, now_ms));
	json_close(json);
}

static void add_lessons(struct json_writer *json, const struct egress_states *states, unsigned slot)
{
	const struct egress_state *state = &states->of[slot];
	const uint64_t now_ms = clock_mono_ms();
	struct egress_lesson_shown lesson;
	for (unsigned i = 0; i < EGRESS_LESSONS; i++)
		if (egress_learned_show(&states->learned[slot], i, LOAD(state->epoch), now_ms, &lesson))
			add_lesson(json, state, &lesson, now_ms);
}

void console_egress_write_learned(const struct egress_states *states, struct json_writer *json)
{
	const bool is_on = has_section(states) && LOAD(states->learning) == EGRESS_LEARNING_ON;
	json_add_text(json, "learning", span_from_str(is_on ? "on" : has_section(states) ? "off" : "none"));
	json_open_list(json, "learned");
	for (unsigned i = 0; has_section(states) && i < EGRESS_STATES; i++)
		if (LOAD(states->of[i].in_force))
			add_lessons(json, states, i);
	json_close(json);
}

void console_egress_status(const struct egress_states *states, struct json_writer *json)
{
	if (!has_section(states))
		return;
	json_open_object(json, "egress");
	console_egress_write(states, json);
	json_close(json);
}

/* ---- metrics ---- */

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_addf(out, "# HELP sallyport_egress_%s %s\n# TYPE sallyport_egress_%s %s\n", name, help, name, type);
}

static void value(struct strbuf *out, const char *name, const struct egress_state *state, const char *more, uint64_t n)
{
	char label[EGRESS_NAME_SIZE];
	struct span origin = origin_name(state);
	size_t len = 0;
	for (; len < origin.len && len < sizeof(label) - 1; len++)
		label[len] = strchr("0123456789abcdefABCDEF.:/%", origin.ptr[len]) ? origin.ptr[len] : '?';
	label[len] = '\0';
	strbuf_addf(out, "sallyport_egress_%s{origin=\"%s\"%s} %" PRIu64 "\n", name, label, more, n);
}

#define FOR_EACH_IN_FORCE(states, state)                                                                     \
	for (const struct egress_state *state = (states)->of; state < (states)->of + EGRESS_STATES; state++) \
		if (LOAD(state->in_force))

static void add_stages(const struct egress_states *states, struct strbuf *out)
{
	uint64_t now_ms = clock_mono_ms();
	char more[64];
	head(out, "stage", "gauge", "1 for the stage that the origin is in");
	FOR_EACH_IN_FORCE(states, state)
	{
		uint32_t now = egress_stage_now(state, now_ms);
		for (uint32_t stage = EGRESS_FREE; stage < EGRESS_STAGE_COUNT; stage++) {
			snprintf(more, sizeof(more), ",stage=\"%s\"", egress_stage_name(stage));
			value(out, "stage", state, more, stage == now);
		}
	}
	head(out, "convictions", "gauge", "convictions that are not forgiven yet");
	FOR_EACH_IN_FORCE(states, state)
	{
		value(out, "convictions", state, "", LOAD(state->convictions));
	}
}

void console_egress_metrics(const struct egress_states *states, struct strbuf *out)
{
	if (!has_section(states))
		return;
	head(out, "kernel_active", "gauge", "1 where the kernel leg guards");
	strbuf_addf(out, "sallyport_egress_kernel_active %u\n", LOAD(states->kernel_active) != 0);
	head(out, "paused", "gauge", "1 while everything is only reported by order");
	strbuf_addf(out, "sallyport_egress_paused %u\n", LOAD(states->paused_until_ms) > clock_mono_ms());
	add_stages(states, out);
#define ADD(name, help)                                                                                      \
	head(out, #name "_total", "counter", help);                                                          \
	FOR_EACH_IN_FORCE(states, state) value(out, #name "_total", state, "", LOAD(state->name));
	EGRESS_COUNTS(ADD)
#undef ADD
}

/* ---- orders ---- */

enum egress_verb console_egress_verb(const char *path)
{
	static const char *const paths[EGRESS_VERB_COUNT] = {
	    [EGRESS_VERB_QUARANTINE] = "/api/egress/quarantine",
	    [EGRESS_VERB_RELEASE] = "/api/egress/release",
	    [EGRESS_VERB_APPROVE] = "/api/egress/approve",
	    [EGRESS_VERB_FORGET] = "/api/egress/forget",
	};
	for (int verb = EGRESS_VERB_UNSET + 1; verb < EGRESS_VERB_COUNT; verb++)
		if (strcmp(path, paths[verb]) == 0)
			return (enum egress_verb)verb;
	return EGRESS_VERB_UNSET;
}

static bool read_sentence(const struct json_value *said, struct egress_order *out, struct err *err)
{
	struct span stage = json_text(said, "stage", egress_stage_name(EGRESS_LISTED_ONLY));
	out->stage = stage.len == strlen(stage.ptr) ? egress_stage_lookup(stage.ptr) : EGRESS_STAGE_UNSET;
	if (out->stage != EGRESS_LISTED_ONLY && out->stage != EGRESS_REPLIES_ONLY)
		return err_set(err, "stage: \"listed-only\" and \"replies-only\" are what there is");
	if (json_member(said, "stage") && json_text(said, "stage", "").len == 0)
		return err_set(err, "stage: not a text");
	if (json_member(said, "duration_ms") && (!json_get_number(said, "duration_ms", &out->duration_ms) ||
						 out->duration_ms > EGRESS_ORDER_MAX_MS))
		return err_set(err, "duration_ms: not a whole number from 0 to %" PRIu64, EGRESS_ORDER_MAX_MS);
	return true;
}

static bool read_destination(const struct json_value *said, struct egress_order *out, struct err *err)
{
	struct span destination = json_text(said, "destination", "");
	if (destination.len == 0 || destination.len >= sizeof(out->destination) || destination.len != strlen(destination.ptr))
		return err_set(err, "destination: not a host with a port");
	memcpy(out->destination, destination.ptr, destination.len);
	return true;
}

static bool read_members(const struct json_value *said, struct egress_order *out, struct err *err)
{
	struct span origin = json_text(said, "origin", "");
	if (origin.len == 0 || origin.len >= EGRESS_NAME_SIZE || origin.len != strlen(origin.ptr))
		return err_set(err, "origin: no name of an egress origin");
	memcpy(out->origin, origin.ptr, origin.len);
	switch (out->verb) {
	case EGRESS_VERB_QUARANTINE: return read_sentence(said, out, err);
	case EGRESS_VERB_APPROVE:
	case EGRESS_VERB_FORGET: return read_destination(said, out, err);
	default: return true;
	}
}

bool console_read_egress(enum egress_verb verb, struct span content, struct egress_order *out, struct err *err)
{
	struct json_value *said = json_read_map(content, err);
	*out = (struct egress_order){.verb = verb};
	bool ok = said && read_members(said, out, err);
	json_free(said);
	return ok;
}
