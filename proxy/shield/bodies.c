/* Whether the content of a request is looked into, and how far: by its head and the site's policy. Pure;
 * reads no content. */
#include "shield/judging.h"

static bool is_skipped_path(const struct shield *shield, const struct url_canon *canon)
{
	const unsigned reading = shield_reading(shield->settings.origin_kind);
	const char **path = shield->settings.bodies.skip_paths;
	/* A path that others may read as another one is under none. */
	if (!path || !canon_is_clear(canon))
		return false;
	for (; *path; path++) {
		if (url_is_under(canon->path, span_from_str(*path), reading))
			return true;
	}
	return false;
}

static bool is_skipped_type(const struct shield *shield, const struct http_head *head)
{
	struct span value = http_find(head, HTTP_FIELD_CONTENT_TYPE);
	return value.ptr && is_type_listed(shield->settings.bodies.skip_types,
					   span_trim_ows(span_of(value.ptr, span_find(value, ';'))));
}

/* Where nothing narrower does, looking away lets it pass. */
static const char *setting_of(const struct body_fault *fault)
{
	if (fault->setting)
		return fault->setting;
	switch (fault->reason) {
	case REASON_BODY_TYPE:
	case REASON_BODY_CHARSET:
	case REASON_BODY_CODING:
	case REASON_BODY_MALFORMED:
	case REASON_BODY_AMBIGUOUS:
	case REASON_BODY_DOCTYPE: return "sites[].shield.bodies.skip_paths";
	default: return NULL;
	}
}

void shield_refuse_body(const struct shield *shield, enum shield_mode mode, const struct body_fault *fault,
			struct verdict *verdict)
{
	struct judging judging = {.shield = shield, .verdict = verdict, .mode = mode};
	refuse_by(&judging, fault->reason, fault->evidence, setting_of(fault));
	verdict->limit = fault->limit;
	verdict->value = fault->value;
}

static bool fail(struct body_fault *fault, enum reason reason, struct span evidence, const char *setting)
{
	*fault = (struct body_fault){.reason = reason, .evidence = evidence, .setting = setting};
	return false;
}

static bool plan_codings(const struct shield *shield, const struct http_head *head, struct body_plan *plan,
			 struct body_fault *fault)
{
	struct span value;
	if (coding_list_of(head, &plan->codings, &value) != CODING_DONE)
		return fail(fault, REASON_BODY_CODING, value, NULL);
	if (plan->codings.n > 0 && shield->settings.bodies.codings == BODY_CODINGS_REFUSE)
		return fail(fault, REASON_BODY_CODING, value, "sites[].shield.bodies.codings");
	return true;
}

/* How much is held, and what is too much altogether. */
static bool plan_sizes(const struct shield *shield, const struct http_head *head, struct body_plan *plan,
		       struct body_fault *fault)
{
	const struct shield_settings *settings = &shield->settings;
	plan->hold = plan->max = settings->bodies.max;
	plan->max_setting = "sites[].shield.bodies.max";
	plan->streams = (plan->type.kind == BODY_MULTIPART || plan->type.kind == BODY_RAW) &&
			settings->bodies.larger != BODY_LARGER_REFUSE;
	if (plan->streams && settings->limits.body > plan->max) {
		plan->max = settings->limits.body;
		plan->max_setting = "sites[].shield.limits.body";
	} else if (plan->streams && settings->limits.body == 0) {
		plan->max = INT64_MAX;
	}
	if (head->framing != HTTP_FRAMING_LENGTH || head->content_length <= plan->max)
		return true;
	fail(fault, REASON_BODY_TOO_LARGE, http_find(head, HTTP_FIELD_CONTENT_LENGTH), plan->max_setting);
	fault->limit = plan->max;
	fault->value = head->content_length;
	return false;
}

/* What has no syntax is looked into for rules alone. */
static bool is_looked_into(const struct shield *shield, enum body_kind kind)
{
	const struct shield_settings *settings = &shield->settings;
	if (kind == BODY_RAW)
		return settings->rules && rule_set_wants(settings->rules, TARGET_CONTENT);
	return settings->bodies.kinds >> kind & 1;
}

static bool plan_body(const struct shield *shield, const struct http_head *head, struct body_plan *plan,
		      struct body_fault *fault)
{
	bool is_sound = body_type_of(head, &plan->type, fault);
	bool looks = is_looked_into(shield, plan->type.kind) && !is_skipped_type(shield, head);
	if (!is_sound) /* a charset is nobody's affair where nobody looks */
		return fault->reason == REASON_BODY_CHARSET && !looks;
	plan->inspect = looks;
	return !plan->inspect ||
	       (plan_codings(shield, head, plan, fault) && plan_sizes(shield, head, plan, fault));
}

bool shield_plan_body(const struct shield *shield, const struct shield_request *request, struct body_plan *plan,
		      struct verdict *verdict)
{
	const enum shield_mode mode =
	    request->mode ? request->mode : (enum shield_mode)shield->settings.mode;
	struct body_fault fault;
	*plan = (struct body_plan){.findings = shield->found[PLACE_QUERY].rejected};
	if (mode == SHIELD_OFF || shield->settings.bodies.kinds == 0 || !has_content(request->head) ||
	    is_skipped_path(shield, request->canon))
		return true;
	if (plan_body(shield, request->head, plan, &fault))
		return true;
	plan->inspect = false;
	shield_refuse_body(shield, mode, &fault, verdict);
	return false;
}

struct body_setup shield_body_setup(const struct shield *shield, const struct body_plan *plan)
{
	return (struct body_setup){
	    .type = &plan->type,
	    .codings = &plan->codings,
	    .limits = &shield->settings.bodies.limits,
	    .max = plan->max,
	    .max_setting = plan->max_setting,
	    .findings = plan->findings,
	    .scored = shield->found[PLACE_QUERY].scored,
	};
}
