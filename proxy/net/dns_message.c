/* Reads questions and writes answers. No name is ever decompressed: a question has nothing to point to. */
#include "sallyport/dns_message.h"

#include "sallyport/big_endian.h"

enum { HEADER_BYTES = 12, LABEL_MAX = 63, OPT_BYTES = 11, CLASS_IN = 1, TYPE_OPT = 41, NAME_BYTES_MAX = 255 };
enum { FLAG_ANSWER = 0x8000, FLAG_RECURSION = 0x0100, FLAG_CAN_RECURSE = 0x0080, POINTER_TO_QUESTION = 0xc00c };
/* In a question: an opcode other than QUERY, AA, TC, RA, the reserved bit, a response code. */
enum { FLAGS_FOREIGN = FLAG_ANSWER | 0x7800 | 0x0400 | 0x0200 | FLAG_CAN_RECURSE | 0x0040 | 0x000f };

static size_t byte_at(struct span bytes, size_t at)
{
	return (uint8_t)bytes.ptr[at];
}

static uint16_t u16_at(struct span bytes, size_t at)
{
	return big16_at(bytes.ptr + at);
}

/* ---- reading ---- */

static bool is_host_byte(char c)
{
	return ascii_is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

/* At `from` of the message; returns where it ends, 0 where it is none that a host has. */
static size_t read_name(struct span bytes, size_t from, char name[DNS_NAME_SIZE])
{
	size_t at = from, len = 0;
	while (at < bytes.len && byte_at(bytes, at) != 0) {
		size_t label = byte_at(bytes, at++);
		if (label > LABEL_MAX || label > bytes.len - at || at + label - from >= NAME_BYTES_MAX)
			return 0;
		if (len > 0)
			name[len++] = '.';
		for (; label > 0; label--, at++) {
			char c = ascii_lower(bytes.ptr[at]);
			if (!is_host_byte(c))
				return 0;
			name[len++] = c;
		}
	}
	name[len] = '\0';
	return at < bytes.len && len > 0 ? at + 1 : 0;
}

/* Nothing, or one OPT record of the root (RFC 6891 section 6.1.2) up to the last byte. */
static bool read_additional(struct span rest, size_t count, bool *has_edns)
{
	*has_edns = count == 1;
	if (count == 0)
		return rest.len == 0;
	return count == 1 && rest.len >= OPT_BYTES && byte_at(rest, 0) == 0 && u16_at(rest, 1) == TYPE_OPT &&
	       u16_at(rest, 9) == rest.len - OPT_BYTES;
}

bool dns_query_parse(struct span bytes, struct dns_query *out)
{
	*out = (struct dns_query){0};
	if (bytes.len < HEADER_BYTES || bytes.len > DNS_QUERY_MAX || (u16_at(bytes, 2) & FLAGS_FOREIGN) ||
	    u16_at(bytes, 4) != 1 || u16_at(bytes, 6) != 0 || u16_at(bytes, 8) != 0)
		return false;
	size_t end = read_name(bytes, HEADER_BYTES, out->name);
	if (end == 0 || bytes.len - end < 4 || u16_at(bytes, end + 2) != CLASS_IN)
		return false;
	out->id = u16_at(bytes, 0);
	out->wants_recursion = u16_at(bytes, 2) & FLAG_RECURSION;
	out->type = u16_at(bytes, end);
	out->question = span_of(bytes.ptr + HEADER_BYTES, end + 4 - HEADER_BYTES);
	return read_additional(span_from(bytes, end + 4), u16_at(bytes, 10), &out->has_edns);
}

/* ---- writing ---- */

struct writer {
	uint8_t *out;
	size_t len;
};

static void put(struct writer *writer, const void *bytes, size_t len)
{
	memcpy(writer->out + writer->len, bytes, len);
	writer->len += len;
}

static void put_u16(struct writer *writer, size_t value)
{
	put(writer, (const uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void put_u32(struct writer *writer, uint32_t value)
{
	put_u16(writer, value >> 16);
	put_u16(writer, value & 0xffff);
}

/* Its bytes where it is of that type; 0: it is not. */
static size_t address_of(const struct addr *addr, uint16_t type, const void **bytes)
{
	bool is_v4 = addr->u.sa.sa_family == AF_INET;
	if (type != (is_v4 ? DNS_TYPE_A : DNS_TYPE_AAAA))
		return 0;
	*bytes = is_v4 ? (const void *)&addr->u.in4.sin_addr : &addr->u.in6.sin6_addr;
	return is_v4 ? sizeof(addr->u.in4.sin_addr) : sizeof(addr->u.in6.sin6_addr);
}

static size_t put_addresses(struct writer *writer, const struct dns_query *query, const struct addr *addrs,
			    size_t addr_count, uint32_t ttl_s)
{
	size_t limit = (query->has_edns ? DNS_ANSWER_MAX : DNS_PLAIN_MAX) - OPT_BYTES, count = 0;
	for (size_t i = 0; i < addr_count; i++) {
		const void *bytes;
		size_t len = address_of(&addrs[i], query->type, &bytes);
		if (len == 0 || writer->len + 12 + len > limit)
			continue;
		put_u16(writer, POINTER_TO_QUESTION);
		put_u16(writer, query->type);
		put_u16(writer, CLASS_IN);
		put_u32(writer, ttl_s);
		put_u16(writer, len);
		put(writer, bytes, len);
		count++;
	}
	return count;
}

size_t dns_answer_write(const struct dns_query *query, enum dns_code code, const struct addr *addrs, size_t addr_count,
			uint32_t ttl_s, uint8_t out[DNS_ANSWER_MAX])
{
	struct writer writer = {.out = out};
	put_u16(&writer, query->id);
	put_u16(&writer, FLAG_ANSWER | (query->wants_recursion ? FLAG_RECURSION : 0U) | FLAG_CAN_RECURSE | code);
	put_u16(&writer, 1);
	put_u16(&writer, 0);
	put_u16(&writer, 0);
	put_u16(&writer, query->has_edns);
	put(&writer, query->question.ptr, query->question.len);
	size_t count = put_addresses(&writer, query, addrs, addr_count, ttl_s);
	out[6] = (uint8_t)(count >> 8);
	out[7] = (uint8_t)count;
	if (query->has_edns) {
		put(&writer, "\0", 1);
		put_u16(&writer, TYPE_OPT);
		put_u16(&writer, DNS_ANSWER_MAX);
		put_u32(&writer, 0);
		put_u16(&writer, 0);
	}
	return writer.len;
}
