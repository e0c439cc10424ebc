#ifndef SALLYPORT_EGRESS_MAIL_H
#define SALLYPORT_EGRESS_MAIL_H

#include <stdbool.h>
#include <stdint.h>
#include "sallyport/span.h"

/* How many messages an origin hands to a mail relay over one connection (SMTP, RFC 5321). Five hundred
 * of them need no more packets than one page does, so that only what is said can tell. Pure, never wrong in the origin's
 * favour as long as it can be read:
 *
 * - A message is counted once for each recipient, since each gets one.
 * - What counts is RCPT TO wherever it stands, not only where a command may begin: which bytes are commands is the
 *   relay's to decide, and who knows better than it (content that the relay did not ask for, bare line ends, BDAT of RFC
 *   3030) would be counted past. The words in a letter cost one.
 * - After STARTTLS (RFC 3207), or in TLS from the first byte, nothing can be read. There each fourth turn of the
 *   conversation is one: MAIL, RCPT, DATA and the letter are four, two with pipelining (RFC 2920). Who sends his letters by
 *   BDAT in one go needs no turns: then the number of connections and of bytes is all that limits him. */
struct egress_mail {
	uint8_t state;     /* how much of RCPT TO has come */
	uint8_t begun;     /* bytes of this turn, up to 2 */
	bool has_hello;    /* the turn begins as a TLS handshake does */
	bool is_encrypted;
	bool is_answered;  /* the relay spoke after the origin did */
	uint8_t turns;     /* that are not counted yet */
};
/* Zeroed is a connection of which nothing was seen. */

/* What the origin sends, in pieces of any size. Returns how many messages more. */
uint32_t egress_mail_sent(struct egress_mail *mail, struct span bytes);
/* The relay said something. */
void egress_mail_answered(struct egress_mail *mail);

#endif
