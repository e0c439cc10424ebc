/* Writes PROXY headers. */
#include "sallyport/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21, V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21 };

static bool is_v4(const struct addr *addr)
{
	return addr->u.sa.sa_family == AF_INET;
}

/* As IPv6 text, also where it is none. */
static void format_v6(const struct addr *addr, char out[ADDR_TEXT_SIZE])
{
	size_t prefix = is_v4(addr) ? strlen("::ffff:") : 0;
	char ip[ADDR_TEXT_SIZE];
	addr_format_ip(addr, ip);
	snprintf(out, ADDR_TEXT_SIZE, "%.*s%.*s", (int)prefix, "::ffff:", INET6_ADDRSTRLEN, ip);
}

static size_t write_v1(const struct addr *source, const struct addr *destination, bool is_known,
		       char out[PROXY_WRITE_MAX])
{
	char from[ADDR_TEXT_SIZE], to[ADDR_TEXT_SIZE];
	bool both_v4 = is_known && is_v4(source) && is_v4(destination);
	if (!is_known)
		return (size_t)snprintf(out, PROXY_WRITE_MAX, "PROXY UNKNOWN\r\n");
	if (both_v4) {
		addr_format_ip(source, from);
		addr_format_ip(destination, to);
	} else {
		format_v6(source, from);
		format_v6(destination, to);
	}
	return (size_t)snprintf(out, PROXY_WRITE_MAX, "PROXY %s %s %s %u %u\r\n", both_v4 ? "TCP4" : "TCP6", from,
				to, addr_port(source), addr_port(destination));
}

/* Its address, in the form that both have. */
static size_t put_address(const struct addr *addr, bool both_v4, char *out)
{
	uint8_t mapped[16];
	(void)addr_mapped_bytes(addr, mapped);
	size_t skipped = both_v4 ? 12 : 0;
	memcpy(out, mapped + skipped, sizeof(mapped) - skipped);
	return sizeof(mapped) - skipped;
}

static size_t put_port(const struct addr *addr, char *out)
{
	uint16_t port = htons(addr_port(addr));
	memcpy(out, &port, sizeof(port));
	return sizeof(port);
}

static size_t write_v2(const struct addr *source, const struct addr *destination, bool is_known,
		       char out[PROXY_WRITE_MAX])
{
	bool both_v4 = is_known && is_v4(source) && is_v4(destination);
	size_t len = PROXY_V2_PREFIX;
	memcpy(out, v2_signature, sizeof(v2_signature) - 1);
	out[12] = is_known ? V2_PROXY : V2_LOCAL;
	out[13] = !is_known ? V2_UNSPEC : both_v4 ? V2_TCP4 : V2_TCP6;
	if (is_known) {
		len += put_address(source, both_v4, out + len);
		len += put_address(destination, both_v4, out + len);
		len += put_port(source, out + len);
		len += put_port(destination, out + len);
	}
	out[14] = 0;
	out[15] = (char)(len - PROXY_V2_PREFIX);
	return len;
}

static bool is_ip(const struct addr *addr)
{
	return addr && (is_v4(addr) || addr->u.sa.sa_family == AF_INET6);
}

size_t proxy_header_write(enum proxy_version version, const struct addr *source,
			  const struct addr *destination, char out[PROXY_WRITE_MAX])
{
	bool is_known = is_ip(source) && is_ip(destination);
	switch (version) {
	case PROXY_VERSION_1: return write_v1(source, destination, is_known, out);
	case PROXY_VERSION_2: return write_v2(source, destination, is_known, out);
	default: return 0;
	}
}
