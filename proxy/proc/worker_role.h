#ifndef PROC_WORKER_ROLE_H
#define PROC_WORKER_ROLE_H

#include "sallyport/worker.h"

/* The life of one worker process, from its fork to its exit. */
struct worker_start {
	struct worker_setup setup; /* on_drained and context are set here */
	int channel;               /* to the generation */
	pid_t generation;
};

/* Returns the exit status. */
int worker_role(const struct worker_start *start);

#endif
