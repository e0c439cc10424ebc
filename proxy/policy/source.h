#ifndef SALLYPORT_POLICY_SOURCE_H
#define SALLYPORT_POLICY_SOURCE_H

#include "sallyport/policy.h"

/* The text of a policy with its @includes followed, and where each line came from. */

enum {
	SOURCE_DEPTH_MAX = 16,      /* groups and lists within one another */
	SOURCE_MEMBERS_MAX = 64,    /* settings of one group */
	SOURCE_VALUES_MAX = 100000, /* settings and list items in all */
	SOURCE_INCLUDES_MAX = 256,  /* files in all */
	SOURCE_INCLUDE_DEPTH = 10,  /* files within files */
};

struct source;

/* Reads a file, or text under a name (NULL: the command line). NULL, with the
 * errors reported, where it must not be parsed. context->dir is where @include looks. */
struct source *source_read(const char *path, const char *text, const char *name,
			   struct policy_context *context);
void source_free(struct source *source);

/* Free of @include and of NUL bytes. */
const char *source_text(const struct source *source);
/* Where a line of that text (from 1) came from. */
struct policy_where source_where(const struct source *source, unsigned line);
/* The line itself, trimmed. */
struct span source_line(const struct source *source, unsigned line);

#endif
