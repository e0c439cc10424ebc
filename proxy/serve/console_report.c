/* What the console reports: counters summed over the workers' slots, as JSON and as
 * Prometheus text.
 *
 * Workers write the counters without a lock, so a sum may mix two instants. Numbers are
 * all that is taken from shared memory. */
#include "serve/console_report.h"

#include <inttypes.h>

#include "sallyport/clock.h"
#include "serve/console_egress.h"
#include "serve/console_guard.h"

struct totals {
#define STAT_MEMBER(name, help) uint64_t name;
	STATS(STAT_MEMBER, STAT_MEMBER)
#undef STAT_MEMBER
	uint64_t status_class[STATS_STATUS_CLASSES];
	uint64_t reasons[REASON_COUNT];
	uint64_t slots;
};

static const char *const class_names[STATS_STATUS_CLASSES] = {"closed", "1xx", "2xx",
							      "3xx",    "4xx", "5xx"};

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_slot(struct totals *totals, const struct stats_slot *slot)
{
#define STAT_ADD(name, help) totals->name += load(&slot->name);
	STATS(STAT_ADD, STAT_ADD)
#undef STAT_ADD
	for (size_t i = 0; i < STATS_STATUS_CLASSES; i++)
		totals->status_class[i] += load(&slot->status_class[i]);
	for (size_t i = 0; i < REASON_COUNT; i++)
		totals->reasons[i] += load(&slot->reasons[i]);
	if (atomic_load_explicit(&slot->in_use, memory_order_relaxed))
		totals->slots++;
}

static void add_up(struct totals *totals, const struct stats *stats)
{
	*totals = (struct totals){0};
	for (size_t i = 0; i < STATS_SLOTS; i++)
		add_slot(totals, &stats->slots[i]);
}

static void write_counters(struct json_writer *writer, const struct totals *totals)
{
	json_open_object(writer, "counters");
#define STAT_WRITE(name, help) json_add_number(writer, #name, totals->name);
	STATS(STAT_WRITE, STAT_WRITE)
#undef STAT_WRITE
	json_close(writer);
	json_open_object(writer, "responses");
	for (size_t i = 0; i < STATS_STATUS_CLASSES; i++)
		json_add_number(writer, class_names[i], totals->status_class[i]);
	json_close(writer);
}

static void write_reasons(struct json_writer *writer, const struct totals *totals)
{
	json_open_list(writer, "reasons");
	for (size_t i = REASON_UNSET + 1; i < REASON_COUNT; i++) {
		enum reason reason = (enum reason)i;
		if (totals->reasons[i] == 0)
			continue;
		json_open_object(writer, NULL);
		json_add_text(writer, "name", span_from_str(reason_name(reason)));
		json_add_number(writer, "status", reason_status(reason));
		json_add_text(writer, "text", span_from_str(reason_text(reason)));
		json_add_number(writer, "count", totals->reasons[i]);
		json_close(writer);
	}
	json_close(writer);
}

bool console_report_status(const struct console_setup *setup, struct span master, struct strbuf *out,
			   struct err *err)
{
	struct totals totals;
	struct json_writer writer;
	struct json_value *said = json_read(master, err);
	if (said && !json_is_map(said))
		err_set(err, "the master's status is no object");
	if (!json_is_map(said)) {
		json_free(said);
		return false;
	}
	add_up(&totals, setup->stats);
	json_begin(&writer);
	json_add_text(&writer, "version", SPAN(SALLYPORT_VERSION));
	json_add_number(&writer, "now_ms", clock_wall_us() / 1000);
	json_add_members(&writer, said);
	json_add_number(&writer, "slots", totals.slots);
	console_guard_status(setup->guard, &writer);
	console_egress_status(setup->egress, &writer);
	write_counters(&writer, &totals);
	write_reasons(&writer, &totals);
	json_free(said);
	return json_end(&writer, out) || err_set(err, "out of memory");
}

bool console_report_is_ready(struct span master)
{
	struct json_value *said = json_read(master, NULL);
	bool ready = json_bool(said, "ready");
	json_free(said);
	return ready;
}

static void write_metric(struct strbuf *out, const char *name, const char *suffix, const char *type,
			 const char *help, uint64_t value)
{
	strbuf_addf(
	    out, "# HELP sallyport_%s%s %s\n# TYPE sallyport_%s%s %s\nsallyport_%s%s %" PRIu64 "\n",
	    name, suffix, help, name, suffix, type, name, suffix, value);
}

static void write_rules(const struct stats_rules *rules, struct strbuf *out)
{
	const uint64_t made_s = load(&rules->made_s), now_s = clock_wall_us() / 1000000;
	write_metric(out, "rules", "", "gauge", "rules of the policy in force", load(&rules->count));
	write_metric(out, "rules_pack_version", "", "gauge", "version of the signed pack of rules, 0: there is none",
		     load(&rules->pack_version));
	if (made_s > 0)
		write_metric(out, "rules_age_seconds", "", "gauge", "age of the pack, or else of the newest file of rules",
			     now_s > made_s ? now_s - made_s : 0);
}

void console_report_metrics(const struct console_setup *setup, struct strbuf *out)
{
	struct totals totals;
	add_up(&totals, setup->stats);
	strbuf_add_str(out, "# HELP sallyport_info version of the program\n"
			    "# TYPE sallyport_info gauge\n"
			    "sallyport_info{version=\"" SALLYPORT_VERSION "\"} 1\n");
	write_metric(out, "slots", "", "gauge", "workers and gates alive", totals.slots);
#define STAT_TEXT(name, help)  write_metric(out, #name, "_total", "counter", help, totals.name);
#define GAUGE_TEXT(name, help) write_metric(out, #name, "", "gauge", help, totals.name);
	STATS(STAT_TEXT, GAUGE_TEXT)
#undef STAT_TEXT
#undef GAUGE_TEXT
	strbuf_add_str(out, "# HELP sallyport_responses_total answers by class of status\n"
			    "# TYPE sallyport_responses_total counter\n");
	for (size_t i = 0; i < STATS_STATUS_CLASSES; i++)
		strbuf_addf(out, "sallyport_responses_total{class=\"%s\"} %" PRIu64 "\n",
			    class_names[i], totals.status_class[i]);
	strbuf_add_str(
	    out, "# HELP sallyport_reasons_total requests refused, ended or failed, by reason\n"
		 "# TYPE sallyport_reasons_total counter\n");
	for (size_t i = REASON_UNSET + 1; i < REASON_COUNT; i++)
		strbuf_addf(out, "sallyport_reasons_total{reason=\"%s\"} %" PRIu64 "\n",
			    reason_name((enum reason)i), totals.reasons[i]);
	write_rules(&setup->stats->rules, out);
	console_guard_metrics(setup->guard, out);
	console_egress_metrics(setup->egress, out);
}
