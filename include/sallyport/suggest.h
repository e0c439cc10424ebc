#ifndef SALLYPORT_SUGGEST_H
#define SALLYPORT_SUGGEST_H

#include <stddef.h>

/* "Did you mean …?" Collects candidates and keeps the nearest. */
struct suggestion {
	const char *wanted;
	const char *nearest; /* borrowed; NULL: nothing is near */
	size_t distance;
};

void suggest_init(struct suggestion *suggestion, const char *wanted);
void suggest_offer(struct suggestion *suggestion, const char *candidate);

/* Ends a sentence: `, did you mean "NEAREST"?`, or nothing. Returns out. */
enum { SUGGEST_TEXT_SIZE = 64 };
const char *suggest_text(const struct suggestion *suggestion, char out[SUGGEST_TEXT_SIZE]);

#endif
