/* Findings in cookies and in the values of fields. Nothing there is rewritten: what is not refused is
 * forwarded as it came. A head without an escape and without bytes from 0x80 on, as nearly
 * all are, costs one glance at its fields as a whole. */
#include "shield/judging.h"

static bool next_cookie(struct shield_texts *texts, struct shield_text *text)
{
	while (texts->cookies.len > 0) {
		size_t end = span_find(texts->cookies, ';');
		struct span pair = span_trim_ows(span_of(texts->cookies.ptr, end));
		texts->cookies = span_from(texts->cookies, end + 1);
		*text = (struct shield_text){
		    .place = PLACE_COOKIE,
		    .name = span_trim_ows(span_of(pair.ptr, span_find(pair, '='))),
		    .text = pair,
		};
		if (pair.len > 0)
			return true;
	}
	return false;
}

bool shield_next_text(struct shield_texts *texts, struct shield_text *text)
{
	const struct http_head *head = texts->head;
	while (!next_cookie(texts, text)) {
		if (texts->field == head->field_count)
			return false;
		const struct http_field *field = &head->fields[texts->field++];
		if (field->id != HTTP_FIELD_COOKIE) {
			*text = (struct shield_text){PLACE_FIELD, http_field_name(head, field),
						     http_field_value(head, field)};
			return true;
		}
		texts->cookies = http_field_value(head, field);
	}
	return true;
}

/* A control byte in the name of a cookie, which is more than one in its value. */
static bool has_name_control(const struct shield_text *text, unsigned heeded)
{
	struct span evidence;
	return text->place == PLACE_COOKIE && heeded & URL_NAME_CONTROL &&
	       url_scan_text(text->name, URL_ESCAPE_NUL | URL_ESCAPE_CONTROL, 0, &evidence);
}

unsigned shield_scan_text(const struct shield_text *text, unsigned heeded, unsigned weighty,
			  struct span *evidence)
{
	unsigned findings = url_scan_text(text->text, heeded, weighty, evidence);
	if (!has_name_control(text, heeded))
		return findings;
	unsigned all = findings | URL_NAME_CONTROL, heavy = all & weighty;
	if (url_worst_finding(heavy ? heavy : all) == URL_NAME_CONTROL)
		*evidence = text->name;
	return all;
}

/* From the first field to the end of the last one's value. */
static struct span all_fields(const struct http_head *head)
{
	if (head->field_count == 0)
		return (struct span){0};
	const struct http_field *first = &head->fields[0];
	const struct http_field *last = &head->fields[head->field_count - 1];
	size_t end = (size_t)last->value_off + last->value_len;
	return span_of(head->base + first->name_off, end - first->name_off);
}

static bool judge_text(struct judging *judging, const struct shield_text *text, unsigned *scored)
{
	const struct finding_masks *masks = &judging->shield->found[text->place];
	struct span evidence;
	unsigned heeded = text_findings_heeded(judging, text, masks->rejected | masks->scored);
	unsigned findings = shield_scan_text(text, heeded, masks->rejected, &evidence);
	unsigned worst = url_worst_finding(findings & masks->rejected);
	*scored |= findings & masks->scored;
	if (!worst)
		return false;
	refuse_by(judging, finding_reason(worst), evidence, finding_setting(worst, text->place));
	judging->verdict->name = text->name;
	return true;
}

/* A finding that is scored counts once in all cookies, and once in all fields. */
bool judge_texts(struct judging *judging)
{
	struct shield_texts texts = {.head = judging->request->head};
	struct shield_text text;
	unsigned scored[PLACE_COUNT] = {0};
	if (url_text_is_plain(all_fields(texts.head)))
		return false;
	while (shield_next_text(&texts, &text)) {
		if (!url_text_is_plain(text.text) && judge_text(judging, &text, &scored[text.place]))
			return true;
	}
	judging->verdict->score +=
	    findings_weight(scored[PLACE_COOKIE]) + findings_weight(scored[PLACE_FIELD]);
	return false;
}
