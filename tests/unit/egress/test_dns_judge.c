/* Which names are answered, and with which addresses. */
#include "egress_policy.h"
#include "sallyport/egress_dns.h"

static enum egress_naming naming(const struct section *section, const char *host, enum egress_stage stage)
{
	return egress_judge_name(&section->egress, span_from_str(host), stage);
}

static bool may_name(const struct section *section, const char *host, const char *ip)
{
	const struct addr addr = address(ip, 0);
	return egress_may_name(&section->egress, span_from_str(host), &addr);
}

static void names_of_the_list_are_answered(void **state)
{
	struct section *section = section_of("origins = ( \"10.0.0.5\" ); allow = ( \"a.example:443\", \"*.b.example\", \"c.example\", "
					     "\"d.example\" ); deny = ( \"c.example\", \"d.example:80\" );");
	(void)state;
	assert_int_equal(naming(section, "a.example", EGRESS_FREE), EGRESS_NAMING_LISTED);
	assert_int_equal(naming(section, "a.example", EGRESS_LISTED_ONLY), EGRESS_NAMING_LISTED);
	assert_int_equal(naming(section, "a.example", EGRESS_REPLIES_ONLY), EGRESS_NAMING_REFUSED);
	assert_int_equal(naming(section, "x.b.example", EGRESS_FREE), EGRESS_NAMING_COVERED);
	assert_int_equal(naming(section, "b.example", EGRESS_FREE), EGRESS_NAMING_REFUSED);
	assert_int_equal(naming(section, "c.example", EGRESS_FREE), EGRESS_NAMING_REFUSED);
	assert_int_equal(naming(section, "d.example", EGRESS_FREE), EGRESS_NAMING_LISTED);
	section_free(section);
}

static void an_address_is_told_if_the_name_may_be_reached_there(void **state)
{
	struct section *section = section_of("origins = ( \"10.0.0.5\" ); allow = ( \"a.example:443\", \"b.example\" ); "
					     "deny = ( \"9.9.9.9\", \"9.9.9.8:443\" );");
	(void)state;
	assert_true(may_name(section, "a.example", "8.8.8.8"));
	assert_true(may_name(section, "a.example", "2a00::1"));
	assert_false(may_name(section, "a.example", "9.9.9.9"));
	assert_false(may_name(section, "a.example", "9.9.9.8"));
	assert_true(may_name(section, "b.example", "9.9.9.8"));
	assert_false(may_name(section, "a.example", "10.1.0.9"));
	assert_false(may_name(section, "c.example", "8.8.8.8"));
	section_free(section);
}

/* Wherever the ports of the two begin. */
static void what_is_not_public_is_told_where_allow_has_it_at_a_port_of_the_name(void **state)
{
	struct section *section =
	    section_of("origins = ( \"10.0.0.5\" ); allow = ( \"db.internal\", \"web.internal:443\", \"two.internal:80\", "
		       "\"two.internal:5432\", \"wide.internal:5000-6000\", \"10.1.0.9:5432\", \"10.1.0.8:5000-5999\", "
		       "\"10.1.0.0/24:7000\", \"10.2.0.1\" ); deny = ( \"10.1.0.7:7000\" );");
	(void)state;
	assert_true(may_name(section, "db.internal", "10.1.0.9"));
	assert_true(may_name(section, "db.internal", "64:ff9b::a01:9"));
	assert_true(may_name(section, "db.internal", "10.1.0.6"));
	assert_true(may_name(section, "two.internal", "10.1.0.9"));
	assert_true(may_name(section, "two.internal", "10.1.0.8"));
	assert_true(may_name(section, "wide.internal", "10.1.0.9"));
	assert_true(may_name(section, "web.internal", "10.2.0.1"));
	assert_false(may_name(section, "web.internal", "10.1.0.9"));
	assert_false(may_name(section, "wide.internal", "10.1.0.6"));
	assert_false(may_name(section, "db.internal", "10.1.0.7"));
	assert_false(may_name(section, "db.internal", "10.3.0.1"));
	section_free(section);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_of_the_list_are_answered),
	    cmocka_unit_test(an_address_is_told_if_the_name_may_be_reached_there),
	    cmocka_unit_test(what_is_not_public_is_told_where_allow_has_it_at_a_port_of_the_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
