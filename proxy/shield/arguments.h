#ifndef SALLYPORT_SHIELD_ARGUMENTS_H
#define SALLYPORT_SHIELD_ARGUMENTS_H

#include "sallyport/shield.h"

/* The arguments of a query, one after the other, split as the origin does. Begins with kind and
 * rest. */
struct arguments {
	enum origin_kind kind;
	struct span rest;
	struct span name, value; /* of the current one, raw */
};

/* Takes the next argument that is not empty. */
bool next_argument(struct arguments *arguments);

#endif
