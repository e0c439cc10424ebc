/* Names in handshakes, the choice of a certificate, and what is said about files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard_page.h"
#include "sallyport/tls.h"

#define CERTIFICATES "conf/bad/parts/tls/"

static int make_certificates(void **state)
{
	(void)state;
	return system("tests/make-certificates conf/bad/parts/tls");
}

/* ---- names in handshakes ---- */

#define HEAD "\0" /* the list's length, below 256 */

static size_t read_name(const char *bytes, size_t len, char out[256])
{
	char *copy = guarded_copy(bytes, len);
	size_t got = tls_read_server_name((unsigned char *)copy, len, out);
	guarded_free(copy, len);
	return got;
}

static void a_name_is_read_in_lower_case(void **state)
{
	(void)state;
	char out[256];
	static const char hello[] = HEAD "\x0f\0\0\x0cWww.Site.Ex.";
	assert_int_equal(read_name(hello, sizeof(hello) - 1, out), 11);
	assert_string_equal(out, "www.site.ex");
}

static void what_is_no_name_is_none(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
#define BAD(literal) {literal, sizeof(literal) - 1}
	    BAD(""),
	    BAD("\0"),
	    BAD("\0\0"),
	    BAD("\0\x03\0\0\0"),          /* an empty name */
	    BAD("\0\x04\0\0\x01"),        /* cut */
	    BAD("\0\x04\0\0\x02" "a"),    /* the name is longer than the list */
	    BAD("\0\x05\0\0\x01" "ab"),   /* something behind the name */
	    BAD("\0\x05\0\0\x02" "a"),    /* the list is longer than the extension */
	    BAD("\0\x04\x01\0\x01" "a"),  /* another type */
	    BAD("\0\x06\0\0\x03" "a\0b"), /* NUL */
	    BAD("\0\x06\0\0\x03" "a b"),
	    BAD("\0\x06\0\0\x03" "a/b"),
	    BAD("\0\x06\0\0\x03" "*.b"),
	    BAD("\0\x06\0\0\x03" "[::"),
	    BAD("\0\x06\0\0\x03" "a\xff" "b"),
#undef BAD
	};
	char out[256];
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(read_name(bad[i].bytes, bad[i].len, out), 0);
}

static void a_name_that_is_too_long_is_none(void **state)
{
	(void)state;
	char bytes[5 + 254], out[256];
	memset(bytes, 'a', sizeof(bytes));
	for (size_t len = 250; len <= 254; len++) {
		bytes[0] = (char)((len + 3) >> 8);
		bytes[1] = (char)(len + 3);
		bytes[2] = bytes[3] = 0;
		bytes[4] = (char)len;
		assert_int_equal(read_name(bytes, 5 + len, out), len <= 253 ? len : 0);
	}
}

/* ---- files ---- */

struct heard {
	char text[1024]; /* "setting: text\n" each, warnings with "warning: " before */
};

static void hear(void *context, const char *setting, bool is_warning, const char *text)
{
	struct heard *heard = context;
	size_t len = strlen(heard->text);
	snprintf(heard->text + len, sizeof(heard->text) - len, "%s%s: %s\n", is_warning ? "warning: " : "", setting, text);
}

static struct tls_certificate *load(const char *name, const char *key, struct heard *heard)
{
	char certificate_path[128], key_path[128];
	const struct tls_reporter reporter = {hear, heard};
	heard->text[0] = '\0';
	snprintf(certificate_path, sizeof(certificate_path), CERTIFICATES "%s.pem", name);
	snprintf(key_path, sizeof(key_path), CERTIFICATES "%s.key", key);
	return tls_certificate_load(certificate_path, key_path, NULL, &reporter);
}

static void a_good_certificate_is_loaded_without_a_word(void **state)
{
	(void)state;
	struct heard heard;
	static const char *const good[] = {"site", "site-rsa", "other", "wild"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct tls_certificate *c = load(good[i], good[i], &heard);
		assert_non_null(c);
		assert_string_equal(heard.text, "");
		tls_certificate_free(c);
	}
}

static void what_is_wrong_with_a_certificate_is_said(void **state)
{
	(void)state;
	static const struct {
		const char *certificate, *key, *said;
		bool is_loaded;
	} cases[] = {
	    {"missing", "site", "certificate: conf/bad/parts/tls/missing.pem cannot be read", false},
	    {"site", "missing", "key: conf/bad/parts/tls/missing.key cannot be read", false},
	    {"text", "site", "certificate: conf/bad/parts/tls/text.pem holds no certificate", false},
	    {"broken", "site", "certificate: conf/bad/parts/tls/broken.pem holds no certificate", false},
	    {"empty", "site", "certificate: conf/bad/parts/tls/empty.pem is empty", false},
	    {"site", "stranger", "key: conf/bad/parts/tls/stranger.key is not the key of", false},
	    {"site", "encrypted", "key: conf/bad/parts/tls/encrypted.key is encrypted", false},
	    {"weak", "weak", "key: conf/bad/parts/tls/weak.key is too weak", false},
	    {"order-leaf", "site", "wrong order: the key belongs to certificate 2", false},
	    {"order-chain", "site", "certificate 2 did not sign certificate 1", false},
	    {"expired", "expired", "warning: certificate: conf/bad/parts/tls/expired.pem expired on 2021-01-01", true},
	    {"future", "future", "warning: certificate: conf/bad/parts/tls/future.pem is not valid before", true},
	    {"soon", "soon", "warning: certificate: conf/bad/parts/tls/soon.pem expires on", true},
	    {"nameless", "nameless", "warning: certificate: conf/bad/parts/tls/nameless.pem names no host", true},
	};
	struct heard heard;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_certificate *c = load(cases[i].certificate, cases[i].key, &heard);
		if (!strstr(heard.text, cases[i].said) || strchr(heard.text, '\n')[1] || (c != NULL) != cases[i].is_loaded)
			fail_msg("%s: said %s", cases[i].certificate, heard.text);
		tls_certificate_free(c);
	}
}

/* ---- the choice ---- */

static void a_name_finds_its_certificates(void **state)
{
	(void)state;
	struct heard heard;
	static const char *const names[] = {"site", "site-rsa", "other", "wild"};
	struct tls_certificate *all[4];
	for (size_t i = 0; i < 4; i++)
		all[i] = load(names[i], names[i], &heard);
	const struct tls_server_setup setup = {
	    .certificates = all, .certificate_count = 4, .profile = TLS_PROFILE_INTERMEDIATE};
	struct err err = {{0}};
	struct tls_server *server = tls_server_new(&setup, &err);
	assert_non_null(server);
	/* both of site.example are one choice, the first */
	assert_int_equal(tls_server_pick(server, SPAN("site.example")), 0);
	int other = tls_server_pick(server, SPAN("other.example")), wild = tls_server_pick(server, SPAN("a.wild.example"));
	assert_true(other > 0 && wild > 0 && other != wild);
	static const char *const unknown[] = {"", "wild.example", "a.b.wild.example", ".wild.example", "site", "example",
					      "*.site.example", "xsite.example", "site.examplex"};
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(tls_server_pick(server, span_from_str(unknown[i])), -1);
	tls_server_free(server);
	for (size_t i = 0; i < 4; i++)
		tls_certificate_free(all[i]);
}

static void demands_are_equal_by_what_they_ask(void **state)
{
	(void)state;
	struct err err = {{0}};
	struct tls_clients *a = tls_clients_load(TLS_DEMAND_REQUIRED, CERTIFICATES "clients-ca.pem", &err);
	struct tls_clients *b = tls_clients_load(TLS_DEMAND_REQUIRED, CERTIFICATES "clients-ca.pem", &err);
	struct tls_clients *optional = tls_clients_load(TLS_DEMAND_OPTIONAL, CERTIFICATES "clients-ca.pem", &err);
	struct tls_clients *other = tls_clients_load(TLS_DEMAND_REQUIRED, CERTIFICATES "others-ca.pem", &err);
	assert_true(a && b && optional && other);
	assert_true(tls_clients_eq(a, b) && tls_clients_eq(NULL, NULL));
	assert_false(tls_clients_eq(a, optional) || tls_clients_eq(a, other) || tls_clients_eq(a, NULL) ||
		     tls_clients_eq(NULL, a));
	tls_clients_free(a);
	tls_clients_free(b);
	tls_clients_free(optional);
	tls_clients_free(other);
	assert_null(tls_clients_load(TLS_DEMAND_REQUIRED, CERTIFICATES "text.pem", &err));
	assert_non_null(strstr(err.text, "text.pem holds no certificate"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_is_read_in_lower_case),
	    cmocka_unit_test(what_is_no_name_is_none),
	    cmocka_unit_test(a_name_that_is_too_long_is_none),
	    cmocka_unit_test(a_good_certificate_is_loaded_without_a_word),
	    cmocka_unit_test(what_is_wrong_with_a_certificate_is_said),
	    cmocka_unit_test(a_name_finds_its_certificates),
	    cmocka_unit_test(demands_are_equal_by_what_they_ask),
	};
	return cmocka_run_group_tests(tests, make_certificates, NULL);
}
