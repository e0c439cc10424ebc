#ifndef SALLYPORT_BODY_H
#define SALLYPORT_BODY_H

#include "sallyport/coding.h"
#include "sallyport/http_head.h"

/* The content of a request, turned into named values as it arrives. Strict: what two readers may
 * take differently is refused, since the origin might see what nobody judged. Pure and bounded:
 * memory is the caller's, every size has a limit, and the time is linear in the bytes.
 *
 *   head ─► body_type_of ─► body_new ─► body_feed, body_feed, … ─► body_end
 *                                            └─► sink, value by value
 *
 * However the bytes are cut into calls, values, their order and the fault are the same. */

enum body_kind {
	BODY_KIND_UNSET = 0,
	BODY_FORM,      /* application/x-www-form-urlencoded (WHATWG URL section 5) */
	BODY_MULTIPART, /* multipart/form-data (RFC 7578, RFC 2046 section 5.1) */
	BODY_JSON,      /* application/json, …+json (RFC 8259) */
	BODY_XML,       /* application/xml, text/xml, …+xml but image/…, application/xhtml+xml (XML 1.0) */
	BODY_RAW,       /* anything else, or of no type: as it is */
	BODY_KINDS
};

/* "form" */
const char *body_kind_name(enum body_kind kind);

/* In all of these ASCII is ASCII, and no byte below 0x80 is part of another character. */
enum body_charset {
	BODY_CHARSET_UNSET = 0, /* none is said */
	BODY_UTF_8,
	BODY_US_ASCII,
	BODY_LATIN_1,
	BODY_OTHER_CHARSET,
};
/* False: unknown, or one that hides ASCII (UTF-7, UTF-16, Shift_JIS, EBCDIC, …). */
MUST_CHECK bool body_charset_read(struct span name, enum body_charset *charset);

enum { BODY_BOUNDARY_MAX = 70 }; /* RFC 2046 section 5.1.1 */

struct body_type {
	enum body_kind kind;
	enum body_charset charset;
	/* It is multipart, but not form-data: "mixed", "related". Servlet containers, Apache Commons FileUpload and Rack
	 * take forms out of these, too; others send documents so, whose parts have no names. */
	bool is_mixed;
	uint8_t boundary_len; /* of multipart */
	char boundary[BODY_BOUNDARY_MAX];
};

/* Why a body is refused. */
struct body_fault {
	enum reason reason;
	const char *setting; /* of the limit or finding; NULL: none */
	uint64_t limit;      /* 0: it is no limit */
	uint64_t value;      /* what was counted; where that is not known to its end, more than the limit */
	struct span evidence; /* a sentence, or the bytes; lives as long as the body, or for ever */
	bool is_bytes;        /* the latter, as they were sent */
};

/* One Content-Type: type "/" subtype with parameters (RFC 9110 section 8.3.1). No parameter stands
 * twice, no quoted-pair, no list; what is neither looked into nor text may have any parameters. An empty
 * value is no type. False: type->kind is known, or BODY_RAW. */
MUST_CHECK bool body_type_read(struct span value, struct body_type *type, struct body_fault *fault);
/* That of a head; BODY_RAW where there is none. Two of them are a fault. */
MUST_CHECK bool body_type_of(const struct http_head *head, struct body_type *type, struct body_fault *fault);

/* None of them is 0. */
struct body_limits {
	uint64_t values;    /* arguments, parts, JSON values, XML elements, attributes and texts */
	uint64_t name;      /* bytes of the name of an argument, key, element or attribute */
	uint64_t file_name; /* bytes of the name of a file */
	uint64_t part_head; /* bytes of the field lines of a part */
	uint64_t value;     /* bytes of one value, but a file's content and raw pieces */
	uint64_t depth;     /* nesting of JSON and XML */
};

enum body_place {
	BODY_PLACE_UNSET = 0,
	BODY_ARGUMENT,      /* name and value of a form's or a part's */
	BODY_FILE_NAME,     /* name: the part's */
	BODY_FILE_TYPE,     /* Content-Type of a file, as sent */
	BODY_FILE_CONTENT,  /* pieces */
	BODY_JSON_VALUE,    /* name: keys, "order.items[].sku"; texts, numbers, "true", "null"; "" for {} and [] */
	BODY_XML_TEXT,      /* name: elements, "order/item"; "?target" for a processing instruction */
	BODY_XML_ATTRIBUTE, /* name: "order/item/@sku" */
	BODY_RAW_PIECE,
	BODY_PLACES
};

/* Decoded once. Valid until the sink returns. */
struct body_value {
	enum body_place place;
	struct span name;
	struct span value;
	bool more; /* a piece, and another one of the same comes; the last may be empty */
	bool is_split; /* of a form: a raw ";" stands in it, behind which some read further names */
	size_t told; /* of JSON and XML: so many bytes of the name stood in the one before it, too */
};

struct body_sink {
	/* False: enough, the body has BODY_STOPPED from now on. NULL: values are only counted. */
	bool (*take)(void *context, const struct body_value *value);
	void *context;
};

struct body_setup {
	const struct body_type *type; /* copied */
	const struct coding_list *codings; /* NULL: none */
	const struct body_limits *limits; /* borrowed, as long as the body lives */
	uint64_t max; /* bytes, as sent and as decoded */
	const char *max_setting;
	/* Of the findings of a query, those that refuse a form: escapes and UTF-8 in disguise. */
	unsigned findings;
	/* The same, those that are only noted: body_scored. */
	unsigned scored;
	struct body_sink sink;
	struct coding_memory memory;
	uint64_t seed; /* that no client knows: of a hash table */
};

enum body_result {
	BODY_RESULT_UNSET = 0,
	BODY_MORE,
	BODY_DONE,
	BODY_STOPPED, /* by the sink */
	BODY_BAD,     /* body_fault says why */
};

struct body;

/* NULL only without memory. */
struct body *body_new(const struct body_setup *setup);
/* MORE, STOPPED or BAD; from then on it always says so. */
enum body_result body_feed(struct body *body, const void *bytes, size_t len);
/* No more will come: DONE, STOPPED or BAD. No content at all is DONE, whatever its type. */
enum body_result body_end(struct body *body);
const struct body_fault *body_fault(const struct body *body);
uint64_t body_values(const struct body *body);
/* Of setup.scored, those that were found so far. */
unsigned body_scored(const struct body *body);
void body_free(struct body *body);

#endif
