/* Networks as settings list them, made one set. */
#include "shield/networks.h"

struct cidr_set networks_compile(const struct policy_strings *texts, const char *setting,
					struct policy_where where, struct policy_context *context)
{
	struct cidr_range *ranges =
	    arena_alloc(context->arena, (texts->n + 1) * sizeof(struct cidr_range));
	size_t n = 0;

	for (size_t i = 0; i < texts->n; i++) {
		struct cidr cidr;
		struct err err = {0};

		if (ranges && cidr_parse(span_from_str(texts->items[i]), &cidr, &err))
			ranges[n++] = cidr_range_of(&cidr);
		else
			policy_error_in(context, where, setting, "%s",
					ranges ? err.text : "out of memory");
	}
	return cidr_set_of(ranges, n);
}
