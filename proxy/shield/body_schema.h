#ifndef SHIELD_BODY_SCHEMA_H
#define SHIELD_BODY_SCHEMA_H

#include "sallyport/shield_schema.h"

extern const struct schema bodies_schema;
bool bodies_policy_eq(const struct shield_policy_bodies *a, const struct shield_policy_bodies *b);

/* login_schema.c: warns of each page whose users are counted by a field of its content, into which nobody looks. */
void logins_check_bodies(const struct policy_list *logins, const struct shield_bodies *bodies, unsigned reading,
			 struct policy_context *context);

/* shield_schema.c: what other groups need, too. */
bool strings_eq(const struct policy_strings *a, const struct policy_strings *b);
enum { POLICY_PATH_MAX = 1024 };
/* A path that canonical paths may be compared with, of at most so many bytes. */
void check_policy_path(const char *path, const char *setting, struct policy_where where,
		       struct policy_context *context);

/* method_schema.c: "get" is another method than GET. */
void check_method_case(const char *method, const char *setting, struct policy_where where, struct policy_context *context);
void check_methods_case(const struct policy_strings *methods, const char *setting, struct policy_context *context);

#endif
