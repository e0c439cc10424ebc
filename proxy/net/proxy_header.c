/* Reads PROXY headers. Strict: what has two readings, or a field that its version does not
 * know, is no header. Its sender is believed in what it says, so who may send
 * one at all is for the caller to decide. TLVs are walked, not read, but for the checksum. */
#include "sallyport/proxy_header.h"

#include <string.h>

#include "sallyport/big_endian.h"

static const char v1_start[] = "PROXY ";
static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

enum { V1_START_LEN = sizeof(v1_start) - 1, V2_SIGNATURE_LEN = sizeof(v2_signature) - 1 };
enum { V2_VERSION_AT = 12, V2_FAMILY_AT = 13, V2_LENGTH_AT = 14 };
enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX_STREAM = 0x31 };
enum { V2_TCP4_BYTES = 12, V2_TCP6_BYTES = 36, V2_UNIX_BYTES = 216 };
enum { TLV_HEAD = 3, TLV_CRC32C = 0x03, CRC_BYTES = 4 };

static enum proxy_parse bad(enum reason *reason, enum reason why)
{
	*reason = why;
	return PROXY_PARSE_BAD;
}

/* What there is of bytes is how `start` begins. */
static bool may_begin(struct span bytes, const char *start, size_t len)
{
	return memcmp(bytes.ptr, start, bytes.len < len ? bytes.len : len) == 0;
}

/* ---- version 1 ---- */

/* The word before the next space, taken off the line; the last one has none behind it. */
static struct span take_word(struct span *line)
{
	size_t len = span_find(*line, ' ');
	struct span word = span_of(line->ptr, len);
	*line = span_from(*line, len < line->len ? len + 1 : len);
	return word;
}

/* One spelling: no sign, no leading zero. */
static bool parse_port(struct span text, uint16_t *port)
{
	uint64_t value;
	if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0') || !span_to_u64(text, UINT16_MAX, &value))
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool parse_v1_address(struct span text, bool is_v6, struct addr *out)
{
	bool has_colon = span_find(text, ':') < text.len;
	return has_colon == is_v6 && text.len > 0 && text.ptr[0] != '[' && addr_parse_ip(text, 0, out);
}

/* "TCP4 192.0.2.7 192.0.2.1 56324 443", single spaces and nothing behind it. */
static bool parse_v1_addresses(struct span line, struct proxy_header *out)
{
	struct span family = take_word(&line);
	bool is_v6 = span_eq(family, SPAN("TCP6"));
	uint16_t source_port, destination_port;
	if (!is_v6 && !span_eq(family, SPAN("TCP4")))
		return false;
	if (!parse_v1_address(take_word(&line), is_v6, &out->source) ||
	    !parse_v1_address(take_word(&line), is_v6, &out->destination) ||
	    !parse_port(take_word(&line), &source_port))
		return false;
	/* The rest: a space behind the last port is no digit. */
	if (!parse_port(line, &destination_port))
		return false;
	addr_set_port(&out->source, source_port);
	addr_set_port(&out->destination, destination_port);
	out->has_source = true;
	return true;
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
			return false;
	return true;
}

/* What follows UNKNOWN is to be ignored (section 2.1). */
static bool is_unknown(struct span line)
{
	return span_starts(line, SPAN("UNKNOWN")) && (line.len == 7 || line.ptr[7] == ' ') &&
	       is_printable(line);
}

static enum proxy_parse parse_v1(struct span bytes, struct proxy_header *out, enum reason *reason)
{
	struct span window = span_of(bytes.ptr, bytes.len < PROXY_V1_MAX ? bytes.len : PROXY_V1_MAX);
	size_t lf = span_find(window, '\n');
	if (lf == window.len)
		return window.len < PROXY_V1_MAX ? PROXY_PARSE_MORE : bad(reason, REASON_PROXY_TOO_LONG);
	if (lf < V1_START_LEN + 1 || window.ptr[lf - 1] != '\r')
		return bad(reason, REASON_PROXY_MALFORMED);
	struct span line = span_of(window.ptr + V1_START_LEN, lf - 1 - V1_START_LEN);
	out->len = lf + 1;
	if (!is_unknown(line) && !parse_v1_addresses(line, out))
		return bad(reason, REASON_PROXY_MALFORMED);
	return PROXY_PARSE_DONE;
}

/* ---- version 2 ---- */

static uint8_t byte_at(struct span bytes, size_t at)
{
	return (uint8_t)bytes.ptr[at];
}

static size_t u16_at(struct span bytes, size_t at)
{
	return big16_at(bytes.ptr + at);
}

static void read_v4(const char *ip, const char *port, struct addr *out)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	memcpy(&in4.sin_addr, ip, sizeof(in4.sin_addr));
	memcpy(&in4.sin_port, port, sizeof(in4.sin_port));
	(void)addr_from_sockaddr((const struct sockaddr *)&in4, sizeof(in4), out);
}

static void read_v6(const char *ip, const char *port, struct addr *out)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	memcpy(&in6.sin6_addr, ip, sizeof(in6.sin6_addr));
	memcpy(&in6.sin6_port, port, sizeof(in6.sin6_port));
	(void)addr_from_sockaddr((const struct sockaddr *)&in6, sizeof(in6), out);
}

/* CRC-32C (Castagnoli; RFC 3720 appendix B.4), bit by bit: it is asked for once a connection. */
static uint32_t crc32c(uint32_t crc, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= (uint8_t)bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
	}
	return crc;
}

/* Over the whole header, the checksum's own bytes taken for zeros (section 2.2.3). */
static bool is_sum_right(struct span header, size_t sum_at)
{
	static const char zeros[CRC_BYTES];
	uint32_t crc = crc32c(~UINT32_C(0), header.ptr, sum_at);
	crc = crc32c(crc, zeros, CRC_BYTES);
	crc = ~crc32c(crc, header.ptr + sum_at + CRC_BYTES, header.len - sum_at - CRC_BYTES);
	return crc == ((uint32_t)u16_at(header, sum_at) << 16 | (uint32_t)u16_at(header, sum_at + 2));
}

/* They fill the header to its last byte; a checksum stands there once at most, and is right. */
static enum proxy_parse walk_tlvs(struct span header, size_t at, enum reason *reason)
{
	size_t sum_at = 0;
	while (at < header.len) {
		if (header.len - at < TLV_HEAD)
			return bad(reason, REASON_PROXY_MALFORMED);
		size_t value = at + TLV_HEAD, len = u16_at(header, at + 1);
		if (len > header.len - value)
			return bad(reason, REASON_PROXY_MALFORMED);
		bool is_sum = byte_at(header, at) == TLV_CRC32C;
		if (is_sum && (len != CRC_BYTES || sum_at != 0))
			return bad(reason, REASON_PROXY_MALFORMED);
		sum_at = is_sum ? value : sum_at;
		at = value + len;
	}
	if (sum_at != 0 && !is_sum_right(header, sum_at))
		return bad(reason, REASON_PROXY_CHECKSUM);
	return PROXY_PARSE_DONE;
}

/* The addresses of a command PROXY. A datagram's have no business on a stream. */
static enum proxy_parse parse_v2_block(struct span header, struct proxy_header *out, enum reason *reason)
{
	size_t addresses = 0;
	const char *block = header.ptr + PROXY_V2_PREFIX;
	switch (byte_at(header, V2_FAMILY_AT)) {
	case V2_UNSPEC: return PROXY_PARSE_DONE; /* the rest is nobody's */
	case V2_TCP4: addresses = V2_TCP4_BYTES; break;
	case V2_TCP6: addresses = V2_TCP6_BYTES; break;
	case V2_UNIX_STREAM: addresses = V2_UNIX_BYTES; break;
	default: return bad(reason, REASON_PROXY_MALFORMED);
	}
	if (header.len - PROXY_V2_PREFIX < addresses)
		return bad(reason, REASON_PROXY_MALFORMED);
	if (addresses == V2_TCP4_BYTES) {
		read_v4(block, block + 8, &out->source);
		read_v4(block + 4, block + 10, &out->destination);
	} else if (addresses == V2_TCP6_BYTES) {
		read_v6(block, block + 32, &out->source);
		read_v6(block + 16, block + 34, &out->destination);
	}
	out->has_source = addresses != V2_UNIX_BYTES;
	return walk_tlvs(header, PROXY_V2_PREFIX + addresses, reason);
}

static enum proxy_parse parse_v2(struct span bytes, struct proxy_header *out, enum reason *reason)
{
	if (bytes.len > V2_VERSION_AT && byte_at(bytes, V2_VERSION_AT) != V2_LOCAL &&
	    byte_at(bytes, V2_VERSION_AT) != V2_PROXY)
		return bad(reason, REASON_PROXY_MALFORMED);
	if (bytes.len < PROXY_V2_PREFIX)
		return PROXY_PARSE_MORE;
	out->len = PROXY_V2_PREFIX + u16_at(bytes, V2_LENGTH_AT);
	if (out->len > PROXY_HEADER_MAX)
		return bad(reason, REASON_PROXY_TOO_LONG);
	if (bytes.len < out->len)
		return PROXY_PARSE_MORE;
	/* The balancer's own connection: whatever else it says is to be discarded. */
	if (byte_at(bytes, V2_VERSION_AT) == V2_LOCAL)
		return PROXY_PARSE_DONE;
	return parse_v2_block(span_of(bytes.ptr, out->len), out, reason);
}

enum proxy_parse proxy_header_parse(struct span bytes, struct proxy_header *out, enum reason *reason)
{
	*out = (struct proxy_header){0};
	if (bytes.len == 0)
		return PROXY_PARSE_MORE;
	bool is_v1 = may_begin(bytes, v1_start, V1_START_LEN);
	if (!is_v1 && !may_begin(bytes, v2_signature, V2_SIGNATURE_LEN))
		return bad(reason, REASON_PROXY_MISSING);
	return is_v1 ? parse_v1(bytes, out, reason) : parse_v2(bytes, out, reason);
}
