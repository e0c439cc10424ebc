#ifndef SALLYPORT_POLICY_SYNTAX_HINT_H
#define SALLYPORT_POLICY_SYNTAX_HINT_H

#include "policy/source.h"

/* What is probably wrong where libconfig found a syntax error, which itself says no more than the line
 * (from 1, of source_text). Writes nothing where it does not know. */
void syntax_hint(const struct source *source, unsigned line, struct strbuf *out);

#endif
