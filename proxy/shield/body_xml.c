/* XML by expat: no document type, so no entity but the five that there always are; no other document is
 * ever fetched. Every name, text and attribute is bounded, and so is expat's memory, which is its
 * caller's.
 *
 * expat 2.5 looks at an unfinished token anew each time it gets bytes. So bytes are gathered, and it gets
 * as many at once as its unfinished token has already, but STEP at least: all in all it looks at each
 * byte a few times, however small the pieces and however long the token. What is gathered depends on
 * the content only, so that pieces make no difference. */
#include <expat.h>

#include "shield/body_parse.h"

enum {
	STEP = 4096,
	BLOCK_HEAD = 16, /* before each block of expat's: its size, and room to keep it aligned */
	MEMORY_FREE = 1 << 18, /* what expat may have, whatever the limit of the content */
	MEMORY_TIMES = 8,      /* … and so many times that limit besides */
};

/* expat's functions for memory know nothing of whom it is for: the body that is parsed right now. */
static _Thread_local struct body *current;

static void *take_block(size_t size)
{
	struct body_xml *xml = &current->of.xml;
	uint64_t most = MEMORY_FREE + MEMORY_TIMES * current->max;
	if (size > most || xml->taken + size + BLOCK_HEAD > most) {
		xml->is_capped = true;
		return NULL;
	}
	char *block = current->memory.take(current->memory.context, size + BLOCK_HEAD);
	if (!block)
		return NULL;
	size += BLOCK_HEAD;
	memcpy(block, &size, sizeof(size));
	xml->taken += size;
	return block + BLOCK_HEAD;
}

static size_t block_size(const char *block)
{
	size_t size;
	memcpy(&size, block - BLOCK_HEAD, sizeof(size));
	return size;
}

static void give_block(void *ptr)
{
	char *block = ptr;
	if (!block)
		return;
	size_t size = block_size(block);
	current->of.xml.taken -= size;
	current->memory.give(current->memory.context, block - BLOCK_HEAD, size);
}

static void *change_block(void *ptr, size_t size)
{
	char *block = take_block(size);
	if (!block || !ptr)
		return block;
	size_t had = block_size(ptr) - BLOCK_HEAD;
	memcpy(block, ptr, had < size ? had : size);
	give_block(ptr);
	return block;
}

/* ---- events ---- */

static void stop(struct body *body)
{
	XML_StopParser(body->of.xml.parser, XML_FALSE);
}

/* Each event moves on what expat has understood. True: go on. */
static bool note_event(struct body *body)
{
	struct body_xml *xml = &body->of.xml;
	XML_Index index = XML_GetCurrentByteIndex(xml->parser);
	if (index >= 0)
		xml->understood = (uint64_t)index + (uint64_t)XML_GetCurrentByteCount(xml->parser);
	return body->result == BODY_MORE;
}

static bool is_white(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!strchr(" \t\r\n", text.ptr[i]) || text.ptr[i] == '\0')
			return false;
	}
	return true;
}

/* The text before a tag; its name is the path of elements, which stands in body->kept. */
static bool end_text(struct body *body)
{
	struct span text = body_text_span(&body->text);
	body->text.len = 0;
	return is_white(text) || body_give(body, BODY_XML_TEXT, body_text_span(&body->kept), text);
}

static bool give_attribute(struct body *body, const char *name, const char *value)
{
	struct body_text *path = &body->kept;
	size_t len = path->len;
	struct span name_text = span_from_str(name), value_text = span_from_str(value);
	bool done = body_within(body, BODY_LIMIT_NAME, name_text.len) &&
		    body_within(body, BODY_LIMIT_VALUE, value_text.len) && body_text_add(body, path, "/@", 2) &&
		    body_text_add(body, path, name, name_text.len) &&
		    body_give(body, BODY_XML_ATTRIBUTE, body_text_span(path), value_text);
	body_cut_path(body, path, len);
	return done;
}

static bool begin_element(struct body *body, const char *name, const char **attributes)
{
	struct span text = span_from_str(name);
	if (!end_text(body) || !body_count(body) || !body_within(body, BODY_LIMIT_DEPTH, ++body->of.xml.depth) ||
	    !body_within(body, BODY_LIMIT_NAME, text.len) ||
	    (body->kept.len > 0 && !body_text_add(body, &body->kept, "/", 1)) ||
	    !body_text_add(body, &body->kept, text.ptr, text.len))
		return false;
	for (; attributes[0]; attributes += 2) {
		if (!give_attribute(body, attributes[0], attributes[1]))
			return false;
	}
	return true;
}

static void XMLCALL on_start(void *context, const char *name, const char **attributes)
{
	struct body *body = context;
	if (note_event(body) && !begin_element(body, name, attributes))
		stop(body);
}

static void XMLCALL on_end(void *context, const char *name)
{
	struct body *body = context;
	size_t len = strlen(name);
	if (!note_event(body))
		return;
	if (!end_text(body)) {
		stop(body);
		return;
	}
	body->of.xml.depth--;
	body_cut_path(body, &body->kept, body->kept.len - (len < body->kept.len ? len + 1 : len));
}

static void XMLCALL on_text(void *context, const char *text, int len)
{
	struct body *body = context;
	if (note_event(body) && (!body_text_add(body, &body->text, text, (size_t)len) ||
				 !body_within(body, BODY_LIMIT_VALUE, body->text.len)))
		stop(body);
}

static void XMLCALL on_instruction(void *context, const char *target, const char *data)
{
	struct body *body = context;
	char name[64] = "?";
	size_t len = strlen(target);
	if (!note_event(body))
		return;
	if (len > sizeof(name) - 1)
		len = sizeof(name) - 1;
	memcpy(name + 1, target, len);
	body->told = 0; /* it is no path */
	if (!body_within(body, BODY_LIMIT_VALUE, strlen(data)) ||
	    !body_give(body, BODY_XML_TEXT, span_of(name, len + 1), span_from_str(data)))
		stop(body);
	body->told = 0;
}

static void XMLCALL on_other(void *context, const char *text, int len)
{
	(void)text;
	(void)len;
	note_event(context);
}

static void XMLCALL on_comment(void *context, const char *text)
{
	(void)text;
	note_event(context);
}

static void XMLCALL on_doctype(void *context, const char *name, const char *system, const char *public, int subset)
{
	struct body *body = context;
	(void)name;
	(void)system;
	(void)public;
	(void)subset;
	body_refuse(body, REASON_BODY_DOCTYPE, "XML: a document type");
	stop(body);
}

/* The declaration has to say what Content-Type says, where both say something. */
static void XMLCALL on_declaration(void *context, const char *version, const char *encoding, int standalone)
{
	struct body *body = context;
	enum body_charset charset, outer = body->type.charset;
	(void)version;
	(void)standalone;
	if (!note_event(body) || !encoding)
		return;
	if (!body_charset_read(span_from_str(encoding), &charset) || charset == BODY_OTHER_CHARSET)
		body_refuse_bytes(body, REASON_BODY_CHARSET, NULL, span_from_str(encoding));
	else if (outer != BODY_CHARSET_UNSET && outer != charset && charset != BODY_US_ASCII &&
		 outer != BODY_US_ASCII)
		body_refuse(body, REASON_BODY_AMBIGUOUS, "XML: its declaration and Content-Type say different charsets");
	if (body->result != BODY_MORE)
		stop(body);
}

/* ---- parsing ---- */

static const char *encoding_of(enum body_charset charset)
{
	switch (charset) {
	case BODY_UTF_8: return "UTF-8";
	case BODY_US_ASCII: return "US-ASCII";
	case BODY_LATIN_1: return "ISO-8859-1";
	default: return NULL;
	}
}

static bool open_parser(struct body *body)
{
	static const XML_Memory_Handling_Suite suite = {take_block, change_block, give_block};
	XML_Parser parser = XML_ParserCreate_MM(encoding_of(body->type.charset), &suite, NULL);
	if (!parser)
		return false;
	body->of.xml.parser = parser;
	XML_SetHashSalt(parser, (unsigned long)(body->seed | 1)); /* 0 would make it look for one itself */
	XML_SetUserData(parser, body);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	XML_SetProcessingInstructionHandler(parser, on_instruction);
	XML_SetCommentHandler(parser, on_comment);
	XML_SetXmlDeclHandler(parser, on_declaration);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	XML_SetDefaultHandler(parser, on_other);
	return true;
}

static bool xml_begin(struct body *body)
{
	current = body;
	bool opened = open_parser(body);
	current = NULL;
	return opened;
}

static bool explain(struct body *body)
{
	XML_Parser parser = body->of.xml.parser;
	enum XML_Error error = XML_GetErrorCode(parser);
	if (error == XML_ERROR_NO_MEMORY && body->of.xml.is_capped)
		return body_refuse(body, REASON_BODY_TOO_LARGE, "XML: more names than there is memory set aside for");
	if (error == XML_ERROR_NO_MEMORY)
		return body_refuse(body, REASON_OVERLOAD, "XML: no memory for its names");
	if (error == XML_ERROR_UNKNOWN_ENCODING || error == XML_ERROR_INCORRECT_ENCODING)
		return body_refuse(body, REASON_BODY_CHARSET, "XML: its encoding");
	return body_refuse_formatted(body, REASON_BODY_MALFORMED, "XML: line %lu: %s",
				     (unsigned long)XML_GetCurrentLineNumber(parser), XML_ErrorString(error));
}

/* UTF-16 and UTF-32, with a byte order mark or without. */
static bool is_wide(struct span start)
{
	return span_starts(start, SPAN("\xfe\xff")) || span_starts(start, SPAN("\xff\xfe")) ||
	       memchr(start.ptr, '\0', start.len < 4 ? start.len : 4) != NULL;
}

static bool parse(struct body *body, bool is_final)
{
	struct body_xml *xml = &body->of.xml;
	struct span bytes = body_text_span(&xml->stage);
	if (xml->fed == 0 && is_wide(bytes))
		return body_refuse(body, REASON_BODY_CHARSET, "XML: UTF-16 or UTF-32");
	xml->fed += bytes.len;
	current = body;
	enum XML_Status status = XML_Parse(xml->parser, bytes.ptr, (int)bytes.len, is_final);
	current = NULL;
	xml->stage.len = 0;
	if (body->result != BODY_MORE)
		return false;
	return status == XML_STATUS_OK || explain(body);
}

static size_t step_of(const struct body_xml *xml)
{
	uint64_t unfinished = xml->fed - xml->understood;
	return unfinished > STEP ? (size_t)unfinished : STEP;
}

static bool xml_feed(struct body *body, struct span piece)
{
	struct body_xml *xml = &body->of.xml;
	while (piece.len > 0) {
		size_t missing = step_of(xml) - xml->stage.len, n = piece.len < missing ? piece.len : missing;
		if (!body_text_add(body, &xml->stage, piece.ptr, n) || (n == missing && !parse(body, false)))
			return false;
		piece = span_from(piece, n);
	}
	return true;
}

static bool xml_end(struct body *body)
{
	return parse(body, true);
}

static void xml_release(struct body *body)
{
	current = body;
	if (body->of.xml.parser)
		XML_ParserFree(body->of.xml.parser);
	current = NULL;
	body_text_release(body, &body->of.xml.stage);
}

const struct body_parser body_xml_parser = {
    .begin = xml_begin, .feed = xml_feed, .end = xml_end, .release = xml_release};
