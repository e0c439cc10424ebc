/* Addresses of listed names: what the gate has found comes into the kernel's sets, with the time until which it
 * counts. Each is judged again: it must be of the public internet, and of a name and ports that the plan in force
 * has. So a captured gate can list no private address, and nothing that no name stands for. */
#include <inttypes.h>
#include <string.h>

#include "proc/warden.h"
#include "sallyport/clock.h"
#include "sallyport/log.h"

enum { LINE_BYTES = 512, RENEW_MS = 60000 };

static struct egress_found_address found[EGRESS_FOUND_MAX];
/* What the kernel has by now, as far as it was put there. */
static struct egress_found_address applied[EGRESS_FOUND_MAX];
static unsigned applied_count;
static uint32_t sequence;

static bool is_listed(const struct egress_found_address *address)
{
	for (uint32_t i = 0; i < warden.plan->entry_count; i++) {
		const struct warden_entry *entry = &warden.plan->entries[i];
		if (entry->list == address->list && entry->port_min == address->port_min &&
		    entry->port_max == address->port_max)
			return entry->list == WARDEN_LISTED_NAME || entry->list == WARDEN_RELAY_NAME;
	}
	return false;
}

static struct addr addr_of(const struct egress_found_address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct addr addr = {0};
	if (memcmp(address->bytes, mapped, sizeof(mapped)) == 0) {
		addr.u.in4.sin_family = AF_INET;
		memcpy(&addr.u.in4.sin_addr, address->bytes + 12, 4);
	} else {
		addr.u.in6.sin6_family = AF_INET6;
		memcpy(&addr.u.in6.sin6_addr, address->bytes, 16);
	}
	return addr;
}

static bool is_same(const struct egress_found_address *a, const struct egress_found_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0 && a->list == b->list && a->port_min == b->port_min &&
	       a->port_max == b->port_max;
}

static bool is_there(const struct egress_found_address *address)
{
	for (unsigned i = 0; i < applied_count; i++)
		if (is_same(&applied[i], address))
			return applied[i].until_ms + RENEW_MS > address->until_ms;
	return false;
}

/* Taken out and put in again, since adding what is there leaves its time as it was. */
static void add_lines(struct strbuf *out, const struct egress_found_address *address, uint64_t now_ms)
{
	const struct warden_entry entry = {
	    .list = address->list, .port_min = address->port_min, .port_max = address->port_max};
	const struct addr addr = addr_of(address);
	char host[ADDR_TEXT_SIZE];
	static const char *const verbs[] = {"add", "delete", "add"};
	addr_format_ip(&addr, host);
	for (size_t i = 0; i < 3; i++) {
		strbuf_addf(out, "%s element inet " RULESET_TABLE " ", verbs[i]);
		ruleset_add_group(out, &entry, addr.u.sa.sa_family == AF_INET ? '4' : '6');
		strbuf_addf(out, " { %s", host);
		if (i != 1)
			strbuf_addf(out, " timeout %" PRIu64 "s", (address->until_ms - now_ms) / 1000 + 1);
		strbuf_add_str(out, " }\n");
	}
}

static bool put(unsigned n, uint64_t now_ms)
{
	struct err err = {{0}};
	struct strbuf text;
	bool is_done = true;
	strbuf_init(&text, (size_t)EGRESS_FOUND_MAX * LINE_BYTES);
	for (unsigned i = 0; i < n; i++) {
		const struct addr addr = addr_of(&found[i]);
		if (is_listed(&found[i]) && !egress_special_purpose(&addr) && !is_there(&found[i]))
			add_lines(&text, &found[i], now_ms);
	}
	if (text.len > 0)
		is_done = !text.truncated && kernel_nft_load(warden.nft, text.data, &err);
	if (!is_done)
		log_error("addresses of listed names are not in the kernel: %s", err.text);
	strbuf_release(&text);
	return is_done;
}

void names_apply(void)
{
	uint64_t now_ms = clock_mono_ms();
	unsigned n;
	if (!egress_found_read(&warden.states->found, &sequence, now_ms, found, &n) || !put(n, now_ms))
		return;
	memcpy(applied, found, n * sizeof(found[0]));
	applied_count = n;
}

void names_begin(void)
{
	applied_count = 0;
	sequence = 0;
	names_apply();
}
