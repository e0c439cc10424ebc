/* Signed packs of rules, read and written. A pack is a stranger's bytes until its signature is verified: before that
 * only the six lines of its head and the last line are looked at. Knows no file and no clock. */
#include "sallyport/rule_pack.h"

#include <inttypes.h>
#include <stdio.h>

#include "sallyport/clock.h"
#include "sallyport/keys.h"

static const char title[] = "sallyport rule pack 1";
static const char signature_word[] = "signature ";

enum {
	SIGNATURE_DIGITS = 2 * SIGNATURE_SIZE,
	SIGNATURE_LINE = sizeof(signature_word) - 1 + SIGNATURE_DIGITS + 1,
	HEAD_LINE_MAX = 128,
};

/* ---- names ---- */

static bool is_of(struct span text, const char *allowed)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '\0' || !strchr(allowed, text.ptr[i]))
			return false;
	return text.len > 0 && text.len <= RULE_PACK_NAME_MAX;
}

bool rule_pack_is_name(struct span name)
{
	return is_of(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") && name.ptr[0] != '.' && name.ptr[0] != '-';
}

bool rule_pack_is_file_name(struct span name)
{
	return is_of(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") &&
	       name.ptr[0] != '.' && name.ptr[0] != '-' && span_ends(name, SPAN(".cfg"));
}

/* ---- its parts ---- */

/* Upper case would be a second way to write the same. */
static bool read_hex(struct span digits, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < digits.len; i++)
		if (digits.ptr[i] >= 'A' && digits.ptr[i] <= 'F')
			return false;
	return hex_read(digits, out, n);
}

static bool read_number(struct span digits, uint64_t max, uint64_t *out)
{
	return digits.len > 0 && (digits.ptr[0] != '0' || digits.len == 1) && span_to_u64(digits, max, out);
}

/* Takes "WORD value\n" off the rest; value is what stands behind the word and its space. */
static bool take_line(struct span *rest, const char *word, struct span *value, struct err *err)
{
	struct span head = span_of(rest->ptr, rest->len < HEAD_LINE_MAX ? rest->len : HEAD_LINE_MAX);
	size_t len = span_find(head, '\n'), word_len = strlen(word);
	if (len == head.len || len < word_len + 1 || memcmp(head.ptr, word, word_len) != 0 || head.ptr[word_len] != ' ')
		return err_set(err, "a line \"%s …\" is missing", word);
	*value = span_of(head.ptr + word_len + 1, len - word_len - 1);
	*rest = span_from(*rest, len + 1);
	return true;
}

static bool wrong(struct err *err, const char *what)
{
	return err_set(err, "its %s is none", what);
}

static bool read_head(struct span *rest, struct rule_pack *out, uint64_t *files, struct err *err)
{
	struct span value;
	const size_t title_len = sizeof(title) - 1;
	if (rest->len <= title_len || memcmp(rest->ptr, title, title_len) != 0 || rest->ptr[title_len] != '\n')
		return err_set(err, "it is no rule pack of format 1: it does not begin with \"%s\"", title);
	*rest = span_from(*rest, title_len + 1);
	if (!take_line(rest, "name", &value, err))
		return false;
	if (!rule_pack_is_name(value))
		return wrong(err, "name");
	memcpy(out->name, value.ptr, value.len);
	out->name[value.len] = '\0';
	if (!take_line(rest, "version", &value, err))
		return false;
	if (!read_number(value, RULE_PACK_VERSION_MAX, &out->version) || out->version == 0)
		return wrong(err, "version");
	if (!take_line(rest, "created", &value, err))
		return false;
	if (!clock_parse_iso(value, &out->created_s))
		return wrong(err, "date");
	if (!take_line(rest, "key", &value, err))
		return false;
	if (!read_hex(value, out->key, SIGN_PUBLIC_SIZE))
		return wrong(err, "key");
	if (!take_line(rest, "files", &value, err))
		return false;
	if (!read_number(value, RULE_PACK_FILES_MAX, files) || *files == 0)
		return err_set(err, "it has no number of files from 1 to %d", RULE_PACK_FILES_MAX);
	return true;
}

static int compare(struct span a, struct span b)
{
	int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool is_text(struct span text)
{
	return text.len > 0 && text.ptr[text.len - 1] == '\n' && !memchr(text.ptr, '\0', text.len);
}

/* What one has to be, whoever wrote it; before: the one before it, or NULL. */
static bool is_sound(const struct rule_pack_file *file, const struct rule_pack_file *before, struct err *err)
{
	if (!rule_pack_is_file_name(file->name))
		return err_set(err, "a file of it is not named as \"sql.cfg\" is");
	if (before && compare(before->name, file->name) >= 0)
		return err_set(err, "%.*s does not come after %.*s", SPAN_ARG(file->name), SPAN_ARG(before->name));
	if (!is_text(file->text))
		return err_set(err, "%.*s is empty, has a NUL byte, or does not end in a line's end",
			       SPAN_ARG(file->name));
	return true;
}

/* "file NAME LENGTH\n" and so many bytes. */
static bool read_file(struct span *rest, struct rule_pack_file *out, struct err *err)
{
	struct span value;
	uint64_t len;
	if (!take_line(rest, "file", &value, err))
		return false;
	size_t space = span_find(value, ' ');
	out->name = span_of(value.ptr, space);
	if (!read_number(span_from(value, space + 1), RULE_PACK_BYTES_MAX, &len) || len > rest->len)
		return err_set(err, "it ends within a file");
	out->text = span_of(rest->ptr, (size_t)len);
	*rest = span_from(*rest, (size_t)len);
	return true;
}

static bool read_files(struct span rest, uint64_t n, struct rule_pack *out, struct err *err)
{
	for (out->file_count = 0; out->file_count < n; out->file_count++) {
		struct rule_pack_file *file = &out->files[out->file_count];
		if (!read_file(&rest, file, err) || !is_sound(file, out->file_count > 0 ? file - 1 : NULL, err))
			return false;
	}
	return rest.len == 0 || err_set(err, "there is more in it than its files");
}

/* ---- whose it is ---- */

static bool is_trusted(const uint8_t key[SIGN_PUBLIC_SIZE], const struct rule_pack_trust *trust)
{
	bool found = trust->anybody;
	for (size_t i = 0; !found && i < trust->n; i++)
		found = memcmp(trust->keys[i], key, SIGN_PUBLIC_SIZE) == 0;
	return found;
}

static bool read_signature(struct span line, uint8_t out[SIGNATURE_SIZE])
{
	struct span word = span_from_str(signature_word);
	return span_starts(line, word) && line.ptr[SIGNATURE_LINE - 1] == '\n' &&
	       read_hex(span_of(line.ptr + word.len, SIGNATURE_DIGITS), out, SIGNATURE_SIZE);
}

bool rule_pack_open(struct span bytes, const struct rule_pack_trust *trust, struct rule_pack *out, struct err *err)
{
	uint8_t signature[SIGNATURE_SIZE];
	char hex[KEY_HEX_SIZE];
	uint64_t files;
	*out = (struct rule_pack){.version = 0};
	if (bytes.len > RULE_PACK_BYTES_MAX)
		return err_set(err, "it has %zu bytes, a pack has at most %d", bytes.len, RULE_PACK_BYTES_MAX);
	if (bytes.len <= SIGNATURE_LINE)
		return err_set(err, "it is no rule pack: it is too short");
	struct span body = span_of(bytes.ptr, bytes.len - SIGNATURE_LINE), rest = body;
	if (!read_head(&rest, out, &files, err))
		return false;
	hex_write(out->key, SIGN_PUBLIC_SIZE, hex);
	if (!is_trusted(out->key, trust))
		return err_set(err, "it is signed by the key %s, which is not one of rule_pack.keys", hex);
	if (!read_signature(span_from(bytes, body.len), signature))
		return err_set(err, "it does not end in a signature: it is not whole");
	if (!sign_verify(out->key, body.ptr, body.len, signature))
		return err_set(err, "its signature is wrong: it was changed after %s signed it", hex);
	return read_files(rest, files, out, err);
}

/* ---- making one ---- */

static bool may_be_written(const struct rule_pack *pack, struct err *err)
{
	if (!rule_pack_is_name(span_from_str(pack->name)))
		return err_set(err, "\"%.64s\" is not of at most %d lower-case letters, digits, '.', '-' and '_'", pack->name,
			       RULE_PACK_NAME_MAX);
	if (pack->version == 0 || pack->version > RULE_PACK_VERSION_MAX)
		return err_set(err, "a version is a number from 1 to %" PRIu64, RULE_PACK_VERSION_MAX);
	if (pack->file_count == 0 || pack->file_count > RULE_PACK_FILES_MAX)
		return err_set(err, "%zu files, a pack has 1 to %d", pack->file_count, RULE_PACK_FILES_MAX);
	for (size_t i = 0; i < pack->file_count; i++)
		if (!is_sound(&pack->files[i], i > 0 ? &pack->files[i - 1] : NULL, err))
			return false;
	return true;
}

static void write_body(const struct rule_pack *pack, const uint8_t key[SIGN_PUBLIC_SIZE], struct strbuf *out)
{
	char hex[KEY_HEX_SIZE], iso[CLOCK_ISO_SIZE];
	hex_write(key, SIGN_PUBLIC_SIZE, hex);
	clock_format_iso(pack->created_s * 1000000, iso);
	strbuf_addf(out, "%s\nname %s\nversion %" PRIu64 "\ncreated %.19sZ\nkey %s\nfiles %zu\n", title, pack->name,
		    pack->version, iso, hex, pack->file_count);
	for (size_t i = 0; i < pack->file_count; i++) {
		const struct rule_pack_file *file = &pack->files[i];
		strbuf_addf(out, "file %.*s %zu\n", SPAN_ARG(file->name), file->text.len);
		strbuf_add_span(out, file->text);
	}
}

bool rule_pack_write(const struct rule_pack *pack, const struct sign_key *key, struct strbuf *out, struct err *err)
{
	uint8_t public_part[SIGN_PUBLIC_SIZE], signature[SIGNATURE_SIZE];
	char hex[HEX_SIZE(SIGNATURE_SIZE)];
	const size_t before = out->len;
	if (!may_be_written(pack, err))
		return false;
	sign_key_public(key, public_part);
	write_body(pack, public_part, out);
	if (out->truncated || out->len - before + SIGNATURE_LINE > RULE_PACK_BYTES_MAX)
		return err_set(err, "its files have more than %d bytes together", RULE_PACK_BYTES_MAX);
	if (!sign(key, out->data + before, out->len - before, signature, err))
		return false;
	strbuf_addf(out, "%s%s\n", signature_word, hex_write(signature, SIGNATURE_SIZE, hex));
	return !out->truncated || err_set(err, "out of memory");
}
