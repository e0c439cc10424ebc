/* JSON by jansson, which takes whole texts only: the bytes are gathered, and read at their end. Since
 * jansson's tree is many times the text ("[[],[],…"), values and nesting are counted as the bytes
 * come, which takes no more than knowing strings; what is too many never reaches it.
 *
 * The tree lies on the heap: one at a time, for one call, and room for it is set aside in the caller's
 * memory meanwhile. What else RFC 8259 leaves open, or readers take differently, is refused: a name
 * twice in an object, numbers beyond a double, lone surrogates, a byte order mark. */
#include "sallyport/json.h"
#include "shield/body_parse.h"

/* ---- counting ---- */

static bool count_structure(struct body *body, struct body_json *json, char c)
{
	switch (c) {
	case '"':
		json->in_text = true;
		return true;
	case '[':
	case '{':
		return body_within(body, BODY_LIMIT_DEPTH, ++json->depth) &&
		       body_within(body, BODY_LIMIT_VALUES, ++json->values);
	case ']':
	case '}':
		json->depth -= json->depth > 0;
		return true;
	case ',':
		return body_within(body, BODY_LIMIT_VALUES, ++json->values);
	default:
		return true;
	}
}

/* Inside of a string: to the byte behind its end. */
static size_t skip_string(struct body_json *json, struct span piece, size_t at)
{
	for (; at < piece.len && json->in_text; at++) {
		char c = piece.ptr[at];
		json->in_text = json->escaped || c != '"';
		json->escaped = !json->escaped && c == '\\';
	}
	return at;
}

static bool count(struct body *body, struct body_json *json, struct span piece)
{
	size_t at = 0;
	while (at < piece.len) {
		if (json->in_text)
			at = skip_string(json, piece, at);
		else if (!count_structure(body, json, piece.ptr[at++]))
			return false;
	}
	return true;
}

/* ---- telling ---- */

struct walk {
	struct body *body;
	struct body_text *path; /* the name of the value that is visited */
};

static bool visit(void *context, struct span key, const struct json_value *value);

static bool visit_all(struct walk *walk, const struct json_value *container)
{
	uint64_t before = walk->body->values;
	if (!json_each(container, visit, walk))
		return false;
	/* An empty one: otherwise nobody would see the names on the way to it. */
	return walk->body->values != before ||
	       body_give(walk->body, BODY_JSON_VALUE, body_text_span(walk->path), span_of("", 0));
}

static bool visit_value(struct walk *walk, const struct json_value *value)
{
	char number[JSON_NUMBER_MAX];
	if (json_kind_of(value) != JSON_KIND_SCALAR)
		return visit_all(walk, value);
	struct span text = json_scalar(value, number);
	return body_within(walk->body, BODY_LIMIT_VALUE, text.len) &&
	       body_give(walk->body, BODY_JSON_VALUE, body_text_span(walk->path), text);
}

static bool add_step(struct walk *walk, struct span key)
{
	struct body *body = walk->body;
	if (!key.ptr)
		return body_text_add(body, walk->path, "[]", 2);
	return body_within(body, BODY_LIMIT_NAME, key.len) &&
	       (walk->path->len == 0 || body_text_add(body, walk->path, ".", 1)) &&
	       body_text_add(body, walk->path, key.ptr, key.len);
}

/* Keys are joined by ".", an element of a list is "[]" whatever its number. */
static bool visit(void *context, struct span key, const struct json_value *value)
{
	struct walk *walk = context;
	size_t len = walk->path->len;
	if (!add_step(walk, key) || !visit_value(walk, value))
		return false;
	body_cut_path(walk->body, walk->path, len);
	return true;
}

static bool refuse_text(struct body *body, bool is_twice, const struct err *err)
{
	return body_refuse_formatted(body, is_twice ? REASON_BODY_AMBIGUOUS : REASON_BODY_MALFORMED, "JSON: %.140s",
				     err->text);
}

static bool read_counted(struct body *body, struct span text, uint64_t values, struct body_text *path)
{
	struct walk walk = {body, path};
	struct err err = {0};
	bool is_twice;
	size_t room = (size_t)values * JSON_TREE_BYTES + text.len;
	void *set_aside = body->memory.take(body->memory.context, room);
	if (!set_aside)
		return body_refuse(body, REASON_OVERLOAD, "no memory for JSON");
	struct json_value *tree = json_read_strict(text, &is_twice, &err);
	bool done = tree ? visit_value(&walk, tree) : refuse_text(body, is_twice, &err);
	json_free(tree);
	body->memory.give(body->memory.context, set_aside, room);
	return done;
}

bool body_json_read(struct body *body, struct span text, struct span prefix)
{
	struct body_json json = {.values = 1};
	struct body_text path = {0};
	body->told = 0;
	bool done = count(body, &json, text) && body_text_add(body, &path, prefix.ptr, prefix.len) &&
		    read_counted(body, text, json.values, &path);
	body_text_release(body, &path);
	return done;
}

/* ---- as a body ---- */

static bool json_begin_body(struct body *body)
{
	body->of.json.values = 1;
	return true;
}

static bool json_feed(struct body *body, struct span piece)
{
	return count(body, &body->of.json, piece) && body_text_add(body, &body->text, piece.ptr, piece.len);
}

static bool json_end_body(struct body *body)
{
	return read_counted(body, body_text_span(&body->text), body->of.json.values, &body->kept);
}

const struct body_parser body_json_parser = {
    .begin = json_begin_body, .feed = json_feed, .end = json_end_body};
