/* sallyport vault verify, backup, restore, rotate-key, adopt: what concerns the vault as a whole. The
 * last three change it, so they need it to be idle. */
#include "cli/vault_reads.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sallyport/cli.h"
#include "sallyport/hex.h"

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

/* ---- verify ---- */

static void print_report(const struct vault_report *report)
{
	printf("%" PRIu64 " sites, %" PRIu64 " pages, %" PRIu64 " versions, %" PRIu64
	       " contents of %" PRIu64 " bytes, baseline %" PRIu64 ", %" PRIu64 " lines of audit: ",
	       report->sites, report->pages, report->versions, report->contents, report->bytes,
	       report->baseline_number, report->audit_lines);
	if (report->findings == 0)
		puts("all is whole and signed.");
	else
		printf("%" PRIu64 " findings.\n", report->findings);
}

static void add_report(struct json_writer *json, const struct vault_report *report)
{
	json_add_number(json, "sites", report->sites);
	json_add_number(json, "pages", report->pages);
	json_add_number(json, "versions", report->versions);
	json_add_number(json, "contents", report->contents);
	json_add_number(json, "bytes", report->bytes);
	json_add_number(json, "baseline", report->baseline_number);
	json_add_number(json, "audit_lines", report->audit_lines);
	json_add_bool(json, "ok", report->findings == 0);
}

static int verify_as_json(struct vault_use *use, struct vault_report *report, struct err *err)
{
	struct json_writer json;
	struct strbuf dropped;
	json_begin(&json);
	json_open_list(&json, "findings");
	use->json = &json;
	bool ok = vault_cli_open(use, false) && vault_verify(use->vault, report, err);
	report->findings = use->findings;
	use->json = NULL;
	json_close(&json);
	add_report(&json, report);
	if (ok)
		return vault_cli_print_json(use, &json);
	strbuf_init(&dropped, 0);
	ok = json_end(&json, &dropped);
	strbuf_release(&dropped);
	return err->text[0] ? vault_cli_fail(use, err) : CLI_NO;
}

int vault_cli_verify(struct vault_use *use)
{
	struct vault_report report = {0};
	struct err err = {""};
	if (use->given.as_json) {
		int status = verify_as_json(use, &report, &err);
		return report.findings > 0 ? CLI_NO : status;
	}
	if (!vault_cli_open(use, false))
		return CLI_NO;
	if (!vault_verify(use->vault, &report, &err))
		return vault_cli_fail(use, &err);
	report.findings = use->findings;
	print_report(&report);
	return report.findings == 0 ? CLI_DONE : CLI_NO;
}

/* ---- backup and restore ---- */

int vault_cli_backup(struct vault_use *use)
{
	struct err err = {""};
	if (!vault_cli_open(use, false))
		return CLI_NO;
	if (!vault_backup(use->vault, use->given.operands[0], now_s(), &err))
		return vault_cli_fail(use, &err);
	printf("The backup is in %s. The private key is not in it: keep %s/key elsewhere.\n",
	       use->given.operands[0], use->path);
	/* what was damaged was left out, and said */
	return use->findings == 0 ? CLI_DONE : CLI_NO;
}

static bool read_key(const char *hex, uint8_t out[SIGN_PUBLIC_SIZE])
{
	if (strlen(hex) != 2 * SIGN_PUBLIC_SIZE)
		return false;
	for (size_t i = 0; i < SIGN_PUBLIC_SIZE; i++) {
		int high = ascii_hex(hex[2 * i]), low = ascii_hex(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int vault_cli_restore(struct vault_use *use)
{
	struct vault_options options = vault_cli_options(use, true);
	uint8_t key[SIGN_PUBLIC_SIZE];
	struct err err = {""};
	options.anew = true;
	if (use->given.trust_key && !read_key(use->given.trust_key, key))
		return cli_wrong_use("vault", "--trust-key takes a public key, 64 hexadecimal digits");
	if (!vault_restore(&options, use->given.operands[0], use->given.trust_key ? key : NULL, now_s(),
			   &err))
		return vault_cli_fail(use, &err);
	printf("The vault %s is as in the backup.\n", use->path);
	return CLI_DONE;
}

/* ---- keys ---- */

int vault_cli_rotate_key(struct vault_use *use)
{
	struct err err = {""};
	uint8_t key[SIGN_PUBLIC_SIZE];
	char hex[HEX_SIZE(SIGN_PUBLIC_SIZE)];
	if (!vault_cli_open(use, true))
		return CLI_NO;
	if (!vault_rotate_key(use->vault, now_s(), &err))
		return vault_cli_fail(use, &err);
	vault_public_key(use->vault, key);
	printf("All records are signed with the new key %s.\n", hex_write(key, SIGN_PUBLIC_SIZE, hex));
	return CLI_DONE;
}

int vault_cli_adopt(struct vault_use *use)
{
	struct err err = {""};
	uint64_t versions;
	if (!vault_cli_open(use, true))
		return CLI_NO;
	if (!vault_adopt(use->vault, now_s(), &versions, &err))
		return vault_cli_fail(use, &err);
	printf("%" PRIu64 " versions are signed with the present key.\n", versions);
	return CLI_DONE;
}
