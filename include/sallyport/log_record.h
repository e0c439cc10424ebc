#ifndef SALLYPORT_LOG_RECORD_H
#define SALLYPORT_LOG_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include "sallyport/addr.h"
#include "sallyport/span.h"

/* What a worker tells the scribe: one record per request, and events. The fixed
 * part, then the texts one after the other in the order of log_text. The scribe
 * formats and escapes; a worker never writes a line itself. */

/* EVIDENCE passes through the same rings in a form of its own (evidence.h), and is no line of any log. */
enum log_record_kind { LOG_RECORD_UNSET = 0, LOG_RECORD_ACCESS, LOG_RECORD_EVENT, LOG_RECORD_EVIDENCE };

enum log_text {
	LOG_TEXT_METHOD,    /* as sent */
	LOG_TEXT_TARGET,    /* raw request-target, as far as it was read */
	LOG_TEXT_CANON,     /* canonical path; empty where it is the raw path */
	LOG_TEXT_HOST,
	LOG_TEXT_USER_AGENT,
	LOG_TEXT_REFERER,
	LOG_TEXT_SITE,      /* the site's name */
	LOG_TEXT_RULE,      /* the rule's id */
	LOG_TEXT_EVIDENCE,
	LOG_TEXT_NAME,      /* of the cookie or field it stands in; empty: none */
	LOG_TEXT_ORIGIN,    /* address of the origin asked, or the event's sentence */
	LOG_TEXT_SETTING,   /* that decided, or whose limit was hit */
	LOG_TEXT_SNI,       /* the name in the TLS handshake */
	LOG_TEXT_CIPHER,    /* of TLS */
	LOG_TEXT_EGRESS,    /* the egress origin whose request it was, or that an event is about */
	LOG_TEXT_EXCEPTED,  /* the rule or finding that an exception let pass, which would have refused */
	LOG_TEXT_COUNT
};

/* A text longer than this is cut by the worker and marked with "…" by the scribe. */
enum { LOG_TEXT_MAX = 4096 };

struct log_record {
	uint8_t kind;       /* enum log_record_kind */
	uint8_t version;    /* enum http_version, 0: unknown */
	uint8_t action;     /* enum verdict_action */
	uint8_t enforced;
	uint16_t status;    /* 0: closed without an answer */
	uint16_t reason;    /* enum reason */
	uint16_t text_len[LOG_TEXT_COUNT];
	uint16_t truncated; /* bit per log_text */
	uint16_t slot;
	uint64_t wall_us;   /* when the first byte of the head came */
	uint64_t request_id[2];
	uint64_t total_us;  /* first byte of the head to last byte of the answer; a tunnel may last for days */
	uint32_t head_us;   /* until the head was complete */
	uint32_t connect_us;   /* to get an origin connection */
	uint32_t first_byte_us; /* request sent to first byte of the response */
	uint64_t bytes_in, bytes_out; /* content */
	struct addr client;  /* after trusted proxies */
	struct addr peer;    /* the connection's */
	uint64_t limit;      /* the limit hit, where one was: bytes, a count, or milliseconds */
	uint64_t value;      /* what was counted against it, where that is known */
	uint32_t folded;     /* events: how many more like this were folded into it */
	uint16_t tls;        /* 12, 13: the version of TLS; 0: plain */
	uint16_t tls_resumed; /* its session is an older one's */
	uint32_t news;       /* events about an egress origin: enum egress_news; else 0 */
	uint32_t pad;
};

/* Builds a record with its texts into buf; returns its length (<= LOG_RECORD_MAX). */
size_t log_record_pack(struct log_record *record, const struct span texts[LOG_TEXT_COUNT], char *buf,
		       size_t room);
/* Checks every length; false: not a record. The texts point into buf. */
bool log_record_unpack(const char *buf, size_t len, struct log_record *record,
		       struct span texts[LOG_TEXT_COUNT]);

#define REQUEST_ID_SIZE 33 /* 32 hexadecimal digits and a NUL */
void log_format_request_id(const uint64_t id[2], char out[REQUEST_ID_SIZE]);

#endif
