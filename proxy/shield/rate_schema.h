#ifndef SHIELD_RATE_SCHEMA_H
#define SHIELD_RATE_SCHEMA_H

#include "sallyport/policy.h"
#include "sallyport/throttle.h"

/* The rate that a policy sets, with the burst that `setting` gives, as the throttle counts it; out is untouched where
 * none is set. salt: see throttle_rate_of(). A burst that the throttle could not forget in time is an error. */
void rate_compile(const struct policy_rate *rate, uint64_t burst, const char *setting, uint64_t salt,
		  struct throttle_rate *out, struct policy_where where, struct policy_context *context);

#endif
