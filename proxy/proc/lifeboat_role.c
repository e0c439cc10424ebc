/* The lifeboat's process: serves contents of the vault to the workers, on connections that come through
 * a channel. It reads these contents and nothing else. */
#include <unistd.h>

#include "proc/helper_role.h"
#include "sallyport/vault_path.h"

static struct helper_life life;

static void on_message(struct helper_life *self, struct ipc_message *message)
{
	if (message->type == ORDER_STOP)
		loop_stop(self->loop);
}

int lifeboat_role(void)
{
	struct err err = {{0}};
	life.on_message = on_message;
	if (!helper_begin(&life, ROLE_LIFEBOAT, &err))
		return helper_fail(&err);
	int channel = ipc_take_fd(&life.message, LIFEBOAT_FD_CHANNEL);
	char contents[VAULT_PATH_SIZE];
	if (channel < 0 || !vault_path_contents(life.order.vault, contents, &err) ||
	    !helper_close_sandbox(&life, contents, true, &err))
		return helper_fail(&err);
	int status = helper_serve(&life);
	close(channel);
	loop_free(life.loop);
	return status;
}
