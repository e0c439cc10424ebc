/* What is read out of a packet that the kernel has logged: nothing beyond its end, whatever it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard_page.h"
#include "sallyport/kernel_events.h"

#define ID "0123456789abcdef"

static const unsigned char tcp4[] = {0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 5, 45, 0, 0, 9,
				     0xc0, 0x01, 0x01, 0xbb, 0, 0, 0, 0};
static const unsigned char echo4[] = {0x46, 0, 0, 32, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 5, 45, 0, 0, 9, 1, 1, 1, 1,
				      8, 0, 0, 0, 0x12, 0x34, 0, 1};
static const unsigned char udp6[] = {0x60, 0, 0, 0, 0, 8, 17, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5,
				     0x2a, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x10, 0x01, 0, 53};

static bool parse(const char *prefix, const void *packet, size_t len, struct kernel_event *event)
{
	char *copy = guarded_copy(packet, len);
	bool is_ours = kernel_event_parse(span_from_str(prefix), span_of(copy, len), event);
	guarded_free(copy, len);
	return is_ours;
}

static void assert_address(const struct addr *addr, const char *expected)
{
	char text[ADDR_TEXT_SIZE];
	addr_format(addr, text);
	assert_string_equal(text, expected);
}

static void an_offence_says_who_and_whereto(void **state)
{
	struct kernel_event event;
	(void)state;
	assert_true(parse("stage1 scan " ID " ", tcp4, sizeof(tcp4), &event));
	assert_int_equal(event.kind, KERNEL_EVENT_STAGE1);
	assert_int_equal(event.offence, EGRESS_OFFENCE_SCAN);
	assert_true(event.id == UINT64_C(0x0123456789abcdef));
	assert_address(&event.from, "10.0.0.5:49153");
	assert_address(&event.to, "45.0.0.9:443");
	assert_true(parse("strike flood " ID, udp6, sizeof(udp6), &event));
	assert_address(&event.to, "[2a00:1::9]:53");
	assert_int_equal(event.protocol, 17);
}

static void an_echo_is_known_by_its_identifier(void **state)
{
	struct kernel_event event;
	(void)state;
	assert_true(parse("new - " ID " ", echo4, sizeof(echo4), &event));
	assert_int_equal(event.kind, KERNEL_EVENT_NEW);
	assert_int_equal(addr_port(&event.from), 0x1234);
	assert_int_equal(addr_port(&event.to), 0x1234);
}

static void every_offence_of_the_rules_has_its_name(void **state)
{
	char prefix[64];
	(void)state;
	for (uint32_t offence = EGRESS_OFFENCE_UNSET + 1; offence < EGRESS_OFFENCE_COUNT; offence++) {
		struct kernel_event event;
		snprintf(prefix, sizeof(prefix), "strike %s " ID " ", egress_offence_name(offence));
		assert_true(parse(prefix, tcp4, sizeof(tcp4), &event));
		assert_int_equal(event.offence, offence);
	}
}

static void what_is_not_ours_is_nothing(void **state)
{
	static const char *const others[] = {"", "x", "strike scan", "strike scan 123", "strike scan 0123456789abcdeg ",
					     "strike scan 0000000000000000 ", ("drop scan " ID " "), (" strike scan " ID)};
	struct kernel_event event;
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (parse(others[i], tcp4, sizeof(tcp4), &event))
			fail_msg("\"%s\"", others[i]);
	assert_true(parse("stranger - - ", tcp4, sizeof(tcp4), &event));
	assert_true(event.id == 0);
}

static void a_packet_that_is_cut_is_read_as_far_as_it_goes(void **state)
{
	static const struct {
		const unsigned char *bytes;
		size_t len, head;
	} packets[] = {{tcp4, sizeof(tcp4), 20}, {echo4, sizeof(echo4), 20}, {udp6, sizeof(udp6), 40}};
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
		for (size_t len = 0; len <= packets[i].len; len++) {
			struct kernel_event event;
			assert_true(parse("strike scan " ID, packets[i].bytes, len, &event));
			assert_int_equal(event.has_addresses, len >= packets[i].head);
		}
}

/* Any first byte, and any length of an IPv4 header that it may claim. */
static void lengths_of_headers_are_not_believed(void **state)
{
	unsigned char packet[28];
	(void)state;
	memcpy(packet, tcp4, sizeof(packet));
	for (unsigned first = 0; first < 256; first++) {
		struct kernel_event event;
		packet[0] = (unsigned char)first;
		assert_true(parse("strike scan " ID, packet, sizeof(packet), &event));
		assert_int_equal(event.has_addresses, first >> 4 == 4 && (first & 15) >= 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_offence_says_who_and_whereto),
	    cmocka_unit_test(an_echo_is_known_by_its_identifier),
	    cmocka_unit_test(every_offence_of_the_rules_has_its_name),
	    cmocka_unit_test(what_is_not_ours_is_nothing),
	    cmocka_unit_test(a_packet_that_is_cut_is_read_as_far_as_it_goes),
	    cmocka_unit_test(lengths_of_headers_are_not_believed),
	};
	return cmocka_run_group_tests_name("kernel events", tests, NULL, NULL);
}
