/* A compiled `egress` section, and questions to it. */
#ifndef TESTS_EGRESS_POLICY_H
#define TESTS_EGRESS_POLICY_H

#include "sallyport/egress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct section {
	struct arena *arena;
	struct egress_policy egress;
	struct strbuf said; /* errors and warnings */
	size_t errors;
};

static const struct setting section_rows[] = {
    {"egress", SETTING_GROUP, offsetof(struct section, egress), .sub = &egress_schema, .doc = ""},
    {0},
};
static const struct schema section_schema = {
    .name = "", .size = sizeof(struct section), .settings = section_rows, .where_offset = SIZE_MAX};

/* text: what stands between the braces of `egress`; NULL: no such section. */
static inline struct section *section_new(const char *text)
{
	struct section *section = calloc(1, sizeof(*section));
	struct policy_errors *errors = policy_errors_new();
	struct strbuf whole;
	assert_true(section && errors);
	strbuf_init(&whole, 8 << 20);
	strbuf_init(&section->said, 1 << 20);
	if (text)
		strbuf_addf(&whole, "egress = {\n%s\n};\n", text);
	section->arena = arena_new(POLICY_ARENA_MAX);
	struct policy_context context = {.arena = section->arena, .errors = errors};
	const struct policy_source source = {.text = whole.data ? whole.data : ""};
	const bool is_read = policy_read(&source, &section_schema, section, &context);
	assert_int_equal(is_read, policy_errors_count(errors) == 0);
	section->errors = policy_errors_count(errors);
	policy_errors_print(errors, &section->said);
	policy_errors_free(errors);
	strbuf_release(&whole);
	return section;
}

/* One that has to be right. */
static inline struct section *section_of(const char *text)
{
	struct section *section = section_new(text);
	if (section->errors > 0)
		fail_msg("%s", section->said.data);
	return section;
}

static inline void section_free(struct section *section)
{
	strbuf_release(&section->said);
	arena_free(section->arena);
	free(section);
}

static inline bool section_said(const struct section *section, const char *text)
{
	return section->said.data && strstr(section->said.data, text);
}

static inline struct addr address(const char *ip, uint16_t port)
{
	struct addr addr;
	assert_true(addr_parse_ip(span_from_str(ip), port, &addr));
	return addr;
}

/* What the gate would ask for "host:port". */
static inline struct egress_verdict ask(const struct section *section, const char *host, uint16_t port,
					enum egress_stage stage)
{
	struct egress_destination destination = {.host = span_from_str(host), .port = port};
	destination.is_literal = addr_parse_ip(destination.host, port, &destination.addr);
	return egress_judge(&section->egress, &destination, stage);
}

/* The same for a name that leads to that address; the last word. */
static inline struct egress_verdict ask_at(const struct section *section, const char *host, const char *ip, uint16_t port,
					   enum egress_stage stage)
{
	const struct egress_verdict named = ask(section, host, port, stage);
	const struct addr addr = address(ip, port);
	return egress_judge_address(&section->egress, &named, &addr, stage);
}

#endif
