/* NFLOG by libnetfilter_log. Packets are an origin's: of them, addresses and ports are read, and no byte
 * beyond what the kernel has passed on. */
#include "sallyport/kernel_events.h"

#include <errno.h>
#include <libnetfilter_log/libnetfilter_log.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sallyport/big_endian.h"

enum { PACKET_BYTES = 96, BUFFER_BYTES = 65536, KERNEL_BUFFER_BYTES = 65536, BURST = 64 };

/* ---- reading ---- */

static bool next_word(struct span *rest, struct span *word)
{
	size_t len = span_find(*rest, ' ');
	*word = span_of(rest->ptr, len);
	*rest = span_from(*rest, len < rest->len ? len + 1 : len);
	return len > 0;
}

static enum kernel_event_kind kind_of(struct span word)
{
	static const struct {
		const char *name;
		enum kernel_event_kind kind;
	} kinds[] = {{"strike", KERNEL_EVENT_STRIKE}, {"stage1", KERNEL_EVENT_STAGE1}, {"stage2", KERNEL_EVENT_STAGE2},
		     {"new", KERNEL_EVENT_NEW},       {"stranger", KERNEL_EVENT_STRANGER}};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_eq(word, span_from_str(kinds[i].name)))
			return kinds[i].kind;
	return KERNEL_EVENT_UNSET;
}

static enum egress_offence offence_of(struct span word)
{
	for (uint32_t offence = EGRESS_OFFENCE_UNSET + 1; offence < EGRESS_OFFENCE_COUNT; offence++)
		if (span_eq(word, span_from_str(egress_offence_name(offence))))
			return (enum egress_offence)offence;
	return EGRESS_OFFENCE_UNSET;
}

static uint64_t id_of(struct span word)
{
	uint64_t id = 0;
	if (word.len != 16)
		return 0;
	for (size_t i = 0; i < word.len; i++) {
		int digit = ascii_hex(word.ptr[i]);
		if (digit < 0)
			return 0;
		id = id << 4 | (uint64_t)digit;
	}
	return id;
}

/* Ports, or the identifier of an ICMP echo, which is the same in both directions. */
static void read_ports(const unsigned char *at, size_t len, struct kernel_event *out)
{
	uint16_t from = 0, to = 0;
	bool is_echo = out->protocol == IPPROTO_ICMP || out->protocol == IPPROTO_ICMPV6;
	if (is_echo && len >= 6) {
		from = to = big16_at(at + 4);
	} else if (!is_echo && len >= 4 && (out->protocol == IPPROTO_TCP || out->protocol == IPPROTO_UDP)) {
		from = big16_at(at);
		to = big16_at(at + 2);
	}
	addr_set_port(&out->from, from);
	addr_set_port(&out->to, to);
}

static struct addr addr_of(sa_family_t family, const unsigned char *bytes)
{
	struct addr addr = {0};
	addr.u.sa.sa_family = family;
	if (family == AF_INET)
		memcpy(&addr.u.in4.sin_addr, bytes, 4);
	else
		memcpy(&addr.u.in6.sin6_addr, bytes, 16);
	return addr;
}

static void read_packet(struct span packet, struct kernel_event *out)
{
	const unsigned char *at = (const unsigned char *)packet.ptr;
	unsigned version = packet.len > 0 ? at[0] >> 4 : 0;
	size_t head = version == 4 ? (size_t)(at[0] & 15) * 4 : 40;
	if ((version != 4 && version != 6) || packet.len < (version == 4 ? 20U : 40U) || head < 20)
		return;
	out->protocol = at[version == 4 ? 9 : 6];
	out->from = addr_of(version == 4 ? AF_INET : AF_INET6, at + (version == 4 ? 12 : 8));
	out->to = addr_of(version == 4 ? AF_INET : AF_INET6, at + (version == 4 ? 16 : 24));
	out->has_addresses = true;
	if (packet.len > head)
		read_ports(at + head, packet.len - head, out);
}

bool kernel_event_parse(struct span prefix, struct span packet, struct kernel_event *out)
{
	struct span kind, offence, id;
	*out = (struct kernel_event){0};
	if (!next_word(&prefix, &kind) || !next_word(&prefix, &offence) || !next_word(&prefix, &id))
		return false;
	out->kind = kind_of(kind);
	out->offence = offence_of(offence);
	out->id = id_of(id);
	read_packet(packet, out);
	return out->kind != KERNEL_EVENT_UNSET && (out->id != 0 || out->kind == KERNEL_EVENT_STRANGER);
}

/* ---- the group ---- */

struct kernel_events {
	struct nflog_handle *handle;
	struct nflog_g_handle *group;
	void (*each)(void *context, const struct kernel_event *event);
	void *context;
	char buffer[BUFFER_BYTES];
};

static int on_packet(struct nflog_g_handle *group, struct nfgenmsg *message, struct nflog_data *data, void *context)
{
	struct kernel_events *events = context;
	struct kernel_event event;
	char *payload = NULL;
	const char *prefix = nflog_get_prefix(data);
	int len = nflog_get_payload(data, &payload);
	(void)group;
	(void)message;
	if (prefix && kernel_event_parse(span_from_str(prefix), span_of(payload, len > 0 ? (size_t)len : 0), &event))
		events->each(events->context, &event);
	return 0;
}

static bool bind_group(struct kernel_events *events, uint16_t number, struct err *err)
{
	events->group = nflog_bind_group(events->handle, number);
	if (!events->group)
		return err_set(err, errno == EBUSY ? "another program listens to group %u of NFLOG"
						   : "group %u of NFLOG cannot be had", number);
	nflog_callback_register(events->group, on_packet, events);
	/* at once, and no more than the addresses */
	return (nflog_set_mode(events->group, NFULNL_COPY_PACKET, PACKET_BYTES) >= 0 &&
		nflog_set_nlbufsiz(events->group, KERNEL_BUFFER_BYTES) >= 0 &&
		nflog_set_qthresh(events->group, 1) >= 0) ||
	       err_set(err, "NFLOG cannot be set up: %s", strerror(errno));
}

struct kernel_events *kernel_events_new(uint16_t group, void (*each)(void *context, const struct kernel_event *event),
					void *context, struct err *err)
{
	struct kernel_events *events = calloc(1, sizeof(*events));
	if (!events) {
		err_set(err, "out of memory");
		return NULL;
	}
	events->each = each;
	events->context = context;
	events->handle = nflog_open();
	if (!events->handle)
		err_set(err, "this kernel has no NFLOG: %s", strerror(errno));
	else if (bind_group(events, group, err))
		return events;
	kernel_events_free(events);
	return NULL;
}

void kernel_events_free(struct kernel_events *events)
{
	if (!events)
		return;
	if (events->group)
		nflog_unbind_group(events->group);
	if (events->handle)
		nflog_close(events->handle);
	free(events);
}

int kernel_events_fd(const struct kernel_events *events)
{
	return nflog_fd(events->handle);
}

void kernel_events_take(struct kernel_events *events)
{
	for (int i = 0; i < BURST; i++) {
		ssize_t len = recv(nflog_fd(events->handle), events->buffer, sizeof(events->buffer), MSG_DONTWAIT);
		if (len < 0 && errno == ENOBUFS)
			continue; /* some were lost; the rules do not depend on them */
		if (len <= 0)
			return;
		nflog_handle_packet(events->handle, events->buffer, (int)len);
	}
}
