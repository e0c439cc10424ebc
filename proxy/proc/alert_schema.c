/* What a policy may say about alerts, and the checks of it. Nothing is opened or asked here. */
#include "proc/settings_schema.h"

#include "proc/orders.h"

#define ALERT(member) offsetof(struct alert_settings, member)

enum { SECOND_MS = 1000, DAY_MS = 24 * 3600 * SECOND_MS };

static const struct setting alert_rows[] = {
    {"webhook", SETTING_STRING, ALERT(webhook), .example = "\"https://alerts.example/sallyport\"",
     .doc = "A URL of http or https that gets each alert by POST, as JSON. One that does not answer with "
	    "2xx is tried again, after 1 s, doubling to a minute, for a quarter of an hour."},
    {"secret", SETTING_STRING, ALERT(secret), .example = "\"correct horse battery staple\"",
     .doc = "What alerts to the webhook are signed with (HMAC-SHA256). Without it, or secret_file, they are "
	    "not."},
    {"secret_file", SETTING_STRING, ALERT(secret_file), .example = "\"/etc/sallyport/webhook.secret\"",
     .doc = "The same in a file, without the line's end; read when the policy is."},
    {"ca", SETTING_STRING, ALERT(ca), .example = "\"/etc/sallyport/webhook-ca.pem\"",
     .doc = "The certificate authorities, in PEM, that the webhook's certificate may come from. Without it, the "
	    "system's."},
    {"program", SETTING_STRING, ALERT(program), .example = "\"/usr/local/bin/tell-somebody\"",
     .doc = "A program that is run for each alert, by `process.user`, with the same JSON on its standard "
	    "input. It has no arguments and 10 s."},
    {"interval", SETTING_TIME, ALERT(interval_ms), .standard = "5 min", .min = SECOND_MS, .max = DAY_MS,
     .doc = "Alerts of one kind about one URL of a site that follow the first within this time are told as "
	    "one when it ends."},
    {0},
};

static void check_text(const char *text, size_t room, const char *setting, struct policy_where where,
		       struct policy_context *context)
{
	if (text && strlen(text) >= room)
		policy_error_in(context, where, setting, "it is longer than %zu bytes", room - 1);
}

static void finish_alerts(void *structure, struct policy_where where, struct policy_context *context)
{
	struct alert_settings *alerts = structure;
	struct web_place webhook;
	policy_resolve_path(&alerts->secret_file, "secret_file", where, context);
	policy_resolve_path(&alerts->ca, "ca", where, context);
	check_text(alerts->webhook, WEBHOOK_SIZE, "webhook", where, context);
	check_text(alerts->secret, SECRET_SIZE, "secret", where, context);
	check_text(alerts->ca, PATH_SIZE, "ca", where, context);
	check_text(alerts->program, PATH_SIZE, "program", where, context);
	if (alerts->webhook && strlen(alerts->webhook) < WEBHOOK_SIZE && !web_place_of(alerts->webhook, &webhook))
		policy_error_in(context, where, "webhook",
				"\"%.64s\" is no URL such as https://alerts.example/path",
				alerts->webhook);
	if (alerts->secret && alerts->secret_file)
		policy_error_in(context, where, "secret_file", "secret is set, too: which one counts?");
	if (!alerts->webhook && (alerts->secret || alerts->secret_file || alerts->ca))
		policy_error(context, where, "secret and ca are the webhook's, and there is none");
	if (alerts->program && alerts->program[0] != '/')
		policy_error_in(context, where, "program", "\"%.64s\" is no absolute path",
				alerts->program);
}

const struct schema alert_schema = {
    .name = "alerts",
    .size = sizeof(struct alert_settings),
    .settings = alert_rows,
    .where_offset = ALERT(where),
    .finish = finish_alerts,
};
