/* The console: control API, metrics and page, by libmicrohttpd in our loop.
 *
 * Trusts whoever may open its Unix socket. Over TCP it trusts what runs on the machine,
 * but not the pages in a browser there: names are refused as Host, and an order needs a
 * field that a foreign page cannot send. Owns nothing: an order is passed on, its call
 * suspended until the master has answered.
 *
 *   NEW ── needs the master ──► WAITING ── console_answer, or its deadline ──► ANSWERED
 *    └─────────────── anything else ────────────────────────────────────────► a reply */
#include "sallyport/console.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "sallyport/url.h"
#include "serve/console_bans.h"
#include "serve/console_egress.h"
#include "serve/console_page.h"
#include "serve/console_pause.h"
#include "serve/console_report.h"
#include "serve/console_vault.h"
#include "serve/httpd.h"

enum {
	CONNECTIONS_MAX = 64,
	IDLE_S = 15,
	CONTENT_BYTES = 16384, /* of a request */
	REPORT_BYTES = 1 << 20,
	EGRESS_BYTES = 8 << 20, /* as many lessons as there may be */
	STATUS_WAIT_MS = 5000,
	VAULT_WAIT_MS = 30000,
	RELOAD_WAIT_MS = 120000, /* compiling a large policy takes a while */
};

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain; charset=utf-8"

/* One of the two sockets. */
struct door {
	struct console *console;
	struct httpd *httpd;
	bool is_tcp;
	struct addr addr; /* of TCP */
};

struct console {
	struct loop *loop;
	struct console_setup setup;
	struct door unix_door, tcp_door;
	struct console_page page;
	struct call *waiting; /* list */
	uint64_t last_ticket;
};

enum call_stage { CALL_NEW, CALL_WAITING, CALL_ANSWERED };

/* One request. */
struct call {
	struct door *door;
	struct MHD_Connection *connection;
	const struct endpoint *endpoint;
	enum call_stage stage;
	struct strbuf content;
	struct pause_request pause;
	struct egress_order egress;
	struct ban_request ban;
	struct vault_order *vault; /* an order about the vault; NULL: it is none */
	uint64_t ticket;
	struct timer deadline;
	bool is_late; /* the master did not answer in time */
	bool ok;
	struct strbuf text;
	struct call *next, *prev; /* in console.waiting */
};

struct endpoint {
	const char *path;
	const char *method;
	/* Answers; for an order, once the master has. */
	enum MHD_Result (*answer)(struct call *call);
	enum console_order order; /* UNSET: the master is not asked */
	unsigned wait_ms;
};

/* ---- replies ---- */

static bool add_headers(struct MHD_Response *response)
{
	static const char *const headers[][2] = {
	    {"Cache-Control", "no-store"},
	    {"X-Content-Type-Options", "nosniff"},
	    {"X-Frame-Options", "DENY"},
	    {"Referrer-Policy", "no-referrer"},
	    {"Cross-Origin-Resource-Policy", "same-origin"},
	    {"Content-Security-Policy",
	     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	};
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (MHD_add_response_header(response, headers[i][0], headers[i][1]) != MHD_YES)
			return false;
	}
	return true;
}

static enum MHD_Result reply_allowing(struct MHD_Connection *connection, unsigned status,
				      struct span content, const char *type, const char *allow)
{
	struct MHD_Response *response = httpd_response(content, type);
	bool ok =
	    response && add_headers(response) &&
	    (!allow || MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow) == MHD_YES);
	if (response && !ok) {
		MHD_destroy_response(response);
		response = NULL;
	}
	return httpd_send(connection, status, response);
}

static enum MHD_Result reply(struct call *call, unsigned status, struct span content,
			     const char *type)
{
	return reply_allowing(call->connection, status, content, type, NULL);
}

/* {"ok":true} or {"ok":false,"errors":"…"}; text may be empty, and is called `good` where ok. */
static enum MHD_Result reply_as(struct call *call, unsigned status, bool ok, struct span text,
				const char *good)
{
	struct json_writer writer;
	struct strbuf out;
	strbuf_init(&out, REPORT_BYTES);
	json_begin(&writer);
	json_add_bool(&writer, "ok", ok);
	if (!ok || text.len > 0)
		json_add_text(&writer, ok ? good : "errors", text);
	enum MHD_Result result = MHD_NO;
	if (json_end(&writer, &out))
		result = reply(call, status, strbuf_span(&out), JSON_TYPE);
	strbuf_release(&out);
	return result;
}

static enum MHD_Result reply_order(struct call *call, unsigned status, bool ok, struct span text)
{
	return reply_as(call, status, ok, text, "warnings");
}

/* ---- endpoints ---- */

static enum MHD_Result answer_alive(struct call *call)
{
	return reply(call, MHD_HTTP_OK, SPAN("alive\n"), TEXT_TYPE);
}

static enum MHD_Result answer_ready(struct call *call)
{
	if (!call->is_late && call->ok && console_report_is_ready(strbuf_span(&call->text)))
		return reply(call, MHD_HTTP_OK, SPAN("ready\n"), TEXT_TYPE);
	return reply(call, MHD_HTTP_SERVICE_UNAVAILABLE, SPAN("not ready\n"), TEXT_TYPE);
}

static enum MHD_Result answer_status(struct call *call)
{
	struct err err = {"the master does not know its status"};
	struct strbuf out;
	enum MHD_Result result;
	strbuf_init(&out, REPORT_BYTES);
	const struct console_setup *setup = &call->door->console->setup;
	if (call->ok && console_report_status(setup, strbuf_span(&call->text), &out, &err))
		result = reply(call, MHD_HTTP_OK, strbuf_span(&out), JSON_TYPE);
	else
		result =
		    reply_order(call, MHD_HTTP_SERVICE_UNAVAILABLE, false, span_from_str(err.text));
	strbuf_release(&out);
	return result;
}

static enum MHD_Result answer_metrics(struct call *call)
{
	struct strbuf out;
	enum MHD_Result result = MHD_NO;
	strbuf_init(&out, REPORT_BYTES);
	console_report_metrics(&call->door->console->setup, &out);
	if (!out.truncated)
		result = reply(call, MHD_HTTP_OK, strbuf_span(&out),
			       "text/plain; version=0.0.4; charset=utf-8");
	strbuf_release(&out);
	return result;
}

static enum MHD_Result answer_order(struct call *call)
{
	return reply_order(call, call->ok ? MHD_HTTP_OK : MHD_HTTP_CONFLICT, call->ok,
			   strbuf_span(&call->text));
}

static enum MHD_Result answer_stop(struct call *call)
{
	return reply_order(call, call->ok ? MHD_HTTP_ACCEPTED : MHD_HTTP_CONFLICT, call->ok,
			   strbuf_span(&call->text));
}

static enum MHD_Result answer_written(struct call *call,
				      void (*write)(const struct egress_states *states, struct json_writer *json))
{
	struct json_writer json;
	struct strbuf out;
	enum MHD_Result result = MHD_NO;
	strbuf_init(&out, EGRESS_BYTES);
	json_begin(&json);
	write(call->door->console->setup.egress, &json);
	if (json_end(&json, &out) && !out.truncated)
		result = reply(call, MHD_HTTP_OK, strbuf_span(&out), JSON_TYPE);
	strbuf_release(&out);
	return result;
}

static enum MHD_Result answer_egress(struct call *call)
{
	return answer_written(call, console_egress_write);
}

static enum MHD_Result answer_learned(struct call *call)
{
	return answer_written(call, console_egress_write_learned);
}

/* An order whose answer says what was done. */
static enum MHD_Result answer_said(struct call *call)
{
	return reply_as(call, call->ok ? MHD_HTTP_OK : MHD_HTTP_CONFLICT, call->ok,
			strbuf_span(&call->text), "said");
}

/* What it orders stands in its path: console_vault.c. */
static const struct endpoint vault_endpoint = {NULL, "POST", answer_said, CONSOLE_VAULT,
					       VAULT_WAIT_MS};

static const struct endpoint endpoints[] = {
    {"/livez", "GET", answer_alive, CONSOLE_ORDER_UNSET, 0},
    {"/readyz", "GET", answer_ready, CONSOLE_STATUS, STATUS_WAIT_MS},
    {"/api/status", "GET", answer_status, CONSOLE_STATUS, STATUS_WAIT_MS},
    {"/metrics", "GET", answer_metrics, CONSOLE_ORDER_UNSET, 0},
    {"/api/reload", "POST", answer_order, CONSOLE_RELOAD, RELOAD_WAIT_MS},
    {"/api/egress", "GET", answer_egress, CONSOLE_ORDER_UNSET, 0},
    {"/api/egress/quarantine", "POST", answer_said, CONSOLE_EGRESS, STATUS_WAIT_MS},
    {"/api/egress/release", "POST", answer_said, CONSOLE_EGRESS, STATUS_WAIT_MS},
    {"/api/egress/learned", "GET", answer_learned, CONSOLE_ORDER_UNSET, 0},
    {"/api/egress/approve", "POST", answer_said, CONSOLE_EGRESS, STATUS_WAIT_MS},
    {"/api/egress/forget", "POST", answer_said, CONSOLE_EGRESS, STATUS_WAIT_MS},
    {"/api/bans/add", "POST", answer_said, CONSOLE_BAN, STATUS_WAIT_MS},
    {"/api/bans/lift", "POST", answer_said, CONSOLE_BAN, STATUS_WAIT_MS},
    {"/api/pause", "POST", answer_order, CONSOLE_PAUSE, STATUS_WAIT_MS},
    {"/api/demo/restore", "POST", answer_order, CONSOLE_DEMO_RESTORE, STATUS_WAIT_MS},
    {"/api/demo/deface", "POST", answer_order, CONSOLE_DEMO_DEFACE, STATUS_WAIT_MS},
    {"/api/demo/redirect", "POST", answer_order, CONSOLE_DEMO_REDIRECT, STATUS_WAIT_MS},
    {"/api/demo/stop", "POST", answer_order, CONSOLE_DEMO_STOP, STATUS_WAIT_MS},
    {"/api/stop", "POST", answer_stop, CONSOLE_STOP, STATUS_WAIT_MS},
};

static const struct endpoint *find_endpoint(const char *path)
{
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		if (strcmp(endpoints[i].path, path) == 0)
			return &endpoints[i];
	}
	return console_vault_verb(path) != VERB_UNSET ? &vault_endpoint : NULL;
}

/* HEAD is GET without the content, which libmicrohttpd leaves out by itself. */
static bool is_method(const char *method, const char *wanted)
{
	return strcmp(method, wanted) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(wanted, "GET") == 0);
}

/* ---- waiting for the master ---- */

static void list_add(struct call *call)
{
	struct console *console = call->door->console;
	call->prev = NULL;
	call->next = console->waiting;
	if (call->next)
		call->next->prev = call;
	console->waiting = call;
}

static void list_remove(struct call *call)
{
	struct console *console = call->door->console;
	if (call->prev)
		call->prev->next = call->next;
	else
		console->waiting = call->next;
	if (call->next)
		call->next->prev = call->prev;
	call->next = call->prev = NULL;
}

static void resume(struct call *call)
{
	assert(call->stage == CALL_WAITING);
	call->stage = CALL_ANSWERED;
	list_remove(call);
	loop_disarm(call->door->console->loop, &call->deadline);
	MHD_resume_connection(call->connection);
	httpd_kick(call->door->httpd);
}

static void on_deadline(struct timer *timer)
{
	struct call *call = (struct call *)((char *)timer - offsetof(struct call, deadline));
	call->is_late = true;
	resume(call);
}

static enum MHD_Result ask_master(struct call *call)
{
	struct console *console = call->door->console;
	call->stage = CALL_WAITING;
	call->ticket = ++console->last_ticket;
	list_add(call);
	MHD_suspend_connection(call->connection);
	loop_arm(console->loop, &call->deadline,
		 loop_now_ms(console->loop) + call->endpoint->wait_ms);
	if (call->endpoint->order == CONSOLE_EGRESS)
		console->setup.order_egress(console->setup.context, call->ticket, &call->egress);
	else if (call->endpoint->order == CONSOLE_BAN)
		console->setup.order_ban(console->setup.context, call->ticket, &call->ban);
	else if (call->endpoint->order == CONSOLE_VAULT)
		console->setup.order_vault(console->setup.context, call->ticket, call->vault);
	else
		console->setup.order(console->setup.context, call->endpoint->order, call->ticket,
				     call->endpoint->order == CONSOLE_PAUSE ? &call->pause : NULL);
	return MHD_YES;
}

void console_answer(struct console *console, uint64_t ticket, bool ok, struct span text)
{
	struct call *call = console->waiting;
	while (call && call->ticket != ticket)
		call = call->next;
	if (!call)
		return;
	strbuf_add_span(&call->text, text);
	call->ok = ok && !call->text.truncated;
	resume(call);
}

/* ---- requests ---- */

static bool is_wildcard(const struct addr *addr)
{
	struct addr any;
	return (addr_parse_ip(SPAN("0.0.0.0"), addr_port(addr), &any) && addr_eq(addr, &any)) ||
	       (addr_parse_ip(SPAN("::"), addr_port(addr), &any) && addr_eq(addr, &any));
}

static bool is_loopback(const struct addr *addr)
{
	struct cidr loopback;
	return (cidr_parse(SPAN("127.0.0.0/8"), &loopback, NULL) && cidr_has(&loopback, addr)) ||
	       (cidr_parse(SPAN("::1/128"), &loopback, NULL) && cidr_has(&loopback, addr));
}

/* A page of another site can make a name of its own point to us, but no address. */
static bool is_host_ours(const struct door *door, const char *host)
{
	struct url_host parsed;
	struct addr addr;
	enum reason reason;
	if (!host || !url_parse_host(span_from_str(host), &parsed, &reason))
		return false;
	if (span_ieq(parsed.name, SPAN("localhost")))
		return true;
	return addr_parse_ip(parsed.name, addr_port(&door->addr), &addr) &&
	       (is_loopback(&addr) || addr_eq(&addr, &door->addr) || is_wildcard(&door->addr));
}

/* NULL: it may go on. */
static const char *refusal(struct call *call, const char *method)
{
	const struct door *door = call->door;
	if (!door->is_tcp)
		return NULL;
	if (!is_host_ours(door, httpd_header(call->connection, MHD_HTTP_HEADER_HOST)))
		return "The Host is not an address of this console.\n";
	const char *order = httpd_header(call->connection, "X-Sallyport-Order");
	if (strcmp(method, "POST") == 0 && (!order || strcmp(order, "1") != 0))
		return "An order needs the field X-Sallyport-Order: 1.\n";
	return NULL;
}

static enum MHD_Result answer_page(struct call *call, const char *path, const char *method)
{
	struct span content;
	const char *type;
	if (!console_page_find(&call->door->console->page, path, &content, &type))
		return reply(call, MHD_HTTP_NOT_FOUND, SPAN("There is nothing at this path.\n"),
			     TEXT_TYPE);
	if (!is_method(method, "GET"))
		return reply_allowing(call->connection, MHD_HTTP_METHOD_NOT_ALLOWED, SPAN(""), NULL,
				      "GET, HEAD");
	return reply(call, MHD_HTTP_OK, content, type);
}

/* What the order says in its content. */
static bool read_order(struct call *call, const char *path, struct err *err)
{
	struct span content = strbuf_span(&call->content);
	if (call->endpoint->order == CONSOLE_PAUSE)
		return console_read_pause(content, &call->pause, err);
	if (call->endpoint->order == CONSOLE_EGRESS && !call->door->console->setup.order_egress)
		return err_set(err, "the console takes no orders about egress origins");
	if (call->endpoint->order == CONSOLE_EGRESS)
		return console_read_egress(console_egress_verb(path), content, &call->egress, err);
	if (call->endpoint->order == CONSOLE_BAN)
		return call->door->console->setup.order_ban
			   ? console_read_ban(strcmp(path, "/api/bans/add") == 0 ? BAN_ADD : BAN_LIFT, content, &call->ban, err)
			   : err_set(err, "the console takes no orders about bans");
	if (call->endpoint->order != CONSOLE_VAULT)
		return true;
	call->vault = calloc(1, sizeof(*call->vault));
	if (!call->vault || !call->door->console->setup.order_vault)
		return err_set(err, "the console takes no orders about a vault");
	return console_read_vault(console_vault_verb(path), content, call->vault, err);
}

static enum MHD_Result begin_answer(struct call *call, const char *path, const char *method)
{
	const char *why_not = refusal(call, method);
	if (why_not)
		return reply(call, MHD_HTTP_FORBIDDEN, span_from_str(why_not), TEXT_TYPE);
	call->endpoint = find_endpoint(path);
	if (!call->endpoint)
		return answer_page(call, path, method);
	if (!is_method(method, call->endpoint->method))
		return reply_allowing(call->connection, MHD_HTTP_METHOD_NOT_ALLOWED, SPAN(""), NULL,
				      call->endpoint->method);
	struct err err = {{0}};
	if (!read_order(call, path, &err))
		return reply_order(call, MHD_HTTP_BAD_REQUEST, false, span_from_str(err.text));
	if (call->endpoint->order != CONSOLE_ORDER_UNSET)
		return ask_master(call);
	return call->endpoint->answer(call);
}

static enum MHD_Result finish_answer(struct call *call)
{
	if (call->is_late && call->endpoint->answer != answer_ready)
		return reply_order(call, MHD_HTTP_GATEWAY_TIMEOUT, false,
				   SPAN("the master did not answer in time"));
	return call->endpoint->answer(call);
}

static enum MHD_Result begin_call(struct door *door, struct MHD_Connection *connection,
				  void **state)
{
	struct call *call = calloc(1, sizeof(*call));
	if (!call)
		return MHD_NO;
	call->door = door;
	call->connection = connection;
	call->deadline.on_expiry = on_deadline;
	strbuf_init(&call->text, REPORT_BYTES);
	strbuf_init(&call->content, CONTENT_BYTES);
	*state = call;
	return MHD_YES;
}

static void end_call(void *context, struct MHD_Connection *connection, void **state,
		     enum MHD_RequestTerminationCode code)
{
	struct call *call = *state;
	(void)context;
	(void)connection;
	(void)code;
	if (!call)
		return;
	if (call->stage == CALL_WAITING) {
		list_remove(call);
		loop_disarm(call->door->console->loop, &call->deadline);
	}
	strbuf_release(&call->text);
	strbuf_release(&call->content);
	free(call->vault);
	free(call);
	*state = NULL;
}

/* Called once for the head, for each part of the content, at its end, and when resumed. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path,
			      const char *method, const char *version, const char *content,
			      size_t *content_len, void **state)
{
	struct call *call = *state;
	(void)version;
	if (!call)
		return begin_call(context, connection, state);
	if (*content_len > 0) {
		strbuf_add(&call->content, content, *content_len);
		*content_len = 0;
		return call->content.truncated ? MHD_NO : MHD_YES;
	}
	switch (call->stage) {
	case CALL_NEW: return begin_answer(call, path, method);
	case CALL_ANSWERED: return finish_answer(call);
	default: return MHD_YES;
	}
}

/* ---- life ---- */

static bool open_door(struct door *door, struct console *console, int fd, bool is_tcp,
		      struct err *err)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	*door = (struct door){.console = console, .is_tcp = is_tcp};
	if (is_tcp && (getsockname(fd, (struct sockaddr *)&name, &len) != 0 ||
		       !addr_from_sockaddr((struct sockaddr *)&name, len, &door->addr))) {
		close(fd);
		return err_set(err, "console: the socket has no address");
	}
	struct httpd_setup setup = {
	    .loop = console->loop,
	    .listen_fd = fd,
	    .max_connections = CONNECTIONS_MAX,
	    .idle_s = IDLE_S,
	    .handler = handle,
	    .completed = end_call,
	    .context = door,
	};
	door->httpd = httpd_new(&setup, err);
	return door->httpd || err_prefix(err, "console");
}

static void close_unused(int fd)
{
	if (fd >= 0)
		close(fd);
}

struct console *console_new(struct loop *loop, const struct console_setup *setup, struct err *err)
{
	struct console *console = calloc(1, sizeof(*console));
	if (!console) {
		close_unused(setup->unix_fd);
		close_unused(setup->tcp_fd);
		err_set(err, "console: out of memory");
		return NULL;
	}
	console->loop = loop;
	console->setup = *setup;
	console_page_load(&console->page);
	if (!open_door(&console->unix_door, console, setup->unix_fd, false, err)) {
		close_unused(setup->tcp_fd);
		console_free(console);
		return NULL;
	}
	if (setup->tcp_fd >= 0 &&
	    !open_door(&console->tcp_door, console, setup->tcp_fd, true, err)) {
		console_free(console);
		return NULL;
	}
	return console;
}

void console_free(struct console *console)
{
	if (!console)
		return;
	/* libmicrohttpd does not end while a connection is suspended */
	while (console->waiting) {
		console->waiting->is_late = true;
		resume(console->waiting);
	}
	httpd_free(console->tcp_door.httpd);
	httpd_free(console->unix_door.httpd);
	console_page_release(&console->page);
	free(console);
}
