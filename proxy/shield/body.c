/* What all bodies have in common: their parser is chosen by kind, content codings are undone before
 * it, limits are held, values are counted and handed on. Trusts no byte; takes memory from its
 * caller only, but for what body_json.c says. */
#include <stdarg.h>
#include <stdio.h>

#include "shield/body_parse.h"
#include "shield/compiled.h"

enum { TEXT_ROOM = 512 };

const char *body_kind_name(enum body_kind kind)
{
	static const char *const names[BODY_KINDS] = {"-", "form", "multipart", "json", "xml", "raw"};
	return names[kind];
}

/* ---- what ends it ---- */

bool body_fail(struct body *body, const struct body_fault *fault)
{
	if (body->result == BODY_MORE) {
		body->fault = *fault;
		body->result = BODY_BAD;
	}
	return false;
}

bool body_refuse(struct body *body, enum reason reason, const char *what)
{
	return body_fail(body, &(struct body_fault){.reason = reason, .evidence = span_from_str(what)});
}

bool body_refuse_bytes(struct body *body, enum reason reason, const char *setting, struct span bytes)
{
	size_t len = bytes.len < sizeof(body->note) ? bytes.len : sizeof(body->note);
	if (body->result != BODY_MORE)
		return false;
	if (len > 0)
		memcpy(body->note, bytes.ptr, len);
	return body_fail(body, &(struct body_fault){.reason = reason, .setting = setting,
						    .evidence = span_of(body->note, len), .is_bytes = true});
}

bool body_refuse_formatted(struct body *body, enum reason reason, const char *fmt, ...)
{
	va_list ap;
	if (body->result != BODY_MORE)
		return false;
	va_start(ap, fmt);
	vsnprintf(body->note, sizeof(body->note), fmt, ap);
	va_end(ap);
	return body_refuse(body, reason, body->note);
}

static uint64_t limit_of(const struct body *body, enum body_limit limit)
{
	switch (limit) {
	case BODY_LIMIT_VALUES: return body->limits->values;
	case BODY_LIMIT_NAME: return body->limits->name;
	case BODY_LIMIT_FILE_NAME: return body->limits->file_name;
	case BODY_LIMIT_PART_HEAD: return body->limits->part_head;
	case BODY_LIMIT_VALUE: return body->limits->value;
	case BODY_LIMIT_DEPTH: return body->limits->depth;
	default: return body->max;
	}
}

bool body_within(struct body *body, enum body_limit limit, uint64_t value)
{
	static const struct {
		enum reason reason;
		const char *setting;
	} rows[] = {
	    [BODY_LIMIT_MAX] = {REASON_BODY_TOO_LARGE, NULL},
	    [BODY_LIMIT_VALUES] = {REASON_BODY_TOO_MANY_VALUES, "sites[].shield.bodies.values"},
	    [BODY_LIMIT_NAME] = {REASON_BODY_NAME_TOO_LONG, "sites[].shield.bodies.name"},
	    [BODY_LIMIT_FILE_NAME] = {REASON_BODY_NAME_TOO_LONG, "sites[].shield.bodies.file_name"},
	    [BODY_LIMIT_PART_HEAD] = {REASON_BODY_PART_HEAD_TOO_LARGE, "sites[].shield.bodies.part_head"},
	    [BODY_LIMIT_VALUE] = {REASON_BODY_VALUE_TOO_LONG, "sites[].shield.bodies.value"},
	    [BODY_LIMIT_DEPTH] = {REASON_BODY_TOO_DEEP, "sites[].shield.bodies.depth"},
	};
	uint64_t most = limit_of(body, limit);
	return value <= most || body_fail(body, &(struct body_fault){.reason = rows[limit].reason,
								     .setting = limit == BODY_LIMIT_MAX
										    ? body->max_setting
										    : rows[limit].setting,
								     .limit = most,
								     .value = value});
}

/* ---- what comes out of it ---- */

bool body_count(struct body *body)
{
	return body_within(body, BODY_LIMIT_VALUES, ++body->values);
}

/* How much of a path is known from the value before. */
static size_t tell_path(struct body *body, enum body_place place, struct span path)
{
	const size_t told = body->told < path.len ? body->told : path.len;
	if (place != BODY_JSON_VALUE && place != BODY_XML_TEXT && place != BODY_XML_ATTRIBUTE)
		return 0;
	body->told = path.len;
	return told;
}

bool body_give_piece(struct body *body, enum body_place place, struct span name, struct span piece, bool more)
{
	const struct body_value value = {place, name, piece, more, body->is_split, tell_path(body, place, name)};
	if (!body->sink.take || body->sink.take(body->sink.context, &value))
		return true;
	body->result = BODY_STOPPED;
	return false;
}

bool body_give(struct body *body, enum body_place place, struct span name, struct span value)
{
	return body_count(body) && body_give_piece(body, place, name, value, false);
}

/* ---- memory ---- */

bool body_text_reserve(struct body *body, struct body_text *text, size_t more)
{
	size_t need = text->len + more, room = text->room ? text->room : TEXT_ROOM;
	if (need <= text->room)
		return true;
	while (room < need)
		room *= 2;
	char *data = body->memory.take(body->memory.context, room);
	if (!data)
		return body_refuse(body, REASON_OVERLOAD, "no memory for a value of the content");
	if (text->len > 0)
		memcpy(data, text->data, text->len);
	if (text->data)
		body->memory.give(body->memory.context, text->data, text->room);
	text->data = data;
	text->room = room;
	return true;
}

bool body_text_add(struct body *body, struct body_text *text, const void *bytes, size_t len)
{
	if (!body_text_reserve(body, text, len))
		return false;
	if (len > 0)
		memcpy(text->data + text->len, bytes, len);
	text->len += len;
	return true;
}

void body_text_release(struct body *body, struct body_text *text)
{
	if (text->data)
		body->memory.give(body->memory.context, text->data, text->room);
	*text = (struct body_text){0};
}

/* ---- what more than one kind looks for ---- */

bool body_check_charset_argument(struct body *body, struct span name, struct span value)
{
	enum body_charset charset;
	if (!span_ieq(name, SPAN("_charset_")) || value.len == 0 || body_charset_read(value, &charset))
		return true;
	return body_refuse_bytes(body, REASON_BODY_CHARSET, NULL, value);
}

bool body_check_text(struct body *body, struct span text)
{
	struct span evidence;
	unsigned heeded = body->findings & URL_UTF8_OVERLONG;
	if (url_text_is_plain(text) || !url_scan_text(text, heeded, heeded, &evidence))
		return true;
	return body_refuse_bytes(body, finding_reason(heeded), finding_setting(heeded, PLACE_QUERY), evidence);
}

/* ---- its life ---- */

/* What is within the limit comes first, so that the same is found however the bytes are cut. */
static bool parse(struct body *body, struct span piece)
{
	uint64_t room = body->max - body->decoded;
	struct span within = span_of(piece.ptr, piece.len < room ? piece.len : (size_t)room);
	body->decoded += within.len;
	return (within.len == 0 || body->parser->feed(body, within)) &&
	       body_within(body, BODY_LIMIT_MAX, body->decoded + (piece.len - within.len));
}

static bool take_decoded(void *context, const uint8_t *bytes, size_t len)
{
	return parse(context, span_of((const char *)bytes, len));
}

static bool decoder_open(struct body *body, const struct coding_list *codings)
{
	/* One byte more, so that it is our limit which is hit. */
	const struct coding_limits limits = {body->max + 1, CODING_RATIO};
	const struct coding_sink sink = {take_decoded, body};
	if (!codings || codings->n == 0)
		return true;
	body->decoder = coding_new(codings, &limits, &sink, &body->memory);
	return body->decoder != NULL;
}

struct body *body_new(const struct body_setup *setup)
{
	static const struct body_parser *const parsers[BODY_KINDS] = {
	    [BODY_FORM] = &body_form_parser, [BODY_MULTIPART] = &body_multipart_parser,
	    [BODY_JSON] = &body_json_parser, [BODY_XML] = &body_xml_parser,
	    [BODY_RAW] = &body_raw_parser,
	};
	struct body *body = setup->memory.take(setup->memory.context, sizeof(*body));
	if (!body)
		return NULL;
	*body = (struct body){
	    .parser = parsers[setup->type->kind],
	    .type = *setup->type,
	    .limits = setup->limits,
	    .max = setup->max,
	    .max_setting = setup->max_setting,
	    .seed = setup->seed,
	    .findings = setup->findings,
	    .scored = setup->scored,
	    .sink = setup->sink,
	    .memory = setup->memory,
	    .result = BODY_MORE,
	};
	if (decoder_open(body, setup->codings) && (!body->parser->begin || body->parser->begin(body)))
		return body;
	body_free(body);
	return NULL;
}

void body_free(struct body *body)
{
	if (!body)
		return;
	if (body->parser->release)
		body->parser->release(body);
	body_text_release(body, &body->text);
	body_text_release(body, &body->kept);
	coding_free(body->decoder);
	body->memory.give(body->memory.context, body, sizeof(*body));
}

/* What the decoder found; what the parser found was said already. */
static void heed_coding(struct body *body, enum coding_result result)
{
	if (result == CODING_MORE || result == CODING_DONE)
		return;
	if (result == CODING_OVER_SIZE)
		body_within(body, BODY_LIMIT_MAX, body->max + 1);
	if (result == CODING_NO_MEMORY)
		body_refuse(body, REASON_OVERLOAD, "no memory to undo the content coding");
	body_refuse_formatted(body, REASON_BODY_CODING, "content coding: %s", coding_result_text(result));
}

static void decode(struct body *body, const void *bytes, size_t len)
{
	uint64_t room = body->max - body->sent;
	size_t within = len < room ? len : (size_t)room;
	body->sent += within;
	heed_coding(body, coding_feed(body->decoder, bytes, within));
	if (len > within)
		body_within(body, BODY_LIMIT_MAX, body->sent + (len - within));
}

enum body_result body_feed(struct body *body, const void *bytes, size_t len)
{
	if (body->result != BODY_MORE || len == 0)
		return body->result;
	if (body->decoder)
		decode(body, bytes, len);
	else
		parse(body, span_of(bytes, len));
	return body->result;
}

enum body_result body_end(struct body *body)
{
	if (body->result == BODY_MORE && body->decoder)
		heed_coding(body, coding_end(body->decoder));
	if (body->result == BODY_MORE && (body->decoded == 0 || body->parser->end(body)))
		body->result = BODY_DONE;
	return body->result;
}

const struct body_fault *body_fault(const struct body *body)
{
	return &body->fault;
}

unsigned body_scored(const struct body *body)
{
	return body->noted;
}

uint64_t body_values(const struct body *body)
{
	return body->values;
}

/* ---- what has no syntax ---- */

static bool raw_feed(struct body *body, struct span piece)
{
	return body_give_piece(body, BODY_RAW_PIECE, span_of("", 0), piece, true);
}

static bool raw_end(struct body *body)
{
	return body_give_piece(body, BODY_RAW_PIECE, span_of("", 0), span_of("", 0), false);
}

const struct body_parser body_raw_parser = {.feed = raw_feed, .end = raw_end};
