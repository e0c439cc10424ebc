#ifndef TESTS_URL_VECTORS_H
#define TESTS_URL_VECTORS_H

#include "sallyport/strbuf.h"
#include "sallyport/url.h"
#include "vectors.h"

/* The table of tests/vectors/url.txt. After cmocka.h. Every row that fails is told
 * before the test does. */

static inline void add_finding_names(struct strbuf *sb, unsigned findings)
{
	for (; findings; findings &= findings - 1) {
		if (sb->len > 0)
			strbuf_add_char(sb, ',');
		strbuf_add_str(sb, url_finding_name(findings));
	}
	if (sb->len == 0)
		strbuf_add_char(sb, '-');
}

static unsigned complaints;

static inline void complain(const struct vector_file *row, const char *what, struct span got)
{
	print_error("%s:%u: %s: '%.*s'\n", row->path, row->line, what, SPAN_ARG(got));
	complaints++;
}

static inline void expect_findings(const struct vector_file *row, unsigned findings,
				   struct span names)
{
	struct strbuf sb;
	strbuf_init(&sb, 512);
	add_finding_names(&sb, findings);
	if (!span_eq(strbuf_span(&sb), names))
		complain(row, "findings", strbuf_span(&sb));
	strbuf_release(&sb);
}

static inline void expect_span(const struct vector_file *row, const char *what, struct span got,
			       struct span want)
{
	if (!span_eq(got, want))
		complain(row, what, got);
}

static inline struct span or_else(struct span column, struct span standard)
{
	return span_eq(column, SPAN("=")) ? standard : column;
}

#endif
