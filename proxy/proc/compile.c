/* Compiling a policy for the master's eyes: what the master has to know of it, or every
 * error in it. Reads the files that the policy names; opens nothing else. */
#include "proc/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "proc/orders.h"
#include "proc/plan_write.h"
#include "proc/roles.h"
#include "sallyport/log.h"
#include "sallyport/secret_heap.h"
#include "sallyport/shm.h"
#include "sallyport/vault_path.h"
#include "sallyport/warden_plan.h"

enum { ERRORS_SIZE = IPC_PAYLOAD_MAX };

static void report_with(enum order order, const void *payload, size_t len, const int *fds, unsigned n)
{
	struct err err = {{0}};
	if (!ipc_send(ROLE_CHANNEL_FD, order, payload, len, fds, n, &err))
		log_debug("%s", err.text);
}

static void report(enum order order, const void *payload, size_t len)
{
	report_with(order, payload, len, NULL, 0);
}

static bool fail(const struct err *err)
{
	report(REPORT_FAILED, err->text, strlen(err->text));
	return false;
}

static void report_errors(const struct policy_errors *errors)
{
	struct strbuf text;
	strbuf_init(&text, ERRORS_SIZE);
	policy_errors_print(errors, &text);
	report(REPORT_FAILED, text.data, text.len);
	strbuf_release(&text);
}

static bool copy_text(char *out, size_t room, const char *text, const char *setting)
{
	int len = snprintf(out, room, "%s", text ? text : "");
	if (len >= 0 && (size_t)len < room)
		return true;
	struct err err;
	err_set(&err, "%s is longer than %zu bytes\n", setting, room - 1);
	report(REPORT_FAILED, err.text, strlen(err.text));
	return false;
}

static uint32_t worker_count(const struct settings *settings)
{
	if (settings->process.workers > 0)
		return settings->process.workers < WORKERS_MAX ? (uint32_t)settings->process.workers
							       : WORKERS_MAX;
	cpu_set_t usable;
	int n = sched_getaffinity(0, sizeof(usable), &usable) == 0 ? CPU_COUNT(&usable) : 1;
	if (n < 1)
		n = 1;
	return n < WORKERS_MAX ? (uint32_t)n : WORKERS_MAX;
}

static bool describe_listeners(const struct settings *settings, struct compiled_report *out)
{
	const struct listen_settings *listens = settings->listens.items;
	if (settings->listens.n > LISTENERS_MAX) {
		struct err err;
		err_set(&err, "listen: %zu listeners, at most %d are possible\n",
			settings->listens.n, LISTENERS_MAX);
		report(REPORT_FAILED, err.text, strlen(err.text));
		return false;
	}
	out->listens = (uint32_t)settings->listens.n;
	for (size_t i = 0; i < settings->listens.n; i++) {
		out->listen[i] = listens[i].addr;
		out->is_datagram[i] = listens[i].is_datagram;
	}
	return true;
}

static void describe_warnings(const struct policy_errors *errors, struct compiled_report *out)
{
	if (policy_warnings_count(errors) == 0)
		return;
	struct strbuf text;
	strbuf_init(&text, WARNINGS_SIZE - 1);
	policy_errors_print(errors, &text);
	if (text.len > 0)
		memcpy(out->warnings, text.data, text.len);
	strbuf_release(&text);
}

/* In order; the latest is dropped where there is no more room. */
static void describe_end(uint64_t end_s, struct compiled_report *out)
{
	uint32_t at = 0;
	while (at < out->ends && out->end_s[at] <= end_s)
		at++;
	if (end_s == UINT64_MAX || at == EXCEPTION_ENDS_MAX)
		return;
	out->ends += out->ends < EXCEPTION_ENDS_MAX;
	memmove(&out->end_s[at + 1], &out->end_s[at], (out->ends - at - 1) * sizeof(out->end_s[0]));
	out->end_s[at] = end_s;
}

static void describe_exceptions(const struct settings *settings, struct compiled_report *out)
{
	const struct site *sites = settings->sites.items;
	for (size_t i = 0; i < settings->sites.n; i++) {
		const struct policy_list *list = &sites[i].shield_policy.exceptions;
		const struct exception *exceptions = list->items;
		out->exceptions += (uint32_t)list->n;
		for (size_t j = 0; j < list->n; j++)
			describe_end(exceptions[j].ends_s, out);
	}
}

/* The master keeps a state for each of them, which is there before a worker looks for it. */
static void report_sites(const struct settings *settings)
{
	static struct sites_report out;
	const struct site *sites = settings->sites.items;
	for (size_t first = 0; first < settings->sites.n; first += SITES_PER_REPORT) {
		out = (struct sites_report){0};
		for (size_t i = first; i < settings->sites.n && out.n < SITES_PER_REPORT; i++)
			snprintf(out.names[out.n++], SITE_NAME_SIZE, "%s", sites[i].name);
		report(REPORT_SITES, &out,
		       offsetof(struct sites_report, names) + out.n * sizeof(out.names[0]));
	}
}

static void describe_egress_origin(const struct egress_origin *origin, struct egress_origin_report *out)
{
	snprintf(out->name, sizeof(out->name), "%s", origin->name);
	for (size_t i = 0; i < origin->network_count && out->n < EGRESS_ADDRESSES_MAX; i++)
		out->networks[out->n++] = origin->networks[i];
}

/* So are the states of egress origins. Names that are too long for one were refused. */
static void report_egress(const struct egress_policy *egress)
{
	static struct egress_report out;
	if (egress->mode == EGRESS_UNSET)
		return;
	out = (struct egress_report){
	    .mode = (uint32_t)egress->mode,
	    .kernel = (uint32_t)egress->kernel,
	    .learning = (uint32_t)egress->learning,
	    .has_gate = egress->proxy != NULL,
	    .gate = egress->proxy_addr,
	};
	for (size_t i = 0; i < egress->origin_count && out.n < EGRESS_ORIGINS_MAX; i++)
		describe_egress_origin(&egress->origins[i], &out.of[out.n++]);
	report(REPORT_EGRESS, &out, sizeof(out));
}

/* ---- alerts ---- */

/* The first line, or all of it. */
static bool read_secret(const char *path, char out[SECRET_SIZE])
{
	struct err err = {{0}};
	/* non-blocking: a pipe in the place of a file must not stop us */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, SECRET_SIZE - 1);
	if (n < 0)
		err_set(&err, "alerts.secret_file: %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return fail(&err);
	out[strcspn(out, "\r\n")] = '\0';
	if (out[0] != '\0' && n < SECRET_SIZE - 1)
		return true;
	err_set(&err, "alerts.secret_file: %s: no secret of 1 to %d bytes", path, SECRET_SIZE - 2);
	return fail(&err);
}

static bool describe_alerts(const struct alert_settings *alerts, struct alert_order *out)
{
	out->interval_ms = alerts->interval_ms;
	if (alerts->webhook)
		snprintf(out->webhook, sizeof(out->webhook), "%s", alerts->webhook);
	if (alerts->secret)
		snprintf(out->secret, sizeof(out->secret), "%s", alerts->secret);
	if (alerts->ca)
		snprintf(out->ca, sizeof(out->ca), "%s", alerts->ca);
	if (alerts->program)
		snprintf(out->program, sizeof(out->program), "%s", alerts->program);
	return !alerts->secret_file || read_secret(alerts->secret_file, out->secret);
}

/* ---- what the guard needs ---- */

static bool add_port(struct compiled_report *out, uint16_t port)
{
	for (uint32_t i = 0; i < out->scout_ports; i++)
		if (out->scout_port[i] == port)
			return true;
	if (out->scout_ports >= SCOUT_PORTS_MAX)
		return false;
	out->scout_port[out->scout_ports++] = port;
	return true;
}

static bool add_ports(const struct site *site, struct compiled_report *out)
{
	for (size_t r = 0; site->guard.mode != GUARD_OFF && r < site->route_count; r++)
		for (size_t o = 0; o < site->routes[r]->origin_count; o++)
			if (!add_port(out, site->routes[r]->origins[o].port))
				return false;
	return true;
}

static bool add_ca(struct compiled_report *out, const char *path)
{
	for (size_t i = 0; i < SCOUT_CAS_MAX; i++) {
		if (strcmp(out->scout_ca[i], path) == 0)
			return true;
		if (out->scout_ca[i][0] == '\0')
			return snprintf(out->scout_ca[i], PATH_SIZE, "%s", path) < PATH_SIZE;
	}
	return false;
}

static bool add_cas(const struct site *site, struct compiled_report *out)
{
	for (size_t r = 0; site->guard.mode != GUARD_OFF && r < site->route_count; r++)
		if (site->routes[r]->tls.ca && !add_ca(out, site->routes[r]->tls.ca))
			return false;
	return true;
}

static bool describe_guard(const struct settings *settings, struct compiled_report *out)
{
	const struct site *sites = settings->sites.items;
	struct err err = {{0}};
	out->guarded = plan_count_guarded(settings);
	if (out->guarded > 0 && !vault_path(settings, out->vault, &err))
		return fail(&err);
	for (size_t i = 0; i < settings->sites.n; i++)
		if (!add_ports(&sites[i], out)) {
			err_set(&err, "guarded sites: origins on more than %d different ports",
				SCOUT_PORTS_MAX);
			return fail(&err);
		} else if (!add_cas(&sites[i], out)) {
			err_set(&err, "guarded sites: more than %d different origin_tls.ca", SCOUT_CAS_MAX);
			return fail(&err);
		}
	return true;
}

/* Where there is no place for it the server does without. */
static void describe_evidence(const struct settings *settings, struct compiled_report *out)
{
	struct err err = {{0}};
	if (settings->evidence.bytes == 0)
		return;
	if (evidence_path(settings, out->evidence, &err))
		out->evidence_bytes = settings->evidence.bytes;
	else
		log_warn("no evidence of refusals is kept: %s", err.text);
}

/* The plan as constant memory; -1 where no site is guarded. False: reported. */
static bool make_plan(const struct settings *settings, struct compiled_report *out, int *fd)
{
	struct err err = {{0}};
	struct strbuf text;
	*fd = -1;
	if (out->guarded == 0)
		return true;
	strbuf_init(&text, PLAN_BYTES_MAX);
	if (plan_write(settings, &text))
		*fd = shm_constant("sallyport-plan", text.data, text.len, &err);
	else
		err_set(&err, "the settings of guarded sites are too large, or memory is exhausted");
	out->plan_bytes = text.len;
	strbuf_release(&text);
	return *fd >= 0 || fail(&err);
}

/* The same of the kernel leg. */
static bool make_rules(const struct egress_policy *egress, struct compiled_report *out, int *fd)
{
	struct err err = {{0}};
	struct strbuf plan;
	bool is_wanted = (egress->mode == EGRESS_MONITOR || egress->mode == EGRESS_ENFORCE) &&
			 (egress->kernel == EGRESS_KERNEL_AUTO || egress->kernel == EGRESS_KERNEL_REQUIRED);
	*fd = -1;
	if (!is_wanted)
		return true;
	strbuf_init(&plan, WARDEN_PLAN_BYTES_MAX);
	if (warden_plan_write(egress, &plan, &err))
		*fd = shm_constant("sallyport-rules", plan.data, plan.len, &err);
	out->rules_bytes = plan.len;
	out->rules_required = egress->kernel == EGRESS_KERNEL_REQUIRED;
	strbuf_release(&plan);
	return *fd >= 0 || fail(&err);
}

static void report_compiled(const struct compiled_report *out, int plan, int rules)
{
	int fds[2];
	unsigned n = 0;
	if (plan >= 0)
		fds[n++] = plan;
	if (rules >= 0)
		fds[n++] = rules;
	report_with(REPORT_COMPILED, out, sizeof(*out), fds, n);
	while (n > 0)
		close(fds[--n]);
}

static bool describe(const struct settings *settings, const struct policy_errors *errors)
{
	static struct compiled_report out;
	int plan = -1, rules = -1;
	out = (struct compiled_report){
	    .workers = worker_count(settings),
	    .gates = settings->egress_site ? 1 : 0,
	    .sites = (uint32_t)settings->sites.n,
	    .sandbox = (uint32_t)settings->process.sandbox,
	    .generations = (uint32_t)settings->quotas.generations,
	    .log_format = (uint32_t)settings->log.format,
	    .has_console = settings->console.address != NULL,
	    .drain_ms = settings->timeouts.drain,
	    .console = settings->console.addr,
	    .rules = rules_age_of(settings),
	};
	if (!describe_listeners(settings, &out) ||
	    !copy_text(out.user, sizeof(out.user), settings->process.user, "process.user") ||
	    !copy_text(out.runtime, sizeof(out.runtime), settings->process.runtime,
		       "process.runtime") ||
	    !copy_text(out.log_access, sizeof(out.log_access), settings->log.access,
		       "log.access") ||
	    !copy_text(out.log_events, sizeof(out.log_events), settings->log.events, "log.events") ||
	    !copy_text(out.acme_webroot, sizeof(out.acme_webroot), settings->acme_webroot, "acme_webroot") ||
	    !describe_alerts(&settings->alerts, &out.alerts) || !describe_guard(settings, &out) ||
	    !make_plan(settings, &out, &plan) || !make_rules(&settings->egress, &out, &rules))
		return false;
	describe_evidence(settings, &out);
	describe_warnings(errors, &out);
	describe_exceptions(settings, &out);
	report_sites(settings);
	report_egress(&settings->egress);
	report_compiled(&out, plan, rules);
	explicit_bzero(&out.alerts, sizeof(out.alerts));
	return true;
}

static const char *given(const char *text)
{
	return text[0] ? text : NULL;
}

static struct settings *compile(const struct compile_order *order)
{
	const struct settings_overrides overrides = {
	    .listen = given(order->listen),
	    .origin = given(order->origin),
	    .demo = order->is_demo != 0,
	    .demo_vault = given(order->demo_vault),
	    .console = given(order->console),
	    .log = given(order->log),
	};
	struct policy_errors *errors = policy_errors_new();
	if (!errors) {
		report(REPORT_FAILED, "out of memory", strlen("out of memory"));
		return NULL;
	}
	/* What is freed keeps nothing of the policy's secrets, which the gate's fork would take along. */
	secret_heap_begin();
	struct settings *settings = settings_load(given(order->policy), &overrides, errors);
	secret_heap_end();
	if (!settings) {
		report_errors(errors);
	} else if (!describe(settings, errors)) {
		settings_free(settings);
		settings = NULL;
	}
	policy_errors_free(errors);
	return settings;
}

struct settings *compile_policy(const struct ipc_message *message)
{
	const struct compile_order *order = ipc_payload(message, sizeof(*order));
	if (message->type != ORDER_COMPILE || !order || !ORDERS_TEXT_OK(order->policy) ||
	    !ORDERS_TEXT_OK(order->listen) || !ORDERS_TEXT_OK(order->origin) ||
	    !ORDERS_TEXT_OK(order->demo_vault) || !ORDERS_TEXT_OK(order->console) || !ORDERS_TEXT_OK(order->log))
		return NULL;
	return compile(order);
}
