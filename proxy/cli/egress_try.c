/* Tries to get out of a network, side by side, by one poll. Believes nothing of what comes back: a buffer of
 * fixed size is read, and the first bytes are looked at.
 *
 *   START ─► CONNECTING ─► SPEAKING ─► done        (TCP and the gate)
 *   START ─► SPEAKING ─► done                      (UDP, ICMP)
 *                 └── its time is over ─► silent */
#include "cli/egress_try.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/clock.h"
#include "sallyport/span.h"

enum step { STEP_WAITING = 0, STEP_CONNECTING, STEP_SPEAKING, STEP_DONE };
enum { PORT_HTTP = 80, PORT_TLS = 443, HTTP_REFUSED = 400, HTTP_FAILED = 500, PING_ID = 0x5a11 };

const char *egress_try_kind_name(enum egress_try_kind kind)
{
	static const char *const names[TRY_KINDS] = {"-", "tcp", "dns", "ntp", "ping", "connect", "get"};
	return kind < TRY_KINDS ? names[kind] : "-";
}

const char *egress_outcome_name(enum egress_outcome outcome)
{
	static const char *const names[OUTCOMES] = {"-", "answered", "refused", "silent", "impossible"};
	return outcome < OUTCOMES ? names[outcome] : "-";
}

/* ---- ends ---- */

__attribute__((format(printf, 3, 4))) static void end(struct egress_try *try, enum egress_outcome outcome,
						      const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(try->detail, sizeof(try->detail), fmt, ap);
	va_end(ap);
	ascii_replace_controls(try->detail, strlen(try->detail));
	try->outcome = outcome;
	try->took_ms = clock_mono_ms() - try->started_ms;
	try->step = STEP_DONE;
	if (try->fd >= 0)
		close(try->fd);
	try->fd = -1;
}

static bool is_through_gate(const struct egress_try *try)
{
	return try->kind == TRY_CONNECT || try->kind == TRY_GET;
}

static bool is_datagram(const struct egress_try *try)
{
	return try->kind == TRY_DNS || try->kind == TRY_NTP || try->kind == TRY_PING;
}

/* What errno says of the way: whether somebody there has answered. */
static void end_by_errno(struct egress_try *try, int error)
{
	if (is_through_gate(try))
		end(try, OUTCOME_IMPOSSIBLE, "the gate does not answer: %s", strerror(error));
	else if (error == ECONNREFUSED && try->wanted == WANTED_THROUGH)
		end(try, OUTCOME_REFUSED, "nobody listens there, or a gateway has reset it");
	else if (error == ECONNREFUSED && try->is_nobody)
		end(try, OUTCOME_REFUSED, "reset by a gateway");
	else if (error == ECONNREFUSED)
		end(try, OUTCOME_ANSWERED, "a reset came, from the target or from a gateway in its name");
	else if (error == EPERM)
		end(try, OUTCOME_REFUSED, "forbidden by this machine's own filter");
	else if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPROTONOSUPPORT)
		end(try, OUTCOME_IMPOSSIBLE, "%s", strerror(error));
	else if (error == ENETUNREACH)
		end(try, OUTCOME_REFUSED, "unreachable: there is no way to it");
	else
		end(try, OUTCOME_REFUSED, "unreachable: %s", strerror(error));
}

/* ---- what is said ---- */

static const char tls_hello[] = /* TLS 1.2, two suites, no extension (RFC 5246 section 7.4.1.2) */
    "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03sallyport egress check, a hello\0\0"
    "\x00\x04\xc0\x2f\x00\x9c\x01\x00";
/* A question for the addresses of "example.", recursion desired (RFC 1035 section 4.1). */
static const char dns_query[] = "\x5a\x11\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
				"example\x00\x00\x01\x00\x01";
enum { NTP_SIZE = 48, NTP_CLIENT = 0x23 /* version 4, mode 3 (RFC 5905 section 7.3) */ };

/* A socket for pings alone numbers and sums it up by itself; a raw one of root needs the sum (RFC 1071) of what is
 * two words long here. */
static size_t write_ping(const struct egress_try *try, char *out)
{
	struct icmphdr four = {.type = ICMP_ECHO, .un.echo = {.id = htons(PING_ID), .sequence = htons(1)}};
	struct icmp6_hdr six = {.icmp6_type = ICMP6_ECHO_REQUEST};
	four.checksum = htons((uint16_t)~((ICMP_ECHO << 8) + PING_ID + 1));
	six.icmp6_id = htons(PING_ID);
	bool is_four = try->addr.u.sa.sa_family == AF_INET;
	_Static_assert(sizeof(four) == sizeof(six), "either is 8 bytes");
	memcpy(out, is_four ? (const void *)&four : (const void *)&six, sizeof(four));
	return sizeof(four);
}

static size_t write_words(const struct egress_try *try, char out[TRY_BUFFER_SIZE])
{
	int n = 0;
	switch (try->kind) {
	case TRY_TCP:
		if (addr_port(&try->addr) == PORT_TLS) {
			memcpy(out, tls_hello, sizeof(tls_hello) - 1);
			return sizeof(tls_hello) - 1;
		}
		n = snprintf(out, TRY_BUFFER_SIZE, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", try->target);
		break;
	case TRY_DNS: memcpy(out, dns_query, sizeof(dns_query) - 1); return sizeof(dns_query) - 1;
	case TRY_NTP:
		memset(out, 0, NTP_SIZE);
		out[0] = NTP_CLIENT;
		return NTP_SIZE;
	case TRY_PING: return write_ping(try, out);
	case TRY_CONNECT:
		n = snprintf(out, TRY_BUFFER_SIZE, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", try->target, try->target);
		break;
	case TRY_GET:
		n = snprintf(out, TRY_BUFFER_SIZE, "GET http://%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
			     try->target, try->target);
		break;
	default: break;
	}
	return n > 0 && n < TRY_BUFFER_SIZE ? (size_t)n : 0;
}

static void speak(struct egress_try *try)
{
	char words[TRY_BUFFER_SIZE];
	size_t len = write_words(try, words);
	ssize_t sent = send(try->fd, words, len, MSG_NOSIGNAL);
	if (sent < 0)
		end_by_errno(try, errno);
	else
		try->step = STEP_SPEAKING;
}

/* ---- what is heard ---- */

/* 0: no whole status line yet; else its status, or -1: no HTTP. */
static int http_status(const struct egress_try *try)
{
	uint64_t status;
	if (try->in_len < 12)
		return 0;
	if (memcmp(try->in, "HTTP/1.", 7) != 0 || !span_to_u64(span_of(try->in + 9, 3), 999, &status))
		return -1;
	return (int)status;
}

/* A gate that says 502 has tried what it should have refused. */
static void hear_gate(struct egress_try *try, int status)
{
	if (status < 0)
		end(try, OUTCOME_IMPOSSIBLE, "what answers at the gate's address speaks no HTTP");
	else if (status < HTTP_REFUSED)
		end(try, OUTCOME_ANSWERED, "the gate let it pass: %d", status);
	else if (status < HTTP_FAILED)
		end(try, OUTCOME_REFUSED, "refused by the gate: %d", status);
	else if (try->wanted == WANTED_NOTHING)
		end(try, OUTCOME_ANSWERED, "the gate has tried it: %d", status);
	else
		end(try, OUTCOME_SILENT, "the gate has tried it, and nobody answered: %d", status);
}

static void hear_web(struct egress_try *try, int status)
{
	if (status < 0)
		end(try, OUTCOME_ANSWERED, "it answers");
	else if (status >= HTTP_REFUSED && status < HTTP_FAILED && try->is_nobody)
		end(try, OUTCOME_REFUSED, "refused by a gate on the way: %d", status);
	else
		end(try, OUTCOME_ANSWERED, "it answers: %d", status);
}

static void hear_end(struct egress_try *try)
{
	if (is_through_gate(try))
		end(try, OUTCOME_REFUSED, "the gate closed without an answer");
	else
		end(try, OUTCOME_REFUSED, "taken, and closed without an answer, as a gate on the way does");
}

/* A raw socket is given the IP header too (of IPv4), and what was meant for others. */
static void hear_ping(struct egress_try *try, size_t len)
{
	const unsigned char *in = (const unsigned char *)try->in;
	bool is_four = try->addr.u.sa.sa_family == AF_INET;
	size_t head = is_four && in[0] >> 4 == 4 ? (size_t)(in[0] & 15) * 4 : 0;
	if (head < len && in[head] == (is_four ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
		end(try, OUTCOME_ANSWERED, "it answers");
}

static void hear(struct egress_try *try)
{
	ssize_t n = recv(try->fd, try->in + try->in_len, sizeof(try->in) - try->in_len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		end_by_errno(try, errno);
		return;
	}
	if (n == 0) {
		hear_end(try);
		return;
	}
	if (try->kind == TRY_PING) {
		hear_ping(try, (size_t)n);
		return;
	}
	try->in_len += (size_t)n;
	bool is_web = is_through_gate(try) || (try->kind == TRY_TCP && addr_port(&try->addr) == PORT_HTTP);
	int status = is_web ? http_status(try) : -1;
	if (status == 0)
		return;
	if (is_through_gate(try))
		hear_gate(try, status);
	else
		hear_web(try, status);
}

/* ICMP says who refused a datagram. From the target itself it means that ours came through. */
static bool hear_icmp(struct egress_try *try)
{
	union {
		struct cmsghdr align;
		char room[512];
	} control;
	char rest[64];
	struct iovec iov = {rest, sizeof(rest)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	if (recvmsg(try->fd, &message, MSG_ERRQUEUE) < 0)
		return false;
	for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
		bool is_error = (head->cmsg_level == SOL_IP && head->cmsg_type == IP_RECVERR) ||
				(head->cmsg_level == SOL_IPV6 && head->cmsg_type == IPV6_RECVERR);
		struct sock_extended_err *said = (void *)CMSG_DATA(head);
		struct addr from;
		char text[ADDR_TEXT_SIZE], target[ADDR_TEXT_SIZE];
		if (!is_error || (said->ee_origin != SO_EE_ORIGIN_ICMP && said->ee_origin != SO_EE_ORIGIN_ICMP6) ||
		    !addr_from_sockaddr(SO_EE_OFFENDER(said), sizeof(struct sockaddr_in6), &from))
			continue;
		addr_format_ip(&from, text);
		addr_format_ip(&try->addr, target);
		if (strcmp(text, target) == 0)
			end(try, OUTCOME_ANSWERED, "the target says that nobody listens");
		else
			end(try, OUTCOME_REFUSED, "refused by %s: %s", text, strerror((int)said->ee_errno));
		return true;
	}
	return false;
}

static void connected(struct egress_try *try)
{
	int error = 0;
	socklen_t len = sizeof(error);
	uint16_t port = addr_port(&try->addr);
	if (getsockopt(try->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0)
		end_by_errno(try, error);
	else if (is_through_gate(try) || port == PORT_HTTP || port == PORT_TLS)
		speak(try);
	else
		end(try, OUTCOME_ANSWERED, "it takes connections");
}

static void on_events(struct egress_try *try, short events)
{
	if (is_datagram(try) && (events & POLLERR) && hear_icmp(try))
		return;
	if (try->step == STEP_CONNECTING)
		connected(try);
	else if (events & (POLLIN | POLLERR | POLLHUP))
		hear(try);
}

/* ---- beginnings ---- */

static int open_ping(int family)
{
	int protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	return fd >= 0 ? fd : socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static void open_socket(struct egress_try *try)
{
	int family = try->addr.u.sa.sa_family, one = 1;
	int type = is_datagram(try) ? SOCK_DGRAM : SOCK_STREAM;
	try->fd = try->kind == TRY_PING ? open_ping(family)
					: socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (try->fd < 0 || !is_datagram(try))
		return;
	/* Without them, what ICMP says is only a number. */
	if (family == AF_INET)
		setsockopt(try->fd, SOL_IP, IP_RECVERR, &one, sizeof(one));
	else
		setsockopt(try->fd, SOL_IPV6, IPV6_RECVERR, &one, sizeof(one));
}

static void begin(struct egress_try *try)
{
	try->started_ms = clock_mono_ms();
	open_socket(try);
	if (try->fd < 0 && try->kind == TRY_PING) {
		end(try, OUTCOME_IMPOSSIBLE, "%s: neither root nor in net.ipv4.ping_group_range", strerror(errno));
		return;
	}
	if (try->fd < 0) {
		end(try, OUTCOME_IMPOSSIBLE, "%s", strerror(errno));
		return;
	}
	if (try->source && bind(try->fd, &try->source->u.sa, addr_len(try->source)) != 0) {
		end(try, OUTCOME_IMPOSSIBLE, "%s", strerror(errno));
		return;
	}
	try->step = STEP_CONNECTING;
	if (connect(try->fd, &try->addr.u.sa, addr_len(&try->addr)) == 0) {
		if (is_datagram(try))
			speak(try);
		else
			connected(try);
	} else if (errno != EINPROGRESS) {
		end_by_errno(try, errno);
	}
}

static void time_is_over(struct egress_try *try)
{
	bool is_taken = try->step == STEP_SPEAKING && try->kind == TRY_TCP;
	if (is_through_gate(try))
		end(try, OUTCOME_SILENT, "the gate did not answer in time");
	else if (is_taken && !try->is_nobody)
		end(try, OUTCOME_ANSWERED, "it takes connections");
	else
		end(try, OUTCOME_SILENT, is_taken ? "taken by a gate on the way, and never answered" : "nothing came back");
}

/* ---- all of them ---- */

static void begin_some(struct egress_try *tries, size_t n)
{
	unsigned running = 0;
	for (size_t i = 0; i < n; i++)
		running += tries[i].step == STEP_CONNECTING || tries[i].step == STEP_SPEAKING;
	for (size_t i = 0; i < n && running < TRY_AT_ONCE; i++)
		if (tries[i].step == STEP_WAITING) {
			begin(&tries[i]);
			running += tries[i].step != STEP_DONE;
		}
}

static void end_late(struct egress_try *tries, size_t n, uint64_t timeout_ms)
{
	uint64_t now_ms = clock_mono_ms();
	for (size_t i = 0; i < n; i++)
		if ((tries[i].step == STEP_CONNECTING || tries[i].step == STEP_SPEAKING) &&
		    now_ms >= tries[i].started_ms + timeout_ms)
			time_is_over(&tries[i]);
}

/* False: nothing runs any more. */
static bool wait_for_some(struct egress_try *tries, size_t n, struct err *err, bool *ok)
{
	struct pollfd fds[TRY_AT_ONCE];
	struct egress_try *of[TRY_AT_ONCE];
	nfds_t running = 0;
	for (size_t i = 0; i < n && running < TRY_AT_ONCE; i++)
		if (tries[i].step == STEP_CONNECTING || tries[i].step == STEP_SPEAKING) {
			short wanted = tries[i].step == STEP_CONNECTING ? POLLOUT : POLLIN;
			fds[running] = (struct pollfd){.fd = tries[i].fd, .events = wanted};
			of[running++] = &tries[i];
		}
	if (running == 0)
		return false;
	*ok = poll(fds, running, 50) >= 0 || errno == EINTR || err_set(err, "poll: %s", strerror(errno));
	for (nfds_t i = 0; *ok && i < running; i++)
		if (fds[i].revents)
			on_events(of[i], fds[i].revents);
	return *ok;
}

bool egress_try_all(struct egress_try *tries, size_t n, uint64_t timeout_ms, struct err *err)
{
	bool ok = true;
	for (size_t i = 0; i < n; i++)
		tries[i].fd = -1;
	do {
		end_late(tries, n, timeout_ms);
		begin_some(tries, n);
	} while (wait_for_some(tries, n, err, &ok));
	return ok;
}
