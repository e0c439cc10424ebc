/* Names to addresses by c-ares, kept fresh, or asked for once. The only file that knows c-ares.
 *
 *   resolver_watch → hosts file ── found ──→ kept as it is
 *                        └ not there → DNS ── answer ──→ asked again when the TTL ends
 *                                        └ failure ──→ asked again after 1, 2, 4 … 30 s
 *   resolver_ask ──→ the same, told once
 *
 * Trusts the DNS server for addresses and nothing else: times are bounded, numbers
 * are capped, and a failed look-up never takes away what is known.
 *
 * c-ares leaves bytes unread where they are not what it expected, and changes what
 * it waits for, so its sockets cannot be watched edge-triggered like all others: they are
 * watched by an epoll descriptor of their own, and the loop watches that one. */
#include "sallyport/resolve.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>
#include "net/hosts.h"
#include "sallyport/log.h"

/* A server that is silent is asked again after 2, then 4 s; the look-up ends after 14. */
enum { SOCKETS_PER_ROUND = 16, TRIES = 3 };

struct resolver_name {
	struct timer timer; /* first: the timer's callback gets the name by it */
	struct resolver *resolver;
	struct resolver_name *next;
	struct addr addrs[RESOLVE_MAX_ADDRS];
	unsigned addr_count;
	uint16_t port;
	bool is_pinned; /* from the hosts file */
	const char *problem;
	uint64_t retry_ms; /* 0: the last look-up went well */
	char host[];
};

struct resolver {
	struct watch watch; /* first: on_event gets the resolver by it */
	struct timer timer; /* c-ares's own time-outs */
	struct loop *loop;
	ares_channel dns, hosts_file;
	char *hosts; /* the file as it was at the start, for when it can't be opened any more */
	size_t hosts_len;
	struct resolver_times times;
	struct resolver_name *names;
	bool searches; /* names are also looked for in the domains of resolv.conf */
	bool is_ending;
};

static const struct resolver_times standard_times = {
    .ttl_min = 5000,
    .ttl_max = 300000,
    .retry_min = 1000,
    .retry_max = 30000,
    .answer = 2000,
};

static struct resolver *resolver_of_timer(struct timer *timer)
{
	return (struct resolver *)(void *)((char *)timer - offsetof(struct resolver, timer));
}

/* What c-ares waits for on a socket; neither: it is about to be closed. */
static void on_socket_state(void *context, ares_socket_t fd, int readable, int writable)
{
	const struct resolver *resolver = context;
	int epoll_fd = resolver->watch.fd;
	struct epoll_event event = {
	    .events = (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U),
	    .data.fd = fd,
	};
	if (!readable && !writable) {
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return;
	}
	/* without memory for it the look-up times out, and says so */
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void arm_timeout(struct resolver *resolver)
{
	struct timeval wait;
	if (resolver->is_ending)
		return;
	if (!ares_timeout(resolver->dns, NULL, &wait)) {
		loop_disarm(resolver->loop, &resolver->timer);
		return;
	}
	/* rounded up: a timer that is early would find nothing to do, over and over */
	uint64_t wait_ms = (uint64_t)wait.tv_sec * 1000 + (uint64_t)wait.tv_usec / 1000 + 1;
	loop_arm(resolver->loop, &resolver->timer, loop_now_ms(resolver->loop) + wait_ms);
}

static void on_timeout(struct timer *timer)
{
	struct resolver *resolver = resolver_of_timer(timer);
	ares_process_fd(resolver->dns, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm_timeout(resolver);
}

static void on_sockets(struct watch *watch, unsigned events)
{
	struct resolver *resolver = (struct resolver *)(void *)watch;
	struct epoll_event ready[SOCKETS_PER_ROUND];
	(void)events;
	int n = epoll_wait(watch->fd, ready, SOCKETS_PER_ROUND, 0);
	for (int i = 0; i < n; i++) {
		const unsigned broken = EPOLLERR | EPOLLHUP;
		bool readable = ready[i].events & (EPOLLIN | broken);
		bool writable = ready[i].events & (EPOLLOUT | broken);
		/* a socket closed meanwhile is none that c-ares knows: it ignores it */
		ares_process_fd(resolver->dns, readable ? ready[i].data.fd : ARES_SOCKET_BAD,
				writable ? ready[i].data.fd : ARES_SOCKET_BAD);
	}
	arm_timeout(resolver);
}

static const char *problem_of(int status)
{
	switch (status) {
	case ARES_ENOTFOUND: return RESOLVE_NO_SUCH_NAME;
	case ARES_ENODATA: return RESOLVE_NO_ADDRESS;
	case ARES_ETIMEOUT: return "no DNS server answered in time";
	case ARES_ECONNREFUSED: return "no DNS server could be reached";
	case ARES_ESERVFAIL: return "the DNS server failed (SERVFAIL)";
	case ARES_EREFUSED: return "the DNS server refused to answer";
	case ARES_EBADRESP: return "the DNS server's answer is malformed";
	case ARES_EBADNAME: return "not a name that DNS can be asked for";
	case ARES_ENOMEM: return "out of memory";
	default: return "the look-up failed";
	}
}

static bool is_known(const struct addr *addrs, unsigned n, const struct addr *addr)
{
	for (unsigned i = 0; i < n; i++)
		if (addr_eq(&addrs[i], addr))
			return true;
	return false;
}

static unsigned copy_addrs(const struct ares_addrinfo *info, uint16_t port, struct addr out[RESOLVE_MAX_ADDRS])
{
	unsigned n = 0;
	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
		struct addr addr;
		if (n == RESOLVE_MAX_ADDRS)
			break;
		if (!addr_from_sockaddr(node->ai_addr, (socklen_t)node->ai_addrlen, &addr))
			continue;
		addr_set_port(&addr, port);
		if (!is_known(out, n, &addr))
			out[n++] = addr;
	}
	return n;
}

static void take_addrs(struct resolver_name *name, const struct ares_addrinfo *info)
{
	name->addr_count = copy_addrs(info, name->port, name->addrs);
}

static uint64_t shorter(uint64_t ms, int ttl_s)
{
	uint64_t ttl_ms = ttl_s > 0 ? (uint64_t)ttl_s * 1000 : 0;
	return ttl_ms < ms ? ttl_ms : ms;
}

/* The shortest TTL of the answer, aliases included, within our bounds. */
static uint64_t ttl_ms(const struct resolver_times *times, const struct ares_addrinfo *info)
{
	uint64_t ms = times->ttl_max;
	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
		ms = shorter(ms, node->ai_ttl);
	for (const struct ares_addrinfo_cname *alias = info->cnames; alias; alias = alias->next)
		ms = shorter(ms, alias->ttl);
	return ms > times->ttl_min ? ms : times->ttl_min;
}

static void ask_again_in(struct resolver_name *name, uint64_t ms)
{
	struct loop *loop = name->resolver->loop;
	loop_arm(loop, &name->timer, loop_now_ms(loop) + ms);
}

static void note_success(struct resolver_name *name, const struct ares_addrinfo *info)
{
	take_addrs(name, info);
	if (name->retry_ms > 0)
		log_info("the name '%s' is resolved again: %u addresses", name->host,
			 name->addr_count);
	name->problem = "";
	name->retry_ms = 0;
	ask_again_in(name, ttl_ms(&name->resolver->times, info));
}

static void note_failure(struct resolver_name *name, int status)
{
	const struct resolver_times *times = &name->resolver->times;
	name->problem = problem_of(status);
	if (name->retry_ms == 0) {
		log_warn("the name '%s' cannot be resolved: %s%s", name->host, name->problem,
			 name->addr_count > 0 ? "; its last addresses stay in use" : "");
		name->retry_ms = times->retry_min;
	} else {
		name->retry_ms =
		    name->retry_ms < times->retry_max / 2 ? name->retry_ms * 2 : times->retry_max;
	}
	ask_again_in(name, name->retry_ms);
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolver_name *name = context;
	(void)timeouts;
	if (!name->resolver->is_ending) {
		if (status == ARES_SUCCESS && info && info->nodes)
			note_success(name, info);
		else
			note_failure(name, status == ARES_SUCCESS ? ARES_ENODATA : status);
	}
	if (info)
		ares_freeaddrinfo(info);
}

static void on_hosts_file(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolver_name *name = context;
	(void)timeouts;
	if (status == ARES_SUCCESS && info) {
		take_addrs(name, info);
		name->is_pinned = name->addr_count > 0;
	}
	if (info)
		ares_freeaddrinfo(info);
}

/* Behind a sandbox c-ares finds no file. */
static void find_in_kept_hosts(struct resolver_name *name)
{
	const struct resolver *resolver = name->resolver;
	name->addr_count = hosts_find(span_of(resolver->hosts, resolver->hosts_len),
				      span_from_str(name->host), name->port, name->addrs);
	name->is_pinned = name->addr_count > 0;
}

static void ask(ares_channel channel, const char *host, ares_addrinfo_callback on_result, void *context)
{
	/* c-ares orders the addresses by RFC 6724: those out of reach come last */
	const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
						  .ai_socktype = SOCK_STREAM};
	ares_getaddrinfo(channel, host, NULL, &hints, on_result, context);
}

static void ask_dns(struct timer *timer)
{
	struct resolver_name *name = (struct resolver_name *)(void *)timer;
	ask(name->resolver->dns, name->host, on_answer, name);
	arm_timeout(name->resolver);
}

/* ---- asked for once ---- */

static void tell(struct resolver_question *question, const struct addr *addrs, unsigned n, uint64_t for_ms,
		 const char *problem)
{
	const struct resolver_answer answer = {addrs, n, for_ms, problem};
	question->on_answer(question, &answer);
}

static void on_answer_once(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolver_question *question = context;
	const struct resolver *resolver = question->resolver;
	struct addr addrs[RESOLVE_MAX_ADDRS];
	uint64_t for_ms = resolver->times.ttl_min;
	unsigned n = 0;
	(void)timeouts;
	if (status == ARES_SUCCESS && info) {
		n = copy_addrs(info, 0, addrs);
		for_ms = n > 0 ? ttl_ms(&resolver->times, info) : for_ms;
	}
	if (info)
		ares_freeaddrinfo(info);
	if (!resolver->is_ending)
		tell(question, addrs, n, for_ms,
		     n > 0 ? "" : problem_of(status == ARES_SUCCESS ? ARES_ENODATA : status));
}

void resolver_ask(struct resolver *resolver, struct resolver_question *question, const char *host)
{
	struct addr addrs[RESOLVE_MAX_ADDRS];
	unsigned n = hosts_find(span_of(resolver->hosts, resolver->hosts_len), span_from_str(host), 0, addrs);
	question->resolver = resolver;
	if (n > 0) {
		tell(question, addrs, n, resolver->times.ttl_max, "");
		return;
	}
	ask(resolver->dns, host, on_answer_once, question);
	arm_timeout(resolver);
}

/* ---- the resolver itself ---- */

static bool channel_new(struct resolver *resolver, char *lookups, ares_channel *out,
			struct err *err)
{
	struct ares_options options = {
	    .timeout = (int)resolver->times.answer,
	    .tries = TRIES,
	    .lookups = lookups,
	    .sock_state_cb = on_socket_state,
	    .sock_state_cb_data = resolver,
	};
	/* no domains: those of resolv.conf are passed over */
	int given = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
		    (resolver->searches ? 0 : ARES_OPT_DOMAINS);
	int status = ares_init_options(out, &options, given);
	if (status == ARES_SUCCESS)
		return true;
	*out = NULL;
	return err_set(err, "resolver: %s", ares_strerror(status));
}

static bool watch_sockets(struct resolver *resolver, struct err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return err_set(err, "resolver: epoll_create1: %s", strerror(errno));
	resolver->watch.fd = fd;
	resolver->watch.on_event = on_sockets;
	return loop_watch_input(resolver->loop, &resolver->watch, err);
}

static struct resolver *make(struct loop *loop, bool searches, struct err *err)
{
	char dns[] = "b", hosts_file[] = "f";
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	if (!resolver) {
		err_set(err, "resolver: out of memory");
		return NULL;
	}
	resolver->loop = loop;
	resolver->searches = searches;
	resolver->watch.fd = -1;
	resolver->timer.on_expiry = on_timeout;
	resolver->times = standard_times;
	resolver->hosts = hosts_read("/etc/hosts", &resolver->hosts_len);
	if (!watch_sockets(resolver, err) || !channel_new(resolver, dns, &resolver->dns, err) ||
	    !channel_new(resolver, hosts_file, &resolver->hosts_file, err)) {
		resolver_free(resolver);
		return NULL;
	}
	return resolver;
}

struct resolver *resolver_new(struct loop *loop, struct err *err)
{
	return make(loop, true, err);
}

struct resolver *resolver_new_literal(struct loop *loop, struct err *err)
{
	return make(loop, false, err);
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	/* destroying a channel answers what is still asked */
	resolver->is_ending = true;
	if (resolver->dns)
		ares_destroy(resolver->dns);
	if (resolver->hosts_file)
		ares_destroy(resolver->hosts_file);
	loop_disarm(resolver->loop, &resolver->timer);
	loop_unwatch(resolver->loop, &resolver->watch);
	if (resolver->watch.fd >= 0)
		close(resolver->watch.fd);
	for (struct resolver_name *name = resolver->names, *next; name; name = next) {
		next = name->next;
		loop_disarm(resolver->loop, &name->timer);
		free(name);
	}
	free(resolver->hosts);
	free(resolver);
}

bool resolver_set_servers(struct resolver *resolver, const char *servers, struct err *err)
{
	int status = ares_set_servers_ports_csv(resolver->dns, servers);
	if (status == ARES_SUCCESS)
		return true;
	return err_set(err, "DNS servers '%s': %s", servers, ares_strerror(status));
}

bool resolver_set_times(struct resolver *resolver, const struct resolver_times *times,
			struct err *err)
{
	char dns[] = "b";
	ares_destroy(resolver->dns);
	resolver->times = *times;
	return channel_new(resolver, dns, &resolver->dns, err);
}

struct resolver_name *resolver_watch(struct resolver *resolver, const char *host, uint16_t port)
{
	size_t size = strlen(host) + 1;
	struct resolver_name *name = calloc(1, sizeof(*name) + size);
	if (!name)
		return NULL;
	memcpy(name->host, host, size);
	name->resolver = resolver;
	name->port = port;
	name->problem = RESOLVE_NOT_ASKED;
	name->timer.on_expiry = ask_dns;
	name->next = resolver->names;
	resolver->names = name;
	ask(resolver->hosts_file, name->host, on_hosts_file, name);
	if (!name->is_pinned)
		find_in_kept_hosts(name);
	if (name->is_pinned)
		name->problem = "";
	else
		ask_dns(&name->timer);
	return name;
}

unsigned resolver_addrs(const struct resolver_name *name, struct addr out[RESOLVE_MAX_ADDRS])
{
	memcpy(out, name->addrs, name->addr_count * sizeof(*out));
	return name->addr_count;
}

const char *resolver_problem(const struct resolver_name *name)
{
	return name->problem;
}
