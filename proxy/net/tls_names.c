/* Names: which a certificate is for, and which a client asks for. Names of certificates come from
 * the subject alternative names only (RFC 9525): what stands in the subject counts nowhere any more. */
#include "net/tls.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/big_endian.h"

enum { NAME_MAX_BYTES = 253, LIST_HEAD = 2, ENTRY_HEAD = 3, TYPE_HOST = 0 };

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-' || c == '_' || c == '.';
}

/* Copied in lower case; 0 where it is nothing that a host may be called. */
static size_t take_name(const char *bytes, size_t len, bool wildcard, char *out)
{
	if (len > 1 && bytes[len - 1] == '.')
		len--; /* a trailing dot is the root's, and nobody's name */
	if (len == 0 || len > NAME_MAX_BYTES)
		return 0;
	for (size_t i = 0; i < len; i++) {
		out[i] = ascii_lower(bytes[i]);
		if (!is_name_byte(out[i]) && !(wildcard && i == 0 && out[i] == '*' && len > 2 && bytes[1] == '.'))
			return 0;
	}
	out[len] = '\0';
	return len;
}

size_t tls_read_server_name(const unsigned char *extension, size_t len, char out[256])
{
	if (len < LIST_HEAD + ENTRY_HEAD)
		return 0;
	size_t list = big16_at(extension);
	const unsigned char *entry = extension + LIST_HEAD;
	size_t name = big16_at(entry + 1);
	/* One name of one type: there has never been another, and OpenSSL takes no second one. */
	if (list != len - LIST_HEAD || entry[0] != TYPE_HOST || name != list - ENTRY_HEAD)
		return 0;
	return take_name((const char *)entry + ENTRY_HEAD, name, false, out);
}

static bool add_name(struct tls_names *names, const ASN1_IA5STRING *text)
{
	char name[NAME_MAX_BYTES + 1];
	size_t len = take_name((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text), true, name);
	if (len == 0)
		return true; /* nobody can ask for it */
	names->names[names->n] = strdup(name);
	return names->names[names->n++] != NULL;
}

bool tls_names_of(X509 *certificate, struct tls_names *out)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int n = all ? sk_GENERAL_NAME_num(all) : 0;
	bool ok = true;
	*out = (struct tls_names){.names = calloc((size_t)n + 1, sizeof(char *))};
	for (int i = 0; out->names && i < n && ok; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
		if (name->type == GEN_DNS)
			ok = add_name(out, name->d.dNSName);
	}
	GENERAL_NAMES_free(all);
	return ok && out->names != NULL;
}

void tls_names_release(struct tls_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct tls_names){0};
}
