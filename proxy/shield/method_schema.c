/* Methods in a policy: one in the wrong case is another method, which nobody sends, so what names it would do nothing. */
#include <string.h>

#include "shield/body_schema.h"

/* The method that was meant; NULL: no other than that. */
static const char *meant_method(const char *method)
{
	static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcasecmp(method, known[i]) == 0 && strcmp(method, known[i]) != 0)
			return known[i];
	}
	return NULL;
}

/* Case counts in methods (RFC 9110, section 9.1). */
void check_method_case(const char *method, const char *setting, struct policy_where where, struct policy_context *context)
{
	const char *meant = meant_method(method);
	if (meant)
		policy_error_in(context, where, setting, "\"%s\" is another method than %s: case counts", method, meant);
}

void check_methods_case(const struct policy_strings *methods, const char *setting, struct policy_context *context)
{
	for (size_t i = 0; i < methods->n; i++)
		check_method_case(methods->items[i], setting, methods->where, context);
}
