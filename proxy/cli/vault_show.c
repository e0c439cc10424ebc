/* sallyport vault show: a page with its versions, one version, or what one contains. */
#include "cli/vault_reads.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/print.h"
#include "sallyport/cli.h"
#include "sallyport/hex.h"

enum { CONTENT_MAX = 1 << 30 };

/* ---- as text ---- */

static void print_line(const char *name, const char *value)
{
	printf("  %-20s ", name);
	vault_cli_print(value);
	puts("");
}

static void print_fields(const struct vault_version *version)
{
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++) {
		struct span value = version->head.fields[i];
		char text[PAGE_FIELD_MAX + 1];
		if (!value.ptr)
			continue;
		memcpy(text, value.ptr, value.len);
		text[value.len] = '\0';
		print_line(page_field_name((enum page_field)i), text);
	}
}

static bool print_version(void *context, const struct vault_version *version)
{
	char time[CLI_TIME_SIZE], hex[HEX_SIZE(DIGEST_SIZE)];
	(void)context;
	printf("version %u: %s%s\n", version->number, vault_state_name(version->state),
	       version->pinned ? ", pinned" : "");
	if (version->reason[0])
		print_line("why", version->reason);
	printf("  %-20s %u\n", "status", version->head.status);
	print_fields(version);
	printf("  %-20s %" PRIu64 " bytes, sha256 %s\n", "content", version->content_bytes,
	       hex_write(version->content, DIGEST_SIZE, hex));
	print_line("page digest", hex_write(version->digest, DIGEST_SIZE, hex));
	printf("  %-20s %u times, from ", "fetched", version->samples);
	vault_cli_print(version->origin);
	puts("");
	print_line("first seen", cli_time(version->first_seen_s, time));
	print_line("last seen", cli_time(version->last_seen_s, time));
	print_line("good since", cli_time(version->since_s, time));
	return true;
}

/* ---- as JSON ---- */

static bool add_version(void *context, const struct vault_version *version)
{
	struct json_writer *json = context;
	char hex[HEX_SIZE(DIGEST_SIZE)];
	json_open_object(json, NULL);
	json_add_number(json, "version", version->number);
	json_add_text(json, "state", span_from_str(vault_state_name(version->state)));
	json_add_text(json, "why", span_from_str(version->reason));
	json_add_bool(json, "pinned", version->pinned);
	json_add_number(json, "status", version->head.status);
	json_open_object(json, "fields");
	for (unsigned i = 0; i < PAGE_FIELD_COUNT; i++)
		if (version->head.fields[i].ptr)
			json_add_text(json, page_field_name((enum page_field)i),
				      version->head.fields[i]);
	json_close(json);
	json_add_number(json, "bytes", version->content_bytes);
	json_add_text(json, "content", span_from_str(hex_write(version->content, DIGEST_SIZE, hex)));
	json_add_text(json, "digest", span_from_str(hex_write(version->digest, DIGEST_SIZE, hex)));
	json_add_number(json, "samples", version->samples);
	json_add_text(json, "origin", span_from_str(version->origin));
	json_add_number(json, "first_seen_s", version->first_seen_s);
	json_add_number(json, "last_seen_s", version->last_seen_s);
	json_add_number(json, "good_since_s", version->since_s);
	json_close(json);
	return true;
}

/* ---- which ---- */

static int print_content(struct vault_use *use, const struct vault_version *version)
{
	struct strbuf content;
	struct err err = {""};
	strbuf_init(&content, CONTENT_MAX);
	use->quiet = true;
	bool ok = vault_content_get(use->vault, version->content, &content, &err);
	if (ok && content.len > 0)
		ok = fwrite(content.data, 1, content.len, stdout) == content.len ||
		     err_set(&err, "cannot write the content");
	strbuf_release(&content);
	return ok ? CLI_DONE : vault_cli_fail(use, &err);
}

static bool served(struct vault_use *use, int64_t page, struct vault_version *out)
{
	struct err err = {"no version of the page is known to be good: name one with --version"};
	if (vault_version_good(use->vault, page, out))
		return true;
	vault_cli_fail(use, &err);
	return false;
}

static int show_content(struct vault_use *use, int64_t page)
{
	struct vault_version version;
	bool found = use->given.version ? vault_cli_version(use, page, use->given.version, &version)
					: served(use, page, &version);
	return found ? print_content(use, &version) : CLI_NO;
}

static void each(struct vault_use *use, const struct vault_page *page,
		 const struct vault_version *one, vault_on_version *on_version, void *context)
{
	if (one)
		on_version(context, one);
	else
		vault_versions(use->vault, page->id, on_version, context);
}

static int show(struct vault_use *use, const struct vault_page *page, const struct vault_version *one)
{
	struct json_writer json;
	if (!use->given.as_json) {
		vault_cli_print(page->key);
		puts("");
		each(use, page, one, print_version, NULL);
		return CLI_DONE;
	}
	json_begin(&json);
	json_add_text(&json, "site", span_from_str(use->given.operands[0]));
	json_add_text(&json, "url", span_from_str(page->key));
	json_open_list(&json, "versions");
	each(use, page, one, add_version, &json);
	json_close(&json);
	return vault_cli_print_json(use, &json);
}

int vault_cli_show(struct vault_use *use)
{
	struct vault_page page;
	struct vault_version version;
	if (!vault_cli_open(use, false) || !vault_cli_page(use, &page))
		return CLI_NO;
	if (use->given.content)
		return show_content(use, page.id);
	if (!use->given.version)
		return show(use, &page, NULL);
	return vault_cli_version(use, page.id, use->given.version, &version)
		   ? show(use, &page, &version)
		   : CLI_NO;
}
