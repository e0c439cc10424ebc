/* The table of reasons, from reasons.def. Numbers that no row has (a hostile
 * record) read as REASON_UNSET. */
#include "sallyport/reason.h"

static const struct {
	const char *name;
	const char *text;
	unsigned status;
} rows[REASON_COUNT] = {
    [REASON_UNSET] = {"-", "", 0},
#define REASON(id, name, status, text) [REASON_##id] = {name, text, status},
#include "sallyport/reasons.def"
#undef REASON
};

static enum reason known(enum reason reason)
{
	return (unsigned)reason < REASON_COUNT ? reason : REASON_UNSET;
}

const char *reason_name(enum reason reason)
{
	return rows[known(reason)].name;
}

unsigned reason_status(enum reason reason)
{
	return rows[known(reason)].status;
}

const char *reason_text(enum reason reason)
{
	return rows[known(reason)].text;
}

enum reason reason_lookup(struct span name)
{
	for (unsigned i = REASON_UNSET + 1; i < REASON_COUNT; i++)
		if (span_eq(name, span_from_str(rows[i].name)))
			return (enum reason)i;
	return REASON_UNSET;
}
