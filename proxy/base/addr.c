/* IP addresses and networks as values, and as text. Parses literals only: no name is
 * looked up here. Trusts that a struct addr was made by these functions or zeroed;
 * one of an unknown family reads as no address. */
#include "sallyport/addr.h"

#include <arpa/inet.h>
#include <string.h>

#include "sallyport/big_endian.h"

socklen_t addr_len(const struct addr *addr)
{
	return addr->u.sa.sa_family == AF_INET6 ? sizeof(addr->u.in6) : sizeof(addr->u.in4);
}

static void set_v4(struct addr *out, const void *four_bytes, uint16_t port)
{
	*out = (struct addr){.u.in4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
	memcpy(&out->u.in4.sin_addr, four_bytes, 4);
}

static void set_v6(struct addr *out, const struct in6_addr *ip, uint16_t port)
{
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		set_v4(out, ip->s6_addr + 12, port);
		return;
	}
	*out = (struct addr){.u.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
	out->u.in6.sin6_addr = *ip;
}

/* inet_pton wants a string. A NUL inside, a zone and an empty text are no address. */
static bool parse_literal(struct span text, int family, void *out)
{
	char str[INET6_ADDRSTRLEN];
	if (text.len == 0 || text.len >= sizeof(str) || span_find(text, '\0') < text.len)
		return false;
	memcpy(str, text.ptr, text.len);
	str[text.len] = '\0';
	return inet_pton(family, str, out) == 1;
}

static bool is_bracketed(struct span text)
{
	return text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
}

bool addr_parse_ip(struct span text, uint16_t port, struct addr *out)
{
	struct in_addr v4;
	struct in6_addr v6;
	bool bracketed = is_bracketed(text);
	if (bracketed)
		text = span_of(text.ptr + 1, text.len - 2);
	if (parse_literal(text, AF_INET6, &v6)) {
		set_v6(out, &v6, port);
		return true;
	}
	if (bracketed || !parse_literal(text, AF_INET, &v4))
		return false;
	set_v4(out, &v4, port);
	return true;
}

/* The colon before the port: the last one, unless it stands inside brackets. */
static bool split_port(struct span text, struct span *host, struct span *port)
{
	for (size_t i = text.len; i-- > 0;) {
		if (text.ptr[i] == ']')
			return false;
		if (text.ptr[i] == ':') {
			*host = span_of(text.ptr, i);
			*port = span_from(text, i + 1);
			return true;
		}
	}
	return false;
}

bool addr_parse(struct span text, struct addr *out, struct err *err)
{
	struct span host, digits;
	uint64_t port;
	if (!split_port(text, &host, &digits))
		return err_set(err, "'%.*s' has no port: write ADDRESS:PORT", SPAN_ARG(text));
	if (!span_to_u64(digits, UINT16_MAX, &port))
		return err_set(err, "'%.*s': the port is not a number from 0 to 65535",
			       SPAN_ARG(text));
	if (host.len == 0 || span_eq(host, SPAN("*"))) {
		set_v6(out, &in6addr_any, (uint16_t)port);
		return true;
	}
	if (span_find(host, ':') < host.len && !is_bracketed(host))
		return err_set(err, "'%.*s': write an IPv6 address in brackets, as in [::1]:80",
			       SPAN_ARG(text));
	if (!addr_parse_ip(host, (uint16_t)port, out))
		return err_set(err, "'%.*s' is not an IP address with a port", SPAN_ARG(text));
	return true;
}

bool addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out)
{
	/* copied: a sockaddr from elsewhere may lie on any boundary */
	if (len >= sizeof(struct sockaddr_in) && sa->sa_family == AF_INET) {
		struct sockaddr_in in4;
		memcpy(&in4, sa, sizeof(in4));
		set_v4(out, &in4.sin_addr, ntohs(in4.sin_port));
		return true;
	}
	if (len >= sizeof(struct sockaddr_in6) && sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof(in6));
		set_v6(out, &in6.sin6_addr, ntohs(in6.sin6_port));
		if (out->u.sa.sa_family == AF_INET6)
			out->u.in6.sin6_scope_id = in6.sin6_scope_id; /* link-local peers need it */
		return true;
	}
	return false;
}

uint16_t addr_port(const struct addr *addr)
{
	switch (addr->u.sa.sa_family) {
	case AF_INET: return ntohs(addr->u.in4.sin_port);
	case AF_INET6: return ntohs(addr->u.in6.sin6_port);
	default: return 0;
	}
}

void addr_set_port(struct addr *addr, uint16_t port)
{
	if (addr->u.sa.sa_family == AF_INET6)
		addr->u.in6.sin6_port = htons(port);
	else
		addr->u.in4.sin_port = htons(port);
}

static size_t put_number(char *at, unsigned value)
{
	char digits[8];
	size_t n = 0;
	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	for (size_t i = 0; i < n; i++)
		at[i] = digits[n - 1 - i];
	return n;
}

/* By hand: the log needs it for each request. */
static size_t format_v4(const uint8_t bytes[4], char *out)
{
	size_t len = 0;
	for (unsigned i = 0; i < 4; i++) {
		len += put_number(out + len, bytes[i]);
		out[len++] = '.';
	}
	out[--len] = '\0';
	return len;
}

size_t addr_format_ip(const struct addr *addr, char out[ADDR_TEXT_SIZE])
{
	uint8_t v4[4];
	switch (addr->u.sa.sa_family) {
	case AF_INET: memcpy(v4, &addr->u.in4.sin_addr, sizeof(v4)); return format_v4(v4, out);
	case AF_INET6:
		inet_ntop(AF_INET6, &addr->u.in6.sin6_addr, out, ADDR_TEXT_SIZE);
		return strlen(out);
	default: memcpy(out, "-", 2); return 1;
	}
}

size_t addr_format(const struct addr *addr, char out[ADDR_TEXT_SIZE])
{
	bool brackets = addr->u.sa.sa_family == AF_INET6;
	char ip[ADDR_TEXT_SIZE];
	size_t len = addr_format_ip(addr, ip);
	size_t used = 0;
	if (brackets)
		out[used++] = '[';
	memcpy(out + used, ip, len);
	used += len;
	if (brackets)
		out[used++] = ']';
	out[used++] = ':';
	used += put_number(out + used, addr_port(addr));
	out[used] = '\0';
	return used;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	if (a->u.sa.sa_family != b->u.sa.sa_family || addr_port(a) != addr_port(b))
		return false;
	if (a->u.sa.sa_family == AF_INET6)
		return memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, 16) == 0 &&
		       a->u.in6.sin6_scope_id == b->u.in6.sin6_scope_id;
	return a->u.in4.sin_addr.s_addr == b->u.in4.sin_addr.s_addr;
}

uint64_t addr_client_key(const struct addr *addr)
{
	if (addr->u.sa.sa_family != AF_INET6)
		/* ::ffff:0:0/32 belongs to nobody, so no /64 has the key of an IPv4 address */
		return (uint64_t)0xffff << 32 | ntohl(addr->u.in4.sin_addr.s_addr);
	uint64_t key = big64_at(&addr->u.in6.sin6_addr);
	return key ? key : 1;
}

bool addr_mapped_bytes(const struct addr *addr, uint8_t out[16])
{
	if (addr->u.sa.sa_family == AF_INET6) {
		memcpy(out, &addr->u.in6.sin6_addr, 16);
		return true;
	}
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, &addr->u.in4.sin_addr, 4);
	return addr->u.sa.sa_family == AF_INET;
}

/* Clears what stands after the prefix; true where something stood there. */
static bool clear_host_bits(struct cidr *cidr)
{
	uint8_t left = 0;
	for (unsigned i = 0; i < 16; i++) {
		unsigned bit = i * 8;
		unsigned kept = cidr->prefix <= bit ? 0 : cidr->prefix - bit;
		uint8_t mask = (uint8_t)(0xff00U >> (kept < 8 ? kept : 8));
		left |= (uint8_t)(cidr->bytes[i] & ~mask);
		cidr->bytes[i] &= mask;
	}
	return left != 0;
}

bool cidr_parse(struct span text, struct cidr *out, struct err *err)
{
	size_t slash = span_find(text, '/');
	struct addr addr;
	if (!addr_parse_ip(span_of(text.ptr, slash), 0, &addr) ||
	    is_bracketed(span_of(text.ptr, slash)))
		return err_set(err,
			       "'%.*s' is neither an IP address nor a network such as 10.0.0.0/8",
			       SPAN_ARG(text));
	bool v4 = addr.u.sa.sa_family == AF_INET;
	uint64_t longest = v4 ? 32 : 128, prefix = longest;
	if (slash < text.len && !span_to_u64(span_from(text, slash + 1), longest, &prefix))
		return err_set(err, "'%.*s': the prefix length is not a number from 0 to %u",
			       SPAN_ARG(text), (unsigned)longest);
	struct cidr cidr = {.prefix = (uint8_t)(v4 ? prefix + 96 : prefix)};
	(void)addr_mapped_bytes(&addr, cidr.bytes);
	if (clear_host_bits(&cidr)) {
		char meant[ADDR_TEXT_SIZE];
		if (v4)
			set_v4(&addr, cidr.bytes + 12, 0);
		else
			memcpy(&addr.u.in6.sin6_addr, cidr.bytes, 16);
		addr_format_ip(&addr, meant);
		return err_set(err, "'%.*s' has bits set after its prefix: did you mean %s/%u?",
			       SPAN_ARG(text), meant, (unsigned)prefix);
	}
	*out = cidr;
	return true;
}

void cidr_format(const struct cidr *cidr, char out[CIDR_TEXT_SIZE])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const bool v4 = cidr->prefix >= 96 && memcmp(cidr->bytes, mapped, sizeof(mapped)) == 0;
	struct addr addr;
	if (v4)
		set_v4(&addr, cidr->bytes + 12, 0);
	else
		addr = (struct addr){.u.in6 = {.sin6_family = AF_INET6}};
	if (!v4)
		memcpy(&addr.u.in6.sin6_addr, cidr->bytes, 16);
	size_t len = addr_format_ip(&addr, out);
	if (cidr->prefix < 128)
		snprintf(out + len, CIDR_TEXT_SIZE - len, "/%u", v4 ? cidr->prefix - 96U : cidr->prefix);
}

bool cidr_has(const struct cidr *cidr, const struct addr *addr)
{
	uint8_t bytes[16];
	if (!addr_mapped_bytes(addr, bytes))
		return false;
	unsigned whole = cidr->prefix / 8, rest = cidr->prefix % 8;
	if (memcmp(bytes, cidr->bytes, whole) != 0)
		return false;
	return rest == 0 || (bytes[whole] ^ cidr->bytes[whole]) >> (8 - rest) == 0;
}

bool addr_is_any(const struct addr *addr)
{
	if (addr->u.sa.sa_family == AF_INET)
		return addr->u.in4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&addr->u.in6.sin6_addr);
}
