/* The demo origin's process: a small site (serve/) to try sallyport on. */
#include <unistd.h>

#include "proc/helper_role.h"
#include "sallyport/console.h"
#include "sallyport/data_path.h"

static struct helper_life life;
static struct demo *demo;

static void on_message(struct helper_life *self, struct ipc_message *message)
{
	const uint32_t *state = ipc_payload(message, sizeof(*state));
	if (message->type == ORDER_STOP)
		loop_stop(self->loop);
	else if (message->type == ORDER_DEMO && state && *state > DEMO_STATE_UNSET && *state < DEMO_STATES)
		demo_become(demo, (enum demo_state)*state);
}

int demo_role(void)
{
	struct err err = {{0}};
	char site[DATA_PATH_SIZE];
	life.on_message = on_message;
	if (!data_path("www/demo", site, &err) || !helper_begin(&life, ROLE_DEMO, &err))
		return helper_fail(&err);
	int listener = ipc_take_fd(&life.message, DEMO_FD_LISTENER);
	demo = listener >= 0 ? demo_new(life.loop, listener, site, &err) : NULL;
	if (!demo || !helper_close_sandbox(&life, site, true, &err))
		return helper_fail(&err);
	int status = helper_serve(&life);
	demo_free(demo);
	loop_free(life.loop);
	return status;
}
