/* What holds for every policy and every destination: asked of thousands of random ones, beside a judge that
 * knows no index and looks at each text. */
#include "dice.h"
#include "egress/list.h"
#include "egress_policy.h"

enum { ROUNDS = 400, ENTRIES_MAX = 12 };

static uint64_t dice = 7;

#define PICK(of) of[dice_below(&dice, sizeof(of) / sizeof(of[0]))]

static const char *const names[] = {"example", "a.example", "b.example", "a.b.example", "*.example", "*.b.example", "*.a.example"};
static const char *const networks[] = {"9.9.9.9", "9.9.9.0/24", "9.0.0.0/8", "0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3",
				       "fd00::/8", "::/0", "2600::/16", "64:ff9b::/96", "169.254.0.0/16"};
static const char *const ports[] = {"", ":80", ":443", ":80-8080", ":8080"};
static const char *const hosts[] = {"example", "a.example", "b.example", "c.b.example", "a.b.example", "x.a.example", "other"};
static const char *const ips[] = {"9.9.9.9", "9.9.9.8", "9.8.7.6", "1.2.3.4", "10.1.2.3", "10.1.2.4", "10.9.9.9", "127.0.0.1",
				  "169.254.169.254", "169.254.1.1", "fd00::1", "fd00:ec2::254", "2600::1", "2a00::1", "::1",
				  "64:ff9b::9.9.9.9", "64:ff9b::10.1.2.3", "2002:909:909::1"};
static const uint16_t asked_ports[] = {80, 443, 8080, 9999};

/* ---- random lists ---- */

struct texts {
	char text[ENTRIES_MAX][64];
	unsigned n;
};

static void add_entry(struct texts *texts, bool with_networks)
{
	char *text = texts->text[texts->n++];
	const char *port = PICK(ports);
	bool is_network = with_networks && dice_below(&dice, 2);
	const char *host = is_network ? PICK(networks) : PICK(names);
	if (dice_below(&dice, 20) == 0)
		host = "*";
	bool needs_brackets = *port && strchr(host, ':');
	snprintf(text, 64, needs_brackets ? "[%s]%s" : "%s%s", host, port);
}

static struct texts random_texts(bool with_networks)
{
	struct texts texts = {.n = 0};
	for (unsigned n = dice_below(&dice, ENTRIES_MAX); n > 0; n--)
		add_entry(&texts, with_networks);
	return texts;
}

static void shuffle(struct texts *texts)
{
	for (unsigned i = texts->n; i > 1; i--) {
		unsigned j = dice_below(&dice, i);
		char swapped[64];
		memcpy(swapped, texts->text[i - 1], 64);
		memcpy(texts->text[i - 1], texts->text[j], 64);
		memcpy(texts->text[j], swapped, 64);
	}
}

static void write_texts(struct strbuf *out, const char *setting, const struct texts *texts)
{
	strbuf_addf(out, "%s = (", setting);
	for (unsigned i = 0; i < texts->n; i++)
		strbuf_addf(out, "%s \"%s\"", i ? "," : "", texts->text[i]);
	strbuf_add_str(out, " );\n");
}

static struct section *section_with(const struct texts *allow, const struct texts *deny)
{
	struct strbuf text;
	strbuf_init(&text, 1 << 16);
	strbuf_add_str(&text, "origins = ( \"10.0.0.5\" );\n");
	write_texts(&text, "allow", allow);
	write_texts(&text, "deny", deny);
	struct section *section = section_of(text.data);
	strbuf_release(&text);
	return section;
}

/* ---- the slow judge ---- */

static bool has_host(const struct egress_entry *entry, struct span host)
{
	switch (entry->kind) {
	case EGRESS_ENTRY_ANY: return true;
	case EGRESS_ENTRY_NAME: return span_eq(entry->host, host);
	case EGRESS_ENTRY_BELOW:
		return span_ends(host, entry->host) && host.len > entry->host.len &&
		       host.ptr[host.len - entry->host.len - 1] == '.';
	default: return false;
	}
}

static bool has_address(const struct egress_entry *entry, const struct addr *addr)
{
	bool is_v4 = entry->network.prefix >= 96 && entry->network.bytes[10] == 0xff && entry->network.bytes[11] == 0xff;
	return entry->kind == EGRESS_ENTRY_ANY ||
	       (entry->kind == EGRESS_ENTRY_NETWORK && is_v4 == (addr->u.sa.sa_family == AF_INET) &&
		cidr_has(&entry->network, addr));
}

static bool any_has(const struct texts *texts, const char *host, const struct addr *addr, uint16_t port)
{
	struct arena *arena = arena_new(1 << 16);
	bool found = false;
	for (unsigned i = 0; i < texts->n && !found; i++) {
		struct egress_entry entry;
		struct err err;
		assert_true(egress_entry_parse(texts->text[i], &entry, arena, &err));
		found = port >= entry.ports.min && port <= entry.ports.max &&
			(addr ? has_address(&entry, addr) : has_host(&entry, span_from_str(host)));
	}
	arena_free(arena);
	return found;
}

/* ---- properties ---- */

static void deny_beats_allow_whatever_the_order(void **unused)
{
	(void)unused;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct texts allow = random_texts(true), deny = random_texts(true);
		const char *host = PICK(hosts), *ip = PICK(ips);
		const uint16_t port = PICK(asked_ports);
		const struct addr addr = address(ip, port);
		const bool is_denied = any_has(&deny, host, NULL, port) || any_has(&deny, NULL, &addr, port);
		const bool is_named = any_has(&allow, host, NULL, port);
		struct egress_verdict first = {0};
		for (unsigned i = 0; i < 3; i++) {
			struct section *section = section_with(&allow, &deny);
			const struct egress_verdict verdict = ask_at(section, host, ip, port, EGRESS_FREE);
			if (is_denied && is_named)
				assert_int_equal(verdict.reason, REASON_EGRESS_DENIED);
			if (is_denied)
				assert_int_equal(verdict.kind, EGRESS_VERDICT_REFUSED);
			if (i > 0)
				assert_true(verdict.kind == first.kind && verdict.reason == first.reason);
			first = verdict;
			section_free(section);
			shuffle(&allow);
			shuffle(&deny);
		}
	}
}

static void what_is_listed_is_in_allow(void **unused)
{
	(void)unused;
	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct texts allow = random_texts(true), deny = random_texts(true);
		struct section *section = section_with(&allow, &deny);
		for (unsigned i = 0; i < 50; i++) {
			const char *host = PICK(hosts);
			const uint16_t port = PICK(asked_ports);
			const bool is_allowed = any_has(&allow, host, NULL, port) && !any_has(&deny, host, NULL, port);
			const struct egress_verdict verdict = ask(section, host, port, EGRESS_FREE);
			assert_int_equal(verdict.kind == EGRESS_VERDICT_LISTED, is_allowed);
		}
		section_free(section);
	}
}

static void a_list_of_names_opens_no_private_address(void **unused)
{
	(void)unused;
	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct texts allow = random_texts(false), deny = random_texts(false);
		struct section *section = section_with(&allow, &deny);
		for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
			const uint16_t port = PICK(asked_ports);
			const struct addr addr = address(ips[i], port);
			if (!egress_special_purpose(&addr))
				continue;
			const struct egress_verdict by_name = ask_at(section, PICK(hosts), ips[i], port, EGRESS_FREE);
			const struct egress_verdict by_address = ask(section, ips[i], port, EGRESS_FREE);
			assert_int_equal(by_name.kind, EGRESS_VERDICT_REFUSED);
			assert_int_equal(by_address.kind, EGRESS_VERDICT_REFUSED);
		}
		section_free(section);
	}
}

static void a_quarantined_origin_gains_nothing(void **unused)
{
	(void)unused;
	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct texts allow = random_texts(true), deny = random_texts(true);
		struct section *section = section_with(&allow, &deny);
		for (unsigned i = 0; i < 50; i++) {
			const char *host = PICK(hosts), *ip = PICK(ips);
			const uint16_t port = PICK(asked_ports);
			const struct egress_verdict free = ask_at(section, host, ip, port, EGRESS_FREE);
			const struct egress_verdict listed = ask_at(section, host, ip, port, EGRESS_LISTED_ONLY);
			const struct egress_verdict none = ask_at(section, host, ip, port, EGRESS_REPLIES_ONLY);
			assert_int_equal(none.kind, EGRESS_VERDICT_REFUSED);
			assert_int_equal(listed.kind == EGRESS_VERDICT_LISTED, free.kind == EGRESS_VERDICT_LISTED);
			assert_true(listed.kind == EGRESS_VERDICT_LISTED || listed.kind == EGRESS_VERDICT_REFUSED);
		}
		section_free(section);
	}
}

static void a_large_list_is_as_good_as_a_small_one(void **unused)
{
	(void)unused;
	struct strbuf text;
	strbuf_init(&text, 4 << 20);
	strbuf_add_str(&text, "origins = ( \"10.0.0.5\" ); allow = ( \"last.example\"");
	for (unsigned i = 0; i < 40000; i++)
		strbuf_addf(&text, i % 2 ? ", \"h%u.many.example:443\"" : ", \"11.%u.%u.0/24:443\"", i / 2 % 32768 >> 8 | (i & 1),
			    i / 2 & 0xff);
	strbuf_add_str(&text, ", \"12.0.0.1\" );");
	struct section *section = section_of(text.data);
	assert_int_equal(egress_list_count(section->egress.allow), 40002);
	assert_int_equal(ask(section, "last.example", 80, EGRESS_FREE).kind, EGRESS_VERDICT_LISTED);
	assert_int_equal(ask(section, "11.0.7.9", 443, EGRESS_FREE).kind, EGRESS_VERDICT_LISTED);
	assert_int_equal(ask(section, "12.0.0.1", 443, EGRESS_FREE).kind, EGRESS_VERDICT_LISTED);
	assert_int_equal(ask(section, "12.0.0.2", 443, EGRESS_FREE).kind, EGRESS_VERDICT_REFUSED);
	assert_int_equal(ask(section, "h.many.example", 443, EGRESS_LISTED_ONLY).kind, EGRESS_VERDICT_UNLISTED);
	strbuf_release(&text);
	section_free(section);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(deny_beats_allow_whatever_the_order),
	    cmocka_unit_test(what_is_listed_is_in_allow),
	    cmocka_unit_test(a_list_of_names_opens_no_private_address),
	    cmocka_unit_test(a_quarantined_origin_gains_nothing),
	    cmocka_unit_test(a_large_list_is_as_good_as_a_small_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
