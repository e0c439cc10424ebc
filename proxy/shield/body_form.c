/* application/x-www-form-urlencoded: name=value&name=value, gathered as sent and decoded once. Escapes
 * are judged as those of a query, by shield.query_findings: what no browser writes and readers
 * take differently. All else may stand there as it is, since programs post JSON under this type.
 * A ";" separates nothing (WHATWG URL section 5.1). Trusts no byte. */
#include "sallyport/json.h"
#include "shield/body_parse.h"
#include "shield/compiled.h"

enum {
	HEEDED = URL_ESCAPE_NUL | URL_UTF8_OVERLONG | URL_ESCAPE_UNICODE | URL_ESCAPE_INVALID | URL_ESCAPE_DOUBLE |
		 URL_UTF8_INVALID,
};

static bool refuse_finding(struct body *body, unsigned finding, struct span evidence)
{
	return body_refuse_bytes(body, finding_reason(finding), finding_setting(finding, PLACE_QUERY), evidence);
}

/* A name or a value: as sent, decoded, and what decoding came upon (URL_DECODED_…). */
struct word {
	struct span raw, plain;
	unsigned notes;
};

/* A glance at what was decoded, so that only what may hide something is looked at escape by escape. */
static bool is_odd(const struct body *body, const struct word *word)
{
	const unsigned disguises = URL_UTF8_OVERLONG | URL_UTF8_INVALID, heeded = body->findings | body->scored;
	const unsigned percents = heeded & URL_ESCAPE_DOUBLE ? URL_DECODED_PERCENT : 0;
	return word->notes & (URL_DECODED_LONE | URL_DECODED_NUL | percents) ||
	       (word->notes & URL_DECODED_HIGH && heeded & disguises && !json_is_text(word->plain));
}

static bool check_spelling(struct body *body, const struct word *word)
{
	struct span evidence;
	if (!is_odd(body, word))
		return true;
	unsigned heeded = (body->findings | body->scored) & HEEDED;
	unsigned found = url_scan_text(word->raw, heeded, body->findings, &evidence);
	unsigned worst = url_worst_finding(found & body->findings);
	body->noted |= found & body->scored;
	return !worst || refuse_finding(body, worst, evidence);
}

static bool check_name(struct body *body, const struct word *word)
{
	struct span evidence;
	unsigned heeded = (body->findings | body->scored) & URL_NAME_CONTROL;
	if (heeded && word->notes & URL_DECODED_ESCAPE &&
	    url_scan_text(word->raw, URL_ESCAPE_CONTROL, 0, &evidence)) {
		if (body->findings & URL_NAME_CONTROL)
			return refuse_finding(body, URL_NAME_CONTROL, word->raw);
		body->noted |= URL_NAME_CONTROL;
	}
	return check_spelling(body, word);
}

static bool check_lengths(struct body *body, size_t name, size_t pair)
{
	return body_within(body, BODY_LIMIT_NAME, name) &&
	       (name == pair || body_within(body, BODY_LIMIT_VALUE, pair - name - 1));
}

static bool take_pair(struct body *body, struct span pair)
{
	struct span raw_name = span_of(pair.ptr, span_find(pair, '='));
	if (pair.len == 0)
		return true;
	if (!check_lengths(body, raw_name.len, pair.len))
		return false;
	body->kept.len = 0;
	if (!body_text_reserve(body, &body->kept, URL_DECODE_ROOM(pair.len)))
		return false;
	struct word name = {.raw = raw_name}, value = {.raw = span_from(pair, raw_name.len + 1)};
	name.plain = url_decode_noting(name.raw, body->kept.data, &name.notes);
	value.plain = url_decode_noting(value.raw, body->kept.data + raw_name.len, &value.notes);
	body->is_split = value.notes & URL_DECODED_SEMICOLON;
	if ((name.notes | value.notes) & URL_DECODED_RAW_NUL)
		return body_refuse(body, REASON_BODY_MALFORMED, "form: a NUL byte");
	return check_name(body, &name) && check_spelling(body, &value) &&
	       body_check_charset_argument(body, name.plain, value.plain) &&
	       body_give(body, BODY_ARGUMENT, name.plain, value.plain);
}

/* No byte is searched twice, however small the pieces are. */
static bool gather(struct body *body, struct span piece)
{
	struct body_form *form = &body->of.form;
	if (form->name_len == body->text.len)
		form->name_len += span_find(piece, '=');
	return body_text_add(body, &body->text, piece.ptr, piece.len) &&
	       check_lengths(body, form->name_len, body->text.len);
}

/* The pair that is gathered, with its last bytes. */
static bool take_gathered(struct body *body, struct span last)
{
	if (body->text.len == 0)
		return take_pair(body, last);
	if (!gather(body, last) || !take_pair(body, body_text_span(&body->text)))
		return false;
	body->text.len = 0;
	body->of.form.name_len = 0;
	return true;
}

static bool form_feed(struct body *body, struct span piece)
{
	while (piece.len > 0) {
		const char *end = memchr(piece.ptr, '&', piece.len);
		if (!end)
			return gather(body, piece);
		size_t len = (size_t)(end - piece.ptr);
		if (!take_gathered(body, span_of(piece.ptr, len)))
			return false;
		piece = span_from(piece, len + 1);
	}
	return true;
}

static bool form_end(struct body *body)
{
	return take_pair(body, body_text_span(&body->text));
}

const struct body_parser body_form_parser = {.feed = form_feed, .end = form_end};
