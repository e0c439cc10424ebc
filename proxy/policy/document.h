#ifndef SALLYPORT_POLICY_DOCUMENT_H
#define SALLYPORT_POLICY_DOCUMENT_H

#include "sallyport/policy.h"

/* "a time with its unit", for a sentence. */
const char *document_type(enum setting_type type);
/* A value as it would be written: the row's example, or made of its default. */
void document_example(const struct setting *setting, struct strbuf *out);

#endif
