/* Findings that are met where an exception lets them be. Looked at only where something was found, or where
 * a site has exceptions for findings at all. What cannot be told to lie in excepted values counts. */
#include "shield/arguments.h"
#include "shield/judging.h"

static unsigned excepted_in(struct judging *judging, unsigned found, enum rule_target target, struct span name)
{
	const enum finding_place place = target == TARGET_ARG	    ? PLACE_QUERY
					 : target == TARGET_COOKIE ? PLACE_COOKIE
								   : PLACE_FIELD;
	const struct exception *by = NULL;
	unsigned excepted = exception_findings(&judging->scratch->asked, found, target, name, &by);
	if (excepted & judging->shield->found[place].rejected && !judging->excepted)
		judging->excepted = by;
	return excepted;
}

static void take_worst(unsigned *left, unsigned more, struct span *evidence, struct span where)
{
	if (more && (!*left || url_worst_finding(more) < url_worst_finding(*left)))
		*evidence = where;
	*left |= more;
}

/* Split as origins of this kind may do it, at ";" too where it is not known better. */
unsigned query_findings_left(struct judging *judging, unsigned found, struct span *evidence)
{
	const struct shield_request *request = judging->request;
	struct arguments arguments = {.kind = (enum origin_kind)judging->shield->settings.origin_kind,
				      .rest = request->target->query};
	unsigned left = 0, seen = 0;
	struct span where, whole = *evidence;
	if (!found || !judging->scratch->asked.set)
		return found;
	while (next_argument(&arguments)) {
		const struct span argument =
		    span_of(arguments.name.ptr, (size_t)(arguments.rest.ptr - arguments.name.ptr));
		unsigned here = url_scan_query(argument, found, &where);
		seen |= here;
		if (here)
			here &= ~excepted_in(judging, here, TARGET_ARG, url_decode_query(arguments.name, request->buf));
		if (here)
			url_scan_query(argument, here, &where);
		take_worst(&left, here, evidence, where);
	}
	take_worst(&left, found & ~seen, evidence, whole);
	return left;
}

unsigned text_findings_heeded(struct judging *judging, const struct shield_text *text, unsigned heeded)
{
	const enum rule_target target = text->place == PLACE_COOKIE ? TARGET_COOKIE : TARGET_FIELD;
	struct span evidence;
	if (!judging->scratch->asked.set)
		return heeded;
	unsigned found = shield_scan_text(text, heeded, heeded, &evidence);
	return found & ~excepted_in(judging, found, target, text->name);
}

bool is_finding_excepted(struct judging *judging, unsigned finding, struct span argument)
{
	return judging->scratch->asked.set && excepted_in(judging, finding, TARGET_ARG, argument) != 0;
}
