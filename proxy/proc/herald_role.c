/* The herald's process: tells the operator at once. It hears alerts on a channel, folds those that
 * repeat, and posts each to the webhook and hands it to the crier, who runs the program. It reads
 * what events say, which an origin may have written, and what the webhook answers; it has the
 * network (the webhook's port and DNS), the secret, and nothing else. */
#include <inttypes.h>
#include <stddef.h>
#include <unistd.h>

#include "proc/alert_queue.h"
#include "proc/helper_role.h"
#include "proc/web_place.h"
#include "sallyport/clock.h"
#include "sallyport/fetch.h"
#include "sallyport/hex.h"
#include "sallyport/json.h"
#include "sallyport/log.h"

enum {
	POST_MS = 10000,
	ANSWER_BYTES = 65536,
	BODY_BYTES = IPC_PAYLOAD_MAX,
	FIELD_SIZE = 160,
	DROPS_EVERY_MS = 60000,
};

static struct {
	struct helper_life life;
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct watch channel; /* alerts come here */
	struct ipc_message message;
	int crier; /* -1: none */
	struct timer timer;
	struct alert_queue posts, cries;
	struct web_place webhook;
	/* the post under way */
	struct fetch *post;
	struct strbuf body;
	char *authorities; /* owned */
	char timestamp[FIELD_SIZE], signature[FIELD_SIZE], id[FIELD_SIZE];
	bool is_failing;
	uint64_t drops_said, drops_said_ms;
} herald = {.channel.fd = -1, .crier = -1};

static uint64_t now_ms(void)
{
	return loop_now_ms(herald.life.loop);
}

/* ---- what is said ---- */

static void add_text(struct json_writer *json, const char *key, const char *text)
{
	if (text[0] != '\0')
		json_add_text(json, key, span_from_str(text));
}

/* One alert as JSON, into herald.body. */
static bool write_body(const struct queued_alert *queued, const struct alert_queue *queue)
{
	const struct alert *alert = &queued->alert;
	struct json_writer json;
	char time[CLOCK_ISO_SIZE], id[24];
	clock_format_iso(alert->wall_us, time);
	snprintf(id, sizeof(id), "%016" PRIx64, queued->number);
	strbuf_reset(&herald.body);
	json_begin(&json);
	add_text(&json, "id", id);
	add_text(&json, "time", time);
	add_text(&json, "kind", alert_kind_name(alert->kind));
	add_text(&json, "site", alert->site);
	add_text(&json, "egress", alert->egress);
	add_text(&json, "url", alert->url);
	add_text(&json, "reason", alert->reason);
	add_text(&json, "text", alert->text);
	json_add_number(&json, "folded", alert->folded);
	json_add_number(&json, "dropped", queue->dropped);
	return json_end(&json, &herald.body) && !herald.body.truncated;
}

static bool sign_body(struct err *err)
{
	uint8_t sum[DIGEST_SIZE];
	struct strbuf signed_text;
	char seconds[24], hex[HEX_SIZE(DIGEST_SIZE)];
	snprintf(seconds, sizeof(seconds), "%" PRIu64, clock_wall_us() / 1000000);
	snprintf(herald.timestamp, sizeof(herald.timestamp), "Sallyport-Timestamp: %s", seconds);
	herald.signature[0] = '\0';
	if (herald.life.order.alerts.secret[0] == '\0')
		return true;
	strbuf_init(&signed_text, BODY_BYTES + sizeof(seconds) + 1);
	strbuf_addf(&signed_text, "%s.", seconds);
	strbuf_add_span(&signed_text, strbuf_span(&herald.body));
	const char *secret = herald.life.order.alerts.secret;
	bool made = !signed_text.truncated && crypto_hmac(secret, strlen(secret), signed_text.data,
							  signed_text.len, sum, err);
	strbuf_release(&signed_text);
	snprintf(herald.signature, sizeof(herald.signature), "Sallyport-Signature: sha256=%s", hex_write(sum, DIGEST_SIZE, hex));
	return made;
}

/* ---- the webhook ---- */

static void go_on(void);

static void note_failure(const char *why)
{
	if (!herald.is_failing)
		log_warn("the webhook takes no alerts: %s; it is tried again", why);
	herald.is_failing = true;
	alert_queue_failed(&herald.posts, now_ms());
}

static void on_posted(void *context, const struct fetch_result *result)
{
	char why[64];
	(void)context;
	herald.post = NULL;
	unsigned status = result->outcome == SAMPLE_WHOLE ? result->page->head.status : 0;
	if (status >= 200 && status <= 299) {
		if (herald.is_failing)
			log_info("the webhook takes alerts again");
		herald.is_failing = false;
		alert_queue_delivered(&herald.posts);
	} else if (status > 0) {
		snprintf(why, sizeof(why), "it answers %u", status);
		note_failure(why);
	} else {
		note_failure(result->error);
	}
	go_on();
}

static void post(const struct queued_alert *queued)
{
	static const char *fields[4];
	struct err err = {{0}};
	snprintf(herald.id, sizeof(herald.id), "Sallyport-Id: %016" PRIx64, queued->number);
	if (!write_body(queued, &herald.posts) || !sign_body(&err)) {
		note_failure(err.text[0] ? err.text : "no memory for an alert");
		return;
	}
	fields[0] = herald.id;
	fields[1] = herald.timestamp;
	fields[2] = herald.signature[0] ? herald.signature : NULL;
	const struct fetch_request request = {
	    .origin = herald.webhook.origin,
	    .port = herald.webhook.port,
	    .tls = herald.webhook.tls,
	    .tls_with = {.verify = true},
	    .host = herald.webhook.authority,
	    .target = herald.webhook.target,
	    .agent = JOB_AGENT_OWN,
	    .referer = JOB_REFERER_NONE,
	    .timeout_ms = POST_MS,
	    .max_bytes = ANSWER_BYTES,
	    .content = strbuf_span(&herald.body),
	    .fields = fields,
	};
	herald.post = fetch_start(herald.fetcher, &request, on_posted, NULL);
	if (!herald.post)
		note_failure("no memory for a request");
}

/* ---- the program ---- */

static void cry(const struct queued_alert *queued)
{
	struct err err;
	if (write_body(queued, &herald.cries) &&
	    ipc_send(herald.crier, REPORT_ALERT, herald.body.data, herald.body.len, NULL, 0, &err))
		alert_queue_delivered(&herald.cries);
	else
		alert_queue_failed(&herald.cries, now_ms());
}

/* ---- alerts ---- */

static void say_drops(void)
{
	uint64_t drops = herald.posts.dropped + herald.cries.dropped;
	if (drops == herald.drops_said ||
	    (herald.drops_said > 0 && now_ms() - herald.drops_said_ms < DROPS_EVERY_MS))
		return;
	log_warn("%" PRIu64 " alerts could not be told in time, and were dropped", drops - herald.drops_said);
	herald.drops_said = drops;
	herald.drops_said_ms = now_ms();
}

static void look_again_at(uint64_t at_ms)
{
	if (at_ms != UINT64_MAX)
		loop_arm(herald.life.loop, &herald.timer, at_ms > now_ms() ? at_ms : now_ms());
}

/* The body is one: while a post needs it, the program waits; that takes seconds at most. */
static void go_on(void)
{
	const struct queued_alert *due;
	while (!herald.post && herald.crier >= 0 && (due = alert_queue_due(&herald.cries, now_ms())) != NULL)
		cry(due);
	while (!herald.post && herald.webhook.origin[0] && (due = alert_queue_due(&herald.posts, now_ms())) != NULL)
		post(due);
	say_drops();
	if (herald.post)
		return;
	uint64_t posts_ms = alert_queue_next_ms(&herald.posts), cries_ms = alert_queue_next_ms(&herald.cries);
	look_again_at(posts_ms < cries_ms ? posts_ms : cries_ms);
}

static void on_timer(struct timer *timer)
{
	(void)timer;
	go_on();
}

/* What waited in the channel while no herald ran is no news. */
static bool is_news(const struct alert *alert)
{
	return alert->wall_us + (uint64_t)ALERT_GIVE_UP_MS * 1000 > clock_wall_us();
}

static void on_alerts(struct watch *watch, unsigned events)
{
	(void)events;
	while (ipc_receive(watch->fd, &herald.message) == IPC_GOT) {
		const struct alert *alert = ipc_payload(&herald.message, sizeof(*alert));
		if (herald.message.type == REPORT_ALERT && alert && alert_is_sound(alert) && is_news(alert)) {
			if (herald.webhook.origin[0])
				alert_queue_add(&herald.posts, alert, now_ms());
			if (herald.crier >= 0)
				alert_queue_add(&herald.cries, alert, now_ms());
		}
		ipc_release(&herald.message);
	}
	ipc_release(&herald.message);
	go_on();
}

/* ---- life ---- */

static bool read_authorities(struct span *out, struct err *err)
{
	const char *path = herald.life.order.alerts.ca;
	herald.authorities = path[0] == '\0' ? fetch_read_authorities(&out->len)
					     : fetch_read_authorities_of(path, &out->len);
	out->ptr = herald.authorities;
	return out->ptr || path[0] == '\0' ||
	       err_set(err, "herald: alerts.ca %s cannot be read", path);
}

static bool prepare(struct err *err)
{
	struct loop *loop = herald.life.loop;
	struct fetcher_setup setup = {.loop = loop, .memory_bytes = ANSWER_BYTES};
	const struct alert_order *order = &herald.life.order.alerts;
	herald.channel = (struct watch){.on_event = on_alerts,
					.fd = ipc_take_fd(&herald.life.message, HERALD_FD_ALERTS)};
	if (order->program[0] != '\0')
		herald.crier = ipc_take_fd(&herald.life.message, HERALD_FD_CRIER);
	herald.timer.on_expiry = on_timer;
	strbuf_init(&herald.body, BODY_BYTES);
	alert_queue_init(&herald.posts, order->interval_ms, clock_wall_us());
	alert_queue_init(&herald.cries, order->interval_ms, clock_wall_us());
	if (!read_authorities(&setup.ca, err))
		return false;
	setup.resolver = herald.resolver = resolver_new(loop, err);
	if (!herald.resolver)
		return false;
	if (order->webhook[0] != '\0' && !web_place_of(order->webhook, &herald.webhook))
		return err_set(err, "herald: the webhook is no URL");
	herald.fetcher = fetcher_new(&setup, err);
	return herald.fetcher != NULL && loop_watch_input(loop, &herald.channel, err);
}

int herald_role(void)
{
	struct err err = {{0}};
	if (!helper_begin(&herald.life, ROLE_HERALD, &err) || !prepare(&err) ||
	    !helper_close_ports(&herald.life, &herald.webhook.port, herald.webhook.port != 0, &err))
		return helper_fail(&err);
	int status = helper_serve(&herald.life);
	fetcher_free(herald.fetcher);
	resolver_free(herald.resolver);
	strbuf_release(&herald.body);
	free(herald.authorities);
	loop_free(herald.life.loop);
	return status;
}
