/* Key files. A private key is taken only from a regular file that nobody else can read; a file
 * that is anything else is refused, and never written over. */
#include "sallyport/keys.h"

#include <string.h>

#include "sallyport/files.h"

_Static_assert((int)SIGN_PRIVATE_SIZE == (int)SIGN_PUBLIC_SIZE, "one reader for both");

enum { KEY_FILE_MAX = 256 };

#define PRIVATE_TITLE "sallyport private key 1\n"
#define PUBLIC_TITLE "sallyport public key 1\n"

static bool parse(struct span text, struct span title, uint8_t out[SIGN_PUBLIC_SIZE])
{
	if (!span_starts(text, title) || !span_ends(text, SPAN("\n")))
		return false;
	text = span_from(text, title.len);
	return text.len > 0 && hex_read(span_of(text.ptr, text.len - 1), out, SIGN_PUBLIC_SIZE);
}

static enum keys_read load(int directory, const char *name, struct span title,
			   uint8_t out[SIGN_PUBLIC_SIZE], struct err *err)
{
	struct strbuf text;
	strbuf_init(&text, KEY_FILE_MAX);
	enum keys_read result = KEYS_REFUSED;
	enum file_read read = file_read_private(directory, name, &text, err);
	if (read == FILE_ABSENT)
		result = KEYS_ABSENT;
	else if (read == FILE_READ && parse(strbuf_span(&text), title, out))
		result = KEYS_READ;
	else if (read == FILE_READ)
		err_set(err, "%s is no key", name);
	if (text.data)
		crypto_wipe(text.data, text.room);
	strbuf_release(&text);
	return result;
}

enum keys_read keys_load(int directory, const char *name, struct sign_key **out, struct err *err)
{
	uint8_t private_part[SIGN_PRIVATE_SIZE];
	enum keys_read result = load(directory, name, SPAN(PRIVATE_TITLE), private_part, err);
	if (result != KEYS_READ)
		return result;
	*out = sign_key_from(private_part, err);
	crypto_wipe(private_part, sizeof(private_part));
	return *out ? KEYS_READ : KEYS_REFUSED;
}

enum keys_read keys_load_public(int directory, uint8_t out[SIGN_PUBLIC_SIZE], struct err *err)
{
	return load(directory, KEY_FILE_PUBLIC, SPAN(PUBLIC_TITLE), out, err);
}

static bool save(int directory, const char *name, const char *title,
		 const uint8_t bytes[SIGN_PUBLIC_SIZE], struct err *err)
{
	char text[KEY_FILE_MAX];
	size_t len = strlen(title);
	memcpy(text, title, len);
	hex_write(bytes, SIGN_PUBLIC_SIZE, text + len);
	len += KEY_HEX_SIZE - 1;
	text[len++] = '\n';
	bool ok = file_replace(directory, name, text, len, err);
	crypto_wipe(text, sizeof(text));
	return ok;
}

bool keys_save(int directory, const char *name, const struct sign_key *key, struct err *err)
{
	uint8_t private_part[SIGN_PRIVATE_SIZE];
	if (!sign_key_private(key, private_part))
		return err_set(err, "the key has no private part");
	bool ok = save(directory, name, PRIVATE_TITLE, private_part, err);
	crypto_wipe(private_part, sizeof(private_part));
	return ok;
}

bool keys_save_public(int directory, const uint8_t public_part[SIGN_PUBLIC_SIZE], struct err *err)
{
	return save(directory, KEY_FILE_PUBLIC, PUBLIC_TITLE, public_part, err);
}
