/* sallyport stop: lets the running server finish what runs and end. Returns once the
 * server has taken the order, not when it has ended. */
#include "sallyport/cli.h"

#include "cli/control.h"

enum { WAIT_S = 10 };

int cli_stop(int argc, char **argv)
{
	struct control_options options;
	int status = control_read_options(argc, argv, false, &options);
	if (status != CLI_DONE)
		return status;
	return control_order(argv[0], &options, "/api/stop", NULL, WAIT_S, "The server is finishing.");
}
