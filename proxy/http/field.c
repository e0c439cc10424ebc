/* Which field a name means. One hash of the length and three letters leads to
 * the only row of fields.def it could be, so a lookup is one comparison. Names
 * come from the network: every function takes any bytes of any length, except
 * where its contract says token. */
#include "http/field.h"
#include "http/chars.h"

enum { NAME_MAX_BYTES = 32 };

struct known_field {
	char name[NAME_MAX_BYTES]; /* lower case */
	uint8_t len;
	uint8_t id; /* enum http_field_id */
};

/* Found by search, so that no two rows share a slot. */
enum { SLOTS = 512 };
#define SLOT(len, first, last2, last1)                                                             \
	(((unsigned)(len)*155U + (unsigned)(first)*417U + (unsigned)(last2)*240U +                 \
	  (unsigned)(last1)*301U) %                                                                \
	 SLOTS)

static const struct known_field known[SLOTS] = {
#define FIELD(id, name, first, last2, last1)                                                       \
	[SLOT(sizeof(name) - 1, first, last2, last1)] = {name, sizeof(name) - 1, HTTP_FIELD_##id},
#include "fields.def"
#undef FIELD
};

static uint64_t load_lower(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return word | WORD_EACH(0x20);
}

/* In a token, c | 0x20 equals a lower-case letter, a digit or "-" only where c
 * is that character in either case. The last eight bytes overlap those before. */
bool http_token_is(struct span token, struct span lower)
{
	size_t len = token.len, i = 0;
	if (len != lower.len)
		return false;
	if (len >= 8) {
		for (; i + 8 <= len; i += 8)
			if (load_lower(token.ptr + i) != load_lower(lower.ptr + i))
				return false;
		return load_lower(token.ptr + len - 8) == load_lower(lower.ptr + len - 8);
	}
	for (; i < len; i++)
		if ((token.ptr[i] | 0x20) != lower.ptr[i])
			return false;
	return true;
}

static const struct known_field *find(struct span name)
{
	if (name.len < 2 || name.len >= NAME_MAX_BYTES)
		return NULL;
	const struct known_field *row =
	    &known[SLOT(name.len, name.ptr[0] | 0x20, name.ptr[name.len - 2] | 0x20,
			name.ptr[name.len - 1] | 0x20)];
	return http_token_is(name, span_of(row->name, row->len)) ? row : NULL;
}

/* Families: too many names to list, of which proxies that sign users on and edges of clouds make new ones.
 * Sorted, so that an ordinary name is compared with few. */
struct family {
	struct span prefix;
	enum http_field_id id;
};

static const struct family families[] = {
    {{"akamai-", 7}, HTTP_FIELD_CLAIM},
    {{"cf-access-", 10}, HTTP_FIELD_CLAIM},
    {{"cf-visitor", 10}, HTTP_FIELD_CLAIM},
    {{"cf-ipcountry", 12}, HTTP_FIELD_CLAIM},
    {{"fly-", 4}, HTTP_FIELD_CLAIM},
    {{"http-client-ip", 14}, HTTP_FIELD_CLAIM},
    {{"remote-", 7}, HTTP_FIELD_CLAIM},
    {{"tailscale-", 10}, HTTP_FIELD_CLAIM},
};

static const struct family x_families[] = {
    {{"x-amzn-oidc-", 12}, HTTP_FIELD_CLAIM},
    {{"x-appengine-", 12}, HTTP_FIELD_CLAIM},
    {{"x-arr-", 6}, HTTP_FIELD_CLAIM},
    {{"x-auth-request-", 15}, HTTP_FIELD_CLAIM},
    {{"x-authenticated-", 16}, HTTP_FIELD_CLAIM},
    {{"x-authentik-", 12}, HTTP_FIELD_CLAIM},
    {{"x-azure-", 8}, HTTP_FIELD_CLAIM},
    {{"x-client-cert-", 14}, HTTP_FIELD_CLIENT_CERT},
    {{"x-custom-ip-", 12}, HTTP_FIELD_CLAIM},
    {{"x-envoy-", 8}, HTTP_FIELD_CLAIM},
    {{"x-forward", 9}, HTTP_FIELD_CLAIM},
    {{"x-goog-authenticated-", 21}, HTTP_FIELD_CLAIM},
    {{"x-goog-iap-", 11}, HTTP_FIELD_CLAIM},
    {{"x-ms-client-principal", 21}, HTTP_FIELD_CLAIM},
    {{"x-original-", 11}, HTTP_FIELD_CLAIM},
    {{"x-override-", 11}, HTTP_FIELD_OVERRIDE},
    {{"x-pomerium-", 11}, HTTP_FIELD_CLAIM},
    {{"x-remote-", 9}, HTTP_FIELD_CLAIM},
    {{"x-ssl-", 6}, HTTP_FIELD_CLAIM},
    {{"x-vercel-", 9}, HTTP_FIELD_CLAIM},
    {{"x-webauth-", 10}, HTTP_FIELD_CLAIM},
};

/* By the letter at `at`, which all before have in common. HTTP_FIELD_OTHER where it is of none. */
static enum http_field_id family_among(const struct family *family, size_t n, struct span name, size_t at)
{
	const char letter = ascii_lower(name.ptr[at]);
	const struct family *end = family + n;
	while (family < end && family->prefix.ptr[at] < letter)
		family++;
	for (; family < end && family->prefix.ptr[at] == letter; family++)
		if (span_istarts(name, family->prefix))
			return family->id;
	return HTTP_FIELD_OTHER;
}

static enum http_field_id family_of(struct span name)
{
	if (name.len <= 2)
		return HTTP_FIELD_OTHER;
	if (ascii_lower(name.ptr[0]) == 'x' && name.ptr[1] == '-')
		return family_among(x_families, sizeof(x_families) / sizeof(x_families[0]), name, 2);
	return family_among(families, sizeof(families) / sizeof(families[0]), name, 0);
}

enum http_field_id http_field_id_of_token(struct span name)
{
	const struct known_field *row = find(name);
	if (row)
		return (enum http_field_id)row->id;
	return family_of(name);
}

enum http_field_id http_field_lookup(struct span name)
{
	return http_is_token(name) ? http_field_id_of_token(name) : HTTP_FIELD_OTHER;
}

enum http_field_id http_field_confused_with(struct span name)
{
	char plain[NAME_MAX_BYTES];
	bool odd = false;
	size_t len = name.len < sizeof(plain) ? name.len : sizeof(plain);
	for (size_t i = 0; i < len; i++) {
		bool is_plain = http_is_class(name.ptr[i], HTTP_CLASS_PLAIN);
		plain[i] = is_plain ? name.ptr[i] : '-';
		odd = odd || !is_plain;
	}
	return odd ? http_field_id_of_token(span_of(plain, len)) : HTTP_FIELD_OTHER;
}

bool http_field_is_vital(struct span name)
{
	return find(name) || family_of(name) != HTTP_FIELD_OTHER || span_istarts(name, SPAN("content-"));
}

bool http_is_token(struct span s)
{
	return s.len > 0 && http_class_end(s.ptr, 0, s.len, HTTP_CLASS_TOKEN) == s.len;
}

struct span http_find(const struct http_head *head, enum http_field_id id)
{
	for (size_t i = 0; i < head->field_count; i++)
		if (head->fields[i].id == id)
			return http_field_value(head, &head->fields[i]);
	return span_of(NULL, 0);
}
