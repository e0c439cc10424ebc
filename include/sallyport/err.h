#ifndef SALLYPORT_ERR_H
#define SALLYPORT_ERR_H

#include <stdbool.h>

/* One sentence for the one who has to mend it. Functions take it last and
 * leave it untouched on success. */
struct err {
	char text[512];
};

/* Sets the text; returns false, so that `return err_set(err, …)` reads well.
 * err may be NULL. Control bytes in the result are replaced by '?'. */
bool err_set(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "prefix: " before the text that is there. */
bool err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
