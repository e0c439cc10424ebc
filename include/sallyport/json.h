#ifndef SALLYPORT_JSON_H
#define SALLYPORT_JSON_H

#include "sallyport/err.h"
#include "sallyport/strbuf.h"

/* JSON (RFC 8259), by jansson behind our own names. What is printed is ASCII on one
 * line: every other character is written as an escape, so the text can stand in a log. */

struct json_value; /* borrowed from the document it was found in */

enum { JSON_DEPTH = 8 };

/* Writes one document from the outside in. Caller's storage. An error (memory,
 * depth) is kept and shows in json_end, so a chain of calls is checked once. */
struct json_writer {
	struct json_value *open[JSON_DEPTH]; /* objects and lists not yet closed */
	unsigned depth;
	bool failed;
};

/* Opens the outermost object. */
void json_begin(struct json_writer *writer);
/* key: the name in an object, NULL in a list. */
void json_open_object(struct json_writer *writer, const char *key);
void json_open_list(struct json_writer *writer, const char *key);
void json_close(struct json_writer *writer);
/* Bytes that are not UTF-8 are read as Latin-1, one character for one byte: nothing is
 * lost, and json_is_text tells beforehand which reading will be taken. */
void json_add_text(struct json_writer *writer, const char *key, struct span text);
void json_add_number(struct json_writer *writer, const char *key, uint64_t number);
void json_add_bool(struct json_writer *writer, const char *key, bool value);
/* A copy of a value; NULL: nothing is added. */
void json_add_value(struct json_writer *writer, const char *key, const struct json_value *value);
/* Copies every member of an object; members that are there already are kept. */
void json_add_members(struct json_writer *writer, const struct json_value *object);
/* Appends the document to out and frees it. False: something failed, out may hold a part. */
MUST_CHECK bool json_end(struct json_writer *writer, struct strbuf *out);
/* The same into a buffer; returns the length, 0 where it failed or does not fit. */
size_t json_end_to(struct json_writer *writer, char *buf, size_t room);

/* True where the bytes are UTF-8 (RFC 3629). */
bool json_is_text(struct span text);

/* Reads one document, an object or a list; nesting is bounded. Free it with json_free.
 * NULL: *err says where it is malformed. */
struct json_value *json_read(struct span text, struct err *err);
/* The same of an object; NULL also where it is a list. */
struct json_value *json_read_map(struct span text, struct err *err);
/* The same, strictly, of what a stranger wrote: any value of RFC 8259, no name twice in an object,
 * no number beyond a double; whole numbers beyond 64 bits are read as such. jansson takes up to JSON_TREE_BYTES from the heap for each
 * value, and some lengths of the text: its caller counts values and depth beforehand. */
enum { JSON_TREE_BYTES = 320 };
/* NULL: *err says where it is malformed; *is_twice: by a name that stands twice. */
struct json_value *json_read_strict(struct span text, bool *is_twice, struct err *err);
/* Draws the seed of jansson's hash tables, for who may open no file later. */
void json_prepare(void);
void json_free(struct json_value *document);
/* True for an object, as opposed to a list or NULL. */
bool json_is_map(const struct json_value *value);
/* Each gives the fallback, 0, false or NULL where the member is missing or of another type;
 * object may be NULL. Texts end with a NUL, which may stand inside too. */
const struct json_value *json_member(const struct json_value *object, const char *key);
struct span json_text(const struct json_value *object, const char *key, const char *fallback);
uint64_t json_number(const struct json_value *object, const char *key);
/* False: there is no such member, or it is no whole number from 0 on. */
MUST_CHECK bool json_get_number(const struct json_value *object, const char *key, uint64_t *number);
bool json_bool(const struct json_value *object, const char *key);
/* Elements of a list. */
size_t json_count(const struct json_value *list);
const struct json_value *json_element(const struct json_value *list, size_t index);
/* The same for an element that is a whole number from 0 on. False: it is none. */
MUST_CHECK bool json_get_element_number(const struct json_value *list, size_t index, uint64_t *number);

enum json_kind { JSON_KIND_UNSET = 0, JSON_KIND_MAP, JSON_KIND_LIST, JSON_KIND_SCALAR };
enum json_kind json_kind_of(const struct json_value *value);
/* Members in their order; or elements, whose key.ptr is NULL. True: all were visited. */
bool json_each(const struct json_value *container,
	       bool (*visit)(void *context, struct span key, const struct json_value *value), void *context);
/* Of a scalar: a text, "true", "null"; a number is written into buf. */
enum { JSON_NUMBER_MAX = 32 };
struct span json_scalar(const struct json_value *scalar, char buf[JSON_NUMBER_MAX]);

#endif
