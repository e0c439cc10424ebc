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
	bool is_end = value->place == BODY_FILE_CONTENT && value->value.len == 0;
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

static bool read_values(struct explain *e, const struct subject *s, const struct body_plan *plan, struct verdict *verdict,
			explain_verdict *say)
{
	struct telling telling = {.explain = e};
	struct body_setup setup = shield_body_setup(s->site->shield, plan);
	setup.sink = (struct body_sink){tell, &telling};
	setup.memory = coding_heap;
	struct body *body = body_new(&setup);
	if (!body)
		return false;
	body_feed(body, e->content, e->content_len);
	enum body_result result = body_end(body);
	if (telling.shown > VALUES_SHOWN)
		explain_sayf(e, "content", NULL, "… and %u others", telling.shown - VALUES_SHOWN);
	if (result == BODY_BAD)
		shield_refuse_body(s->site->shield, s->mode, body_fault(body), verdict);
	else
		explain_sayf(e, "content", NULL, "%s, well-formed: %llu values", body_kind_name(plan->type.kind),
			     (unsigned long long)body_values(body));
	say(e, verdict); /* its evidence is the body's */
	body_free(body);
	return true;
}

bool explain_content(struct explain *e, const struct http_head *head, const struct subject *s, struct verdict *verdict,
		     explain_verdict *say)
{
	const struct shield_request request = {.head = head, .canon = &s->canon, .mode = s->mode};
	struct body_plan plan;
	if (!e->data || !shield_plan_body(s->site->shield, &request, &plan, verdict)) {
		say(e, verdict);
		return true;
	}
	if (plan.inspect)
		return read_values(e, s, &plan, verdict, say);
	explain_sayf(e, "content", "sites[].shield.bodies.inspect", "%s, not looked into", body_kind_name(plan.type.kind));
	say(e, verdict);
	return true;
}
