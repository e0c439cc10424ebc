/* Messages to a relay, however they are put. */
#include "sallyport/egress_mail.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct row {
	const char *sent;
	unsigned messages;
};

static const struct row rows[] = {
    {"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n", 1},
    {"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nRCPT TO:<g@h>\r\n", 3},
    {"rcpt to:<c@d>\nRcPt\tTo:<c@d>\rRCPT  \t TO:<x>", 3},
    {"MAIL FROM:<a@b>\r\nBDAT 3 LAST\r\nabcRCPT TO:<a@b>\r\n", 1},
    {"RRCPT TO:<c@d>\r\nRCRCPT TO:<c@d>", 2},
    {"RCPT RCPT TO:<c@d> RCPT TRCPT TO:", 2},
    {"RCPTTO:<c@d>\r\nRCP TO:\r\nRCPT T O\r\nMAIL FROM:<rcpt@to>", 0},
    {"", 0},
};

static void each_recipient_is_a_message(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct egress_mail mail = {0};
		assert_int_equal(egress_mail_sent(&mail, span_from_str(rows[i].sent)), rows[i].messages);
	}
}

static void pieces_of_any_size_count_the_same(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span whole = span_from_str(rows[i].sent);
		for (size_t piece = 1; piece < 9; piece++) {
			struct egress_mail mail = {0};
			unsigned n = 0;
			for (size_t at = 0; at < whole.len; at += piece) {
				struct span rest = span_from(whole, at);
				n += egress_mail_sent(&mail, span_of(rest.ptr, rest.len < piece ? rest.len : piece));
				egress_mail_answered(&mail);
			}
			assert_int_equal(n, rows[i].messages);
		}
	}
}

/* One turn of the origin's, and the relay's answer. */
static unsigned turn(struct egress_mail *mail, struct span bytes)
{
	unsigned n = egress_mail_sent(mail, bytes);
	egress_mail_answered(mail);
	return n;
}

static void in_tls_each_fourth_turn_is_a_message(void **unused)
{
	(void)unused;
	struct egress_mail mail = {0};
	unsigned n = 0;
	egress_mail_answered(&mail); /* its greeting */
	n += turn(&mail, SPAN("EHLO a\r\n"));
	n += turn(&mail, SPAN("STARTTLS\r\n"));
	assert_false(mail.is_encrypted);
	n += egress_mail_sent(&mail, SPAN("\x16"));
	n += turn(&mail, SPAN("\x03\x01 hello"));
	assert_true(mail.is_encrypted);
	assert_int_equal(n, 0);
	for (unsigned i = 0; i < 400; i++)
		n += turn(&mail, SPAN("\x17\x03\x03 secret"));
	assert_int_equal(n, 100);
}

static void a_long_letter_in_tls_is_one_turn(void **unused)
{
	(void)unused;
	struct egress_mail mail = {0};
	unsigned n = turn(&mail, SPAN("\x16\x03\x01 hello"));
	for (unsigned i = 0; i < 1000; i++)
		n += egress_mail_sent(&mail, SPAN("\x17\x03\x03 more and more"));
	assert_int_equal(n, 0);
}

static void who_pretends_to_be_encrypted_is_still_read(void **unused)
{
	(void)unused;
	struct egress_mail mail = {0};
	unsigned n = turn(&mail, SPAN("\x16\x03\r\n"));
	for (unsigned i = 0; i < 10; i++)
		n += turn(&mail, SPAN("RCPT TO:<a@b>\r\n"));
	assert_true(n >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_recipient_is_a_message),
	    cmocka_unit_test(pieces_of_any_size_count_the_same),
	    cmocka_unit_test(in_tls_each_fourth_turn_is_a_message),
	    cmocka_unit_test(a_long_letter_in_tls_is_one_turn),
	    cmocka_unit_test(who_pretends_to_be_encrypted_is_still_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
