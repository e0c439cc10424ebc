#ifndef SHIELD_BODY_PARSE_H
#define SHIELD_BODY_PARSE_H

#include "sallyport/body.h"

/* What the parsers of bodies share. A function that returns bool gives false where the body is over: its
 * result is set then. */

/* Bytes that wait for their end, in the caller's memory. Zeroed is empty. */
struct body_text {
	char *data;
	size_t len, room;
};

struct body_form {
	size_t name_len; /* of the gathered pair; all of it where there is no "=" yet */
};

/* Spans into the field lines, but other_name, which is decoded into body.kept. */
struct body_part {
	struct span name, file_name, other_name, type;
	bool is_file, is_json, has_length;
	uint64_t length;
};

enum { DELIMITER_MAX = 2 + BODY_BOUNDARY_MAX };

struct body_multipart {
	uint8_t state;
	uint8_t len;                   /* of the delimiter, "--" and the boundary */
	char delimiter[DELIMITER_MAX];
	uint8_t fallback[DELIMITER_MAX]; /* how much of the delimiter still matches after so much did, and then no more */
	uint8_t matched;
	uint8_t tail_len;
	char tail[DELIMITER_MAX + 2];  /* the last bytes of content, which may be the delimiter's */
	uint64_t content;              /* bytes of the part so far */
	struct body_part part;
};

struct body_json {
	bool in_text, escaped;
	uint64_t depth, values; /* at least as many values as the text has */
};

struct body_xml {
	struct XML_ParserStruct *parser;
	uint64_t fed, understood; /* bytes that the parser got, and of these what its last event ended with */
	uint64_t depth;
	size_t taken; /* bytes of its memory */
	bool is_capped; /* … and it wanted more than it may have */
	struct body_text stage; /* what it gets next */
};

struct body_parser {
	bool (*begin)(struct body *body); /* NULL: nothing to do */
	bool (*feed)(struct body *body, struct span piece);
	bool (*end)(struct body *body);
	void (*release)(struct body *body); /* NULL: nothing to do */
};
extern const struct body_parser body_form_parser, body_multipart_parser, body_json_parser, body_xml_parser,
    body_raw_parser;

enum { BODY_NOTE_MAX = 160 };

struct body {
	const struct body_parser *parser;
	struct body_type type;
	const struct body_limits *limits;
	uint64_t max, seed;
	const char *max_setting;
	unsigned findings;   /* … that refuse it */
	unsigned scored, noted; /* that are only noted; those that were */
	bool is_split;       /* see body_value */
	size_t told;         /* of the path that a value was told with last, so much still stands */
	struct body_sink sink;
	struct coding_memory memory;
	enum body_result result;
	struct body_fault fault;
	struct coding_decoder *decoder; /* NULL: the content is not coded */
	uint64_t sent, decoded;         /* bytes */
	uint64_t values;
	struct body_text text; /* what is gathered */
	struct body_text kept; /* what is decoded, or has to be kept besides */
	union {
		struct body_form form;
		struct body_multipart multipart;
		struct body_json json;
		struct body_xml xml;
	} of;
	char note[BODY_NOTE_MAX]; /* evidence that had to be written */
};

enum body_limit {
	BODY_LIMIT_UNSET = 0,
	BODY_LIMIT_MAX,
	BODY_LIMIT_VALUES,
	BODY_LIMIT_NAME,
	BODY_LIMIT_FILE_NAME,
	BODY_LIMIT_PART_HEAD,
	BODY_LIMIT_VALUE,
	BODY_LIMIT_DEPTH,
};

/* Always false. what: a sentence that lives for ever. */
bool body_refuse(struct body *body, enum reason reason, const char *what);
/* The same, with the bytes: copied, and cut. */
bool body_refuse_bytes(struct body *body, enum reason reason, const char *setting, struct span bytes);
bool body_refuse_formatted(struct body *body, enum reason reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool body_fail(struct body *body, const struct body_fault *fault);
/* False: value is more than that limit. */
bool body_within(struct body *body, enum body_limit limit, uint64_t value);

/* One value more. */
bool body_count(struct body *body);
bool body_give(struct body *body, enum body_place place, struct span name, struct span value);
/* Another piece of it; not counted. */
bool body_give_piece(struct body *body, enum body_place place, struct span name, struct span piece, bool more);

/* The path is cut to so many bytes. */
static inline void body_cut_path(struct body *body, struct body_text *path, size_t len)
{
	path->len = len;
	body->told = body->told < len ? body->told : len;
}

bool body_text_add(struct body *body, struct body_text *text, const void *bytes, size_t len);
/* Room for `more` bytes behind those that are there. */
bool body_text_reserve(struct body *body, struct body_text *text, size_t more);
void body_text_release(struct body *body, struct body_text *text);
static inline struct span body_text_span(const struct body_text *text)
{
	return span_of(text->data ? text->data : "", text->len);
}

/* An argument by that name says what charset the others have (HTML section 4.10.21.5). */
bool body_check_charset_argument(struct body *body, struct span name, struct span value);
/* UTF-8 in disguise in a name of a part or file. */
bool body_check_text(struct body *body, struct span text);

/* body_parameters.c: *( OWS ";" OWS [ name "=" value ] ), each name once. */
enum { BODY_PARAMETERS_MAX = 16 };
struct body_parameter {
	struct span name, value; /* without quotes */
};
struct body_parameters {
	struct span rest;
	struct span names[BODY_PARAMETERS_MAX]; /* of those that were taken */
	size_t n;
	const char *what; /* NULL: nothing is wrong */
	enum reason reason;
};
/* False at the end, or, with what and reason set, where it is wrong. */
bool body_next_parameter(struct body_parameters *parameters, struct body_parameter *parameter);
/* How much of s stands before ";" or white space. */
size_t body_word_len(struct span s);

/* body_json.c: a whole text that stands in another body. prefix: of the names. */
bool body_json_read(struct body *body, struct span text, struct span prefix);
/* body_part.c: the field lines of a part, each with its CRLF; names go to body->kept. */
bool body_part_read(struct body *body, struct span head, struct body_part *part);

#endif
