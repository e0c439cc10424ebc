/* ClientHellos: sound ones, each length that lies, each ambiguity, whole, byte by byte and against an
 * unreadable page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "guard_page.h"
#include "sallyport/client_hello.h"
#include "sallyport/strbuf.h"

enum { ROOM = 40000 };

static void add(struct strbuf *out, const char *bytes, size_t len)
{
	strbuf_add(out, bytes, len);
	assert_false(out->truncated);
}

static void add_u16(struct strbuf *out, size_t value)
{
	add(out, (const char[]){(char)(value >> 8), (char)value}, 2);
}

static void add_extension(struct strbuf *out, size_t type, struct span body)
{
	add_u16(out, type);
	add_u16(out, body.len);
	add(out, body.ptr, body.len);
}

/* The extension of one name. */
static void add_name(struct strbuf *out, const char *name)
{
	size_t len = strlen(name);
	add_u16(out, 0);
	add_u16(out, len + 5);
	add_u16(out, len + 3);
	add(out, "\0", 1);
	add_u16(out, len);
	add(out, name, len);
}

/* A record with a ClientHello that has these extensions; NULL: it ends before them. */
static void add_hello(struct strbuf *out, const struct strbuf *extensions)
{
	static const char start[] = "\x03\x03"
				    "0123456789abcdef0123456789abcdef\x04sess\x00\x04\x13\x01\x13\x02\x01";
	size_t body = sizeof(start) - 1 + 1 + (extensions ? 2 + extensions->len : 0);
	add(out, "\x16\x03\x01", 3);
	add_u16(out, body + 4);
	add(out, "\x01\0", 2);
	add_u16(out, body);
	add(out, start, sizeof(start) - 1);
	add(out, "\0", 1);
	if (extensions) {
		add_u16(out, extensions->len);
		add(out, extensions->data ? extensions->data : "", extensions->len);
	}
}

static enum hello_parse parse_some(struct span bytes, char name[SERVER_NAME_SIZE])
{
	char *copy = guarded_copy(bytes.ptr, bytes.len);
	enum hello_parse parse = client_hello_parse(span_of(copy, bytes.len), name);
	guarded_free(copy, bytes.len);
	assert_true(parse == HELLO_DONE || name[0] == '\0');
	return parse;
}

/* Whole; and byte by byte it must say the same. */
static enum hello_parse parse(struct span bytes, char name[SERVER_NAME_SIZE])
{
	char cut[SERVER_NAME_SIZE];
	enum hello_parse whole = parse_some(bytes, name), part = HELLO_MORE;
	for (size_t len = 0; len <= bytes.len && part == HELLO_MORE; len++)
		part = parse_some(span_of(bytes.ptr, len), cut);
	assert_int_equal(part, whole);
	assert_string_equal(cut, name);
	return whole;
}

static enum hello_parse parse_named(const char *asked, char name[SERVER_NAME_SIZE])
{
	struct strbuf extensions, hello;
	strbuf_init(&extensions, ROOM);
	strbuf_init(&hello, ROOM);
	add_extension(&extensions, 0x0a0a, SPAN(""));
	add_name(&extensions, asked);
	add_extension(&extensions, 43, SPAN("\x02\x03\x04"));
	add_hello(&hello, &extensions);
	enum hello_parse result = parse(strbuf_span(&hello), name);
	strbuf_release(&hello);
	strbuf_release(&extensions);
	return result;
}

static void a_name_is_read_in_lower_case(void **state)
{
	(void)state;
	char name[SERVER_NAME_SIZE];
	assert_int_equal(parse_named("Shop.Example", name), HELLO_DONE);
	assert_string_equal(name, "shop.example");
	assert_int_equal(parse_named("a_b-c.example", name), HELLO_DONE);
	assert_string_equal(name, "a_b-c.example");
}

static void what_is_no_host_name_is_refused(void **state)
{
	(void)state;
	static const char *const names[] = {"",        "a..b",        ".a",       "a.",     "a b",       "a/b",
					    "a:443",   "192.0.2.7",   "0x7f.1",   "127.1",  "[::1]",     "::1",
					    "a\x80",   "user@a",      "a\n",      "*",      "b%41.test", "a,b"};
	char name[SERVER_NAME_SIZE], label[300];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(parse_named(names[i], name), HELLO_BAD);
	memset(label, 'a', sizeof(label));
	label[64] = '\0';
	assert_int_equal(parse_named(label, name), HELLO_BAD);
	for (size_t i = 63; i < sizeof(label); i += 64)
		label[i] = '.';
	label[64] = 'a';
	label[sizeof(label) - 1] = '\0';
	assert_int_equal(parse_named(label, name), HELLO_BAD);
	label[253] = '\0';
	assert_int_equal(parse_named(label, name), HELLO_DONE);
	assert_string_equal(name, label);
}

static void a_client_may_name_nobody(void **state)
{
	(void)state;
	struct strbuf extensions, hello;
	char name[SERVER_NAME_SIZE];
	strbuf_init(&extensions, ROOM);
	strbuf_init(&hello, ROOM);
	add_hello(&hello, NULL);
	assert_int_equal(parse(strbuf_span(&hello), name), HELLO_DONE);
	strbuf_reset(&hello);
	add_hello(&hello, &extensions);
	assert_int_equal(parse(strbuf_span(&hello), name), HELLO_DONE);
	strbuf_release(&hello);
	strbuf_release(&extensions);
}

static void bytes_behind_the_record_do_not_matter(void **state)
{
	(void)state;
	struct strbuf extensions, hello;
	char name[SERVER_NAME_SIZE];
	strbuf_init(&extensions, ROOM);
	strbuf_init(&hello, ROOM);
	add_name(&extensions, "a.example");
	add_hello(&hello, &extensions);
	add(&hello, "\x17\x03\x03\0\x01x", 6);
	assert_int_equal(parse(strbuf_span(&hello), name), HELLO_DONE);
	assert_string_equal(name, "a.example");
	strbuf_release(&hello);
	strbuf_release(&extensions);
}

/* Extensions that two readers could read two ways. */
static void refused(const struct strbuf *extensions)
{
	struct strbuf hello;
	char name[SERVER_NAME_SIZE];
	strbuf_init(&hello, ROOM);
	add_hello(&hello, extensions);
	assert_int_equal(parse(strbuf_span(&hello), name), HELLO_BAD);
	strbuf_release(&hello);
}

static void two_names_are_refused(void **state)
{
	(void)state;
	static const struct span bodies[] = {
	    SPAN("\0\x08\0\0\x01"
		 "a\0\0\x01"
		 "b"),             /* two in the list */
	    SPAN("\0\x04\x01\0\x01"
		 "a"),             /* of another type */
	    SPAN("\0\x04\0\0\x01"
		 "ax"),            /* something behind the list */
	    SPAN("\0\x05\0\0\x01"
		 "ax"),            /* something behind the name */
	    SPAN("\0\x05\0\0\x01"
		 "a"),             /* a list that is cut */
	    SPAN("\0\x04\0\0\x02"
		 "a"),             /* a name that is cut */
	    SPAN("\0\0"), SPAN("\0"), SPAN(""),
	};
	struct strbuf extensions;
	strbuf_init(&extensions, ROOM);
	add_name(&extensions, "a.example");
	add_name(&extensions, "a.example");
	refused(&extensions);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		strbuf_reset(&extensions);
		add_extension(&extensions, 0, bodies[i]);
		refused(&extensions);
	}
	strbuf_release(&extensions);
}

static void every_length_that_lies_is_refused(void **state)
{
	(void)state;
	/* where lengths stand: record, message, session, suites, compressions, extensions, name's */
	static const size_t places[] = {4, 8, 43, 49, 54, 57, 61};
	struct strbuf extensions, hello;
	char name[SERVER_NAME_SIZE];
	strbuf_init(&extensions, ROOM);
	strbuf_init(&hello, ROOM);
	add_name(&extensions, "a.example");
	add_hello(&hello, &extensions);
	assert_int_equal(parse(strbuf_span(&hello), name), HELLO_DONE);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (int step = -1; step <= 1; step += 2) {
			hello.data[places[i]] = (char)(hello.data[places[i]] + step);
			assert_int_not_equal(parse(strbuf_span(&hello), name), HELLO_DONE);
			hello.data[places[i]] = (char)(hello.data[places[i]] - step);
		}
	}
	strbuf_release(&hello);
	strbuf_release(&extensions);
}

static void what_is_not_tls_is_refused_by_its_first_wrong_byte(void **state)
{
	(void)state;
	static const struct span starts[] = {
	    SPAN("GET / HTTP/1.1\r\n"), SPAN("\x80\x2e\x01\x03\x01"), SPAN("\x16\x02"), SPAN("\x16\x03\0"), SPAN("\x16\x03\x04"),
	    SPAN("\x16\x03\x01\x40\x01"),                        /* a record that is too long */
	    SPAN("\x16\x03\x01\0\x03"),                          /* one without a message */
	    SPAN("\x16\x03\x01\x02\0\x02"),                      /* a ServerHello */
	    SPAN("\x16\x03\x01\0\x20\x01\0\x02\0"),              /* a message over two records */
	    SPAN("\x16\x03\x01\0\x20\x01\0\0\x10"),              /* two messages in one */
	    SPAN("\x15\x03\x01\0\x02\x02\x28"), SPAN("SSH-2.0-"),
	};
	char name[SERVER_NAME_SIZE];
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		assert_int_equal(parse(starts[i], name), HELLO_BAD);
	assert_int_equal(parse(SPAN("\x16\x03\x03\x40\0\x01\0\x3f\xfc"), name), HELLO_MORE);
	assert_int_equal(parse(SPAN(""), name), HELLO_MORE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_is_read_in_lower_case),
	    cmocka_unit_test(what_is_no_host_name_is_refused),
	    cmocka_unit_test(a_client_may_name_nobody),
	    cmocka_unit_test(bytes_behind_the_record_do_not_matter),
	    cmocka_unit_test(two_names_are_refused),
	    cmocka_unit_test(every_length_that_lies_is_refused),
	    cmocka_unit_test(what_is_not_tls_is_refused_by_its_first_wrong_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
