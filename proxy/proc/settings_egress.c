/* Where the egress legs meet the rest of a policy: their listeners, beside those for visitors. */
#include "proc/settings_schema.h"

bool settings_overlap(const struct addr *a, const struct addr *b)
{
	if (addr_port(a) == 0 || addr_port(a) != addr_port(b))
		return false;
	if (addr_eq(a, b))
		return true;
	if (a->u.sa.sa_family == b->u.sa.sa_family)
		return addr_is_any(a) || addr_is_any(b);
	/* An IPv6 socket for any address takes IPv4 too. */
	return (a->u.sa.sa_family == AF_INET6 && addr_is_any(a)) ||
	       (b->u.sa.sa_family == AF_INET6 && addr_is_any(b));
}

/* What is asked for: egress.proxy, egress.transparent; and egress.dns, twice: by TCP, and by UDP. */
struct wanted {
	const char *setting, *address;
	struct addr addr;
	bool transparent, dns;
};

static bool is_free(const struct settings *settings, const struct wanted *wanted, struct policy_context *context)
{
	const struct listen_settings *listens = settings->listens.items;
	const struct policy_where where = settings->egress.where;
	for (size_t i = 0; i < settings->listens.n; i++) {
		if (!settings_overlap(&listens[i].addr, &wanted->addr))
			continue;
		if (listens[i].gate)
			policy_error(context, where, "egress.%s: %s is taken by egress.%s", wanted->setting, wanted->address,
				     listens[i].transparent ? "transparent" : "proxy");
		else
			policy_error(context, where, "egress.%s: %s is taken by listen[%zu], %s", wanted->setting,
				     wanted->address, i, listens[i].address);
		return false;
	}
	if (!settings->console.address || !settings_overlap(&settings->console.addr, &wanted->addr))
		return true;
	policy_error(context, where, "egress.%s: %s is taken by the console", wanted->setting, wanted->address);
	return false;
}

/* The list is made anew: its memory ends with what the policy has. */
static void append(struct settings *settings, const struct wanted *wanted, struct policy_context *context)
{
	const size_t n = settings->listens.n;
	struct listen_settings *items = arena_alloc(context->arena, (n + 2) * sizeof(*items));
	if (!items) {
		policy_error(context, settings->egress.where, "out of memory");
		return;
	}
	if (n > 0)
		memcpy(items, settings->listens.items, n * sizeof(*items));
	items[n] = (struct listen_settings){
	    .address = wanted->address,
	    .addr = wanted->addr,
	    .gate = true,
	    .transparent = wanted->transparent,
	    .dns = wanted->dns,
	    .where = settings->egress.where,
	};
	settings->listens.n = n + 1;
	if (wanted->dns) {
		items[n + 1] = items[n];
		items[n + 1].is_datagram = true;
		settings->listens.n = n + 2;
	}
	settings->listens.items = items;
}

/* An origin that reaches the console gives orders to its guard; through the gate's own address requests run in circles. */
static void check_opened(const struct settings *settings, const char *what, const char *text, const struct addr *addr,
			 struct policy_context *context)
{
	const struct egress_destination destination = {.addr = *addr, .is_literal = true, .port = addr_port(addr)};
	if (!text || addr_is_any(addr))
		return;
	const struct egress_verdict verdict = egress_judge(&settings->egress, &destination, EGRESS_FREE);
	if (verdict.kind == EGRESS_VERDICT_LISTED)
		policy_warning(context, settings->egress.where, "egress.allow: \"%s\" opens %s, %s, to the origins", verdict.entry,
			       what, text);
}

/* Whose requests the gate's are, for all that asks a request for its site. It has no host, so that no visitor
 * comes to it, and its one route leads anywhere. */
static struct site *make_site(struct policy_context *context)
{
	static const char *methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", NULL};
	struct site *site = arena_alloc(context->arena, sizeof(*site));
	struct origin_spec *anywhere = arena_alloc(context->arena, sizeof(*anywhere));
	if (!site || !anywhere)
		return NULL;
	*anywhere = (struct origin_spec){.url = "egress", .host = "", .authority = "", .host_field = "", .is_literal = true};
	*site = (struct site){
	    .name = "egress",
	    .root = {.prefix = "/", .prefix_len = 1, .origins = anywhere, .origin_count = 1,
		     .balance = BALANCE_ROUND_ROBIN, .send_proxy = PROXY_VERSION_NONE},
	    .shield_settings = {.mode = SHIELD_OFF, .methods = methods},
	    .via = true,
	};
	return site;
}

void settings_add_gate(struct settings *settings, struct policy_context *context)
{
	const struct egress_policy *egress = &settings->egress;
	const struct wanted wanted[] = {
	    {"proxy", egress->proxy, egress->proxy_addr, false, false},
	    {"transparent", egress->transparent, egress->transparent_addr, true, false},
	    {"dns", egress->dns, egress->dns_addr, false, true},
	};
	if (egress->mode != EGRESS_MONITOR && egress->mode != EGRESS_ENFORCE)
		return;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (wanted[i].address && is_free(settings, &wanted[i], context))
			append(settings, &wanted[i], context);
	}
	if (egress->proxy || egress->transparent || egress->dns) {
		settings->egress_site = make_site(context);
		if (!settings->egress_site)
			policy_error(context, egress->where, "out of memory");
	}
	if (policy_errors_count(context->errors) > 0)
		return;
	check_opened(settings, "the console", settings->console.address, &settings->console.addr, context);
	check_opened(settings, "the gate itself", egress->proxy, &egress->proxy_addr, context);
}
