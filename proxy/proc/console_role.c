/* The console's process: the control API (serve/) on the sockets that the master made. It
 * reads counters, owns nothing, and passes orders on; the master carries them out. */
#include <string.h>
#include <unistd.h>

#include "proc/helper_role.h"
#include "sallyport/console.h"
#include "sallyport/data_path.h"
#include "sallyport/shm.h"

/* Answers under way are finished before it ends. */
enum { LINGER_MS = 200 };

static struct helper_life life;
static struct console *console;
static struct timer linger;

static void on_linger(struct timer *timer)
{
	(void)timer;
	loop_stop(life.loop);
}

static void pass_on(void *context, enum console_order order, uint64_t ticket,
		    const struct pause_request *pause)
{
	(void)context;
	struct asked_report asked = {.order = (uint32_t)order, .ticket = ticket};
	if (pause)
		asked.pause = *pause;
	helper_report(REPORT_ASKED, &asked, sizeof(asked));
}

static void pass_vault_on(void *context, uint64_t ticket, const struct vault_order *order)
{
	(void)context;
	struct vault_asked asked = {.ticket = ticket, .order = *order};
	helper_report(REPORT_VAULT, &asked, sizeof(asked));
}

static void pass_egress_on(void *context, uint64_t ticket, const struct egress_order *order)
{
	(void)context;
	struct asked_report asked = {.order = CONSOLE_EGRESS, .ticket = ticket, .egress = *order};
	helper_report(REPORT_ASKED, &asked, sizeof(asked));
}

static void pass_ban_on(void *context, uint64_t ticket, const struct ban_request *request)
{
	(void)context;
	struct asked_report asked = {.order = CONSOLE_BAN, .ticket = ticket, .ban = *request};
	helper_report(REPORT_ASKED, &asked, sizeof(asked));
}

static void answer(const struct ipc_message *message)
{
	struct answer_head head;
	if (message->len < sizeof(head))
		return;
	memcpy(&head, message->payload, sizeof(head));
	console_answer(console, head.ticket, head.ok != 0,
		       span_of(message->payload + sizeof(head), message->len - sizeof(head)));
}

static void on_message(struct helper_life *self, struct ipc_message *message)
{
	if (message->type == ORDER_ANSWER)
		answer(message);
	else if (message->type == ORDER_STOP)
		loop_arm(self->loop, &linger, loop_now_ms(self->loop) + LINGER_MS);
}

static bool open_console(struct err *err)
{
	int stats_fd = ipc_take_fd(&life.message, CONSOLE_FD_STATS);
	int guard_fd = ipc_take_fd(&life.message, CONSOLE_FD_GUARD);
	int egress_fd = ipc_take_fd(&life.message, CONSOLE_FD_EGRESS);
	int unix_fd = ipc_take_fd(&life.message, CONSOLE_FD_UNIX);
	if (unix_fd < 0)
		return err_set(err, "console: descriptors are missing");
	struct console_setup setup = {
	    .stats = shm_map(stats_fd, sizeof(struct stats), false, err),
	    .guard = shm_map(guard_fd, sizeof(struct guard_status), false, err),
	    .egress = shm_map(egress_fd, sizeof(struct egress_states), false, err),
	    .unix_fd = unix_fd,
	    .tcp_fd = ipc_take_fd(&life.message, CONSOLE_FD_TCP),
	    .order = pass_on,
	    .order_vault = pass_vault_on,
	    .order_egress = pass_egress_on,
	    .order_ban = pass_ban_on,
	};
	close(stats_fd);
	close(guard_fd);
	close(egress_fd);
	console = setup.stats && setup.guard && setup.egress ? console_new(life.loop, &setup, err) : NULL;
	return console != NULL;
}

int console_role(void)
{
	struct err err = {{0}};
	char pages[DATA_PATH_SIZE];
	life.on_message = on_message;
	linger.on_expiry = on_linger;
	bool has_pages = data_path("www", pages, NULL);
	if (!helper_begin(&life, ROLE_CONSOLE, &err) || !open_console(&err) ||
	    !helper_close_sandbox(&life, has_pages ? pages : NULL, true, &err))
		return helper_fail(&err);
	int status = helper_serve(&life);
	console_free(console);
	loop_free(life.loop);
	return status;
}
