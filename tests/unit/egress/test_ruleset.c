/* The text of the kernel leg's table: what of a policy stands in it, whatever the policy; that origins have nothing in
 * common; that what refuses never stands where a full set would let pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "egress_policy.h"
#include "sallyport/ruleset.h"

struct rules {
	struct section *section;
	struct strbuf plan_bytes, text;
	const struct warden_plan *plan;
	struct ruleset_facts facts;
};

static void write(struct rules *rules)
{
	strbuf_reset(&rules->text);
	ruleset_write(rules->plan, &rules->facts, &rules->text);
	assert_false(rules->text.truncated);
}

static struct rules *rules_of(const char *text)
{
	struct rules *rules = calloc(1, sizeof(*rules));
	struct err err = {{0}};
	assert_non_null(rules);
	rules->section = section_of(text);
	strbuf_init(&rules->plan_bytes, WARDEN_PLAN_BYTES_MAX);
	strbuf_init(&rules->text, RULESET_BYTES_MAX);
	if (!warden_plan_write(&rules->section->egress, &rules->plan_bytes, &err))
		fail_msg("%s", err.text);
	rules->plan = warden_plan_read(rules->plan_bytes.data, rules->plan_bytes.len);
	assert_non_null(rules->plan);
	rules->facts.has_log = rules->facts.has_bridge = true;
	for (unsigned i = 0; i < EGRESS_ORIGINS_MAX; i++)
		rules->facts.origins[i].slot = i;
	write(rules);
	return rules;
}

static void rules_free(struct rules *rules)
{
	section_free(rules->section);
	strbuf_release(&rules->plan_bytes);
	strbuf_release(&rules->text);
	free(rules);
}

/* How a line begins that comes after `from`; $1 and $2 stand for the prefixes of the first two origins. NULL: there is none. */
static const char *find_line(const struct rules *rules, const char *from, const char *line)
{
	char whole[1024];
	size_t len = 1;
	whole[0] = '\n';
	for (; *line && len < sizeof(whole) - 32; line++) {
		if (*line == '$' && (line[1] == '1' || line[1] == '2')) {
			len += (size_t)snprintf(whole + len, 32, "o%016llx_",
						(unsigned long long)rules->plan->origins[*++line - '1'].id);
		} else {
			whole[len++] = *line;
		}
	}
	whole[len] = '\0';
	return strstr(from, whole);
}

static bool says(const struct rules *rules, const char *line)
{
	return find_line(rules, rules->text.data, line) != NULL;
}

#define ADD "add rule inet sallyport "

static void an_origin_is_led_to_its_own_chain(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5 fd00::5\", \"10.0.1.0/24\" );");
	(void)state;
	assert_true(says(rules, ADD "forward ip saddr vmap { 10.0.0.5 : goto $1out4, 10.0.1.0/24 : goto $2out4 }\n"));
	assert_true(says(rules, ADD "forward ip6 saddr vmap { fd00::5 : goto $1out6 }\n"));
	assert_true(says(rules, ADD "input ip saddr vmap { 10.0.0.5 : goto $1in4, "));
	assert_true(says(rules, ADD "output ip daddr 127.83.0.0/16 udp dport 9 ip daddr vmap { 127.83.0.1 : goto $1token, "
				    "127.83.0.2 : goto $2token }\n"));
	rules_free(rules);
}

static void replies_come_before_every_refusal(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" ); deny = ( \"9.9.9.9\" );");
	(void)state;
	const char *reply = strstr(rules->text.data, "out4 ct direction reply ct state established,related ");
	assert_non_null(reply);
	for (const char *rule = strstr(rules->text.data, "_out4 meta"); rule; rule = strstr(rule + 1, "_out4 meta"))
		assert_true(reply < rule);
	assert_true(reply < strstr(rules->text.data, "@deny_0_65535_4 goto"));
	rules_free(rules);
}

/* Named objects that another origin's chains have, too. */
static void origins_have_nothing_in_common(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5 fd00::5\", \"10.0.0.6 fd00::6\" ); allow = ( \"9.9.9.9:53\" );");
	char first[24], second[24];
	(void)state;
	snprintf(first, sizeof(first), "o%016llx_", (unsigned long long)rules->plan->origins[0].id);
	snprintf(second, sizeof(second), "o%016llx_", (unsigned long long)rules->plan->origins[1].id);
	for (char *line = rules->text.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		bool is_base = strncmp(line, ADD "o", strlen(ADD "o")) != 0 || strncmp(line, ADD "output", strlen(ADD "output")) == 0;
		if (!is_base && strstr(line, first) && strstr(line, second))
			fail_msg("%s", line);
	}
	rules_free(rules);
}

/* `update` or `add` that fails ends its line: if the line's verdict were the refusal, a full set would let all pass. */
static void what_refuses_does_not_hang_on_room_in_a_set(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" );");
	(void)state;
	for (char *line = rules->text.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		bool touches = strncmp(line, ADD, strlen(ADD)) == 0 && (strstr(line, " update @") || strstr(line, " add @o"));
		size_t len = strlen(line);
		if (touches && len > 5 && strcmp(line + len - 5, " drop") == 0)
			fail_msg("%s", line);
	}
	rules_free(rules);
}

static void the_text_of_an_origin_is_as_it_was_meant(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" ); proxy = \"10.0.0.1:3128\"; strict_ports = ( \"443\", \"80\", "
				       "\"25\", \"400-443\", \"444\" );");
	(void)state;
	assert_true(says(rules, "add limit inet sallyport $1new_1_1000_10 { rate 1/second burst 10 packets ; }\n"));
	assert_true(says(rules, "add limit inet sallyport $1strikes_10_60000_9 { rate 10/minute burst 9 packets ; }\n"));
	assert_true(says(rules, "add set inet sallyport $1known4 { type ipv4_addr ; flags dynamic,timeout ; size 4096 ; }\n"));
	assert_true(says(rules, "add element inet sallyport strict { 25-25, 80-80, 400-444 }\n"));
	assert_true(says(rules, ADD "$1out4 meta l4proto @transport th dport @strict goto $1forbid4\n"));
	assert_true(says(rules, ADD "$1out4 ip daddr @$1known4 update @$1known4 { ip daddr timeout 3600s } goto $1target4\n"));
	assert_true(says(rules, ADD "$1target4 update @$1tp4_2000_1000_4000 { ip daddr timeout 10s limit rate 2000/second burst 4000 packets } "
				    "update @$1tb4_2097152_1000_1 { ip daddr timeout 10s limit rate 2097152 bytes/second burst 1 bytes }  "
				    "goto $1sum4\n" ADD "$1target4 goto $1over4\n"));
	assert_true(says(rules, "add limit inet sallyport $1bytes_3145728 { rate 3145728 bytes/second burst 1 bytes ; }\n"));
	assert_true(says(rules, ADD "$1sum4 limit name $1bytes_3145728 counter name $1other accept\n" ADD
				    "$1sum4 meta l4proto 6 goto $1over4\n" ADD "$1sum4 goto $1off\n"));
	assert_true(says(rules, ADD "$1in4 ip daddr 10.0.0.1 tcp dport 3128 limit rate 500/second burst 1000 packets accept\n" ADD
				    "$1in4 ip daddr 10.0.0.1 tcp dport 3128 goto $1off\n"));
	assert_true(says(rules, ADD "$1off counter name $1dropped drop\n"));
	assert_null(strstr(rules->text.data, "ipv6_addr ; flags dynamic"));
	rules_free(rules);
}

static void who_only_reports_drops_nothing(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" ); bindings = ( { address = \"10.0.0.5\"; mac = "
				       "\"02:00:00:00:00:05\"; interface = \"eth1\"; } );");
	(void)state;
	assert_non_null(strstr(rules->text.data, " drop\n"));
	rules->facts.reports_only = true;
	rules->facts.origins[0].is_bridged = true;
	write(rules);
	/* the token's own packet ends there in any mode */
	const char *drop = strstr(rules->text.data, " drop\n");
	assert_true(drop && drop == strstr(rules->text.data, " udp dport 9 drop\n") + strlen(" udp dport 9"));
	assert_null(strstr(drop + 1, " drop\n"));
	assert_null(strstr(rules->text.data, "_out4 meta mark"));
	rules_free(rules);
}

static void lists_are_joined_by_ports(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" ); allow = ( \"9.1.0.0/16:443\", \"9.1.2.3:443\", "
				       "\"9.2.0.0/16:443\", \"[2a00::/32]:443\", \"9.9.9.9\", \"mirror.example:80\", "
				       "\"8.0.0.0/8:1000-2000\" );");
	(void)state;
	assert_true(says(rules, "add element inet sallyport allow_443_443_4 { 9.1.0.0-9.1.255.255, 9.2.0.0-9.2.255.255 }\n"));
	assert_true(says(rules, "add element inet sallyport allow_443_443_6 { 2a00::-2a00:0:ffff:ffff:ffff:ffff:ffff:ffff }\n"));
	assert_true(says(rules, ADD "$1out4 ip daddr @allow_0_65535_4 goto $1listed4\n"));
	assert_true(says(rules, ADD "$1out4 meta l4proto @transport th dport 1000-2000 ip daddr @allow_1000_2000_4 goto $1listed4\n"));
	assert_true(says(rules, "add set inet sallyport name_80_80_4 { type ipv4_addr ; flags timeout ; size 4096 ; }\n"));
	rules_free(rules);
}

/* The metadata service is a block of its own within that of link-local addresses. */
static void an_entry_opens_no_more_than_its_own_block(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" ); allow = ( \"169.254.0.0/16\", \"0.0.0.0/0:53\" );");
	(void)state;
	assert_true(says(rules, "add element inet sallyport open_0_65535_4 { 169.254.0.0-169.254.169.253, "));
	const char *opened = strstr(rules->text.data, "@open_0_65535_4 goto"), *special = strstr(rules->text.data, "@special4 goto");
	const char *listed = strstr(rules->text.data, "@allow_53_53_4 goto");
	assert_true(opened && special && listed && opened < special && special < listed);
	rules_free(rules);
}

/* What is listed for the world is not this machine's own address in the origin's network; and deny comes first. */
static void this_machine_is_as_special_as_any_other(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" ); allow = ( \"*:443\", \"10.0.0.0/24:53\" ); deny = ( \"10.0.0.9\" );");
	static const char *const order[] = {
	    ADD "$1in4 icmp type echo-request limit rate 10/second burst 20 packets accept",
	    ADD "$1in4 meta mark & 0x0 | ",
	    ADD "$1in4 ip daddr @deny_0_65535_4 goto $1forbid4",
	    ADD "$1in4 meta l4proto @transport th dport 53 ip daddr @open_53_53_4 goto $1listed4",
	    ADD "$1in4 meta pkttype != host goto $1off",
	    ADD "$1in4 ip daddr @special4 goto $1forbid4",
	    ADD "$1in4 meta l4proto @transport th dport 443 ip daddr @allow_443_443_4 goto $1listed4",
	    ADD "$1in4 goto $1forbid4\n",
	};
	const char *at = rules->text.data;
	(void)state;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		at = find_line(rules, at, order[i]);
		if (!at)
			fail_msg("not there, or too early: %s", order[i]);
	}
	rules_free(rules);
}

/* A set of a rule's own makes a load slower by all that was loaded before it: many origins, many such sets, seconds. */
static void what_each_origin_has_makes_no_sets(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5 fd00::5\", \"10.0.0.6 fd00::6\" ); proxy = \"10.0.0.1:3128\"; allow = ( "
				       "\"9.9.9.9:53\", \"10.0.0.0/24:1000-2000\", \"mirror.example:80\" ); bindings = ( { address = \"10.0.0.5\"; mac = "
				       "\"02:00:00:00:00:05\"; }, { address = \"10.0.0.6\"; interface = \"eth2\"; } );");
	(void)state;
	for (char *line = rules->text.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		const char *brace = strncmp(line, ADD "o", strlen(ADD "o")) == 0 ? strstr(line, " {") : NULL;
		bool is_base = strncmp(line, ADD "output", strlen(ADD "output")) == 0;
		/* "add @set { …": what is put into one that has a name */
		if (brace && !is_base && !strstr(line, " update @") && !strstr(line, " add @"))
			fail_msg("%s", line);
	}
	rules_free(rules);
}

/* All of egress_special_blocks, and nothing else: at and beside the ends of each. */
static bool is_in(const char *set, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];
	uint8_t bytes[16];
	addr_format_ip(addr, text);
	assert_true(addr_mapped_bytes(addr, bytes));
	for (const char *at = set; *at != '}'; at += strcspn(at, ",}"), at += *at == ',') {
		char first[64] = "", last[64] = "";
		struct addr low, high;
		uint8_t low_bytes[16], high_bytes[16];
		sscanf(at, " %63[^-, ]-%63[^, }]", first, last);
		assert_true(addr_parse_ip(span_from_str(first), 0, &low));
		high = low;
		assert_true(last[0] == '\0' || addr_parse_ip(span_from_str(last), 0, &high));
		assert_true(addr_mapped_bytes(&low, low_bytes) && addr_mapped_bytes(&high, high_bytes));
		if (memcmp(bytes, low_bytes, 16) >= 0 && memcmp(bytes, high_bytes, 16) <= 0)
			return true;
	}
	return false;
}

static void special_addresses_are_those_of_the_gate(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" );");
	const char *set4 = strstr(rules->text.data, "special4 { 0") + strlen("special4 {");
	const char *set6 = strstr(rules->text.data, "special6 { :") + strlen("special6 {");
	static const char *const some[] = {"0.0.0.0", "1.1.1.1", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0",
					   "100.63.255.255", "100.64.0.0", "126.255.255.255", "169.253.255.255",
					   "169.254.169.254", "172.15.255.255", "172.31.255.255", "172.32.0.0",
					   "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.19.255.255", "198.20.0.0",
					   "223.255.255.255", "224.0.0.0", "255.255.255.255", "::", "::1", "1fff::1", "2000::",
					   "2001::1", "2001:200::1", "2001:db8::1", "2001:db9::1", "2002::1", "2a00::1",
					   "3ffe::1", "3fff::1", "4000::1", "fe80::1", "fd00::1", "ff02::1"};
	(void)state;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		struct addr addr;
		assert_true(addr_parse_ip(span_from_str(some[i]), 0, &addr));
		bool in_kernel = is_in(addr.u.sa.sa_family == AF_INET ? set4 : set6, &addr);
		if (in_kernel != (egress_special_purpose(&addr) != NULL))
			fail_msg("%s: %s", some[i], in_kernel ? "special in the kernel alone" : "special at the gate alone");
	}
	rules_free(rules);
}

static void a_forged_source_counts_against_whom_it_came_from(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\", \"10.0.0.6\" ); bindings = ( { address = \"10.0.0.5\"; mac = "
				       "\"02:00:00:00:00:05\"; }, { address = \"10.0.0.6\"; interface = \"eth2\"; } );");
	(void)state;
	assert_true(says(rules, ADD "prerouting ether saddr 02:00:00:00:00:05 jump $1source\n"));
	assert_true(says(rules, ADD "$1source goto $1spoof\n"));
	assert_true(says(rules, ADD "prerouting ip saddr { 10.0.0.5 } ether saddr != 02:00:00:00:00:05 goto stranger\n"));
	assert_true(says(rules, ADD "prerouting iifname \"eth2\" jump $2source\n"));
	assert_true(says(rules, ADD "prerouting ip saddr { 10.0.0.6 } iifname != { \"lo\", \"eth2\" } goto stranger\n"));
	assert_true(says(rules, "add rule bridge sallyport prerouting ether saddr 02:00:00:00:00:05 arp saddr ip != { 10.0.0.5, "
				"0.0.0.0 } goto $1spoof\n"));
	rules_free(rules);
}

static void what_is_bound_to_nothing_has_to_come_from_where_it_is_routed(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" );");
	(void)state;
	assert_true(says(rules, ADD "prerouting ip saddr { 10.0.0.5 } fib saddr . iif oif missing goto stranger\n"));
	memcpy(rules->facts.origins[0].route, "eth1", 5);
	write(rules);
	assert_true(says(rules, ADD "prerouting iifname != { \"eth1\" } ip saddr { 10.0.0.5 } fib saddr . iif oif missing goto "
				    "stranger\n"));
	assert_true(says(rules, ADD "prerouting iifname { \"eth1\" } ip saddr != 0.0.0.0 fib saddr . iif oif missing goto stranger\n"));
	assert_true(says(rules, ADD "forward iifname \"eth1\" ct direction original ip saddr != { 10.0.0.5, 0.0.0.0 } goto stranger\n"));
	rules_free(rules);
}

/* Neither its own chains nor those of its card's or interface's owner are to be gone around from there. */
static void a_source_that_names_nobody_leads_around_nothing(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\", \"10.0.0.6\", \"10.0.0.7\", \"10.0.0.8\" ); bindings = ( { address = "
				       "\"10.0.0.5\"; mac = \"02:00:00:00:00:05\"; }, { address = \"10.0.0.6\"; interface = \"eth2\"; }, "
				       "{ address = \"10.0.0.7\"; interface = \"eth3\"; }, { address = \"10.0.0.8\"; interface = \"eth3\"; } );");
	const char *at = rules->text.data;
	static const char *const order[] = {
	    ADD "input ip saddr vmap { ",
	    ADD "near ct direction reply ct state established,related accept\n",
	    ADD "near icmpv6 type @neighbours update @near_neighbours { iifname ",
	    ADD "near counter name strangers\n",
	    ADD "near drop\n",
	    ADD "nameless ether saddr vmap { 02:00:00:00:00:05 : goto $1near }\n",
	    ADD "nameless iifname vmap { \"eth2\" : goto $2near }\n",
	    ADD "nameless iifname { \"eth1\", \"eth3\" } goto near\n",
	    ADD "input ip6 saddr @nameless6 goto nameless\n",
	};
	(void)state;
	assert_true(says(rules, ADD "$1near goto $1off\n"));
	memcpy(rules->facts.near[0], "eth1", 5);
	memcpy(rules->facts.near[1], "eth3", 5);
	rules->facts.near_count = 2;
	write(rules);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		at = find_line(rules, at, order[i]);
		if (!at)
			fail_msg("not there, or too early: %s", order[i]);
	}
	rules_free(rules);
}

/* Answers are what this machine began; all else comes before the lists and the stages, however long it has stood. */
static void what_stands_is_judged_as_what_begins(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" ); proxy = \"10.0.0.1:3128\"; dns = \"10.0.0.1:53\";");
	(void)state;
	assert_null(strstr(rules->text.data, "_in4 ct state established,related"));
	assert_true(says(rules, ADD "$1in4 ct direction reply ct state established,related accept\n" ADD "$1in4 ct state invalid goto $1off\n"));
	assert_true(says(rules, ADD "$1in4 ip daddr 10.0.0.1 tcp dport 3128 ct state established accept\n"));
	assert_true(says(rules, ADD "$1in4 ip daddr 10.0.0.1 tcp dport 53 ct state established accept\n"));
	assert_false(says(rules, ADD "$1in4 ip daddr 10.0.0.1 udp dport 53 ct state established accept\n"));
	rules_free(rules);
}

static void what_a_text_declares_is_found_in_it(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" );");
	struct ruleset_object object = {"inet", "set", "stage1"};
	struct ruleset_declared declared;
	(void)state;
	assert_true(ruleset_declared_init(&declared, strbuf_span(&rules->text)));
	assert_true(ruleset_declares(&declared, &object));
	memcpy(object.name, "stage", 6);
	assert_false(ruleset_declares(&declared, &object));
	memcpy(object.name, "stage1", 7);
	memcpy(object.kind, "chain", 6);
	assert_false(ruleset_declares(&declared, &object));
	snprintf(object.name, sizeof(object.name), "o%016llx_out4", (unsigned long long)rules->plan->origins[0].id);
	assert_true(ruleset_declares(&declared, &object));
	ruleset_declared_release(&declared);
	rules_free(rules);
}

static void a_plan_that_makes_no_sense_is_none(void **state)
{
	struct rules *rules = rules_of("origins = ( \"10.0.0.5\" ); allow = ( \"9.9.9.9\" );");
	struct warden_plan *plan = (void *)rules->plan_bytes.data;
	size_t len = rules->plan_bytes.len;
	(void)state;
	assert_null(warden_plan_read(NULL, 0));
	assert_null(warden_plan_read(plan, len - 1));
	plan->entry_count++;
	assert_null(warden_plan_read(plan, len));
	plan->entry_count--;
	plan->origins[0].networks[0].prefix = 129;
	assert_null(warden_plan_read(plan, len));
	plan->origins[0].networks[0].prefix = 128;
	memcpy(plan->origins[0].interface, "x\" y", 5);
	assert_null(warden_plan_read(plan, len));
	plan->origins[0].interface[0] = '\0';
	plan->new_connections.per_ms = 0;
	assert_null(warden_plan_read(plan, len));
	plan->new_connections.per_ms = 1000;
	assert_non_null(warden_plan_read(plan, len));
	rules_free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_origin_is_led_to_its_own_chain),
	    cmocka_unit_test(replies_come_before_every_refusal),
	    cmocka_unit_test(origins_have_nothing_in_common),
	    cmocka_unit_test(what_refuses_does_not_hang_on_room_in_a_set),
	    cmocka_unit_test(the_text_of_an_origin_is_as_it_was_meant),
	    cmocka_unit_test(who_only_reports_drops_nothing),
	    cmocka_unit_test(lists_are_joined_by_ports),
	    cmocka_unit_test(an_entry_opens_no_more_than_its_own_block),
	    cmocka_unit_test(this_machine_is_as_special_as_any_other),
	    cmocka_unit_test(special_addresses_are_those_of_the_gate),
	    cmocka_unit_test(a_forged_source_counts_against_whom_it_came_from),
	    cmocka_unit_test(what_is_bound_to_nothing_has_to_come_from_where_it_is_routed),
	    cmocka_unit_test(what_each_origin_has_makes_no_sets),
	    cmocka_unit_test(a_source_that_names_nobody_leads_around_nothing),
	    cmocka_unit_test(what_stands_is_judged_as_what_begins),
	    cmocka_unit_test(what_a_text_declares_is_found_in_it),
	    cmocka_unit_test(a_plan_that_makes_no_sense_is_none),
	};
	return cmocka_run_group_tests_name("ruleset", tests, NULL, NULL);
}
