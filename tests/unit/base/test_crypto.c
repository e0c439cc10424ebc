/* Random bytes: all of them are written, and they differ. SHA-256 and Ed25519 against the examples
 * of their standards, and what has to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "sallyport/crypto.h"

static void random_bytes_fill_the_whole_buffer(void **state)
{
	(void)state;
	unsigned char seen[64] = {0}, bytes[66];
	for (unsigned round = 0; round < 16; round++) {
		struct err err;
		memset(bytes, 0, sizeof(bytes));
		assert_true(crypto_random(bytes + 1, 64, &err));
		assert_int_equal(bytes[0] | bytes[65], 0);
		for (unsigned i = 0; i < 64; i++)
			seen[i] |= bytes[i + 1];
	}
	for (unsigned i = 0; i < 64; i++)
		assert_int_not_equal(seen[i], 0); /* sixteen zeros in a row: never */
	assert_true(crypto_random(bytes, 0, NULL));
}

static void from_hex(const char *hex, uint8_t *out)
{
	for (size_t i = 0; hex[2 * i]; i++) {
		unsigned byte;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
}

static void digests_are_those_of_fips_180(void **state)
{
	(void)state;
	static const struct {
		const char *text, *hex;
	} rows[] = {
	    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	uint8_t wanted[DIGEST_SIZE], got[DIGEST_SIZE];
	struct digest *context = digest_new();
	assert_non_null(context);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);
		from_hex(rows[i].hex, wanted);
		digest(rows[i].text, len, got);
		assert_memory_equal(got, wanted, DIGEST_SIZE);
		digest_begin(context);
		for (size_t at = 0; at < len; at++)
			digest_add(context, rows[i].text + at, 1);
		digest_end(context, got);
		assert_memory_equal(got, wanted, DIGEST_SIZE);
	}
	digest_free(context);
	digest_free(NULL);
}

/* RFC 8032 section 7.1, tests 1 and 3. */
static void signatures_are_those_of_rfc_8032(void **state)
{
	(void)state;
	static const struct {
		const char *private_part, *public_part, *message, *signature;
		size_t len;
	} rows[] = {
	    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
	     "b46bd25bf5f0595bbe24655141438e7a100b",
	     0},
	    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
	     "84dc6594a7c15e9716ed28dc027beceea1ec40a",
	     2},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t private_part[SIGN_PRIVATE_SIZE], again[SIGN_PRIVATE_SIZE];
		uint8_t wanted[SIGN_PUBLIC_SIZE], public_part[SIGN_PUBLIC_SIZE], message[2];
		uint8_t wanted_signature[SIGNATURE_SIZE], signature[SIGNATURE_SIZE];
		struct err err = {""};
		from_hex(rows[i].private_part, private_part);
		from_hex(rows[i].public_part, wanted);
		from_hex(rows[i].message, message);
		from_hex(rows[i].signature, wanted_signature);
		struct sign_key *key = sign_key_from(private_part, &err);
		assert_non_null(key);
		sign_key_public(key, public_part);
		assert_memory_equal(public_part, wanted, sizeof(wanted));
		assert_true(sign_key_private(key, again));
		assert_memory_equal(again, private_part, sizeof(again));
		assert_true(sign(key, message, rows[i].len, signature, &err));
		assert_memory_equal(signature, wanted_signature, sizeof(signature));
		assert_true(sign_verify(public_part, message, rows[i].len, signature));
		sign_key_free(key);
	}
}

static void what_was_not_signed_is_refused(void **state)
{
	(void)state;
	uint8_t public_part[SIGN_PUBLIC_SIZE], other[SIGN_PUBLIC_SIZE], signature[SIGNATURE_SIZE];
	struct err err = {""};
	struct sign_key *key = sign_key_new(&err), *second = sign_key_new(&err);
	assert_non_null(key);
	assert_non_null(second);
	sign_key_public(key, public_part);
	sign_key_public(second, other);
	assert_memory_not_equal(public_part, other, sizeof(other));
	assert_true(sign(key, "page", 4, signature, &err));
	assert_true(sign_verify(public_part, "page", 4, signature));
	assert_false(sign_verify(public_part, "pagf", 4, signature));
	assert_false(sign_verify(public_part, "page", 3, signature));
	assert_false(sign_verify(other, "page", 4, signature));
	for (size_t i = 0; i < SIGNATURE_SIZE; i++) {
		signature[i] ^= 1;
		assert_false(sign_verify(public_part, "page", 4, signature));
		signature[i] ^= 1;
	}
	memset(other, 0xff, sizeof(other)); /* no point of the curve */
	assert_false(sign_verify(other, "page", 4, signature));
	sign_key_free(key);
	sign_key_free(second);
	sign_key_free(NULL);
}

static void message_codes_are_those_of_rfc_4231(void **state)
{
	(void)state;
	/* test cases 2 and 6, the first eight bytes of each */
	static const uint8_t second[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e};
	static const uint8_t sixth[] = {0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f};
	static const char long_text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	uint8_t code[DIGEST_SIZE], key[131];
	struct err err;
	assert_true(crypto_hmac("Jefe", 4, "what do ya want for nothing?", 28, code, &err));
	assert_memory_equal(code, second, sizeof(second));
	memset(key, 0xaa, sizeof(key));
	assert_true(crypto_hmac(key, sizeof(key), long_text, sizeof(long_text) - 1, code, &err));
	assert_memory_equal(code, sixth, sizeof(sixth));
}

static void wiped_bytes_are_gone(void **state)
{
	(void)state;
	uint8_t secret[] = {0, 1, 2, 3}, wanted[] = {0, 0, 0, 3};
	crypto_wipe(secret, 3);
	assert_memory_equal(secret, wanted, sizeof(wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_bytes_fill_the_whole_buffer),
	    cmocka_unit_test(digests_are_those_of_fips_180),
	    cmocka_unit_test(signatures_are_those_of_rfc_8032),
	    cmocka_unit_test(what_was_not_signed_is_refused),
	    cmocka_unit_test(message_codes_are_those_of_rfc_4231),
	    cmocka_unit_test(wiped_bytes_are_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
