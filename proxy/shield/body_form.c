/* application/x-www-form-urlencoded: name=value&name=value, gathered as sent and decoded once. Escapes
 * are judged as those of a query, by shield.query_findings: what no browser writes and readers
 * take differently. All else may stand there as it is, since programs post JSON under this type.
 * A ";" separates nothing (WHATWG URL section 5.1). Trusts no byte. */
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

static bool check_spelling(struct body *body, struct span pair, struct span name)
{
	struct span evidence;
	if (url_text_is_plain(pair))
		return true;
	unsigned heeded = body->findings & HEEDED;
	unsigned worst = url_worst_finding(url_scan_text(pair, heeded, heeded, &evidence));
	if (worst)
		return refuse_finding(body, worst, evidence);
	if (body->findings & URL_NAME_CONTROL && url_scan_text(name, URL_ESCAPE_CONTROL, 0, &evidence))
		return refuse_finding(body, URL_NAME_CONTROL, name);
	return true;
}

static bool check_lengths(struct body *body, size_t name, size_t pair)
{
	return body_within(body, BODY_LIMIT_NAME, name) &&
	       (name == pair || body_within(body, BODY_LIMIT_VALUE, pair - name - 1));
}

static bool take_pair(struct body *body, struct span pair)
{
	struct span name = span_of(pair.ptr, span_find(pair, '='));
	struct span value = span_from(pair, name.len + 1);
	if (pair.len == 0)
		return true;
	if (!check_lengths(body, name.len, pair.len))
		return false;
	if (memchr(pair.ptr, '\0', pair.len))
		return body_refuse(body, REASON_BODY_MALFORMED, "form: a NUL byte");
	if (!check_spelling(body, pair, name))
		return false;
	body->kept.len = 0;
	if (!body_text_reserve(body, &body->kept, pair.len))
		return false;
	name = url_decode_query(name, body->kept.data);
	value = url_decode_query(value, body->kept.data + (pair.len - value.len));
	return body_check_charset_argument(body, name, value) && body_give(body, BODY_ARGUMENT, name, value);
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
