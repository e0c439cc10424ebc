/* JSON by jansson: a writer that is checked once at its end, and a reader.
 *
 * Trusts jansson with nesting (it stops at 2,048) and with UTF-8. Texts may hold
 * any byte. Keys that are written, or asked for, are our own literals.
 * Does not stream: a document is a tree in memory until it is printed. */
#include "sallyport/json.h"

#include <stdio.h>

#include <jansson.h>

#include "sallyport/word.h"

enum { PRINT_FLAGS = JSON_COMPACT | JSON_ENSURE_ASCII };

static json_t *tree_of(const struct json_value *value)
{
	/* jansson counts references inside, so it takes no const */
	return (json_t *)(uintptr_t)value;
}

static struct json_value *value_of(json_t *tree)
{
	return (struct json_value *)tree;
}

static void add(struct json_writer *writer, const char *key, json_t *value)
{
	if (!value || writer->depth == 0) {
		json_decref(value);
		writer->failed = true;
		return;
	}
	json_t *parent = tree_of(writer->open[writer->depth - 1]);
	int result =
	    key ? json_object_set_new(parent, key, value) : json_array_append_new(parent, value);
	if (result != 0)
		writer->failed = true;
}

/* The parent holds the only reference; the stack borrows it. */
static void open_value(struct json_writer *writer, const char *key, json_t *value)
{
	if (writer->depth == JSON_DEPTH) {
		json_decref(value);
		writer->failed = true;
		return;
	}
	add(writer, key, value);
	if (!writer->failed)
		writer->open[writer->depth++] = value_of(value);
}

void json_begin(struct json_writer *writer)
{
	json_t *root = json_object();
	*writer = (struct json_writer){.failed = !root, .depth = root ? 1 : 0};
	writer->open[0] = value_of(root);
}

void json_open_object(struct json_writer *writer, const char *key)
{
	if (!writer->failed)
		open_value(writer, key, json_object());
}

void json_open_list(struct json_writer *writer, const char *key)
{
	if (!writer->failed)
		open_value(writer, key, json_array());
}

void json_close(struct json_writer *writer)
{
	if (writer->failed)
		return;
	if (writer->depth > 1)
		writer->depth--;
	else
		writer->failed = true;
}

static json_t *latin1_text(struct span text)
{
	struct strbuf wide;
	strbuf_init(&wide, 2 * text.len + 1);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c < 0x80) {
			strbuf_add_char(&wide, (char)c);
			continue;
		}
		strbuf_add_char(&wide, (char)(0xc0 | (c >> 6)));
		strbuf_add_char(&wide, (char)(0x80 | (c & 0x3f)));
	}
	json_t *value = wide.truncated ? NULL : json_stringn_nocheck(wide.data, wide.len);
	strbuf_release(&wide);
	return value;
}

void json_add_text(struct json_writer *writer, const char *key, struct span text)
{
	if (writer->failed)
		return;
	if (text.len == 0)
		text = SPAN("");
	if (json_is_text(text))
		add(writer, key, json_stringn_nocheck(text.ptr, text.len));
	else
		add(writer, key, latin1_text(text));
}

void json_add_number(struct json_writer *writer, const char *key, uint64_t number)
{
	/* JSON numbers are signed in jansson; counters never come near the limit */
	json_int_t n = number > INT64_MAX ? INT64_MAX : (json_int_t)number;
	if (!writer->failed)
		add(writer, key, json_integer(n));
}

void json_add_bool(struct json_writer *writer, const char *key, bool value)
{
	if (!writer->failed)
		add(writer, key, json_boolean(value));
}

void json_add_value(struct json_writer *writer, const char *key, const struct json_value *value)
{
	if (!writer->failed && value)
		add(writer, key, json_deep_copy(tree_of(value)));
}

void json_add_members(struct json_writer *writer, const struct json_value *object)
{
	const char *key;
	json_t *value;
	if (writer->failed || !object)
		return;
	json_t *parent = tree_of(writer->open[writer->depth - 1]);
	json_object_foreach(tree_of(object), key, value)
	{
		if (!json_object_get(parent, key))
			json_add_value(writer, key, value_of(value));
	}
}

static void writer_release(struct json_writer *writer)
{
	json_decref(tree_of(writer->open[0]));
	*writer = (struct json_writer){.failed = true};
}

static int append_to_strbuf(const char *bytes, size_t len, void *context)
{
	strbuf_add(context, bytes, len);
	return 0;
}

bool json_end(struct json_writer *writer, struct strbuf *out)
{
	bool ok = !writer->failed && json_dump_callback(tree_of(writer->open[0]), append_to_strbuf,
							out, PRINT_FLAGS) == 0;
	writer_release(writer);
	return ok && !out->truncated;
}

size_t json_end_to(struct json_writer *writer, char *buf, size_t room)
{
	size_t len = 0;
	if (!writer->failed)
		len = json_dumpb(tree_of(writer->open[0]), buf, room, PRINT_FLAGS);
	writer_release(writer);
	return len <= room ? len : 0;
}

/* Length of the well-formed sequence at p (RFC 3629 section 4), 0: none. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0x80   ? 1
		     : p[0] < 0xc2 ? 0
		     : p[0] < 0xe0 ? 2
		     : p[0] < 0xf0 ? 3
		     : p[0] < 0xf5 ? 4
				   : 0;
	if (len < 2 || len > left)
		return len <= left ? len : 0;
	unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* How many bytes of ASCII come next, as nearly all are; at least those in the next eight. */
static size_t ascii_run(struct span text)
{
	size_t n = 0;
	for (; text.len - n >= 8; n += 8) {
		uint64_t high = word_high(word_load(text.ptr + n));
		if (high)
			return n + word_first(high);
	}
	return n + word_first(word_high(word_load_end(text.ptr + n, text.len - n, '\x80')));
}

bool json_is_text(struct span text)
{
	size_t len = 1;
	for (size_t i = 0; len > 0;) {
		i += ascii_run(span_from(text, i));
		if (i >= text.len)
			return true;
		len = utf8_sequence((const unsigned char *)text.ptr + i, text.len - i);
		i += len;
	}
	return false;
}

struct json_value *json_read(struct span text, struct err *err)
{
	json_error_t error;
	json_t *tree = json_loadb(text.len ? text.ptr : "", text.len, JSON_ALLOW_NUL, &error);
	if (!tree)
		err_set(err, "not JSON: line %d, column %d: %s", error.line, error.column,
			error.text);
	return value_of(tree);
}

struct json_value *json_read_map(struct span text, struct err *err)
{
	struct json_value *document = json_read(text, err);
	if (!document || json_is_map(document))
		return document;
	json_free(document);
	err_set(err, "the content is no JSON object");
	return NULL;
}

struct json_value *json_read_strict(struct span text, bool *is_twice, struct err *err)
{
	const size_t flags = JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_REJECT_DUPLICATES;
	const char *bytes = text.len ? text.ptr : "";
	json_error_t error;
	json_t *tree = json_loadb(bytes, text.len, flags, &error);
	if (!tree && json_error_code(&error) == json_error_numeric_overflow)
		tree = json_loadb(bytes, text.len, flags | JSON_DECODE_INT_AS_REAL, &error);
	*is_twice = !tree && json_error_code(&error) == json_error_duplicate_key;
	if (!tree)
		err_set(err, "line %d, column %d: %s", error.line, error.column, error.text);
	return value_of(tree);
}

void json_prepare(void)
{
	json_object_seed(0);
}

void json_free(struct json_value *document)
{
	json_decref(tree_of(document));
}

bool json_is_map(const struct json_value *value)
{
	return json_is_object(tree_of(value));
}

const struct json_value *json_member(const struct json_value *object, const char *key)
{
	return value_of(json_object_get(tree_of(object), key));
}

struct span json_text(const struct json_value *object, const char *key, const char *fallback)
{
	json_t *member = json_object_get(tree_of(object), key);
	if (!json_is_string(member))
		return span_from_str(fallback);
	return span_of(json_string_value(member), json_string_length(member));
}

uint64_t json_number(const struct json_value *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(tree_of(object), key));
	return number > 0 ? (uint64_t)number : 0;
}

bool json_get_number(const struct json_value *object, const char *key, uint64_t *number)
{
	const json_t *member = json_object_get(tree_of(object), key);
	if (!json_is_integer(member) || json_integer_value(member) < 0)
		return false;
	*number = (uint64_t)json_integer_value(member);
	return true;
}

bool json_bool(const struct json_value *object, const char *key)
{
	return json_is_true(json_object_get(tree_of(object), key));
}

size_t json_count(const struct json_value *list)
{
	return json_array_size(tree_of(list));
}

const struct json_value *json_element(const struct json_value *list, size_t index)
{
	return value_of(json_array_get(tree_of(list), index));
}

bool json_get_element_number(const struct json_value *list, size_t index, uint64_t *number)
{
	const json_t *element = json_array_get(tree_of(list), index);
	if (!json_is_integer(element) || json_integer_value(element) < 0)
		return false;
	*number = (uint64_t)json_integer_value(element);
	return true;
}

enum json_kind json_kind_of(const struct json_value *value)
{
	const json_t *tree = tree_of(value);
	return !tree ? JSON_KIND_UNSET
	       : json_is_object(tree) ? JSON_KIND_MAP
	       : json_is_array(tree)  ? JSON_KIND_LIST
				      : JSON_KIND_SCALAR;
}

static bool each_member(json_t *object, bool (*visit)(void *, struct span, const struct json_value *), void *context)
{
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		if (!visit(context, span_from_str(json_object_iter_key(at)), value_of(json_object_iter_value(at))))
			return false;
	}
	return true;
}

bool json_each(const struct json_value *container,
	       bool (*visit)(void *context, struct span key, const struct json_value *value), void *context)
{
	json_t *tree = tree_of(container);
	if (json_is_object(tree))
		return each_member(tree, visit, context);
	for (size_t i = 0; i < json_array_size(tree); i++) {
		if (!visit(context, (struct span){0}, value_of(json_array_get(tree, i))))
			return false;
	}
	return true;
}

struct span json_scalar(const struct json_value *scalar, char buf[JSON_NUMBER_MAX])
{
	const json_t *tree = tree_of(scalar);
	int len;
	switch (json_typeof(tree)) {
	case JSON_STRING: return span_of(json_string_value(tree), json_string_length(tree));
	case JSON_TRUE: return SPAN("true");
	case JSON_FALSE: return SPAN("false");
	case JSON_INTEGER: len = snprintf(buf, JSON_NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(tree)); break;
	case JSON_REAL: len = snprintf(buf, JSON_NUMBER_MAX, "%.17g", json_real_value(tree)); break;
	default: return SPAN("null");
	}
	return span_of(buf, (size_t)len);
}
