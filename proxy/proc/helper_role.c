/* See helper_role.h. Also the entry of every executed role. */
#include "proc/helper_role.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proc/sandbox.h"
#include "proc/spawn.h"
#include "sallyport/log.h"
#include "sallyport/master.h"

enum { FIRST_ORDER_MS = 10000, PORT_DNS = 53 };

void helper_report_fd(enum order order, const void *payload, size_t len, int fd)
{
	struct err err = {{0}};
	/* Without a master nobody misses it: it has said why it ended. */
	if (!ipc_send(ROLE_CHANNEL_FD, order, payload, len, &fd, fd >= 0, &err) && errno != EPIPE && errno != ECONNRESET)
		log_warn("%s", err.text);
}

void helper_report(enum order order, const void *payload, size_t len)
{
	helper_report_fd(order, payload, len, -1);
}

int helper_fail(const struct err *err)
{
	helper_report(REPORT_FAILED, err->text, strlen(err->text));
	return 1;
}

static bool are_texts(const char texts[SCOUT_CAS_MAX][PATH_SIZE])
{
	for (size_t i = 0; i < SCOUT_CAS_MAX; i++)
		if (!memchr(texts[i], 0, PATH_SIZE))
			return false;
	return true;
}

static void stop_when_told(struct helper_life *life, struct ipc_message *message)
{
	if (message->type == ORDER_STOP)
		loop_stop(life->loop);
}

bool helper_begin(struct helper_life *life, enum role_id role, struct err *err)
{
	life->role = role_get(role);
	life->master = getppid();
	if (!life->on_message)
		life->on_message = stop_when_told;
	enum ipc_result got = ipc_wait(ROLE_CHANNEL_FD, &life->message, FIRST_ORDER_MS);
	const struct helper_order *order = ipc_payload(&life->message, sizeof(*order));
	if (got != IPC_GOT || life->message.type != ORDER_HELP || !order ||
	    !ORDERS_TEXT_OK(order->user) || !ORDERS_TEXT_OK(order->log_access) ||
	    !ORDERS_TEXT_OK(order->log_events) || !ORDERS_TEXT_OK(order->acme_webroot) ||
	    !ORDERS_TEXT_OK(order->vault) || !ORDERS_TEXT_OK(order->evidence) || !are_texts(order->scout_ca) ||
	    !ORDERS_TEXT_OK(order->alerts.webhook) || !ORDERS_TEXT_OK(order->alerts.secret) ||
	    !ORDERS_TEXT_OK(order->alerts.program) || !ORDERS_TEXT_OK(order->alerts.ca) || order->scout_ports > SCOUT_PORTS_MAX)
		return err_set(err, "%s: no order came", life->role->name);
	life->order = *order;
	life->loop = loop_new(err);
	return life->loop != NULL;
}

bool helper_close_sandbox(const struct helper_life *life, const char *readable, bool follow_master,
			  struct err *err)
{
	const struct sandbox sandbox = {
	    .role = life->role,
	    .mode = (int)life->order.sandbox,
	    .user = life->order.user,
	    .readable = {readable},
	    .parent = follow_master ? life->master : 0,
	};
	return sandbox_enter(&sandbox, err);
}

bool helper_close_store(const struct helper_life *life, const char *store, struct err *err)
{
	const struct sandbox sandbox = {
	    .role = life->role,
	    .mode = (int)life->order.sandbox,
	    .user = life->order.user,
	    .store = store,
	    .parent = life->master,
	};
	return sandbox_enter(&sandbox, err);
}

bool helper_close_dial(const struct helper_life *life, struct err *err)
{
	return helper_close_ports(life, life->order.scout_port, life->order.scout_ports, err);
}

bool helper_close_ports(const struct helper_life *life, const uint16_t *port, size_t n,
			struct err *err)
{
	uint16_t ports[SCOUT_PORTS_MAX + 1] = {PORT_DNS};
	memcpy(ports + 1, port, n * sizeof(ports[0]));
	const struct sandbox sandbox = {
	    .role = life->role,
	    .mode = (int)life->order.sandbox,
	    .user = life->order.user,
	    .ports = ports,
	    .port_count = n + 1,
	    .parent = life->master,
	};
	return sandbox_enter(&sandbox, err);
}

static void on_channel(struct watch *watch, unsigned events)
{
	struct helper_life *life =
	    (struct helper_life *)(void *)((char *)watch - offsetof(struct helper_life, channel));
	(void)events;
	enum ipc_result result;
	while ((result = ipc_receive(watch->fd, &life->message)) == IPC_GOT) {
		life->on_message(life, &life->message);
		ipc_release(&life->message);
	}
	ipc_release(&life->message);
	if (result != IPC_NONE)
		loop_stop(life->loop);
}

static bool is_ready;

void helper_ready(void)
{
	if (!is_ready)
		helper_report(REPORT_READY, NULL, 0);
	is_ready = true;
}

int helper_serve(struct helper_life *life)
{
	struct err err = {{0}};
	life->channel = (struct watch){.on_event = on_channel, .fd = ROLE_CHANNEL_FD};
	if (!loop_watch_input(life->loop, &life->channel, &err))
		return helper_fail(&err);
	helper_ready();
	if (loop_run(life->loop, &err))
		return 0;
	log_error("%s", err.text);
	return 1;
}

/* The channel comes with the process; who starts it by hand has none. */
static bool has_channel(void)
{
	int type = 0;
	socklen_t len = sizeof(type);
	return getsockopt(ROLE_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

int role_main(int argc, char **argv)
{
	const struct role *role = argc == 3 ? role_find(argv[2]) : NULL;
	if (!role || !role->run || !has_channel()) {
		fputs("sallyport: --role is for sallyport's own use; see sallyport help\n", stderr);
		return 2;
	}
	spawn_remember_arguments(argc, argv);
	spawn_set_title(role->title);
	spawn_calm_signals();
	prctl(PR_SET_NAME, "sallyport", 0, 0, 0);
	log_init(role->name, LOG_LEVEL_INFO);
	return role->run();
}
