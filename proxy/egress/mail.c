/* Counts the messages in what is sent to a mail relay; see egress_mail.h for what counts, and why. */
#include "sallyport/egress_mail.h"

enum { TURNS_PER_MESSAGE = 4, TLS_HANDSHAKE = 0x16, TLS_MAJOR = 3 };

/* "RCPT", at least one space or tab, "TO". */
enum { AT_START = 0, AT_R, AT_RC, AT_RCP, AT_RCPT, AT_SPACE, AT_T, AT_END };

static uint8_t next_state(uint8_t state, char c)
{
	static const char wanted[] = "rcpt";
	char lower = ascii_lower(c);
	if (state < AT_RCPT && lower == wanted[state])
		return (uint8_t)(state + 1);
	if ((state == AT_RCPT || state == AT_SPACE) && (c == ' ' || c == '\t'))
		return AT_SPACE;
	if (state == AT_SPACE && lower == 't')
		return AT_T;
	if (state == AT_T && lower == 'o')
		return AT_END;
	return lower == 'r' ? AT_R : AT_START;
}

static uint32_t count_recipients(struct egress_mail *mail, struct span bytes)
{
	uint32_t n = 0;
	for (size_t i = 0; i < bytes.len; i++) {
		mail->state = next_state(mail->state, bytes.ptr[i]);
		if (mail->state != AT_END)
			continue;
		mail->state = AT_START;
		n++;
	}
	return n;
}

/* A turn begins where the origin speaks after the relay did. */
static uint32_t count_turn(struct egress_mail *mail)
{
	if (!mail->is_answered)
		return 0;
	mail->is_answered = false;
	mail->begun = 0;
	mail->turns += mail->is_encrypted;
	if (mail->turns < TURNS_PER_MESSAGE)
		return 0;
	mail->turns = 0;
	return 1;
}

/* Its first two bytes, however they come. */
static void look_for_tls(struct egress_mail *mail, struct span bytes)
{
	for (size_t i = 0; i < bytes.len && mail->begun < 2; i++, mail->begun++) {
		unsigned char c = (unsigned char)bytes.ptr[i];
		if (mail->begun == 0)
			mail->has_hello = c == TLS_HANDSHAKE;
		else if (mail->has_hello && c == TLS_MAJOR)
			mail->is_encrypted = true;
	}
}

uint32_t egress_mail_sent(struct egress_mail *mail, struct span bytes)
{
	if (bytes.len == 0)
		return 0;
	uint32_t n = count_turn(mail);
	look_for_tls(mail, bytes);
	return n + count_recipients(mail, bytes);
}

void egress_mail_answered(struct egress_mail *mail)
{
	mail->is_answered = true;
}
