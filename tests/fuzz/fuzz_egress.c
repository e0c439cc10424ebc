/* Lists of destinations and what is asked of them. A line "+text" is one of `allow`, "-text" one of `deny`; any
 * other is a destination, "host:port", perhaps with a space and the address that its name leads to. Whatever the texts
 * are: what is taken can match, deny beats allow, nothing private is open that is not listed by address, and
 * quarantine gives nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "egress/list.h"
#include "sallyport/url.h"

enum { LINES_MAX = 64, TEXT_MAX = 512 };

struct texts {
	const char *items[LINES_MAX + 1];
	struct policy_strings strings;
};

static struct egress_policy policy;
static struct arena *arena;

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "fuzz_egress: %s\n", what);
	abort();
}

/* ---- the lists ---- */

/* As the reader of policies does: no control byte, not empty. */
static void add_text(struct texts *texts, struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.ptr[i] < 0x20 || line.ptr[i] == 0x7f)
			return;
	if (line.len == 0 || texts->strings.n == LINES_MAX)
		return;
	struct span copy = arena_span(arena, line);
	if (copy.ptr)
		texts->items[texts->strings.n++] = copy.ptr;
}

static void check_entry(const struct egress_entry *entry)
{
	struct addr addr;
	if (entry->ports.min > entry->ports.max || (entry->ports.min == 0 && entry->ports.max != UINT16_MAX))
		die("ports that match nothing");
	if (entry->kind != EGRESS_ENTRY_NAME && entry->kind != EGRESS_ENTRY_BELOW)
		return;
	if (entry->host.len == 0 || addr_parse_ip(entry->host, 0, &addr))
		die("a name that is none");
	for (size_t i = 0; i < entry->host.len; i++)
		if (entry->host.ptr[i] != ascii_lower(entry->host.ptr[i]) || entry->host.ptr[i] == '*')
			die("a name that no host equals");
}

static struct egress_list *compile(struct texts *texts, struct policy_errors *errors)
{
	struct policy_context context = {.arena = arena, .errors = errors, .path = "egress"};
	texts->strings.items = texts->items;
	struct egress_list *list = egress_list_compile(&texts->strings, "allow", (struct policy_where){NULL, 1}, &context);
	if (!list)
		die("no memory");
	for (size_t i = 0; i < list->n; i++)
		check_entry(&list->entries[i]);
	return list;
}

/* ---- destinations ---- */

static bool has(const struct egress_entry *entry, const struct egress_destination *to)
{
	if (to->port < entry->ports.min || to->port > entry->ports.max)
		return false;
	if (entry->kind == EGRESS_ENTRY_ANY)
		return true;
	bool is_v4 = entry->network.prefix >= 96 && entry->network.bytes[10] == 0xff && entry->network.bytes[11] == 0xff &&
		     memcmp(entry->network.bytes, "\0\0\0\0\0\0\0\0\0", 10) == 0;
	if (to->is_literal)
		return entry->kind == EGRESS_ENTRY_NETWORK && is_v4 == (to->addr.u.sa.sa_family == AF_INET) &&
		       cidr_has(&entry->network, &to->addr);
	if (entry->kind == EGRESS_ENTRY_NAME)
		return span_eq(entry->host, to->host);
	return entry->kind == EGRESS_ENTRY_BELOW && to->host.len > entry->host.len && span_ends(to->host, entry->host) &&
	       to->host.ptr[to->host.len - entry->host.len - 1] == '.';
}

static bool is_in(const struct egress_list *list, const struct egress_destination *to)
{
	for (size_t i = 0; i < list->n; i++)
		if (has(&list->entries[i], to))
			return true;
	return false;
}

static bool has_network(const struct egress_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->entries[i].kind == EGRESS_ENTRY_NETWORK)
			return true;
	return false;
}

static void check(const struct egress_destination *to)
{
	const struct egress_verdict free_one = egress_judge(&policy, to, EGRESS_FREE);
	const struct egress_verdict listed_only = egress_judge(&policy, to, EGRESS_LISTED_ONLY);
	if (egress_judge(&policy, to, EGRESS_REPLIES_ONLY).kind != EGRESS_VERDICT_REFUSED)
		die("stage 2 lets something pass");
	if ((listed_only.kind == EGRESS_VERDICT_LISTED) != (free_one.kind == EGRESS_VERDICT_LISTED))
		die("stage 1 changes what is listed");
	if (is_in(policy.deny, to) && free_one.reason != REASON_EGRESS_DENIED)
		die("deny does not beat all else");
	if (!to->is_literal && !is_in(policy.deny, to) && is_in(policy.allow, to) != (free_one.kind == EGRESS_VERDICT_LISTED))
		die("a name is listed that is not, or the other way");
	if (to->is_literal && egress_special_purpose(&to->addr) && free_one.kind != EGRESS_VERDICT_REFUSED &&
	    !has_network(policy.allow))
		die("a private address is open");
}

static void check_at(const struct egress_destination *to, struct addr *addr)
{
	const struct egress_verdict named = egress_judge(&policy, to, EGRESS_FREE);
	addr_set_port(addr, to->port);
	const struct egress_verdict verdict = egress_judge_address(&policy, &named, addr, EGRESS_FREE);
	const struct egress_destination at = {.addr = *addr, .is_literal = true, .port = to->port};
	if (verdict.kind != EGRESS_VERDICT_REFUSED && (is_in(policy.deny, &at) || is_in(policy.deny, to)))
		die("an address or name that is denied passes");
	if (verdict.kind != EGRESS_VERDICT_REFUSED && egress_special_purpose(addr) && !has_network(policy.allow))
		die("a name opens a private address");
	if (named.kind == EGRESS_VERDICT_REFUSED && verdict.kind != EGRESS_VERDICT_REFUSED)
		die("what was refused by name passes by address");
}

/* As the gate does. */
static void ask(struct span line)
{
	size_t space = span_find(line, ' ');
	struct url_host host;
	enum reason reason;
	struct addr addr;
	static char lower[TEXT_MAX];
	if (!url_parse_host(span_of(line.ptr, space), &host, &reason) || host.name.len > TEXT_MAX)
		return;
	for (size_t i = 0; i < host.name.len; i++)
		lower[i] = ascii_lower(host.name.ptr[i]);
	struct egress_destination to = {.host = span_of(lower, host.name.len), .port = host.port ? host.port : 80};
	to.is_literal = addr_parse_ip(to.host, to.port, &to.addr);
	check(&to);
	if (space < line.len && addr_parse_ip(span_from(line, space + 1), 0, &addr))
		check_at(&to, &addr);
}

/* ---- lines ---- */

static bool next_line(struct span *rest, struct span *line)
{
	if (rest->len == 0)
		return false;
	*line = span_of(rest->ptr, span_find(*rest, '\n'));
	*rest = span_from(*rest, line->len + 1);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct texts allow = {0}, deny = {0}, none = {0};
	struct span rest = span_of((const char *)data, size), line;
	struct policy_errors *errors = policy_errors_new();
	arena = arena_new(8 << 20);
	if (!arena || !errors || size > 8192)
		goto out;
	while (next_line(&rest, &line))
		if (line.len > 0 && (line.ptr[0] == '+' || line.ptr[0] == '-'))
			add_text(line.ptr[0] == '+' ? &allow : &deny, span_from(line, 1));
	policy = (struct egress_policy){
	    .mode = EGRESS_ENFORCE, .strict_ports = {{80, 80}, {443, 443}, {25, 25}}, .strict_port_count = 3};
	policy.allow = compile(&allow, errors);
	policy.deny = compile(&deny, errors);
	policy.relays = compile(&none, errors);
	rest = span_of((const char *)data, size);
	while (next_line(&rest, &line))
		ask(line);
out:
	policy_errors_free(errors);
	arena_free(arena);
	return 0;
}
