#ifndef SALLYPORT_SIGNS_H
#define SALLYPORT_SIGNS_H

#include <stdbool.h>
#include "sallyport/span.h"

/* The signs of a defacement in the content of a page that changed. Pure. They are boasts that defacers
 * leave, such as those of the archives of defaced pages (zone-h.org). An article about one has
 * them too, so they count only in the title, or where little is left of the page: less than half
 * of good_bytes, what its known-good version has. */
bool signs_of_defacement(struct span content, uint64_t good_bytes);

#endif
