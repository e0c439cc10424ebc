/* sallyport reload: makes the running server read its policy again. A policy with errors
 * changes nothing; the errors are printed. */
#include "sallyport/cli.h"

#include "cli/control.h"

enum { WAIT_S = 150 }; /* a little longer than the console waits for the master */

int cli_reload(int argc, char **argv)
{
	struct control_options options;
	int status = control_read_options(argc, argv, false, &options);
	if (status != CLI_DONE)
		return status;
	return control_order(argv[0], &options, "/api/reload", NULL, WAIT_S, "The policy was loaded.");
}
