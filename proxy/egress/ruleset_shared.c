/* Sets that the rules of every origin ask, made once. A set of a rule's own (braces in it) costs the kernel a walk through
 * all that the transaction has so far, and through all sets for a name: so what is written for each origin has none. */
#include "egress/ruleset_text.h"

struct shared {
	const char *name, *type, *elements;
};

static const struct shared shared[] = {
    {"transport", "type inet_proto ;", "6, 17"},
    {"nameless6", "type ipv6_addr ; flags interval ;", "fe80::/10, ::"},
    {"neighbours", "type icmpv6_type ;", "nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld-listener-query, "
					 "mld-listener-report, mld-listener-done, mld2-listener-report"},
};

static void declare(const struct ruleset_writer *w, const char *name, const char *type)
{
	strbuf_addf(w->out, "add set inet " RULESET_TABLE " %s { %s }\nflush set inet " RULESET_TABLE " %s\n", name, type, name);
}

static void declare_strict_ports(const struct ruleset_writer *w)
{
	declare(w, "strict", "type inet_service ; flags interval ;");
	for (uint32_t i = 0; i < w->plan->strict_port_count; i++)
		strbuf_addf(w->out, "%s%u-%u", i > 0 ? ", " : "add element inet " RULESET_TABLE " strict { ",
			    w->plan->strict_ports[i].min, w->plan->strict_ports[i].max);
	strbuf_add_str(w->out, w->plan->strict_port_count > 0 ? " }\n" : "");
}

void ruleset_declare_shared(const struct ruleset_writer *w)
{
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		declare(w, shared[i].name, shared[i].type);
		strbuf_addf(w->out, "add element inet " RULESET_TABLE " %s { %s }\n", shared[i].name, shared[i].elements);
	}
	declare_strict_ports(w);
}
