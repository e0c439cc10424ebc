#ifndef CLI_RULES_AGE_H
#define CLI_RULES_AGE_H

#include "sallyport/json.h"

/* The object that rules_age_describe writes, on standard output, indented as `status` is; NULL: nothing. */
void rules_age_print(const struct json_value *rules);

#endif
