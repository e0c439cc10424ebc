#ifndef SALLYPORT_EGRESS_ORIGINS_H
#define SALLYPORT_EGRESS_ORIGINS_H

#include "sallyport/egress.h"

/* The machines behind sallyport, out of `origins` and `bindings`. */
void egress_origins_compile(struct egress_policy *policy, struct policy_where where, struct policy_context *context);

#endif
