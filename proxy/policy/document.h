#ifndef SALLYPORT_POLICY_DOCUMENT_H
#define SALLYPORT_POLICY_DOCUMENT_H

#include "sallyport/policy.h"

/* "a time with its unit", for a sentence. */
const char *document_type(enum setting_type type);
/* ": units are …", to end a sentence about a value with a wrong one; "" where there are none. */
const char *document_units(enum setting_type type);
/* A value as it would be written: the row's example, or made of its default. */
void document_example(const struct setting *setting, struct strbuf *out);

#endif
