#ifndef SALLYPORT_SHIELD_RULE_MODES_H
#define SALLYPORT_SHIELD_RULE_MODES_H

#include "sallyport/shield_schema.h"

/* A site's own modes for rules. */
extern const struct schema rule_mode_schema;
bool rule_modes_eq(const struct policy_list *a, const struct policy_list *b);

#endif
