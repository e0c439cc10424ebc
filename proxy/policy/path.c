/* Where the files are that settings name. */
#include "sallyport/policy.h"

#include <limits.h>
#include <stdio.h>

void policy_resolve_path(const char **path, const char *setting, struct policy_where where,
			 struct policy_context *context)
{
	char buf[PATH_MAX];
	int n;

	if (!*path || **path == '/' || !policy_where_of(context, setting, where).file)
		return;
	n = snprintf(buf, sizeof(buf), "%s/%s", context->dir, *path);
	if (n < 0 || (size_t)n >= sizeof(buf)) {
		policy_error_in(context, where, setting, "the path \"%.64s…\" is too long", *path);
		*path = NULL;
		return;
	}
	*path = arena_strdup(context->arena, buf);
	if (!*path)
		policy_error_in(context, where, setting, "out of memory");
}
