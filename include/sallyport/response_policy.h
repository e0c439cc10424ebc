#ifndef SALLYPORT_RESPONSE_POLICY_H
#define SALLYPORT_RESPONSE_POLICY_H

#include "sallyport/http_forward.h"
#include "sallyport/policy.h"

/* What a site's policy says about the fields of its responses: which are taken
 * out, and which are added where the origin sent none. */
struct response_policy {
	bool security;                 /* the fields that nearly every site wants */
	struct policy_strings add;     /* "Name: value" */
	struct policy_strings remove;  /* names */
	struct http_added_field *added;
	size_t added_count;
	struct span *removed;
	size_t removed_count;
};

extern const struct schema response_schema;

/* Marks the fields that the policy takes out as dropped. */
void response_policy_remove(const struct response_policy *policy, struct http_head *head);

#endif
