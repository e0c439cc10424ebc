/* The keeper's process: the vault's only writer and the holder of its key. */
#include <unistd.h>

#include "proc/helper_role.h"

static struct helper_life life;

static void on_message(struct helper_life *self, struct ipc_message *message)
{
	if (message->type == ORDER_STOP)
		loop_stop(self->loop);
}

int keeper_role(void)
{
	struct err err = {{0}};
	life.on_message = on_message;
	if (!helper_begin(&life, ROLE_KEEPER, &err) ||
	    !helper_close_store(&life, life.order.vault, &err))
		return helper_fail(&err);
	int status = helper_serve(&life);
	loop_free(life.loop);
	return status;
}
