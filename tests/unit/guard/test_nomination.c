/* Nominations come out as they went in, and what a captured worker writes is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "sallyport/nomination.h"

static struct log_ring ring;
static char buf[LOG_RECORD_MAX];

static int setup(void **state)
{
	(void)state;
	memset(&ring, 0, sizeof(ring));
	return 0;
}

static struct nomination held(void)
{
	struct nomination n = {.site = 7, .kind = NOMINATION_HELD, .severity = SEVERITY_SEVERE,
			       .status = 302, .page = {1, 2, 3}};
	return n;
}

static void a_nomination_comes_out_as_it_went_in(void **state)
{
	(void)state;
	const struct nomination in = held();
	struct nomination out;
	struct span key, host;
	bool wake;
	assert_true(nomination_put(&ring, &in, SPAN("/a?b=c"), SPAN("evil.example"), &wake));
	assert_true(nomination_put(&ring, &in, SPAN("/"), SPAN(""), &wake));
	assert_true(nomination_take(&ring, buf, &out, &key, &host));
	assert_true(span_eq(key, SPAN("/a?b=c")) && span_eq(host, SPAN("evil.example")));
	assert_int_equal(out.site, 7);
	assert_int_equal(out.kind, NOMINATION_HELD);
	assert_int_equal(out.severity, SEVERITY_SEVERE);
	assert_int_equal(out.status, 302);
	assert_memory_equal(out.page, in.page, DIGEST_SIZE);
	assert_true(nomination_take(&ring, buf, &out, &key, &host));
	assert_true(span_eq(key, SPAN("/")) && host.len == 0);
	assert_false(nomination_take(&ring, buf, &out, &key, &host));
}

static void what_is_too_long_is_not_put(void **state)
{
	(void)state;
	static char long_key[NOMINATION_KEY_MAX + 1];
	const struct nomination in = held();
	bool wake;
	memset(long_key, 'x', sizeof(long_key));
	long_key[0] = '/';
	assert_true(nomination_put(&ring, &in, span_of(long_key, NOMINATION_KEY_MAX), SPAN(""), &wake));
	assert_false(nomination_put(&ring, &in, span_of(long_key, sizeof(long_key)), SPAN(""), &wake));
	assert_false(nomination_put(&ring, &in, SPAN(""), SPAN(""), &wake));
	assert_false(
	    nomination_put(&ring, &in, SPAN("/"), span_of(long_key, NOMINATION_HOST_MAX + 1), &wake));
}

static void put_raw(struct nomination n, size_t len)
{
	char record[sizeof(n) + 64] = {0};
	bool wake;
	memcpy(record, &n, sizeof(n));
	memcpy(record + sizeof(n), "/path", 5);
	assert_true(log_ring_put(&ring, record, len, &wake));
}

static void what_makes_no_sense_is_passed_over(void **state)
{
	(void)state;
	struct nomination good = held(), n, out;
	struct span key, host;
	good.key_len = 5;
	put_raw(good, sizeof(good));     /* without its key */
	put_raw(good, sizeof(good) - 8); /* cut */
	put_raw(good, sizeof(good) + 6); /* longer than it says */
	n = good, n.kind = NOMINATION_KINDS, put_raw(n, sizeof(n) + 5);
	n = good, n.kind = NOMINATION_UNSET, put_raw(n, sizeof(n) + 5);
	n = good, n.severity = SEVERITIES, put_raw(n, sizeof(n) + 5);
	n = good, n.reason = REASON_COUNT, put_raw(n, sizeof(n) + 5);
	n = good, n.key_len = 4097, put_raw(n, sizeof(n) + 5);
	n = good, n.host_len = 1, put_raw(n, sizeof(n) + 5);
	put_raw(good, sizeof(good) + 5);
	assert_true(nomination_take(&ring, buf, &out, &key, &host));
	assert_true(span_eq(key, SPAN("/path")));
	assert_false(nomination_take(&ring, buf, &out, &key, &host));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_nomination_comes_out_as_it_went_in, setup),
	    cmocka_unit_test_setup(what_is_too_long_is_not_put, setup),
	    cmocka_unit_test_setup(what_makes_no_sense_is_passed_over, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
