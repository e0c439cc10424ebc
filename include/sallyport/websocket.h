#ifndef SALLYPORT_WEBSOCKET_H
#define SALLYPORT_WEBSOCKET_H

#include "sallyport/http_head.h"

/* The opening handshake of the WebSocket protocol (RFC 6455 section 4), judged on
 * both sides: what is passed through afterwards is no longer HTTP, so each must have
 * agreed to that, and no proxy of another mind may stand between. Pure. */

enum websocket_ask {
	WEBSOCKET_ASK_UNSET = 0,
	WEBSOCKET_NOT_ASKED, /* for no other protocol, or for another one */
	WEBSOCKET_ASKED,
	WEBSOCKET_MALFORMED, /* it asks, but not as section 4.2.1 says */
};

/* head: marked by http_mark_hop_by_hop. */
enum websocket_ask websocket_request(const struct http_head *head);

/* A 101 that answers exactly that request: Upgrade, Connection, Sec-WebSocket-Accept, and no
 * subprotocol or extension that was not offered. Both heads marked. */
bool websocket_response(const struct http_head *request, const struct http_head *response);

#endif
