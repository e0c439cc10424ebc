/* The scout's process: fetches what the keeper asks for. It has the network and nothing else: no
 * file, no key, nothing that it remembers. */
#include <unistd.h>

#include "proc/helper_role.h"

static struct helper_life life;
static int partner = -1; /* the keeper */

static void meet_keeper(struct ipc_message *message)
{
	if (partner >= 0)
		close(partner);
	partner = ipc_take_fd(message, 0);
}

static void on_message(struct helper_life *self, struct ipc_message *message)
{
	if (message->type == ORDER_STOP)
		loop_stop(self->loop);
	else if (message->type == ORDER_PARTNER)
		meet_keeper(message);
}

int scout_role(void)
{
	struct err err = {{0}};
	life.on_message = on_message;
	if (!helper_begin(&life, ROLE_SCOUT, &err) || !helper_close_dial(&life, &err))
		return helper_fail(&err);
	int status = helper_serve(&life);
	loop_free(life.loop);
	return status;
}
