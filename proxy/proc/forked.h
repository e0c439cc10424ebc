#ifndef PROC_FORKED_H
#define PROC_FORKED_H

#include "proc/worker_role.h"

/* In a child right after its fork: lets go of all that the generation has and this kind of child has nothing to do
 * with. fds: the generation's, by enum prepare_fd; those of another's listeners become -1. */
void forked_leave(struct worker_start *start, struct settings *settings, int *fds);

#endif
