/* The gate's DNS listener: its sockets, and how long it answers. While two gates are there, the old one does not: a
 * question is answered at once, so nothing has to be finished. */
#include "front/gate.h"
#include "sallyport/dns_service.h"

static int socket_of(const struct front *f, bool is_datagram)
{
	const struct listen_settings *listens = f->settings->listens.items;
	for (size_t i = 0; i < f->settings->listens.n; i++)
		if (listens[i].dns && listens[i].is_datagram == is_datagram)
			return f->setup.listen_fds[i];
	return -1;
}

static struct lookup_asker *asker(void *context, const struct egress_origin *origin)
{
	const struct gate *gate = context;
	return &gate->origins[origin->index].asker;
}

/* What waits in the gate's queue may have to go, now that its origin is in quarantine. */
static void tell(void *context, const struct egress_origin *origin, const struct egress_event *event)
{
	struct gate *gate = context;
	gate_tell(gate, event);
	if (event->news == EGRESS_NEWS_QUARANTINE)
		loop_defer(gate->front->loop, &gate->origins[origin->index].judge_again);
}

/* What it is told it will connect to: the kernel leg hears of it now, not with the next round of look-ups. */
static void found(void *context, struct span host, const struct addr *addrs, unsigned count)
{
	const struct gate *gate = context;
	gate_found_name(gate->names, host, addrs, count);
}

bool gate_start_dns(struct gate *gate, struct err *err)
{
	const struct dns_service_setup setup = {
	    .loop = gate->front->loop,
	    .lookups = gate->lookups,
	    .policy = gate->policy,
	    .states = gate->states,
	    .asker = asker,
	    .tell = tell,
	    .found = found,
	    .context = gate,
	    .udp_fd = socket_of(gate->front, true),
	    .tcp_fd = socket_of(gate->front, false),
	};
	if (setup.udp_fd < 0)
		return true;
	gate->dns = dns_service_new(&setup, err);
	return gate->dns != NULL;
}

void gate_stop_dns(struct gate *gate)
{
	dns_service_free(gate->dns);
	gate->dns = NULL;
}
