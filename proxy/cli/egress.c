/* sallyport egress: what leaves. The first operand says what is wanted: to see how egress origins stand, to
 * order something about one, to see and decide what one
 * taught, or to try to break out of one. */
#include "cli/egress.h"

#include <string.h>

#include "sallyport/cli.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
    {"list", egress_cli_list},
    {"quarantine", egress_cli_order},
    {"release", egress_cli_order},
    {"learned", egress_cli_learned},
    {"approve", egress_cli_decide},
    {"forget", egress_cli_decide},
    {"check", egress_cli_check},
};

int cli_egress(int argc, char **argv)
{
	if (argc < 2)
		return cli_wrong_use(argv[0], "it takes a verb: list, quarantine, release, learned, approve, forget or check");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, argv[1]) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	return cli_wrong_use(argv[0], "\"%.32s\" is none of list, quarantine, release, learned, approve, forget and check", argv[1]);
}
