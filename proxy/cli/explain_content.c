/* What the shield makes of content that is told by --data: whether it is looked into, each value of
 * it, and what refuses it. By the parsers that live content goes through. */
#include "cli/explain.h"

#include <string.h>

#include "sallyport/small_file.h"

enum { CONTENT_MAX = 16 << 20, VALUES_SHOWN = 100 };

bool explain_read_content(struct explain *e)
{
	if (!e->data)
		return true;
	if (e->data[0] == '@')
		e->content = small_file_read(e->data + 1, CONTENT_MAX, &e->content_len);
	else
		e->content = strdup(e->data);
	if (e->content && e->data[0] != '@')
		e->content_len = strlen(e->content);
	return e->content != NULL;
}

struct telling {
	struct explain *explain;
	unsigned shown;
	struct rule_scan *scan; /* NULL: no rule is asked */
	struct shield_content content;
};

static bool tell(void *context, const struct body_value *value)
{
	static const char *const places[BODY_PLACES] = {
	    [BODY_ARGUMENT] = "argument",	[BODY_FILE_NAME] = "file name", [BODY_FILE_TYPE] = "file type",
	    [BODY_FILE_CONTENT] = "file",	[BODY_JSON_VALUE] = "value",	[BODY_XML_TEXT] = "text",
	    [BODY_XML_ATTRIBUTE] = "attribute", [BODY_RAW_PIECE] = "content",
	};
	struct telling *telling = context;
	struct strbuf text;
	/* Other than a live request it goes on where it is refused: all of it is to be seen. */
	if (telling->scan)
		(void)shield_content_add(&telling->content, telling->scan, value);
	bool is_end = !value->more && value->value.len == 0 &&
		      (value->place == BODY_FILE_CONTENT || value->place == BODY_RAW_PIECE);
	if (is_end || ++telling->shown > VALUES_SHOWN)
		return true;
	strbuf_init(&text, 8 * SHOWN_MAX + 64);
	strbuf_addf(&text, "%s ", places[value->place]);
	explain_add_shown(&text, value->name);
	strbuf_add_str(&text, " = ");
	explain_add_shown(&text, value->value);
	explain_say(telling->explain, "content", NULL, &text);
	strbuf_release(&text);
	return true;
}

static struct body *open_body(struct telling *telling, const struct site *site, const struct body_plan *plan)
{
	struct body_setup setup = shield_body_setup(site->shield, plan);
	setup.sink = (struct body_sink){tell, telling};
	setup.memory = coding_heap;
	return body_new(&setup);
}

/* All of it at once: a live request is judged piece by piece, to the same end. */
static enum body_result feed(struct explain *e, struct body *body, struct rule_scan *scan)
{
	body_feed(body, e->content, e->content_len);
	enum body_result result = body_end(body);
	if (scan)
		rule_scan_run(scan);
	return result;
}

static bool read_values(struct explain *e, const struct subject *s, const struct body_plan *plan,
			struct shield_scratch *scratch, struct rule_story *story, struct verdict *verdict,
			explain_verdict *say)
{
	static char window[SHIELD_WINDOW];
	struct telling telling = {.explain = e};
	struct shield_content *content = &telling.content;
	struct rule_scan scan;
	shield_content_begin(content, s->site->shield, scratch, s->mode, verdict->score);
	if (shield_content_needs_window(content, plan->type.kind))
		content->window = window;
	if (content->asks) {
		shield_content_scan(content, scratch, &scan);
		telling.scan = &scan;
	}
	struct body *body = open_body(&telling, s->site, plan);
	if (!body)
		return false;
	enum body_result result = feed(e, body, telling.scan);
	if (telling.shown > VALUES_SHOWN)
		explain_sayf(e, "content", NULL, "… and %u others", telling.shown - VALUES_SHOWN);
	if (result == BODY_BAD)
		shield_refuse_body(s->site->shield, s->mode, body_fault(body), verdict);
	else
		explain_sayf(e, "content", NULL, "%s, well-formed: %llu values", body_kind_name(plan->type.kind),
			     (unsigned long long)body_values(body));
	if (telling.scan)
		explain_rules(e, s, story, &content->tally);
	content->findings = body_scored(body);
	if (result != BODY_BAD && shield_content_judge(content, verdict))
		verdict->enforced = verdict->enforced && s->mode != SHIELD_MONITOR;
	say(e, verdict); /* its evidence is the body's, or the rules' */
	body_free(body);
	return true;
}

bool explain_content(struct explain *e, const struct http_head *head, const struct subject *s,
		     struct shield_scratch *scratch, struct rule_story *story, struct verdict *verdict,
		     explain_verdict *say)
{
	const struct shield_request request = {.head = head, .canon = &s->canon, .mode = s->mode};
	struct body_plan plan;
	if (!e->data || !shield_plan_body(s->site->shield, &request, &plan, verdict)) {
		say(e, verdict);
		return true;
	}
	if (plan.inspect)
		return read_values(e, s, &plan, scratch, story, verdict, say);
	explain_sayf(e, "content", "sites[].shield.bodies.inspect", "%s, not looked into", body_kind_name(plan.type.kind));
	say(e, verdict);
	return true;
}
