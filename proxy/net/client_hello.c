/* Reads the server's name in a ClientHello. What does not matter for it is measured, not understood; an Encrypted
 * ClientHello has its outer name, which is whom the connection goes to. */
#include "sallyport/client_hello.h"

#include "sallyport/addr.h"
#include "sallyport/big_endian.h"
#include "sallyport/url.h"

enum { RECORD_HEAD = 5, MESSAGE_HEAD = 4, RANDOM_BYTES = 32, SESSION_MAX = 32 };
enum { TYPE_HANDSHAKE = 22, TYPE_CLIENT_HELLO = 1, VERSION_MAJOR = 3, RECORD_BYTES_MAX = 16384 };
enum { EXTENSION_SERVER_NAME = 0, NAME_TYPE_HOST = 0 };

static size_t byte_at(struct span bytes, size_t at)
{
	return (uint8_t)bytes.ptr[at];
}

static size_t u16_at(struct span bytes, size_t at)
{
	return big16_at(bytes.ptr + at);
}

/* The first len bytes of *rest, taken off it. */
static bool take(struct span *rest, size_t len, struct span *out)
{
	if (rest->len < len)
		return false;
	*out = span_of(rest->ptr, len);
	*rest = span_from(*rest, len);
	return true;
}

/* What follows its own length, in one byte or two. */
static bool take_vector(struct span *rest, size_t length_bytes, struct span *out)
{
	struct span length;
	if (!take(rest, length_bytes, &length))
		return false;
	return take(rest, length_bytes == 2 ? u16_at(length, 0) : byte_at(length, 0), out);
}

/* Of record and message: 1 whole, 0 not whole yet, -1 another thing. */
static int measure(struct span bytes, size_t *record_len)
{
	static const uint8_t least[] = {TYPE_HANDSHAKE, VERSION_MAJOR, 1, 0, 0, TYPE_CLIENT_HELLO};
	static const uint8_t most[] = {TYPE_HANDSHAKE, VERSION_MAJOR, 3, 0xff, 0xff, TYPE_CLIENT_HELLO};
	for (size_t i = 0; i < bytes.len && i < sizeof(least); i++)
		if (byte_at(bytes, i) < least[i] || byte_at(bytes, i) > most[i])
			return -1;
	if (bytes.len < RECORD_HEAD)
		return 0;
	*record_len = u16_at(bytes, 3);
	if (*record_len > RECORD_BYTES_MAX || *record_len < MESSAGE_HEAD)
		return -1;
	if (bytes.len < RECORD_HEAD + MESSAGE_HEAD)
		return 0;
	size_t message_len = byte_at(bytes, 6) << 16 | u16_at(bytes, 7);
	if (message_len != *record_len - MESSAGE_HEAD)
		return -1;
	return bytes.len >= RECORD_HEAD + *record_len;
}

static bool copy_name(struct span host, char name[SERVER_NAME_SIZE])
{
	struct url_host parsed;
	struct addr addr;
	enum reason reason = REASON_UNSET;
	if (host.len >= SERVER_NAME_SIZE || host.len == 0 || host.ptr[host.len - 1] == '.' ||
	    span_find(host, ':') < host.len || !url_parse_host(host, &parsed, &reason) ||
	    addr_parse_ip(host, 0, &addr))
		return false;
	for (size_t i = 0; i < host.len; i++)
		name[i] = ascii_lower(host.ptr[i]);
	name[host.len] = '\0';
	return true;
}

/* ServerNameList: a list by its form, of one name by RFC 6066. */
static bool read_names(struct span body, char name[SERVER_NAME_SIZE])
{
	struct span list, type, host;
	return name[0] == '\0' && take_vector(&body, 2, &list) && body.len == 0 && take(&list, 1, &type) &&
	       byte_at(type, 0) == NAME_TYPE_HOST && take_vector(&list, 2, &host) && list.len == 0 &&
	       copy_name(host, name);
}

static bool read_extensions(struct span rest, char name[SERVER_NAME_SIZE])
{
	while (rest.len > 0) {
		struct span type, body;
		if (!take(&rest, 2, &type) || !take_vector(&rest, 2, &body))
			return false;
		if (u16_at(type, 0) == EXTENSION_SERVER_NAME && !read_names(body, name))
			return false;
	}
	return true;
}

static bool read_message(struct span rest, char name[SERVER_NAME_SIZE])
{
	struct span version, random, session, suites, compressions, extensions;
	if (!take(&rest, 2, &version) || byte_at(version, 0) != VERSION_MAJOR ||
	    !take(&rest, RANDOM_BYTES, &random) || !take_vector(&rest, 1, &session) || session.len > SESSION_MAX ||
	    !take_vector(&rest, 2, &suites) || suites.len == 0 || suites.len % 2 != 0 ||
	    !take_vector(&rest, 1, &compressions) || compressions.len == 0)
		return false;
	/* Clients before TLS 1.2 may end here. */
	return rest.len == 0 ||
	       (take_vector(&rest, 2, &extensions) && rest.len == 0 && read_extensions(extensions, name));
}

enum hello_parse client_hello_parse(struct span bytes, char name[SERVER_NAME_SIZE])
{
	size_t record_len = 0;
	name[0] = '\0';
	int whole = measure(bytes, &record_len);
	if (whole <= 0)
		return whole < 0 ? HELLO_BAD : HELLO_MORE;
	struct span message = span_of(bytes.ptr + RECORD_HEAD + MESSAGE_HEAD, record_len - MESSAGE_HEAD);
	if (read_message(message, name))
		return HELLO_DONE;
	name[0] = '\0';
	return HELLO_BAD;
}
