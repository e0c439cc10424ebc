#ifndef SALLYPORT_CLIENT_HELLO_H
#define SALLYPORT_CLIENT_HELLO_H

#include <stddef.h>
#include "sallyport/span.h"

/* Whom a TLS client wants to speak to, read off its first message without being its server: RFC 8446
 * section 4.1.2, RFC 6066 section 3. Pure: nothing is allocated and nothing is read past the end.
 *
 * Strict where another reader might come to another name: one record holds the message and nothing else, every
 * length ends where it should, there is at most one extension server_name, and one name in it. */

enum {
	CLIENT_HELLO_MAX = 5 + 16384, /* a record's most bytes: RFC 8446 section 5.1 */
	SERVER_NAME_SIZE = 256,
};

enum hello_parse { HELLO_UNSET = 0, HELLO_MORE, HELLO_DONE, HELLO_BAD };

/* bytes: what came of the connection so far. MORE: as far as it goes it could be one. DONE: `name` has the
 * server's name in lower case, NUL-terminated, "" where the client names none; it is a host name (url.h), never an
 * address. Whoever adds bytes to those that gave DONE or BAD gets the same again. */
enum hello_parse client_hello_parse(struct span bytes, char name[SERVER_NAME_SIZE]);

#endif
