/* What a policy may say about what leaves, and what is made of it. */
#include "egress/check.h"
#include "egress/list.h"
#include "egress/origins.h"

#include <string.h>

#define EGRESS(member)  offsetof(struct egress_policy, member)
#define BINDING(member) offsetof(struct egress_binding, member)

enum {
	LIST_MAX = 65536,
	RATE_MAX = 1000000,
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	HOUR_MS = 60 * MINUTE_MS,
	DAY_MS = 24 * HOUR_MS,
	STRIKES_MAX = 1000,
	CONNECTIONS_MAX = 1000000,
};

#define BYTES_PER_S_MAX (UINT64_C(1) << 40)
#define BYTES_MAX       (UINT64_C(1) << 50)
#define MICROSECONDS_MAX (UINT64_C(7) * 86400 * 1000000)

/* ---- bindings ---- */

static const struct setting binding_rows[] = {
    {"address", SETTING_STRING, BINDING(address), .required = true, .example = "\"10.0.0.5\"",
     .doc = "An address of one of `origins`. What is said here holds for all addresses of that origin."},
    {"mac", SETTING_STRING, BINDING(mac), .example = "\"02:00:5e:10:00:01\"",
     .doc = "The address of its network card. Packets with the origin's address from another card are dropped."},
    {"interface", SETTING_STRING, BINDING(interface), .example = "\"eth1\"",
     .doc = "The interface of this machine behind which it is. Packets with its address from another are dropped."},
    {0},
};

static const struct schema binding_schema = {
    .name = "bindings",
    .size = sizeof(struct egress_binding),
    .settings = binding_rows,
    .where_offset = BINDING(where),
};

/* ---- limits of the gate ---- */

static const struct setting limit_rows[] = {
    {"requests", SETTING_RATE, EGRESS(origin_requests.setting), .standard = "100/s", .max = RATE_MAX,
     .doc = "Requests and tunnels of one origin through the gate; twice as many at once. `0/s`: any number."},
    {"host_requests", SETTING_RATE, EGRESS(host_requests.setting), .standard = "50/s", .max = RATE_MAX,
     .doc = "The same, of one origin to one host."},
    {"connections", SETTING_COUNT, EGRESS(origin_connections), .standard = "512", .min = 1, .max = CONNECTIONS_MAX,
     .doc = "Requests and tunnels of one origin under way at once."},
    {"host_connections", SETTING_COUNT, EGRESS(host_connections), .standard = "64", .min = 1, .max = CONNECTIONS_MAX,
     .doc = "The same, of one origin to one host."},
    {"bytes", SETTING_BYTE_RATE, EGRESS(origin_bytes_per_s), .standard = "64 MiB/s", .max = BYTES_PER_S_MAX,
     .doc = "What one origin may send, and what it may receive, through the gate. Above it the gate reads "
	    "more slowly. `0 B/s`: any amount."},
    {"host_bytes", SETTING_BYTE_RATE, EGRESS(host_bytes_per_s), .standard = "32 MiB/s", .max = BYTES_PER_S_MAX,
     .doc = "The same, of one origin with one host."},
    {0},
};

static const struct schema limit_schema = {
    .name = "limits",
    .size = sizeof(struct egress_policy),
    .settings = limit_rows,
    .where_offset = SIZE_MAX,
};

/* ---- the kernel leg ---- */

static const struct setting flow_rows[] = {
    {"new_connections", SETTING_RATE, EGRESS(new_connections.setting), .standard = "50/s", .max = RATE_MAX,
     .doc = "Connections and other flows that one origin may begin; twice as many at once. `0/s`: any number."},
    {"listed_packets", SETTING_RATE, EGRESS(listed_packets.setting), .standard = "20000/s", .max = RATE_MAX,
     .doc = "Packets of one origin to one destination in `allow`; twice as many at once. `0/s`: any number."},
    {"listed_bytes", SETTING_BYTE_RATE, EGRESS(listed_bytes_per_s), .standard = "64 MiB/s", .max = BYTES_PER_S_MAX,
     .doc = "Bytes of one origin to one destination in `allow`. `0 B/s`: any number."},
    {"target_packets", SETTING_RATE, EGRESS(target_packets.setting), .standard = "2000/s", .max = RATE_MAX,
     .doc = "TCP packets of one origin to one other destination; twice as many at once. `0/s`: any number."},
    {"target_bytes", SETTING_BYTE_RATE, EGRESS(target_bytes_per_s), .standard = "2 MiB/s", .max = BYTES_PER_S_MAX,
     .doc = "Bytes in TCP of one origin to one other destination. `0 B/s`: any number."},
    {"datagram_packets", SETTING_RATE, EGRESS(datagram_packets.setting), .standard = "20/s", .max = RATE_MAX,
     .doc = "Packets of UDP, ICMP and all else but TCP of one origin to one other destination; twice as many at once. "
	    "`0/s`: any number."},
    {"datagram_bytes", SETTING_BYTE_RATE, EGRESS(datagram_bytes_per_s), .standard = "32 KiB/s", .max = BYTES_PER_S_MAX,
     .doc = "Bytes of the same. `0 B/s`: any number."},
    {"bytes", SETTING_BYTE_RATE, EGRESS(flow_bytes_per_s), .standard = "3 MiB/s", .max = BYTES_PER_S_MAX,
     .doc = "Bytes of one origin to all destinations together that are not in `allow`. `0 B/s`: any number."},
    {"hourly_bytes", SETTING_BYTES, EGRESS(hourly_bytes), .standard = "256 MiB", .max = BYTES_MAX,
     .doc = "What one origin may send within an hour to destinations that are not in `allow`. 0: any amount."},
    {0},
};

static const struct schema flow_schema = {
    .name = "flows",
    .size = sizeof(struct egress_policy),
    .settings = flow_rows,
    .where_offset = SIZE_MAX,
};

/* ---- the section ---- */

static const struct policy_choice modes[] = {
    {"enforce", EGRESS_ENFORCE}, {"monitor", EGRESS_MONITOR}, {"off", EGRESS_OFF}, {NULL, 0}};
static const struct policy_choice kernels[] = {{"auto", EGRESS_KERNEL_AUTO},
					       {"required", EGRESS_KERNEL_REQUIRED},
					       {"off", EGRESS_KERNEL_OFF},
					       {NULL, 0}};

static const struct policy_choice learnings[] = {{"off", EGRESS_LEARNING_OFF}, {"on", EGRESS_LEARNING_ON}, {NULL, 0}};

static const struct setting egress_rows[] = {
    {"mode", SETTING_ENUM, EGRESS(mode), .standard = "enforce", .choices = modes,
     .doc = "`monitor` only reports what `enforce` would refuse, drop and quarantine; `off` is as if there were no such "
	    "section."},
    {"proxy", SETTING_STRING, EGRESS(proxy), .example = "\"10.0.0.1:3128\"",
     .doc = "Where the gate, a forward proxy for the origins, listens. Without it there is none."},
    {"transparent", SETTING_STRING, EGRESS(transparent), .example = "\"10.0.0.1:3129\"",
     .doc = "Where the kernel leg redirects the origins' connections to ports 80 and 443. Without it they are forwarded as "
	    "all others."},
    {"dns", SETTING_STRING, EGRESS(dns), .example = "\"10.0.0.1:53\"",
     .doc = "Where names are answered for the origins, as far as the lists allow. Without it nowhere."},
    {"kernel", SETTING_ENUM, EGRESS(kernel), .standard = "auto", .choices = kernels,
     .doc = "Whether packets that are forwarded are judged in the kernel, which takes the capability CAP_NET_ADMIN: `auto` "
	    "where it can be had, `required` does not start without it."},
    {"origins", SETTING_STRINGS, EGRESS(origin_texts), .max = EGRESS_ORIGINS_MAX,
     .example = "( \"10.0.0.5\", \"10.0.0.6 fd00::6\" )",
     .doc = "The machines behind sallyport, each with its address, several addresses separated by spaces, or a network. Each "
	    "has budgets of its own. At least one is needed."},
    {"bindings", SETTING_LIST, EGRESS(bindings), .sub = &binding_schema,
     .max = EGRESS_ORIGINS_MAX * EGRESS_ADDRESSES_MAX,
     .doc = "Which card and interface an origin's packets come from, where that is known: no neighbour can pass for it then."},
    {"allow", SETTING_STRINGS, EGRESS(allow_texts), .max = LIST_MAX, .example = "( \"packages.example:443\" )",
     .doc = "Destinations that the origins need: hosts, `*.example`, addresses and networks, each with a port or a "
	    "range of ports, or any."},
    {"deny", SETTING_STRINGS, EGRESS(deny_texts), .max = LIST_MAX, .example = "( \"*.example\", \"192.0.2.0/24\" )",
     .doc = "Destinations that nobody gets to, whatever `allow` says; written the same way."},
    {"strict_ports", SETTING_STRINGS, EGRESS(strict_texts), .standard = "80, 443, 25",
     .max = EGRESS_STRICT_PORTS_MAX, .example = "( \"1-65535\" )",
     .doc = "Ports, and ranges of them, at which only what is in `allow` is reached. `( )`: none."},
    {"relays", SETTING_STRINGS, EGRESS(relay_texts), .max = 1024, .example = "( \"mail.example:25\" )",
     .doc = "Those of `allow` that take mail: connections and messages to them have limits of their own."},
    {"relay_connections", SETTING_RATE, EGRESS(relay_connections.setting), .standard = "30/min", .max = RATE_MAX,
     .doc = "Connections of one origin to `relays`, through the gate or forwarded; twice as many at once. `0/s`: any number."},
    {"relay_messages", SETTING_RATE, EGRESS(relay_messages.setting), .standard = "60/min", .max = RATE_MAX,
     .doc = "Messages of one origin to `relays` through the gate, counted once for each recipient; twice as many at once. Above it "
	    "the gate reads more slowly. `0/s`: any number."},
    {"dns_names", SETTING_RATE, EGRESS(dns_names.setting), .standard = "30/min", .min = 1, .max = RATE_MAX,
     .doc = "How many names below the wildcards of `allow` one origin may ask `dns` for that it did not ask for lately; twice as "
	    "many at once. A name can carry a message, so this is what a tunnel gets. Names without a wildcard are free."},
    {"new_destinations", SETTING_RATE, EGRESS(new_destinations.setting), .standard = "1/s", .min = 1, .max = 1000,
     .doc = "How often one origin may turn to a destination that is not in `allow` and that it has not used lately, through gate "
	    "and kernel together."},
    {"burst", SETTING_COUNT, EGRESS(new_destinations.burst), .standard = "10", .min = 1, .max = 10000,
     .doc = "How many of them at once."},
    {"wait", SETTING_TIME, EGRESS(wait_ms), .standard = "3 s", .max = MINUTE_MS,
     .doc = "How long the gate lets a new destination wait for its turn before it refuses."},
    {"remember", SETTING_TIME, EGRESS(remember_ms), .standard = "1 h", .min = SECOND_MS, .max = 7 * DAY_MS,
     .doc = "A destination that was not used for so long is new again."},
    {"learning", SETTING_ENUM, EGRESS(learning), .standard = "off", .choices = learnings,
     .doc = "Whether what an origin uses through the gate is learned: it counts as listed, for that origin, from its second use on that is "
	    "24 h after the first, or once an operator approves it. A conviction wipes what was not approved."},
    {"limits", SETTING_GROUP, 0, .sub = &limit_schema, .doc = "How much may pass the gate."},
    {"flows", SETTING_GROUP, 0, .sub = &flow_schema, .doc = "How much may be forwarded by the kernel."},
    {"strikes", SETTING_COUNT, EGRESS(strikes), .standard = "10", .min = 1, .max = STRIKES_MAX,
     .doc = "So many offences of an origin put it in quarantine, where only what is in `allow`, and replies to visitors, leave; as "
	    "many for floods of what is listed, while it is there, put an end to all but replies."},
    {"strike_window", SETTING_TIME, EGRESS(strike_window_ms), .standard = "1 min", .min = SECOND_MS, .max = DAY_MS,
     .doc = "How long it takes until all `strikes` are forgotten, one after the other."},
    {"quarantine", SETTING_TIME, EGRESS(quarantine_ms), .standard = "10 min", .max = 30 * (uint64_t)DAY_MS,
     .doc = "How long the first quarantine lasts; each further one twice as long. 0: until an operator releases the origin."},
    {"quarantine_max", SETTING_TIME, EGRESS(quarantine_max_ms), .standard = "24 h", .min = SECOND_MS,
     .max = 365 * (uint64_t)DAY_MS,
     .doc = "The longest one. After so long without another, one is forgiven."},
    {0},
};

/* ---- compiling ---- */

static void compile_address(const char *text, const char *setting, struct addr *out, struct policy_where where,
			    struct policy_context *context)
{
	struct err err = {0};
	if (text && !addr_parse(span_from_str(text), out, &err))
		policy_error_in(context, where, setting, "%s", err.text);
}

/* Rounded up, so that never more than was said may pass. */
static bool compile_rate(struct egress_rate *rate)
{
	if (rate->setting.count == 0)
		return true;
	if (rate->burst == 0)
		rate->burst = 2 * rate->setting.count;
	rate->interval_us = (rate->setting.per_ms * 1000 + rate->setting.count - 1) / rate->setting.count;
	rate->tolerance_us = (rate->burst - 1) * rate->interval_us;
	return rate->burst <= MICROSECONDS_MAX / rate->interval_us;
}

static void compile_rates(struct egress_policy *policy, struct policy_where where, struct policy_context *context)
{
	struct {
		struct egress_rate *rate;
		const char *setting;
	} rates[] = {
	    {&policy->new_destinations, "burst"},
	    {&policy->origin_requests, "limits.requests"},
	    {&policy->host_requests, "limits.host_requests"},
	    {&policy->new_connections, "flows.new_connections"},
	    {&policy->listed_packets, "flows.listed_packets"},
	    {&policy->target_packets, "flows.target_packets"},
	    {&policy->datagram_packets, "flows.datagram_packets"},
	    {&policy->relay_connections, "relay_connections"},
	    {&policy->relay_messages, "relay_messages"},
	    {&policy->dns_names, "dns_names"},
	};
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		if (!compile_rate(rates[i].rate))
			policy_error_in(context, where, rates[i].setting,
					"at this rate a burst of %llu takes more than 7 d to be forgotten",
					(unsigned long long)rates[i].rate->burst);
	}
}

static void compile_strict_ports(struct egress_policy *policy, struct policy_where where, struct policy_context *context)
{
	for (size_t i = 0; i < policy->strict_texts.n; i++) {
		struct err err = {0};
		if (egress_ports_parse(span_from_str(policy->strict_texts.items[i]),
				       &policy->strict_ports[policy->strict_port_count], &err))
			policy->strict_port_count++;
		else
			policy_error_in(context, where, "strict_ports", "%s", err.text);
	}
}

static void finish_egress(void *structure, struct policy_where where, struct policy_context *context)
{
	struct egress_policy *policy = structure;
	if (policy->where.line == 0) {
		policy->mode = EGRESS_UNSET;
		return;
	}
	compile_address(policy->proxy, "proxy", &policy->proxy_addr, where, context);
	compile_address(policy->transparent, "transparent", &policy->transparent_addr, where, context);
	compile_address(policy->dns, "dns", &policy->dns_addr, where, context);
	egress_origins_compile(policy, where, context);
	policy->allow = egress_list_compile(&policy->allow_texts, "allow", where, context);
	policy->deny = egress_list_compile(&policy->deny_texts, "deny", where, context);
	policy->relays = egress_list_compile(&policy->relay_texts, "relays", where, context);
	compile_strict_ports(policy, where, context);
	compile_rates(policy, where, context);
	if (policy->origin_texts.n == 0)
		policy_error_in(context, where, "origins",
				"at least one is needed, such as origins = ( \"10.0.0.5\" );: who is none of them gets nothing");
	if (policy->allow && policy->deny && policy->relays)
		egress_check(policy, where, context);
}

const struct schema egress_schema = {
    .name = "egress",
    .size = sizeof(struct egress_policy),
    .settings = egress_rows,
    .where_offset = EGRESS(where),
    .finish = finish_egress,
};
