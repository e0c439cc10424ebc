/* Signed packs: what is written is read back, and whatever else anybody makes of the bytes is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../guard_page.h"
#include "sallyport/rule_pack.h"

static struct sign_key *signer, *stranger;
static uint8_t trusted[1][SIGN_PUBLIC_SIZE];
static const struct rule_pack_trust trust = {.keys = (const uint8_t (*)[SIGN_PUBLIC_SIZE])trusted, .n = 1};
static const struct rule_pack_trust anybody = {.anybody = true};

static struct rule_pack sample(void)
{
	return (struct rule_pack){
	    .name = "shop",
	    .version = 12,
	    .created_s = 1795694400,
	    .files = {{SPAN("sql.cfg"), SPAN("rules = ( );\n")}, {SPAN("xss.cfg"), SPAN("# none\n")}},
	    .file_count = 2,
	};
}

static void write_sample(const struct rule_pack *pack, const struct sign_key *key, struct strbuf *out)
{
	struct err err = {""};
	strbuf_init(out, RULE_PACK_BYTES_MAX);
	if (!rule_pack_write(pack, key, out, &err))
		fail_msg("%s", err.text);
}

/* From bytes that end at an unreadable page. */
static bool opens(struct span bytes, const struct rule_pack_trust *by, struct err *err)
{
	struct rule_pack pack;
	char *copy = guarded_copy(bytes.ptr, bytes.len);
	bool ok = rule_pack_open(span_of(copy, bytes.len), by, &pack, err);
	guarded_free(copy, bytes.len);
	return ok;
}

static void a_pack_is_read_as_it_was_written(void **state)
{
	struct rule_pack pack = sample(), back;
	struct strbuf text;
	struct err err = {""};
	(void)state;
	write_sample(&pack, signer, &text);
	assert_true(rule_pack_open(strbuf_span(&text), &trust, &back, &err));
	assert_string_equal(back.name, "shop");
	assert_true(back.version == 12 && back.created_s == pack.created_s && back.file_count == 2);
	assert_memory_equal(back.key, trusted[0], SIGN_PUBLIC_SIZE);
	for (size_t i = 0; i < 2; i++) {
		assert_true(span_eq(back.files[i].name, pack.files[i].name));
		assert_true(span_eq(back.files[i].text, pack.files[i].text));
	}
	strbuf_release(&text);
}

static void any_flipped_bit_is_refused(void **state)
{
	struct rule_pack pack = sample();
	struct strbuf text;
	struct err err = {""};
	(void)state;
	write_sample(&pack, signer, &text);
	for (size_t bit = 0; bit < text.len * 8; bit++) {
		text.data[bit / 8] = (char)(text.data[bit / 8] ^ 1 << bit % 8);
		if (opens(strbuf_span(&text), &trust, &err) || opens(strbuf_span(&text), &anybody, &err))
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		text.data[bit / 8] = (char)(text.data[bit / 8] ^ 1 << bit % 8);
	}
	assert_true(opens(strbuf_span(&text), &trust, &err));
	strbuf_release(&text);
}

static void any_other_length_is_refused(void **state)
{
	struct rule_pack pack = sample();
	struct strbuf text;
	struct err err = {""};
	(void)state;
	write_sample(&pack, signer, &text);
	for (size_t len = 0; len < text.len; len++)
		if (opens(span_of(text.data, len), &anybody, &err))
			fail_msg("its first %zu bytes are taken", len);
	strbuf_add_char(&text, '\n');
	assert_false(opens(strbuf_span(&text), &anybody, &err));
	strbuf_release(&text);
}

static void a_key_that_is_not_trusted_is_refused_and_named(void **state)
{
	struct rule_pack pack = sample();
	const struct rule_pack_trust nobody = {.n = 0};
	struct strbuf text;
	struct err err = {""};
	(void)state;
	write_sample(&pack, stranger, &text);
	assert_false(opens(strbuf_span(&text), &trust, &err));
	assert_non_null(strstr(err.text, "which is not one of rule_pack.keys"));
	assert_false(opens(strbuf_span(&text), &nobody, &err));
	assert_true(opens(strbuf_span(&text), &anybody, &err));
	strbuf_release(&text);
}

/* A text of a stranger's choice under a signature that counts: what a key's holder may not do either. */
static bool opens_signed(const char *body)
{
	uint8_t signature[SIGNATURE_SIZE];
	struct strbuf text;
	struct err err = {""};
	strbuf_init(&text, 1 << 16);
	for (const char *at = body; *at; at++)
		if (*at == '@')
			for (size_t i = 0; i < SIGN_PUBLIC_SIZE; i++)
				strbuf_addf(&text, "%02x", trusted[0][i]);
		else
			strbuf_add_char(&text, *at == '~' ? '\0' : *at);
	assert_true(sign(signer, text.data, text.len, signature, &err));
	strbuf_add_str(&text, "signature ");
	for (size_t i = 0; i < SIGNATURE_SIZE; i++)
		strbuf_addf(&text, "%02x", signature[i]);
	strbuf_add_char(&text, '\n');
	bool ok = opens(strbuf_span(&text), &trust, &err);
	strbuf_release(&text);
	return ok;
}

#define HEAD "sallyport rule pack 1\nname a\nversion 1\ncreated 2026-11-26T12:00:00Z\nkey @\n"

static void a_signature_excuses_nothing(void **state)
{
	static const char *const wrong[] = {
	    HEAD "files 0\n", HEAD "files 1\n", HEAD "files 65\nfile a.cfg 2\n#\n", HEAD "files 01\nfile a.cfg 2\n#\n",
	    HEAD "files 1\nfile a.cfg 2\n#\n\n", HEAD "files 1\nfile a.cfg 2\n#\nfile b.cfg 2\n#\n",
	    HEAD "files 2\nfile a.cfg 2\n#\n", HEAD "files 1\nfile a.cfg 3\n#\n", HEAD "files 1\nfile a.cfg 1\n#\n",
	    HEAD "files 1\nfile a.cfg 0\n", HEAD "files 1\nfile a.cfg 02\n#\n", HEAD "files 1\nfile a.cfg +2\n#\n",
	    HEAD "files 1\nfile a.cfg 2 \n#\n", HEAD "files 1\nfile  a.cfg 2\n#\n", HEAD "files 1\nfile a.cfg\n#\n",
	    HEAD "files 1\nfile a.cfg 18446744073709551615\n#\n", HEAD "files 1\nfile a.cfg 3\n~#\n",
	    HEAD "files 2\nfile b.cfg 2\n#\nfile a.cfg 2\n#\n", HEAD "files 2\nfile a.cfg 2\n#\nfile a.cfg 2\n#\n",
	    HEAD "files 1\nfile ../a.cfg 2\n#\n", HEAD "files 1\nfile /a.cfg 2\n#\n", HEAD "files 1\nfile .a.cfg 2\n#\n",
	    HEAD "files 1\nfile a/b.cfg 2\n#\n", HEAD "files 1\nfile a\\b.cfg 2\n#\n", HEAD "files 1\nfile ..cfg 2\n#\n",
	    HEAD "files 1\nfile a.txt 2\n#\n", HEAD "files 1\nfile -a.cfg 2\n#\n", HEAD "files 1\nfile a~.cfg 2\n#\n",
	    HEAD "files 1\r\nfile a.cfg 2\n#\n",
	    "sallyport rule pack 2\nname a\nversion 1\ncreated 2026-11-26T12:00:00Z\nkey @\nfiles 1\nfile a.cfg 2\n#\n",
	    "sallyport rule pack 1\nname A\nversion 1\ncreated 2026-11-26T12:00:00Z\nkey @\nfiles 1\nfile a.cfg 2\n#\n",
	    "sallyport rule pack 1\nname a\nversion 0\ncreated 2026-11-26T12:00:00Z\nkey @\nfiles 1\nfile a.cfg 2\n#\n",
	    "sallyport rule pack 1\nname a\nversion 1\ncreated 2026-02-30T12:00:00Z\nkey @\nfiles 1\nfile a.cfg 2\n#\n",
	    "sallyport rule pack 1\nversion 1\nname a\ncreated 2026-11-26T12:00:00Z\nkey @\nfiles 1\nfile a.cfg 2\n#\n",
	    "sallyport rule pack 1\nname a\nversion 1\ncreated 2026-11-26T12:00:00Z\nkey @0\nfiles 1\nfile a.cfg 2\n#\n",
	};
	(void)state;
	assert_true(opens_signed(HEAD "files 1\nfile a.cfg 2\n#\n"));
	assert_true(opens_signed(HEAD "files 2\nfile a.cfg 2\n#\nfile b.cfg 2\n#\n"));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (opens_signed(wrong[i]))
			fail_msg("taken:\n%s", wrong[i]);
}

static bool is_written(const struct rule_pack *pack)
{
	struct strbuf text;
	struct err err = {""};
	strbuf_init(&text, RULE_PACK_BYTES_MAX);
	bool ok = rule_pack_write(pack, signer, &text, &err);
	assert_true(ok || err.text[0]);
	strbuf_release(&text);
	return ok;
}

static void what_could_not_be_read_is_not_written(void **state)
{
	struct rule_pack pack = sample();
	(void)state;
	assert_true(is_written(&pack));
	pack.version = 0;
	assert_false(is_written(&pack));
	pack = sample();
	pack.file_count = 0;
	assert_false(is_written(&pack));
	pack = sample();
	pack.files[1].name = pack.files[0].name;
	assert_false(is_written(&pack));
	pack = sample();
	pack.files[1].text = SPAN("no line's end");
	assert_false(is_written(&pack));
	pack = sample();
	memcpy(pack.name, "Shop", 5);
	assert_false(is_written(&pack));
}

static void what_is_larger_than_a_pack_is_not_written(void **state)
{
	struct rule_pack pack = sample();
	char *large = malloc(RULE_PACK_BYTES_MAX);
	(void)state;
	assert_non_null(large);
	memset(large, '\n', RULE_PACK_BYTES_MAX);
	pack.files[0].text = span_of(large, RULE_PACK_BYTES_MAX);
	assert_false(is_written(&pack));
	pack.files[0].text.len -= 1024;
	assert_true(is_written(&pack));
	free(large);
}

static int make_keys(void **state)
{
	struct err err;
	(void)state;
	signer = sign_key_new(&err);
	stranger = sign_key_new(&err);
	if (!signer || !stranger)
		return 1;
	sign_key_public(signer, trusted[0]);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	sign_key_free(signer);
	sign_key_free(stranger);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pack_is_read_as_it_was_written),
	    cmocka_unit_test(any_flipped_bit_is_refused),
	    cmocka_unit_test(any_other_length_is_refused),
	    cmocka_unit_test(a_key_that_is_not_trusted_is_refused_and_named),
	    cmocka_unit_test(a_signature_excuses_nothing),
	    cmocka_unit_test(what_could_not_be_read_is_not_written),
	    cmocka_unit_test(what_is_larger_than_a_pack_is_not_written),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
