/* The rows of a policy that concern the server as a whole, and the checks of
 * single groups. What a site and a shield may say stands in their own layers. */

#include "proc/settings_schema.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/stat.h>

#define LISTEN(member)   offsetof(struct listen_settings, member)
#define LIMIT(member)    offsetof(struct limit_settings, member)
#define TIMEOUT(member)  offsetof(struct timeout_settings, member)
#define QUOTA(member)    offsetof(struct quota_settings, member)
#define LOG(member)      offsetof(struct log_settings, member)
#define PROCESS(member)  offsetof(struct process_settings, member)
#define CONSOLE(member)  offsetof(struct console_settings, member)
#define EVIDENCE(member) offsetof(struct evidence_settings, member)
#define SETTINGS(member) offsetof(struct settings, member)

enum {
	LISTENS_MAX = 64,
	RULE_FILES_MAX = 256,
	ADDRESS_SETS_MAX = 64,
	WORKERS_MAX = 16,
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	HOUR_MS = 60 * MINUTE_MS,
	DAY_MS = 24 * HOUR_MS,
	EVIDENCE_BYTES_MIN = 64 << 10,
};

/* ---- listen ---- */

static const struct setting listen_rows[] = {
    {"address", SETTING_STRING, LISTEN(address), .required = true, .example = "\"0.0.0.0:8080\"",
     .doc = "An address with a port: `0.0.0.0:8080`, `[::1]:8080`, or `:8080` for every address "
	    "of the machine, IPv6 and IPv4."},
    {"proxy_protocol", SETTING_STRINGS, LISTEN(proxy_protocol), .max = 256,
     .example = "( \"10.1.0.0/16\" )",
     .doc = "Networks of the balancers before this listener, whose connections all begin with a PROXY "
	    "header (version 1 or 2). The address in it counts as the peer's. Connections from elsewhere, "
	    "and those without a header, are closed."},
    {"tls", SETTING_GROUP, LISTEN(tls), .sub = &listen_tls_schema,
     .doc = "Connections to this listener speak TLS. Without it they are plain."},
    {"redirect_https", SETTING_BOOL, LISTEN(redirect_https), .standard = "false",
     .doc = "Every request to this listener, which is plain, is sent to `https`, as `sites[].tls.redirect` "
	    "does for one site."},
    {0},
};

struct cidr *settings_networks(const struct policy_strings *texts, const char *setting, size_t *n,
			       struct policy_where where, struct policy_context *context)
{
	struct cidr *networks = arena_alloc(context->arena, (texts->n + 1) * sizeof(*networks));

	*n = 0;
	for (size_t i = 0; i < texts->n; i++) {
		struct err err = {0};

		if (networks && cidr_parse(span_from_str(texts->items[i]), &networks[*n], &err))
			(*n)++;
		else
			policy_error_in(context, where, setting, "%s",
					networks ? err.text : "out of memory");
	}
	return networks;
}

static bool is_number(const char *text)
{
	return strspn(text, "0123456789") == strlen(text);
}

/* 0.0.0.0/0 is ::ffff:0:0/96. */
static bool is_everybody(const struct cidr *network)
{
	static const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff};

	return network->prefix == 0 ||
	       (network->prefix == 96 && memcmp(network->bytes, v4, sizeof(v4)) == 0);
}

static void finish_listen(void *structure, struct policy_where where,
			  struct policy_context *context)
{
	struct listen_settings *listen = structure;
	struct err err = {0};

	if (listen->redirect_https && listen->tls.where.line > 0)
		policy_error_in(context, where, "redirect_https",
				"a listener with tls has nothing to redirect");
	listen->proxy_from = settings_networks(&listen->proxy_protocol, "proxy_protocol",
					       &listen->proxy_from_count, where, context);
	if (listen->proxy_protocol.items && listen->proxy_protocol.n == 0)
		policy_error_in(context, where, "proxy_protocol",
				"names no network: every connection would be refused");
	for (size_t i = 0; i < listen->proxy_from_count; i++)
		if (is_everybody(&listen->proxy_from[i]))
			policy_warning(context, where, "proxy_protocol: \"%s\" is everybody: whoever connects "
				       "may claim any address", listen->proxy_protocol.items[i]);
	if (!listen->address)
		return;
	if (!addr_parse(span_from_str(listen->address), &listen->addr, &err))
		policy_error_in(context, where, "address", "%s%s", err.text,
				is_number(listen->address) ? ", for a port alone write \":8080\""
							   : "");
}

static const struct schema listen_schema = {
    .name = "listen",
    .size = sizeof(struct listen_settings),
    .settings = listen_rows,
    .where_offset = LISTEN(where),
    .finish = finish_listen,
};

/* ---- limits ---- */

static const struct setting limit_rows[] = {
    {"head", SETTING_BYTES, LIMIT(head_bytes), .standard = "16 KiB", .min = 1024,
     .max = HTTP_HEAD_MAX, .doc = "The largest head of a request."},
    {"field", SETTING_BYTES, LIMIT(field_bytes), .standard = "8 KiB", .min = 256,
     .max = HTTP_HEAD_MAX, .doc = "The longest field line of a request."},
    {"fields", SETTING_COUNT, LIMIT(fields), .standard = "100", .min = 8, .max = HTTP_FIELDS_MAX,
     .doc = "How many fields a request may have."},
    {"url", SETTING_BYTES, LIMIT(target_bytes), .standard = "8 KiB", .min = 64,
     .max = HTTP_HEAD_MAX,
     .doc = "The longest request-target, before the site is known; a site's own limit is its "
	    "`shield.limits.url`."},
    {"response_head", SETTING_BYTES, LIMIT(response_head_bytes), .standard = "32 KiB", .min = 1024,
     .max = HTTP_HEAD_MAX, .doc = "The largest head of an origin's response."},
    {"response_fields", SETTING_COUNT, LIMIT(response_fields), .standard = "128", .min = 8,
     .max = HTTP_FIELDS_MAX, .doc = "How many fields an origin's response may have."},
    {0},
};

static void finish_limits(void *structure, struct policy_where where,
			  struct policy_context *context)
{
	const struct limit_settings *limits = structure;

	if (limits->target_bytes > limits->head_bytes)
		policy_warning(context, where, "url is larger than head, which is hit first");
	if (limits->field_bytes > limits->head_bytes)
		policy_warning(context, where, "field is larger than head, which is hit first");
}

static const struct schema limit_schema = {
    .name = "limits",
    .size = sizeof(struct limit_settings),
    .settings = limit_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_limits,
};

/* ---- timeouts ---- */

static const struct setting timeout_rows[] = {
    {"head", SETTING_TIME, TIMEOUT(head), .standard = "10 s", .min = 100, .max = 10 * MINUTE_MS,
     .doc = "From a request's first byte to the end of its head, however busy the client is."},
    {"handshake", SETTING_TIME, TIMEOUT(handshake), .standard = "10 s", .min = 100,
     .max = 10 * MINUTE_MS, .doc = "For a client's whole TLS handshake."},
    {"idle", SETTING_TIME, TIMEOUT(idle), .standard = "60 s", .min = 100, .max = HOUR_MS,
     .doc = "How long a connection may wait for its next request."},
    {"body_grace", SETTING_TIME, TIMEOUT(body_grace), .standard = "5 s", .max = 10 * MINUTE_MS,
     .doc = "How long content may flow before `min_rate` counts."},
    {"min_rate", SETTING_BYTE_RATE, TIMEOUT(min_rate), .standard = "500 B/s", .max = 1 << 30,
     .doc = "The mean rate that a client has to send and to read content with. 0 B/s: any."},
    {"stall", SETTING_TIME, TIMEOUT(stall), .standard = "30 s", .min = 100, .max = HOUR_MS,
     .doc = "How long a client may send or read nothing at all while content is under way."},
    {"collect", SETTING_TIME, TIMEOUT(collect), .standard = "1 s", .max = MINUTE_MS,
     .doc = "How long a small upload is collected before it is passed on as it comes."},
    {"connect", SETTING_TIME, TIMEOUT(connect), .standard = "3 s", .min = 10, .max = 5 * MINUTE_MS,
     .doc = "Until an origin has accepted a connection, with TLS until the handshake is over. Where there are "
	    "several, or several addresses, the next is tried after a third of it (500 ms at least)."},
    {"first_byte", SETTING_TIME, TIMEOUT(first_byte), .standard = "60 s", .min = 10, .max = HOUR_MS,
     .doc = "From the request's end to the origin's response head."},
    {"between_bytes", SETTING_TIME, TIMEOUT(between_bytes), .standard = "60 s", .min = 10,
     .max = HOUR_MS, .doc = "How long an origin may send nothing within a response."},
    {"origin_idle", SETTING_TIME, TIMEOUT(origin_idle), .standard = "30 s", .max = HOUR_MS,
     .doc = "How long an unused connection to an origin is kept."},
    {"linger", SETTING_TIME, TIMEOUT(linger), .standard = "2 s", .max = MINUTE_MS,
     .doc = "After a refusal, how long what the client still sends is read and thrown away, so "
	    "that it gets to see the answer."},
    {"tarpit", SETTING_TIME, TIMEOUT(tarpit), .standard = "10 s", .min = 100, .max = 10 * MINUTE_MS,
     .doc = "How long a connection is held without a word where the action `tarpit` says so."},
    {"tunnel", SETTING_TIME, TIMEOUT(tunnel), .standard = "10 min", .min = 100, .max = DAY_MS,
     .doc = "How long nothing may pass through a WebSocket, or a tunnel of the egress proxy, either way."},
    {"drain", SETTING_TIME, TIMEOUT(drain), .standard = "30 s", .max = HOUR_MS,
     .doc = "On a stop or a reload, how long running exchanges may go on."},
    {0},
};

static void finish_timeouts(void *structure, struct policy_where where,
			    struct policy_context *context)
{
	const struct timeout_settings *timeouts = structure;

	if (timeouts->collect >= timeouts->stall)
		policy_warning(context, where,
			       "collect is not shorter than stall, which ends the "
			       "upload first");
}

static const struct schema timeout_schema = {
    .name = "timeouts",
    .size = sizeof(struct timeout_settings),
    .settings = timeout_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_timeouts,
};

/* ---- quotas ---- */

static const struct setting quota_rows[] = {
    {"connections", SETTING_COUNT, QUOTA(connections), .standard = "20000", .min = 1,
     .max = 10000000, .doc = "Client connections in all."},
    {"per_client", SETTING_COUNT, QUOTA(per_client), .standard = "512", .min = 1, .max = 1000000,
     .doc = "Connections from one IPv4 address, or one IPv6 network of 64 bits. Those of "
	    "trusted_proxies are counted in connections only."},
    {"handshakes", SETTING_RATE, QUOTA(handshakes), .standard = "100/s",
     .doc = "TLS handshakes that one client, as above, may begin; twice as many at once. Further connections "
	    "are closed. Those of trusted_proxies are not counted. `0/s`: any number."},
    {"memory", SETTING_BYTES, QUOTA(memory), .standard = "256 MiB", .min = 8 << 20,
     .max = UINT64_C(64) << 30,
     .doc = "What a worker may hold for connections and requests. When seven eighths are used, those "
	    "who let it wait longest are ended; where there are none, new requests get 503."},
    {"collect", SETTING_BYTES, QUOTA(collect_bytes), .standard = "64 KiB", .max = 1 << 20,
     .doc = "Uploads up to this size are collected before a connection to the origin is taken. "
	    "0: none is."},
    {"origin_idle", SETTING_COUNT, QUOTA(origin_idle), .standard = "64", .max = 65536,
     .doc = "Unused connections that a worker keeps to each origin."},
    {"tarpit", SETTING_COUNT, QUOTA(tarpit), .standard = "256", .max = 100000,
     .doc = "Refused connections that each worker holds by the action `tarpit`; who comes when "
	    "there are so many is refused at once."},
    {"held", SETTING_BYTES, QUOTA(held), .standard = "64 MiB", .min = 1 << 20,
     .max = UINT64_C(16) << 30,
     .doc = "What of `memory` the pages of guarded sites may take while they wait for their verdict. "
	    "Above it the next ones are answered by their copies, or 503."},
    {"copies", SETTING_BYTES, QUOTA(copies), .standard = "32 MiB", .min = 1 << 20,
     .max = UINT64_C(16) << 30,
     .doc = "Known-good copies that a worker keeps at hand, besides `memory`. One larger than a "
	    "quarter of it comes from the vault each time."},
    {"generations", SETTING_COUNT, QUOTA(generations), .standard = "4", .min = 1, .max = 16,
     .doc = "After reloads, how many older policies may still be at work at once; above it the "
	    "oldest is ended."},
    {0},
};

static void finish_quotas(void *structure, struct policy_where where,
			  struct policy_context *context)
{
	const struct quota_settings *quotas = structure;

	if (quotas->per_client > quotas->connections)
		policy_warning(context, where,
			       "per_client is larger than connections, which is hit first");
}

static const struct schema quota_schema = {
    .name = "quotas",
    .size = sizeof(struct quota_settings),
    .settings = quota_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_quotas,
};

/* ---- log, process, console ---- */

static const struct policy_choice log_formats[] = {
    {"combined", LOG_FORMAT_COMBINED}, {"json", LOG_FORMAT_JSON}, {NULL, 0}};

static const struct setting log_rows[] = {
    {"access", SETTING_STRING, LOG(access), .standard = "-",
     .doc = "One line per request: a file, `-` for standard output, or `off`."},
    {"events", SETTING_STRING, LOG(events), .standard = "-",
     .doc = "What happens besides requests: a file, `-` for standard error, or `off`."},
    {"format", SETTING_ENUM, LOG(format), .standard = "combined", .choices = log_formats,
     .doc = "The form of the request log."},
    {0},
};

static bool is_log_file(const char *name)
{
	return name && strcmp(name, "-") != 0 && strcmp(name, "off") != 0;
}

/* A log in a folder that is missing stops a start. Here it is a warning: a policy may be checked on another machine. */
static void warn_of_folder(const char *path, const char *setting, struct policy_where where, struct policy_context *context)
{
	const char *slash = is_log_file(path) && context->asks_machine ? strrchr(path, '/') : NULL;
	char folder[PATH_MAX];
	struct stat info;

	if (!slash || slash == path || slash - path >= (ptrdiff_t)sizeof(folder))
		return;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	if (stat(folder, &info) == 0 ? !S_ISDIR(info.st_mode) : errno == ENOENT)
		policy_warning(context, policy_where_of(context, setting, where), "%s: there is no folder %s on this machine", setting,
			       folder);
}

static void finish_log(void *structure, struct policy_where where, struct policy_context *context)
{
	struct log_settings *log = structure;

	if (is_log_file(log->access))
		policy_resolve_path(&log->access, "access", where, context);
	if (is_log_file(log->events))
		policy_resolve_path(&log->events, "events", where, context);
	if (is_log_file(log->access) && log->events && strcmp(log->access, log->events) == 0)
		policy_error(context, where, "access and events are the same file");
	warn_of_folder(log->access, "access", where, context);
	warn_of_folder(log->events, "events", where, context);
}

static const struct schema log_schema = {
    .name = "log",
    .size = sizeof(struct log_settings),
    .settings = log_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_log,
};

static const struct policy_choice sandbox_modes[] = {{"best-effort", SANDBOX_BEST_EFFORT},
						     {"required", SANDBOX_REQUIRED},
						     {"off", SANDBOX_OFF},
						     {NULL, 0}};

static const struct setting process_rows[] = {
    {"workers", SETTING_COUNT, PROCESS(workers), .standard = "0", .max = WORKERS_MAX,
     .doc = "Processes that serve requests. 0: one for each usable CPU, at most 16."},
    {"user", SETTING_STRING, PROCESS(user), .standard = "nobody",
     .doc = "Where sallyport is started as root: the user that its processes become."},
    {"sandbox", SETTING_ENUM, PROCESS(sandbox), .standard = "best-effort", .choices = sandbox_modes,
     .doc = "`required` does not start where the kernel can't confine the processes by Landlock "
	    "and seccomp; `best-effort` warns and goes on."},
    {"runtime", SETTING_STRING, PROCESS(runtime), .example = "\"/run/sallyport\"",
     .doc = "The directory of the control socket. Without it `/run/sallyport` for root, else "
	    "`$XDG_RUNTIME_DIR/sallyport` or `/tmp/sallyport-UID`."},
    {0},
};

static void finish_process(void *structure, struct policy_where where,
			   struct policy_context *context)
{
	struct process_settings *process = structure;

	policy_resolve_path(&process->runtime, "runtime", where, context);
	if (context->asks_machine && context->group && process->user && !getpwnam(process->user))
		policy_warning(context, policy_where_of(context, "user", where),
			       "user: there is no user \"%s\" on this machine", process->user);
}

static const struct schema process_schema = {
    .name = "process",
    .size = sizeof(struct process_settings),
    .settings = process_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_process,
};

static const struct setting console_rows[] = {
    {"address", SETTING_STRING, CONSOLE(address), .example = "\"127.0.0.1:8081\"",
     .doc = "Where the console and its API listen besides the control socket. A loopback "
	    "address."},
    {0},
};

bool settings_is_loopback(const struct addr *addr)
{
	if (addr->u.sa.sa_family == AF_INET)
		return ntohl(addr->u.in4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&addr->u.in6.sin6_addr);
}

static void finish_console(void *structure, struct policy_where where,
			   struct policy_context *context)
{
	struct console_settings *console = structure;
	struct err err = {0};

	if (!console->address)
		return;
	if (!addr_parse(span_from_str(console->address), &console->addr, &err))
		policy_error_in(context, where, "address", "%s", err.text);
	else if (!settings_is_loopback(&console->addr))
		policy_error_in(context, where, "address",
				"%s is not a loopback address, such as 127.0.0.1:8081: the console "
				"takes orders from whoever reaches it",
				console->address);
}

static const struct schema console_schema = {
    .name = "console",
    .size = sizeof(struct console_settings),
    .settings = console_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_console,
};

/* ---- evidence ---- */

static const struct setting evidence_rows[] = {
    {"size", SETTING_BYTES, EVIDENCE(bytes), .standard = "8 MiB", .max = 64 << 20,
     .doc = "Of the file `evidence` beside the vault, which never grows: 4 KiB for each refusal, the oldest make way. "
	    "0: nothing is kept."},
    {"per_second", SETTING_COUNT, EVIDENCE(per_second), .standard = "4", .min = 1, .max = 100,
     .doc = "How many refusals of one reason, or by one rule, a worker keeps in a second; eight times as many of all "
	    "kinds. The others are counted."},
    {"secrets", SETTING_STRINGS, EVIDENCE(secrets), .max = 256, .example = "( \"member-no\", \"iban\" )",
     .doc = "Names of arguments, fields and values in content that are secret besides those that sallyport knows: "
	    "what stands under a name that has one of these in it is kept as its length. Case and punctuation don't "
	    "count."},
    {0},
};

static bool has_letters(const char *name)
{
	for (; *name; name++)
		if (ascii_is_digit(*name) || (ascii_lower(*name) >= 'a' && ascii_lower(*name) <= 'z'))
			return true;
	return false;
}

static void finish_evidence(void *structure, struct policy_where where, struct policy_context *context)
{
	const struct evidence_settings *evidence = structure;

	if (evidence->bytes > 0 && evidence->bytes < EVIDENCE_BYTES_MIN)
		policy_error_in(context, where, "size", "is less than %d KiB: 0 keeps nothing", EVIDENCE_BYTES_MIN >> 10);
	for (size_t i = 0; i < evidence->secrets.n; i++)
		if (!has_letters(evidence->secrets.items[i]))
			policy_error_in(context, where, "secrets", "\"%s\" has neither letters nor digits, so it would be in no name",
					evidence->secrets.items[i]);
}

static const struct schema evidence_schema = {
    .name = "evidence",
    .size = sizeof(struct evidence_settings),
    .settings = evidence_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_evidence,
};

/* ---- the whole ---- */

static const struct setting settings_rows[] = {
    {"listen", SETTING_LIST, SETTINGS(listens), .sub = &listen_schema, .max = LISTENS_MAX,
     .example = "( { address = \":8080\"; } )",
     .doc = "Where visitors are waited for. At least one is needed."},
    {"sites", SETTING_LIST, SETTINGS(sites), .sub = &site_schema, .max = SITES_MAX,
     .doc = "What is protected. At least one is needed."},
    {"default_site", SETTING_STRING, SETTINGS(default_site), .example = "\"shop\"",
     .doc = "The name of the site for hosts that no site has. Without it they are refused."},
    {"address_sets", SETTING_LIST, SETTINGS(address_sets), .sub = &address_set_schema, .max = ADDRESS_SETS_MAX,
     .doc = "Addresses that have a name, from files and by country, for the lists of sites: see Sets of addresses."},
    {"trusted_proxies", SETTING_STRINGS, SETTINGS(trusted_proxies),
     .example = "( \"10.1.0.0/16\" )",
     .doc = "Networks whose X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and Forwarded "
	    "are believed. From all others these fields are replaced."},
    {"rules", SETTING_LIST, SETTINGS(rules), .sub = &rule_schema, .max = RULES_MAX,
     .doc = "What attacks look like. A rule with the id of one in `rule_files` takes its place."},
    {"updated", SETTING_STRING, SETTINGS(updated), .example = "\"2026-11-26\"",
     .doc = "The day on which `rules` changed last, as files of rules say it that are included here."},
    {"rule_files", SETTING_STRINGS, SETTINGS(rule_files), .max = RULE_FILES_MAX,
     .example = "( \"policy.d\", \"my-rules.cfg\" )",
     .doc = "Files that hold `rules` and nothing else, and folders of such files (`*.cfg`), beside the policy or "
	    "among those that come with sallyport. Where neither this nor `rules` is set, all that come with sallyport; "
	    "`( )` is none."},
    {"rule_pack", SETTING_GROUP, SETTINGS(rule_pack), .sub = &rule_pack_schema,
     .doc = "Rules that somebody publishes and signs, brought up to date by `sallyport rules update`."},
    {"limits", SETTING_GROUP, SETTINGS(limits), .sub = &limit_schema,
     .doc = "Sizes that are checked before the site is known."},
    {"timeouts", SETTING_GROUP, SETTINGS(timeouts), .sub = &timeout_schema,
     .doc = "How long things may take."},
    {"quotas", SETTING_GROUP, SETTINGS(quotas), .sub = &quota_schema,
     .doc = "How much may be open or held at once."},
    {"log", SETTING_GROUP, SETTINGS(log), .sub = &log_schema, .doc = "What is written where."},
    {"evidence", SETTING_GROUP, SETTINGS(evidence), .sub = &evidence_schema,
     .doc = "What is kept of refused requests, for `sallyport explain --request-id`."},
    {"process", SETTING_GROUP, SETTINGS(process), .sub = &process_schema,
     .doc = "The processes themselves."},
    {"console", SETTING_GROUP, SETTINGS(console), .sub = &console_schema,
     .doc = "The console for the operator."},
    {"vault", SETTING_GROUP, SETTINGS(vault), .sub = &vault_schema,
     .doc = "Where the guard keeps what is known to be good."},
    {"egress", SETTING_GROUP, SETTINGS(egress), .sub = &egress_schema,
     .doc = "What the machines behind sallyport may reach. Without it nothing of theirs goes through sallyport but answers to "
	    "visitors."},
    {"acme_webroot", SETTING_STRING, SETTINGS(acme_webroot), .example = "\"/var/lib/acme\"",
     .doc = "The directory that an ACME client (certbot, lego) writes challenges into, below "
	    "`.well-known/acme-challenge/`. GET and HEAD of `/.well-known/acme-challenge/TOKEN` are answered from "
	    "there for every site, whatever else its policy says."},
    {"alerts", SETTING_GROUP, SETTINGS(alerts), .sub = &alert_schema,
     .doc = "Who is told at once when a page is held, a site is sealed, or an origin goes down."},
    {"error_pages", SETTING_STRING, SETTINGS(error_pages), .example = "\"/etc/sallyport/errors\"",
     .doc = "A directory with the page for refusals, `page.html`: at most 16 KiB; `{{id}}`, `{{status}}` "
	    "and `{{phrase}}` are filled in. Without it, the one that comes with sallyport."},
    {0},
};

static void finish_settings(void *structure, struct policy_where where,
			    struct policy_context *context)
{
	struct settings *settings = structure;

	policy_resolve_path(&settings->error_pages, "error_pages", where, context);
	policy_resolve_path(&settings->acme_webroot, "acme_webroot", where, context);
	policy_resolve_path(&settings->vault.directory, "vault", where, context);
	settings_compile(settings, where, context);
}

const struct schema settings_schema = {
    .name = "",
    .size = sizeof(struct settings),
    .settings = settings_rows,
    .where_offset = SIZE_MAX,
    .finish = finish_settings,
};
