/* Rates of a policy, compiled for the throttle. */
#include "shield/rate_schema.h"

void rate_compile(const struct policy_rate *rate, uint64_t burst, const char *setting, uint64_t salt,
		  struct throttle_rate *out, struct policy_where where, struct policy_context *context)
{
	if (rate->count > 0 && !throttle_rate_of(rate->count, rate->per_ms, burst, salt, out))
		policy_error_in(context, where, setting, "at this rate a burst of %llu takes more than 7 d to be forgotten",
				(unsigned long long)burst);
}
