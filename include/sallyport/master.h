#ifndef SALLYPORT_MASTER_H
#define SALLYPORT_MASTER_H

#include <stdbool.h>

/* What the command line and the environment say about a run; NULL where not given. Strings
 * must live as long as the master. */
struct master_options {
	const char *policy; /* file */
	const char *listen;
	const char *origin;
	const char *console;
	const char *log;
	bool demo; /* start the demo origin, and make it the origin */
};

/* Runs until it is told to stop. Returns the exit status: 0 ended by order, 1 could not start. */
int master_run(const struct master_options *options);

/* Entry of a child process that the master executed; argv as given to main. Returns the
 * exit status. */
int role_main(int argc, char **argv);

#endif
