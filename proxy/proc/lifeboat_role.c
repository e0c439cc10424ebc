/* The lifeboat's process: serves contents of the vault to the workers, on connections that come through
 * a channel. It reads these contents and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "proc/helper_role.h"
#include "sallyport/lifeboat.h"
#include "sallyport/vault_path.h"

static struct helper_life life;

static struct lifeboat *open_lifeboat(int channel, const char *path, struct err *err)
{
	int contents = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (contents >= 0)
		return lifeboat_new(life.loop, contents, channel, err);
	close(channel);
	err_set(err, "%s: %s", path, strerror(errno));
	return NULL;
}

int lifeboat_role(void)
{
	struct err err = {{0}};
	char contents[VAULT_PATH_SIZE];
	if (!helper_begin(&life, ROLE_LIFEBOAT, &err) ||
	    !vault_path_contents(life.order.vault, contents, &err))
		return helper_fail(&err);
	int channel = ipc_take_fd(&life.message, LIFEBOAT_FD_CHANNEL);
	struct lifeboat *boat = channel >= 0 ? open_lifeboat(channel, contents, &err) : NULL;
	if (!boat || !helper_close_sandbox(&life, contents, true, &err))
		return helper_fail(&err);
	int status = helper_serve(&life);
	lifeboat_free(boat);
	loop_free(life.loop);
	return status;
}
