/* An attacker's packets: as many as the machine can send, with any source, from any Ethernet address. A test
 * tool for network namespaces of our own; count and time are always bounded.
 *
 *   packets INTERFACE OUR_MAC GATEWAY_MAC SOURCE TARGET udp|tcp|icmp [NAME=NUMBER …]
 *
 * SOURCE is an address, or PREFIX/LENGTH: a new one for each packet. TARGET is an address; targets=N takes N
 * following ones in turn. port, size (bytes of data), count, rate (packets a second, 0: all that goes),
 * seconds. Says what it sent, in JSON. */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FRAME_MAX = 1514, COUNT_MAX = 50 * 1000 * 1000, SECONDS_MAX = 60 };

struct address {
	uint8_t bytes[16];
	unsigned size;   /* 4 or 16 */
	unsigned prefix; /* bits that stand; the others are drawn anew for each packet */
};

struct attack {
	struct address source, target;
	uint8_t our_mac[6], gateway_mac[6];
	uint8_t protocol;
	unsigned long targets, port, size, count, rate, seconds;
};

static void fail(const char *what)
{
	fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* xorshift64*: the same packets in every run. */
static uint64_t draw(void)
{
	static uint64_t state = 88172645463325252U;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717U;
}

/* ---- what is asked for ---- */

static bool read_mac(const char *text, uint8_t mac[6])
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
		      &mac[5]) == 6;
}

static bool read_address(const char *text, struct address *address)
{
	char copy[64];
	char *slash;

	snprintf(copy, sizeof copy, "%s", text);
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	address->size = strchr(copy, ':') ? 16 : 4;
	address->prefix = slash ? (unsigned)strtoul(slash + 1, NULL, 10) : address->size * 8;
	return inet_pton(address->size == 16 ? AF_INET6 : AF_INET, copy, address->bytes) == 1;
}

static bool read_number(struct attack *attack, const char *text)
{
	const struct {
		const char *name;
		unsigned long *value;
	} names[] = {
		{ "targets=", &attack->targets }, { "port=", &attack->port },     { "size=", &attack->size },
		{ "count=", &attack->count },     { "rate=", &attack->rate },     { "seconds=", &attack->seconds },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t length = strlen(names[i].name);

		if (strncmp(text, names[i].name, length) == 0) {
			*names[i].value = strtoul(text + length, NULL, 10);
			return true;
		}
	}
	return false;
}

static bool read_attack(struct attack *attack, int argc, char **argv)
{
	*attack = (struct attack){ .targets = 1, .port = 80, .count = 1000, .seconds = 5 };
	if (argc < 7 || !read_mac(argv[2], attack->our_mac) || !read_mac(argv[3], attack->gateway_mac) ||
	    !read_address(argv[4], &attack->source) || !read_address(argv[5], &attack->target) ||
	    attack->source.size != attack->target.size)
		return false;
	if (strcmp(argv[6], "udp") == 0)
		attack->protocol = IPPROTO_UDP;
	else if (strcmp(argv[6], "tcp") == 0)
		attack->protocol = IPPROTO_TCP;
	else if (strcmp(argv[6], "icmp") == 0)
		attack->protocol = attack->source.size == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	for (int i = 7; i < argc; i++)
		if (!read_number(attack, argv[i]))
			return false;
	return attack->protocol != 0 && attack->count <= COUNT_MAX && attack->seconds <= SECONDS_MAX &&
	       attack->size <= 1400 && attack->targets > 0;
}

/* ---- packets ---- */

/* RFC 1071, in network order. */
static uint32_t add_up(uint32_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (length % 2)
		sum += (uint32_t)bytes[length - 1] << 8;
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void draw_source(const struct address *source, uint8_t *bytes)
{
	for (unsigned bit = source->prefix; bit < source->size * 8; bit++)
		if (draw() >> 63)
			bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
}

static void step_target(const struct address *target, unsigned long step, uint8_t *bytes)
{
	for (unsigned at = target->size; at > 0 && step; at--, step >>= 8) {
		step += bytes[at - 1];
		bytes[at - 1] = (uint8_t)step;
	}
}

/* Transport header and data; the checksum stays 0. Gives the length, and where the checksum belongs. */
static size_t write_transport(const struct attack *attack, unsigned long number, uint8_t *at, size_t *checksum_at)
{
	uint16_t port = htons((uint16_t)(20000 + number % 40000));

	if (attack->protocol == IPPROTO_TCP) {
		struct tcphdr tcp = { .source = port, .dest = htons((uint16_t)attack->port), .doff = 5, .syn = 1,
				      .seq = htonl((uint32_t)draw()), .window = htons(64240) };
		memcpy(at, &tcp, sizeof tcp);
		*checksum_at = offsetof(struct tcphdr, check);
		return sizeof tcp;
	}
	if (attack->protocol == IPPROTO_UDP) {
		struct udphdr udp = { .source = port, .dest = htons((uint16_t)attack->port),
				      .len = htons((uint16_t)(sizeof udp + attack->size)) };
		memcpy(at, &udp, sizeof udp);
		*checksum_at = offsetof(struct udphdr, check);
		return sizeof udp + attack->size;
	}
	struct icmphdr echo = { .type = attack->source.size == 4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
				.un.echo = { .id = htons(7), .sequence = htons((uint16_t)number) } };
	memcpy(at, &echo, sizeof echo);
	*checksum_at = offsetof(struct icmphdr, checksum);
	return sizeof echo + attack->size;
}

static size_t write_ip4(const struct attack *attack, const uint8_t *source, const uint8_t *target, size_t length,
			uint8_t *at)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = attack->protocol, .id = (uint16_t)draw(),
			    .tot_len = htons((uint16_t)(sizeof ip + length)) };

	memcpy(&ip.saddr, source, 4);
	memcpy(&ip.daddr, target, 4);
	memcpy(at, &ip, sizeof ip);
	ip.check = checksum(add_up(0, at, sizeof ip));
	memcpy(at, &ip, sizeof ip);
	return sizeof ip;
}

static size_t write_ip6(const struct attack *attack, const uint8_t *source, const uint8_t *target, size_t length,
			uint8_t *at)
{
	struct ip6_hdr ip = { .ip6_flow = htonl(6U << 28), .ip6_plen = htons((uint16_t)length),
			      .ip6_nxt = attack->protocol, .ip6_hlim = 64 };

	memcpy(&ip.ip6_src, source, 16);
	memcpy(&ip.ip6_dst, target, 16);
	memcpy(at, &ip, sizeof ip);
	return sizeof ip;
}

static size_t write_frame(const struct attack *attack, unsigned long number, uint8_t *frame)
{
	struct ether_header *ether = (struct ether_header *)frame;
	size_t ip_size = attack->source.size == 4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
	uint8_t source[16], target[16];
	uint8_t *ip = frame + sizeof *ether, *transport = ip + ip_size;
	size_t length, checksum_at;
	uint32_t sum = 0;
	uint16_t check;

	memcpy(source, attack->source.bytes, sizeof source);
	memcpy(target, attack->target.bytes, sizeof target);
	draw_source(&attack->source, source);
	step_target(&attack->target, number % attack->targets, target);
	memcpy(ether->ether_dhost, attack->gateway_mac, 6);
	memcpy(ether->ether_shost, attack->our_mac, 6);
	ether->ether_type = htons(attack->source.size == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	length = write_transport(attack, number, transport, &checksum_at);
	if (attack->source.size == 4)
		write_ip4(attack, source, target, length, ip);
	else
		write_ip6(attack, source, target, length, ip);
	if (attack->protocol != IPPROTO_ICMP) {
		sum = add_up(add_up(0, source, attack->source.size), target, attack->source.size);
		sum += attack->protocol + (uint32_t)length;
	}
	check = checksum(add_up(sum, transport, length));
	memcpy(transport + checksum_at, &check, sizeof check);
	return sizeof *ether + ip_size + length;
}

/* ---- sending ---- */

static int open_link(const char *interface)
{
	struct sockaddr_ll link = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&link, sizeof link) != 0)
		fail(interface);
	return fd;
}

/* Waits until it is this packet's turn. */
static void keep_rate(const struct attack *attack, unsigned long sent, uint64_t began_us)
{
	uint64_t due_us = attack->rate ? began_us + sent * 1000000 / attack->rate : 0, now = now_us();

	if (due_us > now)
		usleep((useconds_t)(due_us - now));
}

static unsigned long send_all(const struct attack *attack, int fd, uint64_t began_us)
{
	static uint8_t frames[BATCH][FRAME_MAX];
	unsigned long batch = attack->rate ? 1 : BATCH, sent = 0;
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];

	memset(messages, 0, sizeof messages);
	while (sent < attack->count && now_us() - began_us < (uint64_t)attack->seconds * 1000000) {
		unsigned long many = attack->count - sent < batch ? attack->count - sent : batch;

		for (unsigned long i = 0; i < many; i++) {
			parts[i] = (struct iovec){ frames[i], write_frame(attack, sent + i, frames[i]) };
			messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
		}
		keep_rate(attack, sent, began_us);
		int done = sendmmsg(fd, messages, (unsigned)many, 0);

		if (done < 0 && errno != ENOBUFS && errno != EINTR)
			fail("sendmmsg");
		sent += done > 0 ? (unsigned long)done : 0;
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct attack attack;
	unsigned long sent;
	uint64_t began_us;

	if (!read_attack(&attack, argc, argv)) {
		fprintf(stderr, "usage: packets INTERFACE OUR_MAC GATEWAY_MAC SOURCE TARGET udp|tcp|icmp "
				"[targets= port= size= count= rate= seconds=]\n");
		return 2;
	}
	began_us = now_us();
	sent = send_all(&attack, open_link(argv[1]), began_us);
	printf("{ \"sent\": %lu, \"seconds\": %.3f }\n", sent, (double)(now_us() - began_us) / 1e6);
	return 0;
}
