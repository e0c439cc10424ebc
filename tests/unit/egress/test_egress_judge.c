/* What the lists say of a destination, by name and by address. */
#include "egress_policy.h"

static const char lists[] = "proxy = \"10.0.0.1:3128\"; origins = ( \"10.0.0.5\" );\n"
			    "allow = ( \"packages.example:443\", \"*.cdn.example:8000-8080\", \"8.8.8.0/24:53\", \"9.9.9.9\",\n"
			    "  \"10.1.0.0/16:5432\", \"[2600:1::/32]:443\", \"Mixed.Case.Example.\", \"bad.cdn.example\",\n"
			    "  \"inner.example:443\" );\n"
			    "deny = ( \"bad.cdn.example\", \"*.evil.example\", \"8.8.8.8\", \"2600:1:2::/48\", \"*:6667\" );\n";

static void expect(const struct egress_verdict *verdict, enum egress_verdict_kind kind, enum reason reason, const char *entry)
{
	assert_int_equal(verdict->kind, kind);
	assert_int_equal(verdict->reason, reason);
	assert_non_null(verdict->setting);
	if (entry)
		assert_string_equal(verdict->entry, entry);
	else
		assert_null(verdict->entry);
}

struct row {
	const char *host;
	uint16_t port;
	enum egress_verdict_kind kind;
	enum reason reason;
	const char *entry;
};

#define LISTED(entry) EGRESS_VERDICT_LISTED, REASON_UNSET, entry
#define UNLISTED      EGRESS_VERDICT_UNLISTED, REASON_UNSET, NULL
#define DENIED(entry) EGRESS_VERDICT_REFUSED, REASON_EGRESS_DENIED, entry
#define NOT_ALLOWED   EGRESS_VERDICT_REFUSED, REASON_EGRESS_NOT_ALLOWED, NULL
#define PRIVATE       EGRESS_VERDICT_REFUSED, REASON_EGRESS_PRIVATE, NULL

static const struct row rows[] = {
    {"packages.example", 443, LISTED("packages.example:443")},
    {"packages.example", 8443, UNLISTED},
    {"www.packages.example", 8443, UNLISTED},
    {"a.cdn.example", 8000, LISTED("*.cdn.example:8000-8080")},
    {"a.b.cdn.example", 8080, LISTED("*.cdn.example:8000-8080")},
    {"a.cdn.example", 8081, UNLISTED},
    {"cdn.example", 8000, UNLISTED},
    {"xcdn.example", 8000, UNLISTED},
    {"mixed.case.example", 25, LISTED("Mixed.Case.Example.")},
    {"bad.cdn.example", 8000, DENIED("bad.cdn.example")},
    {"x.bad.cdn.example", 8000, LISTED("*.cdn.example:8000-8080")},
    {"x.evil.example", 8000, DENIED("*.evil.example")},
    {"packages.example", 6667, DENIED("*:6667")},
    {"8.8.8.9", 53, LISTED("8.8.8.0/24:53")},
    {"8.8.8.8", 53, DENIED("8.8.8.8")},
    {"8.8.8.9", 54, UNLISTED},
    {"9.9.9.9", 25, LISTED("9.9.9.9")},
    {"9.9.9.8", 25, NOT_ALLOWED},
    {"9.9.9.8", 6667, DENIED("*:6667")},
    {"10.1.2.3", 5432, LISTED("10.1.0.0/16:5432")},
    {"10.1.2.3", 5433, PRIVATE},
    {"10.2.0.1", 5432, PRIVATE},
    {"127.0.0.1", 8080, PRIVATE},
    {"::ffff:127.0.0.1", 8080, PRIVATE},
    {"169.254.169.254", 8080, PRIVATE},
    {"64:ff9b::9.9.9.9", 8080, LISTED("9.9.9.9")},
    {"64:ff9b::9.9.9.8", 8080, PRIVATE},
    {"64:ff9b::8.8.8.8", 53, DENIED("8.8.8.8")},
    {"64:ff9b::10.1.2.3", 5432, LISTED("10.1.0.0/16:5432")},
    {"2600:1::1", 443, LISTED("[2600:1::/32]:443")},
    {"2600:1:2::1", 443, DENIED("2600:1:2::/48")},
    {"2600:2::1", 8443, UNLISTED},
    {"2600:2::1", 80, NOT_ALLOWED},
};

static void each_destination_has_its_verdict(void **unused)
{
	(void)unused;
	struct section *section = section_of(lists);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		const struct egress_verdict verdict = ask(section, row->host, row->port, EGRESS_FREE);
		if (verdict.kind != row->kind || verdict.reason != row->reason)
			print_error("%s:%u\n", row->host, row->port);
		expect(&verdict, row->kind, row->reason, row->entry);
	}
	section_free(section);
}

static void strict_ports_are_only_for_what_is_allowed(void **unused)
{
	(void)unused;
	struct section *section = section_of("origins = ( \"10.0.0.5\" ); allow = ( \"packages.example:443\" );");
	struct egress_verdict verdict = ask(section, "other.example", 443, EGRESS_FREE);
	expect(&verdict, NOT_ALLOWED);
	assert_string_equal(verdict.setting, "egress.strict_ports");
	verdict = ask(section, "other.example", 25, EGRESS_FREE);
	expect(&verdict, NOT_ALLOWED);
	verdict = ask(section, "other.example", 8080, EGRESS_FREE);
	expect(&verdict, UNLISTED);
	section_free(section);
	section = section_of("origins = ( \"10.0.0.5\" ); strict_ports = ( \"22\", \"8000-9000\" );");
	assert_true(egress_is_strict_port(&section->egress, 22));
	assert_true(egress_is_strict_port(&section->egress, 8500));
	assert_false(egress_is_strict_port(&section->egress, 443));
	section_free(section);
}

static void a_name_may_be_allowed_by_the_address_it_leads_to(void **unused)
{
	(void)unused;
	struct section *section = section_of("origins = ( \"10.0.0.5\" ); allow = ( \"9.9.9.0/24:443\" );");
	struct egress_verdict verdict = ask_at(section, "any.example", "9.9.9.9", 443, EGRESS_FREE);
	expect(&verdict, LISTED("9.9.9.0/24:443"));
	verdict = ask_at(section, "any.example", "9.9.8.9", 443, EGRESS_FREE);
	expect(&verdict, NOT_ALLOWED);
	verdict = ask(section, "any.example", 80, EGRESS_FREE);
	expect(&verdict, NOT_ALLOWED);
	verdict = ask_at(section, "any.example", "9.9.8.9", 443, EGRESS_LISTED_ONLY);
	assert_int_equal(verdict.reason, REASON_EGRESS_QUARANTINED);
	section_free(section);
}

static void a_listed_name_never_opens_a_private_address(void **unused)
{
	(void)unused;
	struct section *section = section_of(lists);
	static const char *const private[] = {"10.0.0.1",  "127.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254",
					      "fe80::1", "64:ff9b::10.0.0.1", "2002:a00:1::1", "0.0.0.0", "10.1.2.3"};
	for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
		struct egress_verdict verdict = ask_at(section, "inner.example", private[i], 443, EGRESS_FREE);
		expect(&verdict, PRIVATE);
	}
	struct egress_verdict verdict = ask_at(section, "packages.example", "1.2.3.4", 443, EGRESS_FREE);
	expect(&verdict, LISTED("packages.example:443"));
	verdict = ask_at(section, "db.example", "10.1.2.3", 5432, EGRESS_FREE);
	expect(&verdict, LISTED("10.1.0.0/16:5432"));
	section_free(section);
}

static void a_listed_name_that_leads_to_a_denied_address_is_refused(void **unused)
{
	(void)unused;
	struct section *section = section_of(lists);
	struct egress_verdict verdict = ask_at(section, "packages.example", "8.8.8.8", 443, EGRESS_FREE);
	expect(&verdict, DENIED("8.8.8.8"));
	verdict = ask_at(section, "packages.example", "64:ff9b::8.8.8.8", 443, EGRESS_FREE);
	expect(&verdict, DENIED("8.8.8.8"));
	section_free(section);
}

static void a_large_network_does_not_open_what_is_private_in_it(void **unused)
{
	(void)unused;
	struct section *section = section_of("origins = ( \"10.0.0.5\" );\n"
					     "allow = ( \"0.0.0.0/0\", \"::/0\", \"169.254.0.0/16\", \"fd00::/8\", \"8.0.0.0/6\" );");
	static const char *const closed[] = {"10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fe80::1", "fd00:ec2::254"};
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		struct egress_verdict verdict = ask(section, closed[i], 8080, EGRESS_FREE);
		expect(&verdict, PRIVATE);
	}
	struct egress_verdict verdict = ask(section, "169.254.1.1", 8080, EGRESS_FREE);
	expect(&verdict, LISTED("169.254.0.0/16"));
	verdict = ask(section, "fd00::1", 8080, EGRESS_FREE);
	expect(&verdict, LISTED("fd00::/8"));
	verdict = ask(section, "1.2.3.4", 443, EGRESS_FREE);
	expect(&verdict, LISTED("0.0.0.0/0"));
	verdict = ask(section, "2600::1", 443, EGRESS_FREE);
	expect(&verdict, LISTED("::/0"));
	section_free(section);
}

/* At a strict port whatever is unlisted is refused, but a name may lead to a network that has the port. */
static void a_network_has_the_ports_that_it_is_listed_with(void **unused)
{
	(void)unused;
	struct section *section = section_of("origins = ( \"10.0.0.5\" ); strict_ports = ( \"1-65535\" );\n"
					     "allow = ( \"1.0.0.0/8:1\", \"2.0.0.0/8:63-64\", \"3.0.0.0/8:128-191\", \"4.0.0.0/8:250-400\","
					     "\"5.0.0.0/8:511\", \"6.0.0.0/8:65535\" );");
	for (unsigned port = 1; port <= 65535; port++) {
		bool has = port == 1 || port == 63 || port == 64 || (port >= 128 && port <= 191) ||
			   (port >= 250 && port <= 400) || port == 511 || port == 65535;
		struct egress_verdict verdict = ask(section, "other.example", (uint16_t)port, EGRESS_FREE);
		assert_int_equal(verdict.kind, has ? EGRESS_VERDICT_UNLISTED : EGRESS_VERDICT_REFUSED);
	}
	section_free(section);
}

static void a_network_of_one_family_says_nothing_of_the_other(void **unused)
{
	(void)unused;
	struct section *section = section_of("origins = ( \"10.0.0.5\" ); deny = ( \"::/0\" );");
	struct egress_verdict verdict = ask(section, "2600::1", 8080, EGRESS_FREE);
	expect(&verdict, DENIED("::/0"));
	verdict = ask(section, "1.2.3.4", 8080, EGRESS_FREE);
	expect(&verdict, UNLISTED);
	section_free(section);
	section = section_of("origins = ( \"10.0.0.5\" ); deny = ( \"0.0.0.0/0\" );");
	verdict = ask(section, "2600::1", 8080, EGRESS_FREE);
	expect(&verdict, UNLISTED);
	section_free(section);
}

static void quarantine_leaves_what_is_listed_and_then_nothing(void **unused)
{
	(void)unused;
	struct section *section = section_of("origins = ( \"10.0.0.5\" ); allow = ( \"packages.example:443\" );");
	struct egress_verdict verdict = ask(section, "packages.example", 443, EGRESS_LISTED_ONLY);
	expect(&verdict, LISTED("packages.example:443"));
	verdict = ask_at(section, "packages.example", "1.2.3.4", 443, EGRESS_LISTED_ONLY);
	expect(&verdict, LISTED("packages.example:443"));
	verdict = ask(section, "other.example", 8080, EGRESS_LISTED_ONLY);
	assert_int_equal(verdict.reason, REASON_EGRESS_QUARANTINED);
	verdict = ask(section, "packages.example", 443, EGRESS_REPLIES_ONLY);
	assert_int_equal(verdict.reason, REASON_EGRESS_QUARANTINED);
	verdict = ask_at(section, "packages.example", "1.2.3.4", 443, EGRESS_REPLIES_ONLY);
	assert_int_equal(verdict.reason, REASON_EGRESS_QUARANTINED);
	section_free(section);
}

static void a_final_dot_makes_no_name_of_an_address(void **unused)
{
	(void)unused;
	struct section *section = section_of("origins = ( \"10.0.0.5\" ); allow = ( \"9.9.9.9.:443\", \"a.example.:443\" );");
	struct egress_verdict verdict = ask(section, "9.9.9.9", 443, EGRESS_FREE);
	expect(&verdict, LISTED("9.9.9.9.:443"));
	verdict = ask(section, "a.example", 443, EGRESS_FREE);
	expect(&verdict, LISTED("a.example.:443"));
	section_free(section);
	section = section_new("origins = ( \"10.0.0.5\" ); allow = ( \"*.10.0.0.1.\", \"a..\", \".\", \"*.\" );");
	assert_int_equal(section->errors, 4);
	section_free(section);
}

static void relays_are_found_by_name_and_address(void **unused)
{
	(void)unused;
	struct section *section = section_of("origins = ( \"10.0.0.5\" ); allow = ( \"mail.example:25\", \"9.9.9.9:25\" );\n"
					     "relays = ( \"mail.example:25\", \"9.9.9.9:25\" );");
	struct egress_destination destination = {.host = SPAN("mail.example"), .port = 25};
	assert_true(egress_is_relay(&section->egress, &destination));
	destination.port = 26;
	assert_false(egress_is_relay(&section->egress, &destination));
	destination = (struct egress_destination){.addr = address("9.9.9.9", 25), .is_literal = true, .port = 25};
	assert_true(egress_is_relay(&section->egress, &destination));
	section_free(section);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_destination_has_its_verdict),
	    cmocka_unit_test(strict_ports_are_only_for_what_is_allowed),
	    cmocka_unit_test(a_name_may_be_allowed_by_the_address_it_leads_to),
	    cmocka_unit_test(a_listed_name_never_opens_a_private_address),
	    cmocka_unit_test(a_listed_name_that_leads_to_a_denied_address_is_refused),
	    cmocka_unit_test(a_large_network_does_not_open_what_is_private_in_it),
	    cmocka_unit_test(a_network_has_the_ports_that_it_is_listed_with),
	    cmocka_unit_test(a_network_of_one_family_says_nothing_of_the_other),
	    cmocka_unit_test(quarantine_leaves_what_is_listed_and_then_nothing),
	    cmocka_unit_test(a_final_dot_makes_no_name_of_an_address),
	    cmocka_unit_test(relays_are_found_by_name_and_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
