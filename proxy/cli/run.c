/* `sallyport run`: gathers options and environment, and becomes the master. Options win
 * over the environment, and both win over the policy. */
#include "sallyport/cli.h"

#include <getopt.h>
#include <stdlib.h>

#include "sallyport/master.h"

enum { OPTION_LISTEN = 256, OPTION_ORIGIN, OPTION_DEMO };

static const struct option options_known[] = {
    {"config", required_argument, NULL, 'c'},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"origin", required_argument, NULL, OPTION_ORIGIN},
    {"demo", no_argument, NULL, OPTION_DEMO},
    {NULL, 0, NULL, 0},
};

/* An empty variable is one that is not set: containers make such. */
static const char *from_environment(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] ? value : NULL;
}

static bool take_option(struct master_options *options, int option)
{
	switch (option) {
	case 'c': options->policy = optarg; return true;
	case OPTION_LISTEN: options->listen = optarg; return true;
	case OPTION_ORIGIN: options->origin = optarg; return true;
	case OPTION_DEMO: options->demo = true; return true;
	default: return false;
	}
}

int cli_run(int argc, char **argv)
{
	struct master_options options = {
	    .listen = from_environment("SALLYPORT_LISTEN"),
	    .origin = from_environment("SALLYPORT_ORIGIN"),
	    .console = from_environment("SALLYPORT_CONSOLE"),
	    .log = from_environment("SALLYPORT_LOG"),
	};
	int option;
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":c:", options_known, NULL)) != -1) {
		if (!take_option(&options, option))
			return cli_refuse_option("run", option, argv[optind - 1], options_known);
	}
	if (optind < argc)
		return cli_wrong_use("run", "\"%s\" is no option", argv[optind]);
	/* A demo that nobody asked to be public stays on this machine. */
	if (options.demo && !options.policy && !options.listen)
		options.listen = "127.0.0.1:8080";
	return master_run(&options);
}
