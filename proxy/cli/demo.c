/* sallyport demo: breaks into the demo origin of a running server, and mends it. What visitors see of it
 * meanwhile is what the demo is about. */
#include "sallyport/cli.h"

#include "cli/control.h"
#include "cli/demo_scan.h"

enum { WAIT_S = 10 };

static const struct act {
	const char *name, *path, *done;
} acts[] = {
    {"deface", "/api/demo/deface",
     "The demo origin is defaced: another page stands in place of each of its own."},
    {"redirect", "/api/demo/redirect", "The demo origin sends everybody to a false site."},
    {"stop", "/api/demo/stop", "The demo origin closes every connection without an answer."},
    {"restore", "/api/demo/restore", "The demo origin is as it was."},
};

int cli_demo(int argc, char **argv)
{
	struct control_options options;
	const char *operands[1];
	int status = control_read_operands(argc, argv, "deface|redirect|stop|restore|scan", operands, 1, &options);
	if (status != CLI_DONE)
		return status;
	if (strcmp(operands[0], "scan") == 0)
		return demo_scan(&options);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(acts[i].name, operands[0]) == 0)
			return control_order(argv[0], &options, acts[i].path, NULL, WAIT_S, acts[i].done);
	return cli_wrong_use(argv[0], "\"%s\" is none of deface, redirect, stop, restore and scan", operands[0]);
}
