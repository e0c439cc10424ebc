#ifndef SALLYPORT_CHALLENGES_H
#define SALLYPORT_CHALLENGES_H

#include "sallyport/loop.h"

/* Answers ACME challenges out of the webroot that an ACME client writes them into. */
struct challenges;

/* channel: connections of workers come by it (fd_pass.h), with one byte each; owned from here on, also
 * on failure. webroot is opened now, files below it as they are asked for. */
struct challenges *challenges_new(struct loop *loop, int channel, const char *webroot, struct err *err);
void challenges_free(struct challenges *challenges);

#endif
