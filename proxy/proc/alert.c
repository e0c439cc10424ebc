/* Alerts as messages: see alert.h. Their texts are an origin's and a visitor's as much as ours, so they
 * are cut and cleaned here, and written as JSON by whoever passes them on. */
#include "proc/alert.h"

#include "proc/ipc.h"
#include "proc/orders.h"
#include "sallyport/clock.h"
#include "sallyport/egress_tell.h"

const char *alert_kind_name(uint32_t kind)
{
	static const char *const names[ALERT_KINDS] = {
	    "-",
#define ALERT(id, name, what) name,
	    ALERTS(ALERT)
#undef ALERT
	};
	return kind < ALERT_KINDS ? names[kind] : "-";
}

static void put(char *out, size_t size, struct span text)
{
	size_t len = text.len < size ? text.len : size - 1;
	if (len > 0)
		memcpy(out, text.ptr, len);
	ascii_replace_controls(out, len);
	memset(out + len, 0, size - len);
}

void alert_fill(struct alert *alert, enum alert_kind kind, struct span site, struct span url,
		const char *reason, struct span text)
{
	*alert = (struct alert){.wall_us = clock_wall_us(), .kind = (uint32_t)kind};
	put(alert->site, sizeof(alert->site), site);
	put(alert->url, sizeof(alert->url), url);
	put(alert->reason, sizeof(alert->reason), span_from_str(reason));
	put(alert->text, sizeof(alert->text), text);
}

void alert_about_egress(struct alert *alert, struct span origin, uint32_t news)
{
	bool is_stage = news >= EGRESS_NEWS_QUARANTINE;
	alert->kind = is_stage ? ALERT_QUARANTINE : ALERT_EGRESS;
	put(alert->egress, sizeof(alert->egress), origin);
}

bool alert_send(int fd, const struct alert *alert)
{
	struct err err;
	return fd < 0 || ipc_send(fd, REPORT_ALERT, alert, sizeof(*alert), NULL, 0, &err);
}

bool alert_is_sound(const struct alert *alert)
{
	return alert->kind > ALERT_UNSET && alert->kind < ALERT_KINDS && ORDERS_TEXT_OK(alert->site) && ORDERS_TEXT_OK(alert->egress) &&
	       ORDERS_TEXT_OK(alert->url) && ORDERS_TEXT_OK(alert->reason) && ORDERS_TEXT_OK(alert->text);
}
