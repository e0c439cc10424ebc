/* The table of connections by libnetfilter_conntrack: one entry at a time, asked for by its original
 * direction. */
#include "sallyport/kernel_flows.h"

#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { WAIT_MS = 200 };

struct kernel_flows {
	struct nfct_handle *handle;
	enum flow_answer answer; /* of the flow that is asked for */
};

/* A connection that never stood and is closed again was refused. */
static bool was_refused(const struct nf_conntrack *entry, uint32_t status)
{
	return nfct_get_attr_u8(entry, ATTR_L4PROTO) == IPPROTO_TCP && !(status & IPS_ASSURED) &&
	       nfct_attr_is_set(entry, ATTR_TCP_STATE) > 0 &&
	       nfct_get_attr_u8(entry, ATTR_TCP_STATE) == TCP_CONNTRACK_CLOSE;
}

static int on_entry(enum nf_conntrack_msg_type type, struct nf_conntrack *entry, void *context)
{
	struct kernel_flows *flows = context;
	uint32_t status = nfct_get_attr_u32(entry, ATTR_STATUS);
	(void)type;
	flows->answer = (status & IPS_SEEN_REPLY) && !was_refused(entry, status) ? FLOW_ANSWERED : FLOW_SILENT;
	return NFCT_CB_CONTINUE;
}

struct kernel_flows *kernel_flows_new(struct err *err)
{
	struct kernel_flows *flows = calloc(1, sizeof(*flows));
	struct timeval wait = {.tv_usec = WAIT_MS * 1000};
	if (flows)
		flows->handle = nfct_open(CONNTRACK, 0);
	if (!flows || !flows->handle) {
		err_set(err, "the kernel's table of connections cannot be asked: %s", strerror(errno));
		free(flows);
		return NULL;
	}
	setsockopt(nfct_fd(flows->handle), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	nfct_callback_register(flows->handle, NFCT_T_ALL, on_entry, flows);
	return flows;
}

void kernel_flows_free(struct kernel_flows *flows)
{
	if (!flows)
		return;
	nfct_close(flows->handle);
	free(flows);
}

static void set_addresses(struct nf_conntrack *entry, const struct flow *flow)
{
	bool v4 = flow->from.u.sa.sa_family == AF_INET;
	nfct_set_attr_u8(entry, ATTR_L3PROTO, v4 ? AF_INET : AF_INET6);
	if (v4) {
		nfct_set_attr_u32(entry, ATTR_IPV4_SRC, flow->from.u.in4.sin_addr.s_addr);
		nfct_set_attr_u32(entry, ATTR_IPV4_DST, flow->to.u.in4.sin_addr.s_addr);
	} else {
		nfct_set_attr(entry, ATTR_IPV6_SRC, &flow->from.u.in6.sin6_addr);
		nfct_set_attr(entry, ATTR_IPV6_DST, &flow->to.u.in6.sin6_addr);
	}
}

static void set_protocol(struct nf_conntrack *entry, const struct flow *flow)
{
	enum { ECHO4 = 8, ECHO6 = 128 };
	nfct_set_attr_u8(entry, ATTR_L4PROTO, flow->protocol);
	if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6) {
		nfct_set_attr_u8(entry, ATTR_ICMP_TYPE, flow->protocol == IPPROTO_ICMP ? ECHO4 : ECHO6);
		nfct_set_attr_u8(entry, ATTR_ICMP_CODE, 0);
		nfct_set_attr_u16(entry, ATTR_ICMP_ID, htons(addr_port(&flow->to)));
	} else {
		nfct_set_attr_u16(entry, ATTR_PORT_SRC, htons(addr_port(&flow->from)));
		nfct_set_attr_u16(entry, ATTR_PORT_DST, htons(addr_port(&flow->to)));
	}
}

enum flow_answer kernel_flows_look(struct kernel_flows *flows, const struct flow *flow)
{
	struct nf_conntrack *entry = nfct_new();
	if (!entry)
		return FLOW_UNKNOWN;
	set_addresses(entry, flow);
	set_protocol(entry, flow);
	flows->answer = FLOW_UNKNOWN;
	/* -1 with ENOENT: there is none */
	if (nfct_query(flows->handle, NFCT_Q_GET, entry) < 0)
		flows->answer = FLOW_UNKNOWN;
	nfct_destroy(entry);
	return flows->answer;
}
