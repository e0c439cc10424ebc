#ifndef SALLYPORT_EGRESS_CHECK_H
#define SALLYPORT_EGRESS_CHECK_H

#include "sallyport/egress.h"

/* Looks for what is no error by itself and yet can't be meant, in a compiled section. */
void egress_check(const struct egress_policy *policy, struct policy_where where, struct policy_context *context);

#endif
