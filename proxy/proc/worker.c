/* The process around the data plane (front): it prepares while files can still be opened,
 * closes the sandbox behind itself, and then does what the generation says. It trusts the generation
 * that forked it; the generation doesn't trust it.
 *
 *   forked → prepared, sandboxed (READY) → START → accepting (STARTED) → DRAIN → exit 0 */
#include "proc/worker_role.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "proc/ipc.h"
#include "proc/orders.h"
#include "proc/sandbox.h"
#include "proc/spawn.h"
#include "sallyport/log.h"

enum { PORT_DNS = 53, PORTS_MAX = ORIGINS_MAX + 1 };

struct worker {
	struct loop *loop;
	struct front *front;
	const struct worker_setup *setup;
	struct watch watch;
	int channel;
	bool is_draining;
	int status;
	struct ipc_message message;
};

static void report(const struct worker *worker, enum order order, const char *text)
{
	struct err err = {{0}};
	if (!ipc_send(worker->channel, order, text, strlen(text), NULL, 0, &err))
		log_debug("%s", err.text);
}

static void end(struct worker *worker, int status)
{
	worker->status = status;
	loop_stop(worker->loop);
}

static void fail(struct worker *worker, const struct err *err)
{
	report(worker, REPORT_FAILED, err->text);
	end(worker, 1);
}

static void on_drained(void *context)
{
	end(context, 0);
}

/* The sockets are closed too: an address that the next policy has dropped must not go on
 * taking connections in. A later order may only bring the deadline forward. */
static void drain_front(struct worker *worker, const struct drain_order *drain)
{
	bool is_first = !worker->is_draining;
	worker->is_draining = true;
	front_drain(worker->front, drain->hand_over != 0, drain->deadline_ms);
	for (size_t i = 0; is_first && i < worker->setup->settings->listens.n; i++)
		if (worker->setup->listen_fds[i] >= 0)
			close(worker->setup->listen_fds[i]);
	if (is_first)
		report(worker, REPORT_DRAINING, "");
}

static void take_baseline(struct worker *worker, struct ipc_message *message)
{
	const struct baseline_order *baseline = ipc_payload(message, sizeof(*baseline));
	if (baseline && message->n_fds == 1)
		front_set_baseline(worker->front, ipc_take_fd(message, 0), baseline->bytes,
				   baseline->key);
	report(worker, REPORT_BASELINE_SET, "");
}

static void obey(struct worker *worker, struct ipc_message *message)
{
	struct err err = {{0}};
	if (message->type == ORDER_START) {
		if (front_start(worker->front, &err))
			report(worker, REPORT_STARTED, "");
		else
			fail(worker, &err);
		return;
	}
	const struct drain_order *drain = ipc_payload(message, sizeof(*drain));
	if (message->type == ORDER_DRAIN && drain)
		drain_front(worker, drain);
	else if (message->type == ORDER_BASELINE)
		take_baseline(worker, message);
}

static void on_channel(struct watch *watch, unsigned events)
{
	struct worker *worker =
	    (struct worker *)(void *)((char *)watch - offsetof(struct worker, watch));
	(void)events;
	enum ipc_result result;
	while ((result = ipc_receive(worker->channel, &worker->message)) == IPC_GOT) {
		obey(worker, &worker->message);
		ipc_release(&worker->message);
	}
	ipc_release(&worker->message);
	/* Without its generation there is nobody to obey, and nothing to drain for. */
	if (result != IPC_NONE)
		end(worker, 1);
}

static void add_port(uint16_t ports[PORTS_MAX], size_t *n, uint16_t port)
{
	for (size_t i = 0; i < *n; i++)
		if (ports[i] == port)
			return;
	if (*n < PORTS_MAX)
		ports[(*n)++] = port;
}

/* Where a worker may connect to: ports of its origins, and DNS over TCP. */
static size_t origin_ports(const struct settings *settings, uint16_t ports[PORTS_MAX])
{
	size_t n = 0;
	const struct site *sites = settings->sites.items;
	add_port(ports, &n, PORT_DNS);
	for (size_t s = 0; s < settings->sites.n; s++)
		for (size_t r = 0; r < sites[s].route_count; r++)
			for (size_t o = 0; o < sites[s].routes[r]->origin_count; o++)
				add_port(ports, &n, sites[s].routes[r]->origins[o].port);
	return n;
}

static const struct role *role_of(const struct worker_setup *setup)
{
	return role_get(setup->is_gate ? ROLE_GATE : ROLE_WORKER);
}

static bool close_sandbox(const struct worker_setup *setup, pid_t generation, struct err *err)
{
	const struct settings *settings = setup->settings;
	uint16_t ports[PORTS_MAX];
	struct sandbox sandbox = {
	    .role = role_of(setup),
	    .mode = settings->process.sandbox,
	    .user = settings->process.user,
	    .ports = ports,
	    .port_count = origin_ports(settings, ports),
	    .parent = generation,
	};
	return sandbox_enter(&sandbox, err);
}

static bool prepare(struct worker *worker, const struct worker_start *start, struct err *err)
{
	struct worker_setup setup = start->setup;
	setup.on_drained = on_drained;
	setup.context = worker;
	worker->loop = loop_new(err);
	if (!worker->loop)
		return false;
	worker->watch = (struct watch){.on_event = on_channel, .fd = worker->channel};
	if (!loop_watch_input(worker->loop, &worker->watch, err))
		return false;
	worker->front = front_new(worker->loop, &setup, err);
	return worker->front && close_sandbox(&setup, start->generation, err);
}

static void keep_descriptors(const struct worker_start *start)
{
	int keep[LISTENERS_MAX + 5 + INTERNAL_COUNT];
	size_t n = 0;
	keep[n++] = start->channel;
	keep[n++] = start->setup.log_event_fd;
	keep[n++] = start->setup.nomination_event_fd;
	keep[n++] = start->setup.adopt_fd;
	keep[n++] = start->setup.hand_over_fd;
	for (size_t i = INTERNAL_NONE + 1; i < INTERNAL_COUNT; i++)
		keep[n++] = start->setup.internal_fds[i];
	for (size_t i = 0; i < start->setup.settings->listens.n && i < LISTENERS_MAX; i++)
		keep[n++] = start->setup.listen_fds[i];
	spawn_keep_fds(keep, n);
}

int worker_role(const struct worker_start *start)
{
	static struct worker worker;
	struct err err = {{0}};
	spawn_set_title(role_of(&start->setup)->title);
	log_init(role_of(&start->setup)->name, LOG_LEVEL_INFO);
	keep_descriptors(start);
	worker.channel = start->channel;
	worker.setup = &start->setup;
	if (!prepare(&worker, start, &err)) {
		report(&worker, REPORT_FAILED, err.text);
		return 1;
	}
	report(&worker, REPORT_READY, "");
	if (!loop_run(worker.loop, &err)) {
		log_error("%s", err.text);
		worker.status = 1;
	}
	front_free(worker.front);
	loop_free(worker.loop);
	return worker.status;
}
