/* The process that answers ACME challenges (serve/challenges.c): workers, which have no files, send it
 * connections. It reads the webroot, has no network, and knows no key and no account: a client such as
 * certbot does all else. */
#include "proc/helper_role.h"
#include "sallyport/challenges.h"

static struct helper_life life;

int acme_role(void)
{
	struct err err = {{0}};
	if (!helper_begin(&life, ROLE_ACME, &err))
		return helper_fail(&err);
	const char *webroot = life.order.acme_webroot;
	int channel = ipc_take_fd(&life.message, ACME_FD_CHANNEL);
	struct challenges *challenges =
	    channel >= 0 ? challenges_new(life.loop, channel, webroot, &err) : NULL;
	if (!challenges || !helper_close_sandbox(&life, webroot, true, &err))
		return helper_fail(&err);
	int status = helper_serve(&life);
	challenges_free(challenges);
	loop_free(life.loop);
	return status;
}
