/* Program entry: which command, or which role of a running server. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/cli.h"
#include "sallyport/master.h"
#include "sallyport/standard_fds.h"

static int run_command(const struct cli_command *command, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			cli_print_usage(command, stdout);
			return CLI_DONE;
		}
	return command->run(argc, argv);
}

/* An answer that did not arrive, on a full disk for one, was not given. */
static int settle_answer(int status)
{
	if ((fflush(stdout) == 0 && !ferror(stdout)) || status != CLI_DONE)
		return status;
	fputs("sallyport: cannot write the answer\n", stderr);
	return CLI_NO;
}

int main(int argc, char **argv)
{
	if (!standard_fds_open())
		return CLI_NO; /* which nobody could be told */
	/* Who ignores it, as whoever started us may, has children that end unseen; it is handed on with exec. */
	signal(SIGCHLD, SIG_DFL);
	if (argc >= 2 && strcmp(argv[1], "--role") == 0)
		return role_main(argc, argv);
	const char *name = argc >= 2 ? argv[1] : "help";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	const struct cli_command *command = cli_find(name);
	if (!command)
		return cli_unknown_command(name);
	if (argc < 2)
		return cli_help(1, argv) == CLI_DONE ? CLI_WRONG_USE : CLI_NO;
	return settle_answer(run_command(command, argc - 1, argv + 1));
}
