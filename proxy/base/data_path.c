/* Finds the program's own files, in the build tree and installed, wherever that
 * is. Trusts the environment and the directory that the program lies in: who can
 * change these can change the program. */
#include "sallyport/data_path.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef SALLYPORT_DATADIR
#define SALLYPORT_DATADIR "/usr/local/share/sallyport"
#endif

static bool join(char out[DATA_PATH_SIZE], const char *dir, const char *relative, const char *name)
{
	int len = snprintf(out, DATA_PATH_SIZE, "%s/%s%s", dir, relative, name);
	return len > 0 && len < DATA_PATH_SIZE && access(out, F_OK) == 0;
}

/* The directory of the running program; "" where /proc does not say. */
static void program_dir(char out[DATA_PATH_SIZE])
{
	ssize_t len = readlink("/proc/self/exe", out, DATA_PATH_SIZE - 1);
	out[len > 0 ? len : 0] = '\0';
	char *slash = strrchr(out, '/');
	if (slash)
		*slash = '\0';
}

/* A directory named www two levels above some installed program is not ours:
 * the sources beside it tell the checkout. */
static bool is_checkout(const char *program)
{
	char marker[DATA_PATH_SIZE];
	return join(marker, program, "../../", "include/sallyport/data_path.h");
}

bool data_path(const char *name, char out[DATA_PATH_SIZE], struct err *err)
{
	const char *chosen = getenv("SALLYPORT_DATADIR");
	const char *compiled = chosen && chosen[0] ? chosen : SALLYPORT_DATADIR;
	char program[DATA_PATH_SIZE];
	if (compiled != chosen) {
		program_dir(program);
		if (is_checkout(program) && join(out, program, "../../", name))
			return true;
		if (join(out, program, "../share/sallyport/", name))
			return true;
	}
	if (join(out, compiled, "", name))
		return true;
	return err_set(err, "%s/%s is missing: install sallyport whole, or set SALLYPORT_DATADIR",
		       compiled, name);
}
