#ifndef CLI_DEMO_SCAN_H
#define CLI_DEMO_SCAN_H

#include "cli/control.h"

/* sallyport demo scan: what a worm on the demo's machine would do. Returns an enum cli_status. */
int demo_scan(const struct control_options *options);

#endif
