#ifndef PROC_COMPILE_H
#define PROC_COMPILE_H

#include "proc/ipc.h"
#include "sallyport/settings.h"

/* Carries out ORDER_COMPILE and reports COMPILED or FAILED to the master. NULL: it failed,
 * or the message was another. */
struct settings *compile_policy(const struct ipc_message *message);

#endif
