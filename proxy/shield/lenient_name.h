#ifndef SALLYPORT_SHIELD_LENIENT_NAME_H
#define SALLYPORT_SHIELD_LENIENT_NAME_H

#include "sallyport/span.h"

/* Is an argument or a cookie of this name the one that is meant, as the most lenient of origins read names? Without regard to
 * case (ASP.NET, Go's JSON), without white space in front, up to a NUL, and with ".", " " and "[" for "_" (PHP). For what is
 * counted by a name, never for what is let pass by one. */
bool lenient_name_is(struct span name, struct span meant);

#endif
