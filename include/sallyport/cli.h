#ifndef SALLYPORT_CLI_H
#define SALLYPORT_CLI_H

#include <getopt.h>
#include <stdio.h>

#include "sallyport/suggest.h"

/* The commands. Each gets its own name as argv[0] and its arguments after it, so
 * that getopt_long works as in a main(); `--help` has been taken out before. */
enum cli_status {
	CLI_DONE = 0,      /* done */
	CLI_NO = 1,        /* the answer is no: a policy with errors, an unhealthy server */
	CLI_WRONG_USE = 2, /* the command line was not understood */
};

int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_bans(int argc, char **argv);
int cli_pause(int argc, char **argv);
int cli_resume(int argc, char **argv);
int cli_vault(int argc, char **argv);
int cli_egress(int argc, char **argv);
int cli_rules(int argc, char **argv);
int cli_stop(int argc, char **argv);
int cli_demo(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_help(int argc, char **argv);

struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *synopsis; /* arguments, after the name */
	const char *summary;  /* one line */
	const char *details;  /* more lines, each ending in LF; may be empty */
};

/* NULL where there is no such command. */
const struct cli_command *cli_find(const char *name);
/* How one command is used. */
void cli_print_usage(const struct cli_command *command, FILE *out);
/* "sallyport COMMAND: sentence" and how to learn more, on standard error. Returns CLI_WRONG_USE. */
int cli_wrong_use(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same about a command or verb that there is not: `wanted`, and the nearest that was offered. */
int cli_unknown(const char *command, const struct suggestion *wanted);
/* There is no such command. */
int cli_unknown_command(const char *name);

/* What is wrong with the option that getopt_long ended at: kind is what that returned: ':' where its value is
 * missing, '?' where there is none such among the known, of which the nearest is suggested; any other is one of them,
 * but of another verb. given: as it was written. Returns out. */
enum { CLI_FAULT_SIZE = 160 };
const char *cli_option_fault(int kind, const char *given, const struct option *known, char out[CLI_FAULT_SIZE]);
/* The same, as cli_wrong_use. */
int cli_refuse_option(const char *command, int kind, const char *given, const struct option *known);

#endif
