#ifndef TESTS_SHIELD_EXCEPTIONS_H
#define TESTS_SHIELD_EXCEPTIONS_H

#include "sallyport/exception.h"

/* Exceptions read from text by the policy's reader. After cmocka.h. */

struct exception_file {
	struct policy_list exceptions;
};

static const struct setting exception_file_rows[] = {
    {"exceptions", SETTING_LIST, offsetof(struct exception_file, exceptions), .sub = &exception_schema,
     .required = true, .example = "( { … } )", .doc = "Exceptions."},
    {0},
};

static const struct schema exception_file_schema = {
    .name = "exceptions",
    .size = sizeof(struct exception_file),
    .settings = exception_file_rows,
    .where_offset = SIZE_MAX,
};

/* What is wrong with the list, or "". */
struct exception_reading {
	struct arena *arena;
	struct exception_file file;
	struct strbuf complaints;
};

static inline void exceptions_read(struct exception_reading *reading, const char *list)
{
	struct policy_errors *errors = policy_errors_new();
	struct policy_context context = {.arena = arena_new(1 << 20), .errors = errors};
	struct strbuf text;
	assert_non_null(errors);
	assert_non_null(context.arena);
	strbuf_init(&text, 1 << 16);
	strbuf_addf(&text, "exceptions = ( %s );\n", list);
	const struct policy_source source = {.text = text.data};
	*reading = (struct exception_reading){.arena = context.arena};
	strbuf_init(&reading->complaints, 1 << 16);
	bool ok = policy_read(&source, &exception_file_schema, &reading->file, &context);
	policy_errors_print(errors, &reading->complaints);
	assert_int_equal(ok, policy_errors_count(errors) == 0);
	strbuf_add_str(&reading->complaints, "");
	strbuf_release(&text);
	policy_errors_free(errors);
}

/* Compiles what was read; what is warned of goes to the complaints. */
static inline const struct exception_set *exceptions_compile(struct exception_reading *reading,
							    const struct rule_set *rules, uint64_t now_s)
{
	struct policy_errors *errors = policy_errors_new();
	struct policy_context context = {.arena = reading->arena, .errors = errors};
	const struct exception_set *set =
	    exception_set_new(&reading->file.exceptions, rules, now_s, &context);
	assert_non_null(set);
	strbuf_reset(&reading->complaints);
	policy_errors_print(errors, &reading->complaints);
	strbuf_add_str(&reading->complaints, "");
	policy_errors_free(errors);
	return set;
}

static inline void exceptions_release(struct exception_reading *reading)
{
	strbuf_release(&reading->complaints);
	arena_free(reading->arena);
}

#endif
