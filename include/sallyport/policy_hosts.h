#ifndef SALLYPORT_POLICY_HOSTS_H
#define SALLYPORT_POLICY_HOSTS_H

#include "sallyport/policy.h"

/* Hosts as a policy writes them: "shop.example", "*.shop.example", "192.0.2.7", "[2001:db8::1]". */

/* In lower case, without a final dot, in the arena, as hosts are compared later. NULL: it is none, has a port, or
 * there is no memory. */
const char *policy_host(const char *text, struct arena *arena);
/* Each of them; what is no host is reported, and left out. example: a name for the message, "shop.example". */
void policy_hosts(struct policy_strings *hosts, const char *setting, const char *example,
		  struct policy_context *context);

#endif
