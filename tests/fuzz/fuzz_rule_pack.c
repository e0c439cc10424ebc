/* Signed packs of rules. The first byte of the input chooses: 0, the rest is a pack; else the rest stands behind the
 * first lines of a pack, with the key in it, and is signed, so that what a signature lets in is reached. What is taken
 * can be written again, and is the same byte for byte: there is one way to write a pack. */
#include <stdint.h>
#include <stdlib.h>

#include "sallyport/rule_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sign_key *key;
static const struct rule_pack_trust anybody = {.anybody = true};

static void prepare(void)
{
	uint8_t private_part[SIGN_PRIVATE_SIZE];
	struct err err;
	for (size_t i = 0; i < sizeof(private_part); i++)
		private_part[i] = (uint8_t)(i + 1);
	key = sign_key_from(private_part, &err);
	if (!key)
		abort();
}

static void must_be_written_alike(const struct rule_pack *pack, struct span bytes)
{
	struct strbuf again;
	struct err err;
	strbuf_init(&again, RULE_PACK_BYTES_MAX);
	if (!rule_pack_write(pack, key, &again, &err) || !span_eq(strbuf_span(&again), bytes))
		abort();
	strbuf_release(&again);
}

static void try_signed(struct span body)
{
	static const char head[] = "sallyport rule pack 1\nname fuzz\nversion 7\ncreated 2026-11-26T12:00:00Z\nkey ";
	uint8_t public_part[SIGN_PUBLIC_SIZE], signature[SIGNATURE_SIZE];
	struct rule_pack pack;
	struct strbuf text;
	struct err err;
	strbuf_init(&text, RULE_PACK_BYTES_MAX);
	strbuf_add_str(&text, head);
	sign_key_public(key, public_part);
	for (size_t i = 0; i < sizeof(public_part); i++)
		strbuf_addf(&text, "%02x", public_part[i]);
	strbuf_add_char(&text, '\n');
	strbuf_add_span(&text, body);
	if (!text.truncated && sign(key, text.data, text.len, signature, &err)) {
		strbuf_add_str(&text, "signature ");
		for (size_t i = 0; i < sizeof(signature); i++)
			strbuf_addf(&text, "%02x", signature[i]);
		strbuf_add_char(&text, '\n');
		if (rule_pack_open(strbuf_span(&text), &anybody, &pack, &err))
			must_be_written_alike(&pack, strbuf_span(&text));
	}
	strbuf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_pack pack;
	struct err err;
	if (!key)
		prepare();
	if (size == 0)
		return 0;
	struct span rest = span_of((const char *)data + 1, size - 1);
	if (data[0] != 0)
		try_signed(rest);
	else if (rule_pack_open(rest, &anybody, &pack, &err) && pack.file_count == 0)
		abort();
	return 0;
}
