/* What the console says of the guard: figures that the keeper wrote into shared memory. Names of sites are
 * the policy's: lower-case letters, digits and a few signs, so that they need no quoting in labels; all
 * else is a number or goes through the JSON writer. */
#include "serve/console_guard.h"

#include <inttypes.h>

#include "sallyport/clock.h"
#include "sallyport/guard_schema.h"

static void add_time(struct json_writer *json, const char *key, uint64_t seconds)
{
	char text[CLOCK_ISO_SIZE];
	if (seconds == 0)
		return;
	clock_format_iso(seconds * 1000000, text);
	json_add_text(json, key, span_from_str(text));
}

static void add_site(struct json_writer *json, const struct guard_site_figures *site)
{
	json_open_object(json, NULL);
	json_add_text(json, "site", span_from_str(site->name));
	json_add_text(json, "state", span_from_str(guard_state_name(site->state)));
	json_add_text(json, "why", span_from_str(site->why));
	json_add_text(json, "mode", site->mode == GUARD_ENFORCE ? SPAN("enforce") : SPAN("monitor"));
	add_time(json, "since", site->since_s);
	add_time(json, "looked", site->probed_s);
	add_time(json, "window_until", site->window_until_s);
	json_add_number(json, "pages", site->pages);
	json_add_number(json, "exact", site->exact);
	json_add_number(json, "varying", site->varying);
	json_add_number(json, "learning", site->learning);
	json_add_number(json, "held", site->held);
	json_add_number(json, "waiting", site->waiting);
	json_add_number(json, "origins_down", site->origins_down);
	json_add_number(json, "fetches", site->fetches);
	json_add_number(json, "failures", site->failures);
	json_add_bool(json, "enrolled", site->enrolled != 0);
	json_add_bool(json, "confirmed", site->confirmed != 0);
	json_close(json);
}

void console_guard_status(const struct guard_status *status, struct json_writer *json)
{
	struct guard_figures all;
	struct guard_site_figures site;
	if (!status || !guard_status_get(status, &all) || !guard_status_get_site(status, 0, &site))
		return;
	json_open_object(json, "guard");
	json_add_number(json, "baseline", all.baseline);
	add_time(json, "baseline_made", all.baseline_s);
	json_add_bool(json, "vault_ok", all.vault_ok != 0);
	json_add_text(json, "vault_error", span_from_str(all.vault_error));
	json_add_bool(json, "scout_ok", all.scout_ok != 0);
	json_add_number(json, "nominations", all.nominations);
	json_add_number(json, "nominations_dropped", all.nominations_dropped);
	json_open_list(json, "sites");
	for (unsigned i = 0; guard_status_get_site(status, i, &site); i++)
		add_site(json, &site);
	json_close(json);
	json_close(json);
}

/* ---- metrics ---- */

static void head(struct strbuf *out, const char *name, const char *type, const char *help)
{
	strbuf_addf(out, "# HELP sallyport_guard_%s %s\n# TYPE sallyport_guard_%s %s\n", name, help, name,
		    type);
}

static void value(struct strbuf *out, const char *name, const char *site, const char *more, uint64_t n)
{
	strbuf_addf(out, "sallyport_guard_%s{site=\"%s\"%s} %" PRIu64 "\n", name, site, more, n);
}

static void add_states(const struct guard_status *status, struct strbuf *out)
{
	struct guard_site_figures site;
	char more[64];
	head(out, "state", "gauge", "1 for the state that the site is in");
	for (unsigned i = 0; guard_status_get_site(status, i, &site); i++)
		for (uint32_t state = GUARD_STATE_UNSET + 1; state < GUARD_STATE_COUNT; state++) {
			snprintf(more, sizeof(more), ",state=\"%s\"", guard_state_name(state));
			value(out, "state", site.name, more, site.state == state);
		}
}

static void add_pages(const struct guard_status *status, struct strbuf *out)
{
	struct guard_site_figures site;
	head(out, "pages", "gauge", "pages by what is known of them");
	for (unsigned i = 0; guard_status_get_site(status, i, &site); i++) {
		value(out, "pages", site.name, ",known=\"exact\"", site.exact);
		value(out, "pages", site.name, ",known=\"varying\"", site.varying);
		value(out, "pages", site.name, ",known=\"learning\"", site.learning);
	}
	head(out, "held", "gauge", "pages that an operator has to decide about");
	for (unsigned i = 0; guard_status_get_site(status, i, &site); i++)
		value(out, "held", site.name, "", site.held);
	head(out, "fetches_total", "counter", "fetches of the scout");
	for (unsigned i = 0; guard_status_get_site(status, i, &site); i++)
		value(out, "fetches_total", site.name, "", site.fetches);
	head(out, "failures_total", "counter", "fetches without a usable answer");
	for (unsigned i = 0; guard_status_get_site(status, i, &site); i++)
		value(out, "failures_total", site.name, "", site.failures);
}

void console_guard_metrics(const struct guard_status *status, struct strbuf *out)
{
	struct guard_figures all;
	struct guard_site_figures site;
	if (!status || !guard_status_get(status, &all) || !guard_status_get_site(status, 0, &site))
		return;
	head(out, "baseline", "gauge", "number of the newest baseline");
	strbuf_addf(out, "sallyport_guard_baseline %" PRIu64 "\n", all.baseline);
	head(out, "vault_ok", "gauge", "1 where the vault is open");
	strbuf_addf(out, "sallyport_guard_vault_ok %u\n", all.vault_ok != 0);
	head(out, "nominations_dropped_total", "counter", "nominations that found no room");
	strbuf_addf(out, "sallyport_guard_nominations_dropped_total %" PRIu64 "\n",
		    all.nominations_dropped);
	add_states(status, out);
	add_pages(status, out);
}
