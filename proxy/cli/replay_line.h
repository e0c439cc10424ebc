#ifndef CLI_REPLAY_LINE_H
#define CLI_REPLAY_LINE_H

/* One line of an access log: what it says of a request. Pure.
 *
 * Understood are, told apart line by line:
 *   common, combined  of Apache and nginx, with their escapes (\xHH, \", \\, \n …), whatever follows;
 *                     with a virtual host in front (vhost_combined); with raw quotes in the request
 *   sallyport         combined with our own fields, and our JSON
 *   JSON              one object a line; which members mean what: replay_json.c */

#include "sallyport/err.h"
#include "sallyport/json.h"

enum log_dialect { DIALECT_AUTO = 0, DIALECT_COMBINED, DIALECT_JSON, DIALECT_SALLYPORT };

enum {
	REPLAY_LINE_MAX = 256 << 10, /* bytes; a longer line is not read */
	REPLAY_TEXTS_MAX = 4 * REPLAY_LINE_MAX,
	LOGGED_FIELDS_MAX = 96,
};

struct logged_field {
	struct span name, value;
};

/* What our own log says of the verdict. */
struct logged_verdict {
	bool refused; /* and enforced */
	struct span site, reason, rule, evidence, canonical;
};

/* ptr NULL: the log has none. Bytes are those that were sent, as far as the log has kept them. */
struct logged {
	struct span method, target, version; /* of a request line that is none: all in method, or in method and target */
	struct span host;   /* as sent, or the virtual host's name */
	struct span client; /* an address, or a name */
	struct logged_field fields[LOGGED_FIELDS_MAX];
	size_t field_count;
	unsigned status; /* 0: not known */
	bool is_tls;
	bool is_cut;  /* the request is longer than what was logged of it */
	bool is_ours; /* `verdict` says something */
	bool is_egress; /* the gate's: of an egress origin */
	struct logged_verdict verdict;
};

/* LINE_OTHER: an event, or an object that tells of no request. */
enum line_kind { LINE_UNSET = 0, LINE_REQUEST, LINE_OTHER, LINE_BAD };

/* Has what the spans of a line point into, until the next one is read. */
struct line_reader {
	enum log_dialect dialect;
	struct json_value *document;
	struct strbuf text; /* a JSON line written so that it can be read */
	char *bytes;        /* texts turned back into bytes: room for REPLAY_TEXTS_MAX, `used` are */
	size_t used;
};

MUST_CHECK bool line_reader_init(struct line_reader *reader, enum log_dialect dialect);
void line_reader_release(struct line_reader *reader);
/* A line without its LF, of at most REPLAY_LINE_MAX bytes, which are changed. BAD: *err says why. */
enum line_kind line_read(struct line_reader *reader, char *line, size_t len, struct logged *out, struct err *err);

/* Inside: one dialect each. */
enum line_kind line_read_json(struct line_reader *reader, struct span line, struct logged *out, struct err *err);
/* A request line into method, target and version. */
void logged_split(struct logged *out, struct span request);
/* Left out where there is none, or no room. */
void logged_add_field(struct logged *out, struct span name, struct span value);
/* What "action" says. */
void logged_set_action(struct logged *out, struct span action, bool enforced);

#endif
