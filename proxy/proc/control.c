/* Orders that come through the console, and their answers. The console's process is
 * trusted with nothing: an order is one of a few numbers, a ticket goes back as it came. */
#include <string.h>
#include <unistd.h>

#include "proc/master.h"
#include "sallyport/clock.h"
#include "sallyport/json.h"
#include "sallyport/log.h"

void control_answer(uint64_t ticket, bool ok, const char *text, size_t len)
{
	struct err err = {{0}};
	const struct answer_head head = {.ticket = ticket, .ok = ok};
	char payload[IPC_PAYLOAD_MAX];
	if (!master.console || master.console->state != HELPER_RUNNING)
		return;
	if (len > sizeof(payload) - sizeof(head))
		len = sizeof(payload) - sizeof(head);
	memcpy(payload, &head, sizeof(head));
	if (len > 0)
		memcpy(payload + sizeof(head), text, len);
	if (!ipc_send(master.console->channel, ORDER_ANSWER, payload, sizeof(head) + len, NULL, 0,
		      &err))
		log_warn("the console does not listen: %s", err.text);
}

/* ---- status ---- */

static const char *gen_state_name(enum gen_state state)
{
	switch (state) {
	case GEN_COMPILING: return "compiling";
	case GEN_WAITING: return "waiting";
	case GEN_PREPARING: return "preparing";
	case GEN_STARTING: return "starting";
	case GEN_ACTIVE: return "active";
	case GEN_DRAINING: return "draining";
	case GEN_NONE:
	case GEN_DYING: break;
	}
	return "ending";
}

static const char *helper_state_name(enum helper_state state)
{
	switch (state) {
	case HELPER_DEAD: return "dead";
	case HELPER_STARTING: return "starting";
	case HELPER_READY: return "ready";
	case HELPER_RUNNING: return "running";
	case HELPER_NONE:
	case HELPER_STOPPING: break;
	}
	return "ending";
}

static void add_process(struct json_writer *json, const char *role, pid_t pid, uint32_t restarts,
			const char *state)
{
	json_open_object(json, NULL);
	json_add_text(json, "role", span_from_str(role));
	json_add_number(json, "pid", pid > 0 ? (uint64_t)pid : 0);
	json_add_number(json, "restarts", restarts);
	json_add_text(json, "state", span_from_str(state));
}

static void add_generation(struct json_writer *json, const struct gen *gen)
{
	const char *state = gen_state_name(gen->state);
	add_process(json, "generation", gen->pid, 0, state);
	json_add_number(json, "generation", gen->id);
	json_close(json);
	for (unsigned i = 0; i < gen->workers.n; i++) {
		bool lives = gen->workers.of[i].pid > 0;
		add_process(json, gen->workers.of[i].is_gate ? "gate" : "worker", gen->workers.of[i].pid, gen->workers.of[i].restarts,
			    lives ? state : "dead");
		json_add_number(json, "slot", gen->workers.of[i].slot);
		json_add_number(json, "generation", gen->id);
		json_close(json);
	}
}

static void add_processes(struct json_writer *json)
{
	json_open_list(json, "processes");
	add_process(json, "master", getpid(), 0, master.is_stopping ? "stopping" : "running");
	json_close(json);
	for (unsigned i = 0; i < GENS_MAX; i++)
		if (master.gens[i].state != GEN_NONE)
			add_generation(json, &master.gens[i]);
	for (unsigned i = 0; i < HELPERS_MAX; i++) {
		const struct helper *helper = &master.helpers[i];
		if (helper->state == HELPER_NONE)
			continue;
		add_process(json, role_get(helper->role)->name, helper->pid, helper->restarts,
			    helper_state_name(helper->state));
		json_close(json);
	}
	json_close(json);
}

static unsigned live_workers(void)
{
	unsigned n = 0;
	for (unsigned i = 0; master.active && i < master.active->workers.n; i++)
		n += master.active->workers.of[i].pid > 0;
	return n;
}

static void add_address(struct json_writer *json, const char *key, const struct listener *listener)
{
	char text[ADDR_TEXT_SIZE];
	struct addr bound;
	if (!listener_address(listener->fd, &bound))
		bound = listener->addr;
	size_t len = addr_format(&bound, text);
	json_add_text(json, key, span_of(text, len));
}

static void add_gate(struct json_writer *json)
{
	for (unsigned i = 0; master.active && master.active->egress.has_gate && i < master.listeners.n; i++)
		if (addr_eq(&master.listeners.items[i].addr, &master.active->egress.gate))
			add_address(json, "gate", &master.listeners.items[i]);
}

static void add_listeners(struct json_writer *json)
{
	json_open_list(json, "listen");
	for (unsigned i = 0; i < master.listeners.n; i++)
		add_address(json, NULL, &master.listeners.items[i]);
	json_close(json);
}

static void add_exceptions(struct json_writer *json)
{
	const uint64_t now_s = clock_wall_us() / 1000000;
	uint32_t ended = 0;
	while (ended < master.policy.ends && master.policy.end_s[ended] <= now_s)
		ended++;
	json_add_number(json, "exceptions", master.policy.exceptions);
	json_add_number(json, "exceptions_ended", ended);
}

static void answer_status(uint64_t ticket)
{
	struct json_writer json;
	struct strbuf text;
	unsigned workers = live_workers();
	strbuf_init(&text, IPC_PAYLOAD_MAX - sizeof(struct answer_head));
	json_begin(&json);
	json_add_number(&json, "generation", master.active ? master.active->id : 0);
	json_add_bool(&json, "ready", workers > 0 && !master.is_stopping);
	json_add_number(&json, "uptime_s", (loop_now_ms(master.loop) - master.started_ms) / 1000);
	json_add_text(&json, "policy", span_from_str(master.compile.policy));
	if (master.policy.guarded > 0)
		json_add_text(&json, "vault", span_from_str(master.policy.vault));
	json_add_number(&json, "workers", workers);
	add_listeners(&json);
	add_gate(&json);
	if (master.has_policy)
		rules_age_describe(&master.policy.rules, clock_wall_us() / 1000000, &json);
	pauses_describe(&json);
	add_exceptions(&json);
	bans_describe(&json);
	add_processes(&json);
	if (json_end(&json, &text) && !text.truncated)
		control_answer(ticket, true, text.data, text.len);
	else
		control_answer(ticket, false, "{}", 2);
	strbuf_release(&text);
}

/* ---- reloads ---- */

static void await_reload(uint64_t ticket)
{
	static const char busy[] = "too many callers wait for a reload";
	struct waiters *waiters = master.coming ? &master.next : &master.waiting;
	if (waiters->n >= WAITERS_MAX) {
		control_answer(ticket, false, busy, sizeof(busy) - 1);
		return;
	}
	waiters->tickets[waiters->n++] = ticket;
	generations_reload();
}

static void answer_all(struct waiters *waiters, bool ok, const char *text)
{
	for (unsigned i = 0; i < waiters->n; i++)
		control_answer(waiters->tickets[i], ok, text, strlen(text));
	waiters->n = 0;
}

void control_reload_failed(const char *text)
{
	answer_all(&master.waiting, false, text);
	master.waiting = master.next;
	master.next.n = 0;
}

static void answer_settled(void)
{
	answer_all(&master.settling, true, master.policy.warnings);
}

void control_reload_done(void)
{
	answer_settled();
	master.settling = master.waiting;
	master.waiting = master.next;
	master.next.n = 0;
}

/* From here on a new connection meets the new policy only; a packet too, once the kernel has its rules. */
void control_settled(void)
{
	if (wardens_have_settled())
		answer_settled();
}

void control_forget(void)
{
	master.settling.n = master.waiting.n = master.next.n = 0;
}

static void pause_or_resume(uint64_t ticket, const struct pause_request *request)
{
	struct err err = {{0}};
	bool ok = pauses_order(request, &err);
	control_answer(ticket, ok, err.text, strlen(err.text));
}

static void order_egress(uint64_t ticket, const struct egress_order *order)
{
	struct err err = {{0}};
	struct strbuf said;
	strbuf_init(&said, 512);
	bool ok = egress_carry_out(order, &said, &err);
	if (ok)
		control_answer(ticket, true, said.data, said.len);
	else
		control_answer(ticket, false, err.text, strlen(err.text));
	strbuf_release(&said);
}

static void order_ban(uint64_t ticket, const struct ban_request *request)
{
	struct err err = {{0}};
	struct strbuf said;
	strbuf_init(&said, 512);
	bool ok = bans_order(request, &said, &err);
	const struct span text = ok ? strbuf_span(&said) : span_from_str(err.text);
	control_answer(ticket, ok, text.ptr, text.len);
	strbuf_release(&said);
}

static void change_demo(uint64_t ticket, enum demo_state state)
{
	static const char none[] = "there is no demo origin: start sallyport with --demo";
	struct err err = {{0}};
	uint32_t payload = state;
	bool ok = master.demo && ipc_send(master.demo->channel, ORDER_DEMO, &payload, sizeof(payload), NULL,
					  0, &err);
	const char *text = master.demo ? err.text : none;
	control_answer(ticket, ok, text, strlen(text));
}

void control_asked(const struct asked_report *asked)
{
	switch (asked->order) {
	case CONSOLE_STATUS: answer_status(asked->ticket); break;
	case CONSOLE_RELOAD: await_reload(asked->ticket); break;
	case CONSOLE_PAUSE: pause_or_resume(asked->ticket, &asked->pause); break;
	case CONSOLE_EGRESS: order_egress(asked->ticket, &asked->egress); break;
	case CONSOLE_BAN: order_ban(asked->ticket, &asked->ban); break;
	case CONSOLE_DEMO_RESTORE: change_demo(asked->ticket, DEMO_CLEAN); break;
	case CONSOLE_DEMO_DEFACE: change_demo(asked->ticket, DEMO_DEFACED); break;
	case CONSOLE_DEMO_REDIRECT: change_demo(asked->ticket, DEMO_REDIRECTED); break;
	case CONSOLE_DEMO_STOP: change_demo(asked->ticket, DEMO_STOPPED); break;
	case CONSOLE_STOP:
		log_info("told to stop through the console");
		control_answer(asked->ticket, true, "", 0);
		master_stop();
		break;
	default: log_debug("the console passed on an order that there is not: %u", asked->order);
	}
}
