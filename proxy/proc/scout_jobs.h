#ifndef PROC_SCOUT_JOBS_H
#define PROC_SCOUT_JOBS_H

#include "proc/scout_orders.h"
#include "sallyport/fetch.h"

/* The scout's work: jobs come in, samples and links go out, in the order in which they get done. What
 * cannot be sent at once waits; JOBS_MAX jobs in all may run or wait. */

struct scout_jobs_setup {
	struct loop *loop;
	struct fetcher *fetcher;
	int channel; /* to the keeper; borrowed */
};

struct scout_jobs;

struct scout_jobs *scout_jobs_new(const struct scout_jobs_setup *setup, struct err *err);
/* Jobs that run end without a word. */
void scout_jobs_free(struct scout_jobs *jobs);

/* A job as it came from the keeper, checked here. */
void scout_jobs_take(struct scout_jobs *jobs, const struct scout_job *job);
/* The channel may take more by now. */
void scout_jobs_send(struct scout_jobs *jobs);

#endif
