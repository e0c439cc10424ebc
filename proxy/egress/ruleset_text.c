/* Lines of the ruleset: what stands for `$X` in them. */
#include "egress/ruleset_text.h"

#include <inttypes.h>

uint32_t ruleset_key(uint64_t id)
{
	return (uint32_t)(id ^ id >> 32);
}

/* ---- addresses ---- */

static bool is_mapped(const struct cidr *network)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return network->prefix >= 96 && memcmp(network->bytes, mapped, sizeof(mapped)) == 0;
}

bool ruleset_has_family(const struct cidr *network, char family)
{
	return is_mapped(network) == (family == '4');
}

void ruleset_add_network(struct strbuf *out, const struct cidr *network)
{
	struct addr addr = {.u.in6 = {.sin6_family = AF_INET6}};
	char text[ADDR_TEXT_SIZE];
	bool v4 = is_mapped(network);
	unsigned all = v4 ? 32 : 128, prefix = v4 ? network->prefix - 96U : network->prefix;
	if (v4) {
		addr.u.in4 = (struct sockaddr_in){.sin_family = AF_INET};
		memcpy(&addr.u.in4.sin_addr, network->bytes + 12, 4);
	} else {
		memcpy(&addr.u.in6.sin6_addr, network->bytes, 16);
	}
	addr_format_ip(&addr, text);
	strbuf_addf(out, prefix == all ? "%s" : "%s/%u", text, prefix);
}

bool ruleset_origin_has(const struct warden_origin *origin, char family)
{
	for (uint32_t i = 0; i < origin->network_count; i++)
		if (ruleset_has_family(&origin->networks[i], family))
			return true;
	return false;
}

bool ruleset_add_own(struct strbuf *out, const struct warden_origin *origin, char family, const char *more)
{
	const char *before = "{ ";
	for (uint32_t i = 0; i < origin->network_count; i++) {
		if (!ruleset_has_family(&origin->networks[i], family))
			continue;
		strbuf_add_str(out, before);
		ruleset_add_network(out, &origin->networks[i]);
		before = ", ";
	}
	if (before[0] == '{')
		return false;
	strbuf_addf(out, "%s }", more);
	return true;
}

void ruleset_add_prefix(struct strbuf *out, const struct warden_origin *origin)
{
	strbuf_addf(out, "o%016" PRIx64 "_", origin->id);
}

/* ---- rates ---- */

/* The shortest unit in which it is a whole number. */
static void add_rate(struct strbuf *out, const struct warden_rate *rate)
{
	static const struct {
		uint64_t ms;
		const char *name;
	} units[] = {{1000, "second"}, {60000, "minute"}, {3600000, "hour"}, {86400000, "day"}, {604800000, "week"}};
	size_t last = sizeof(units) / sizeof(units[0]) - 1, i = 0;
	while (i < last && (units[i].ms * rate->count) % rate->per_ms != 0)
		i++;
	uint64_t count = units[i].ms * rate->count / rate->per_ms;
	strbuf_addf(out, "%" PRIu64 "/%s burst %" PRIu64 " packets", count > 0 ? count : 1, units[i].name,
		    rate->burst > 0 ? rate->burst : 1);
}

static void add_numbers(struct strbuf *out, const struct warden_rate *rate)
{
	strbuf_addf(out, "_%" PRIu64 "_%" PRIu64 "_%" PRIu64, rate->count, rate->per_ms, rate->burst);
}

/* ---- meters: sets with a budget for each destination, which keeps the numbers that it came with; so other numbers
 * make another set ---- */

static void add_meter_name(const struct ruleset_writer *w, const char *set, const struct warden_rate *rate)
{
	ruleset_add_prefix(w->out, w->origin);
	strbuf_addf(w->out, "%s%c", set, w->family);
	add_numbers(w->out, rate);
}

static void add_meter(const struct ruleset_writer *w, const char *set, const struct warden_rate *rate, unsigned kept_s)
{
	strbuf_add_str(w->out, "update @");
	add_meter_name(w, set, rate);
	strbuf_addf(w->out, " { %s daddr timeout %us limit rate ", w->family == '4' ? "ip" : "ip6", kept_s);
}

/* What is not used for longer than its burst takes to fill is as good as new, and forgotten. */
enum { METER_KEPT_S = 10, FLOOD_KEPT_S = 60 };

static void add_packets(const struct ruleset_writer *w, const char *set, const struct warden_rate *rate)
{
	if (rate->count == 0)
		return;
	add_meter(w, set, rate, METER_KEPT_S);
	add_rate(w->out, rate);
	strbuf_add_str(w->out, " } ");
}

/* For bytes, the kernel's bucket holds what passes in a second, and the burst on top. */
static struct warden_rate rate_of_bytes(uint64_t per_s)
{
	return (struct warden_rate){per_s, 1000, 1};
}

static void add_bytes(const struct ruleset_writer *w, const char *set, uint64_t per_s)
{
	const struct warden_rate rate = rate_of_bytes(per_s);
	if (per_s == 0)
		return;
	add_meter(w, set, &rate, METER_KEPT_S);
	strbuf_addf(w->out, "%" PRIu64 " bytes/second burst 1 bytes } ", per_s);
}

/* Five seconds' worth of packets over the budget. */
static struct warden_rate flood_rate(const struct warden_plan *plan)
{
	struct warden_rate rate = plan->listed_packets;
	if (rate.count == 0)
		rate = (struct warden_rate){.count = 1000, .per_ms = 1000};
	rate.burst = rate.count * 5000 / rate.per_ms + 1;
	return rate;
}

static void add_flood(const struct ruleset_writer *w)
{
	const struct warden_rate rate = flood_rate(w->plan);
	add_meter(w, "ld", &rate, FLOOD_KEPT_S);
	strbuf_add_str(w->out, "over ");
	add_rate(w->out, &rate);
	strbuf_add_str(w->out, " }");
}

void ruleset_declare_meters(const struct ruleset_writer *w)
{
	const struct warden_plan *plan = w->plan;
	const struct {
		const char *set;
		struct warden_rate rate;
		int size;
	} meters[] = {
	    {"lp", plan->listed_packets, RULESET_BUSY_MAX},
	    {"lb", rate_of_bytes(plan->listed_bytes_per_s), RULESET_BUSY_MAX},
	    {"ld", flood_rate(plan), RULESET_OVER_MAX},
	    {"tp", plan->target_packets, RULESET_BUSY_MAX},
	    {"tb", rate_of_bytes(plan->target_bytes_per_s), RULESET_BUSY_MAX},
	    {"up", plan->datagram_packets, RULESET_BUSY_MAX},
	    {"ub", rate_of_bytes(plan->datagram_bytes_per_s), RULESET_BUSY_MAX},
	};
	for (size_t i = 0; i < sizeof(meters) / sizeof(meters[0]); i++) {
		if (meters[i].rate.count == 0)
			continue;
		strbuf_add_str(w->out, "add set inet " RULESET_TABLE " ");
		add_meter_name(w, meters[i].set, &meters[i].rate);
		strbuf_addf(w->out, " { type ipv%c_addr ; flags dynamic,timeout ; size %d ; }\n", w->family, meters[i].size);
	}
}

/* ---- names of limits: other numbers make another limit ---- */

static void add_limit(const struct ruleset_writer *w, const char *name, const struct warden_rate *rate)
{
	ruleset_add_prefix(w->out, w->origin);
	strbuf_add_str(w->out, name);
	add_numbers(w->out, rate);
}

static void add_sum(const struct ruleset_writer *w)
{
	ruleset_add_prefix(w->out, w->origin);
	strbuf_addf(w->out, "bytes_%" PRIu64, w->plan->bytes_per_s);
}

static struct warden_rate strike_rate(const struct warden_plan *plan)
{
	struct warden_rate rate = {plan->law.strikes, plan->law.strike_window_ms,
				   plan->law.strikes > 1 ? plan->law.strikes - 1 : 1};
	return rate;
}

static void add_limit_of(const struct ruleset_writer *w, char which)
{
	struct warden_rate strikes = strike_rate(w->plan);
	switch (which) {
	case 'N': add_limit(w, "new", &w->plan->new_destinations); break;
	case 'C': add_limit(w, "connections", &w->plan->new_connections); break;
	case 'Y': add_limit(w, "relay", &w->plan->relay_connections); break;
	case 'S': add_limit(w, "strikes", &strikes); break;
	default: add_limit(w, "more", &strikes); break;
	}
}

void ruleset_declare_limits(const struct ruleset_writer *w)
{
	static const char which[] = {'N', 'C', 'Y', 'S', 'M'};
	const struct warden_rate strikes = strike_rate(w->plan);
	const struct warden_rate *const rates[] = {&w->plan->new_destinations, &w->plan->new_connections,
						   &w->plan->relay_connections, &strikes, &strikes};
	for (size_t i = 0; i < sizeof(which); i++) {
		if (rates[i]->count == 0)
			continue;
		strbuf_add_str(w->out, "add limit inet " RULESET_TABLE " ");
		add_limit_of(w, which[i]);
		strbuf_add_str(w->out, " { rate ");
		add_rate(w->out, rates[i]);
		strbuf_add_str(w->out, " ; }\n");
	}
	if (w->plan->bytes_per_s == 0)
		return;
	strbuf_add_str(w->out, "add limit inet " RULESET_TABLE " ");
	add_sum(w);
	strbuf_addf(w->out, " { rate %" PRIu64 " bytes/second burst 1 bytes ; }\n", w->plan->bytes_per_s);
}

/* ---- lines ---- */

static void add_times(const struct ruleset_writer *w, char what)
{
	uint64_t ms = what == 'Q' ? w->plan->law.quarantine_ms : w->plan->remember_ms;
	if (ms > 0)
		strbuf_addf(w->out, "timeout %" PRIu64 "s", (ms + 999) / 1000);
}

static void add_for(const struct ruleset_writer *w, char what)
{
	const struct warden_plan *plan = w->plan;
	struct strbuf *out = w->out;
	switch (what) {
	case 'O': ruleset_add_prefix(out, w->origin); break;
	case 'F': strbuf_add_char(out, w->family); break;
	case 'I': strbuf_add_str(out, w->family == '4' ? "ip" : "ip6"); break;
	case 'X': strbuf_addf(out, "%016" PRIx64, w->origin->id); break;
	/* a key has to come out of the packet: of this, nothing of the packet is left */
	case 'K': strbuf_addf(out, "meta mark & 0x0 | 0x%08" PRIx32, ruleset_key(w->origin->id)); break;
	case 'D': strbuf_add_str(out, w->facts->reports_only ? "accept" : "drop"); break;
	case 'Q':
	case 'R': add_times(w, what); break;
	case 'P':
		add_packets(w, "lp", &plan->listed_packets);
		add_bytes(w, "lb", plan->listed_bytes_per_s);
		break;
	case 'T':
		add_packets(w, "tp", &plan->target_packets);
		add_bytes(w, "tb", plan->target_bytes_per_s);
		break;
	case 'U':
		add_packets(w, "up", &plan->datagram_packets);
		add_bytes(w, "ub", plan->datagram_bytes_per_s);
		break;
	case 'B':
		if (w->plan->bytes_per_s == 0)
			break;
		strbuf_add_str(w->out, "limit name ");
		add_sum(w);
		break;
	case 'H': add_flood(w); break;
	case 'V': strbuf_addf(out, "%" PRIu64, plan->hourly_bytes); break;
	case 'A':
		if (w->facts->has_log)
			ruleset_words(w, "log group 8355 snaplen 96 prefix \"new - $X \"");
		break;
	default: add_limit_of(w, what); break;
	}
}

void ruleset_words(const struct ruleset_writer *w, const char *text)
{
	for (; *text; text++) {
		if (*text == '$')
			add_for(w, *++text);
		else
			strbuf_add_char(w->out, *text);
	}
}

void ruleset_line(const struct ruleset_writer *w, const char *text)
{
	ruleset_words(w, text);
	strbuf_add_char(w->out, '\n');
}
