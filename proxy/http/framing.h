#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include "sallyport/http_head.h"

/* What Content-Length, Transfer-Encoding and Connection say, taken down field by
 * field, for requests and responses alike. Each gives the reason for which the
 * message must be refused, or REASON_UNSET. */

/* Plain decimal digits, at most 19 of them, at most 2^63 - 1; a list of equal
 * numbers (which RFC 9112 section 6.3 lets a recipient accept) is none. */
enum reason framing_length(struct http_head *head, struct span value);

/* Exactly "chunked", once, in HTTP/1.1 and without Content-Length. */
enum reason framing_coding(struct http_head *head, struct span value);

/* Sets close, keep_alive and upgrade, the last without regard to whether there is an Upgrade field. */
void framing_connection(struct http_head *head, struct span value);

/* Once all fields are known: what the connection's flags come to. */
void framing_finish_connection(struct http_head *head);

#endif
