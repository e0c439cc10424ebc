#ifndef CLI_EGRESS_H
#define CLI_EGRESS_H

#include <stdint.h>
#include "sallyport/json.h"

/* `sallyport egress VERB …`. Each verb gets its own name as argv[0]; returns an enum cli_status. */
int egress_cli_list(int argc, char **argv);
int egress_cli_order(int argc, char **argv); /* quarantine, release */
int egress_cli_learned(int argc, char **argv);
int egress_cli_decide(int argc, char **argv); /* approve, forget */
int egress_cli_check(int argc, char **argv);

/* What a verb shows of the server. print: never NULL; gets the answer's JSON. */
struct egress_view {
	const char *verb, *path;
	void (*print)(const struct json_value *value);
};
int egress_cli_show(int argc, char **argv, const struct egress_view *view);

/* What the status says of egress, as lines of `sallyport status`; nothing where it says nothing. */
void egress_cli_print(const struct json_value *egress);

#endif
