/* sallyport vault diff: what changed between two versions of a page: line by line where both are
 * text, sizes and digests else. Without numbers: what is served, and the newest other one. */
#include "cli/vault_reads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/text_diff.h"
#include "sallyport/cli.h"
#include "sallyport/hex.h"

enum { TEXT_MAX = 16 << 20, CONTEXT_LINES = 3, LINE_SHOWN = 2000 };

struct pair {
	struct vault_version a, b;
	struct strbuf text_a, text_b;
};

/* ---- which two ---- */

struct newest {
	struct vault_version *out;
	int64_t except;
	bool found;
};

/* One that is held goes before any other. */
static bool take_newest(void *context, const struct vault_version *version)
{
	struct newest *newest = context;
	bool is_better = !newest->found || (version->state == VAULT_HELD &&
					    newest->out->state != VAULT_HELD);
	if (version->id == newest->except || !is_better)
		return true;
	*newest->out = *version;
	/* its fields point into its own texts */
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++)
		if (version->head.fields[i].ptr)
			newest->out->head.fields[i].ptr =
			    newest->out->texts + (version->head.fields[i].ptr - version->texts);
	newest->found = true;
	return true;
}

static bool find_served_and_newest(struct vault_use *use, int64_t page, struct pair *pair)
{
	struct newest newest = {.out = &pair->b};
	struct err err = {""};
	if (!vault_version_good(use->vault, page, &pair->a)) {
		err_set(&err, "no version of the page is known to be good: name two of them");
		vault_cli_fail(use, &err);
		return false;
	}
	newest.except = pair->a.id;
	vault_versions(use->vault, page, take_newest, &newest);
	if (newest.found)
		return true;
	err_set(&err, "the page has one version only");
	vault_cli_fail(use, &err);
	return false;
}

static bool find_pair(struct vault_use *use, int64_t page, struct pair *pair)
{
	if (use->given.n == 2)
		return find_served_and_newest(use, page, pair);
	return vault_cli_version(use, page, use->given.operands[2], &pair->a) &&
	       vault_cli_version(use, page, use->given.operands[3], &pair->b);
}

/* ---- heads ---- */

static void print_field(char sign, const char *name, struct span value)
{
	if (!value.ptr)
		return;
	printf("%c%s: ", sign, name);
	control_print(stdout, value);
	puts("");
}

static bool same_field(struct span a, struct span b)
{
	return (a.ptr == NULL) == (b.ptr == NULL) && span_eq(a, b);
}

static void print_heads(const struct pair *pair)
{
	printf("--- version %u, %s\n+++ version %u, %s\n", pair->a.number,
	       vault_state_name(pair->a.state), pair->b.number, vault_state_name(pair->b.state));
	if (pair->a.head.status != pair->b.head.status)
		printf("-status: %u\n+status: %u\n", pair->a.head.status, pair->b.head.status);
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++) {
		const char *name = page_field_name((enum page_field)i);
		if (same_field(pair->a.head.fields[i], pair->b.head.fields[i]))
			continue;
		print_field('-', name, pair->a.head.fields[i]);
		print_field('+', name, pair->b.head.fields[i]);
	}
}

/* ---- contents ---- */

/* The lines around a change are printed, the others are counted. */
struct printing {
	struct span before[CONTEXT_LINES];
	unsigned kept;     /* in before */
	unsigned after;    /* still to be printed */
	uint64_t skipped;
};

static void print_line(char kind, struct span line)
{
	putchar(kind);
	control_print(stdout, span_of(line.ptr, line.len < LINE_SHOWN ? line.len : LINE_SHOWN));
	puts(line.len > LINE_SHOWN ? "…" : "");
}

static void keep(struct printing *printing, struct span line)
{
	if (printing->kept == CONTEXT_LINES) {
		memmove(printing->before, printing->before + 1,
			(CONTEXT_LINES - 1) * sizeof(line));
		printing->kept--;
		printing->skipped++;
	}
	printing->before[printing->kept++] = line;
}

static void print_kept(struct printing *printing)
{
	if (printing->skipped > 0)
		printf("@@ %" PRIu64 " equal lines @@\n", printing->skipped);
	for (unsigned i = 0; i < printing->kept; i++)
		print_line(' ', printing->before[i]);
	printing->kept = 0;
	printing->skipped = 0;
}

static void on_line(void *context, char kind, struct span line)
{
	struct printing *printing = context;
	if (kind != ' ') {
		print_kept(printing);
		print_line(kind, line);
		printing->after = CONTEXT_LINES;
	} else if (printing->after > 0) {
		printing->after--;
		print_line(' ', line);
	} else {
		keep(printing, line);
	}
}

static bool is_text(struct span content)
{
	return memchr(content.ptr ? content.ptr : "", '\0', content.len) == NULL && json_is_text(content);
}

static void print_sizes(const struct pair *pair)
{
	char hex[HEX_SIZE(DIGEST_SIZE)];
	printf("-content: %" PRIu64 " bytes, sha256 %s\n", pair->a.content_bytes,
	       hex_write(pair->a.content, DIGEST_SIZE, hex));
	printf("+content: %" PRIu64 " bytes, sha256 %s\n", pair->b.content_bytes,
	       hex_write(pair->b.content, DIGEST_SIZE, hex));
}

static int print_contents(struct vault_use *use, struct pair *pair)
{
	struct printing printing = {.kept = 0};
	struct err err = {"out of memory"};
	if (memcmp(pair->a.content, pair->b.content, DIGEST_SIZE) == 0) {
		puts("The contents are equal.");
		return CLI_DONE;
	}
	if (pair->a.content_bytes > TEXT_MAX || pair->b.content_bytes > TEXT_MAX) {
		print_sizes(pair);
		return CLI_DONE;
	}
	if (!vault_content_get(use->vault, pair->a.content, &pair->text_a, &err) ||
	    !vault_content_get(use->vault, pair->b.content, &pair->text_b, &err))
		return vault_cli_fail(use, &err);
	struct span a = strbuf_span(&pair->text_a), b = strbuf_span(&pair->text_b);
	if (!is_text(a) || !is_text(b))
		print_sizes(pair);
	else if (!text_diff(a, b, on_line, &printing))
		return vault_cli_fail(use, &err);
	return CLI_DONE;
}

int vault_cli_diff(struct vault_use *use)
{
	struct vault_page page;
	struct pair *pair = calloc(1, sizeof(*pair));
	int status = CLI_NO;
	if (use->given.n == 3)
		status = cli_wrong_use("vault", "diff takes no version or two");
	else if (pair && vault_cli_open(use, false) && vault_cli_page(use, &page) &&
		 find_pair(use, page.id, pair)) {
		strbuf_init(&pair->text_a, TEXT_MAX);
		strbuf_init(&pair->text_b, TEXT_MAX);
		print_heads(pair);
		status = print_contents(use, pair);
		strbuf_release(&pair->text_a);
		strbuf_release(&pair->text_b);
	}
	free(pair);
	return status;
}
