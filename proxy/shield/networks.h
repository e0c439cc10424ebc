#ifndef SALLYPORT_SHIELD_NETWORKS_H
#define SALLYPORT_SHIELD_NETWORKS_H

#include "sallyport/cidr_set.h"
#include "sallyport/policy.h"

/* Reports what is no network as of that setting; the set has all others, and lives in the arena. */
struct cidr_set networks_compile(const struct policy_strings *texts, const char *setting,
				 struct policy_where where, struct policy_context *context);

#endif
