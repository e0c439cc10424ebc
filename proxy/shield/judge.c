/* The verdict on a request, step by step; shield.h has the order as a table. Pure: looks at the
 * head, its parts and the compiled policy, writes the verdict and the caller's buffer, and
 * does nothing else. Framing, hosts and the content itself are judged elsewhere. */
#include "sallyport/verdict_answer.h"
#include "shield/judging.h"

bool refuse(struct judging *judging, enum reason reason, struct span evidence)
{
	*judging->verdict = (struct verdict){
	    .action = VERDICT_REJECT,
	    .reason = reason,
	    .status = (uint16_t)reason_status(reason),
	    .enforced = judging->mode != SHIELD_MONITOR,
	    .evidence = evidence,
	    .score = judging->verdict->score,
	    .excepted = judging->verdict->excepted,
	    .excepted_rule = judging->verdict->excepted_rule,
	};
	shield_answer(judging->shield, judging->verdict);
	return true;
}

bool refuse_by(struct judging *judging, enum reason reason, struct span evidence,
	       const char *setting)
{
	refuse(judging, reason, evidence);
	judging->verdict->setting = setting;
	return true;
}

/* CONNECT asks for a tunnel, which there is none of; TRACE would send back to a script what
 * proxies and browsers added to its request. Neither is a matter of policy. */
static bool judge_forbidden_method(struct judging *judging)
{
	const struct http_head *head = judging->request->head;
	if (head->method != HTTP_CONNECT && head->method != HTTP_TRACE)
		return false;
	refuse(judging, head->method == HTTP_CONNECT ? REASON_METHOD_CONNECT : REASON_METHOD_TRACE,
	       http_method(head));
	judging->verdict->enforced = true;
	return true;
}

static bool allows(const struct shield *shield, enum http_method method, struct span name)
{
	if (method == HTTP_METHOD_OTHER && shield->settings.methods)
		return is_listed(shield->settings.methods, name);
	return shield->methods >> method & 1;
}

/* Names the setting that refuses a method; NULL: none does. */
static const char *method_setting(const struct shield *shield, enum http_method method,
				  struct span name, enum reason *reason)
{
	*reason = REASON_METHOD_DENIED;
	if (!allows(shield, method, name))
		return "sites[].shield.methods";
	*reason = REASON_METHOD_LISTED;
	return is_listed(shield->settings.lists.deny_methods, name) ? "sites[].shield.deny.methods"
								    : NULL;
}

/* A framework takes the method from this field instead, whatever its case. */
static const char *override_setting(const struct shield *shield, struct span value,
				    enum reason *reason)
{
	char upper[32];
	*reason = REASON_METHOD_DENIED;
	if (value.len == 0)
		return NULL;
	if (value.len > sizeof(upper))
		return "sites[].shield.methods";
	for (size_t i = 0; i < value.len; i++)
		upper[i] = (char)(value.ptr[i] - (value.ptr[i] >= 'a' && value.ptr[i] <= 'z' ? 0x20 : 0));
	struct span name = span_of(upper, value.len);
	enum http_method method = http_method_lookup(name);
	if (method == HTTP_CONNECT || method == HTTP_TRACE)
		return "sites[].shield.methods";
	return method_setting(shield, method, name, reason);
}

static bool judge_method(struct judging *judging)
{
	const struct shield *shield = judging->shield;
	const struct http_head *head = judging->request->head;
	struct span evidence = http_method(head);
	enum reason reason;
	const char *setting =
	    method_setting(shield, (enum http_method)head->method, evidence, &reason);
	for (size_t i = 0; i < head->field_count && !setting; i++) {
		if (head->fields[i].id != HTTP_FIELD_METHOD_OVERRIDE)
			continue;
		evidence = http_field_value(head, &head->fields[i]);
		setting = override_setting(shield, evidence, &reason);
	}
	return setting && refuse_by(judging, reason, evidence, setting);
}

static bool judge_url_lengths(struct judging *judging)
{
	const struct shield_request *request = judging->request;
	struct span path = request->target->path, query = request->target->query;
	size_t forwarded = forwarded_path(judging).len;
	return refuse_over(judging, LIMIT_url, request->head->target_len,
			   http_target(request->head)) ||
	       refuse_over(judging, LIMIT_path, path.len > forwarded ? path.len : forwarded,
			   path) ||
	       refuse_over(judging, LIMIT_query, query.len, query);
}

/* Content of a length not said beforehand is counted as it comes, by its reader. */
static bool judge_content_length(struct judging *judging)
{
	const struct http_head *head = judging->request->head;
	return head->framing == HTTP_FRAMING_LENGTH &&
	       refuse_over(judging, LIMIT_body, head->content_length,
			   http_find(head, HTTP_FIELD_CONTENT_LENGTH));
}

/* Evidence is that of the worst finding that is rejected: shield_canon_options says so. */
static bool judge_path(struct judging *judging)
{
	const struct url_canon *canon = judging->request->canon;
	const struct finding_masks *masks = &judging->shield->found[PLACE_PATH];
	unsigned worst = url_worst_finding(canon->findings & masks->rejected);
	judging->verdict->score += findings_weight(canon->findings & masks->scored);
	return worst && refuse_by(judging, finding_reason(worst), canon->evidence,
				  finding_setting(worst, PLACE_PATH));
}

static bool judge_query(struct judging *judging)
{
	const struct finding_masks *masks = &judging->shield->found[PLACE_QUERY];
	struct span query = judging->request->target->query, evidence;
	if (!query.ptr)
		return false;
	unsigned found = url_scan_query(query, masks->rejected, &evidence);
	unsigned worst = url_worst_finding(query_findings_left(judging, found, &evidence));
	if (worst)
		return refuse_by(judging, finding_reason(worst), evidence,
				 finding_setting(worst, PLACE_QUERY));
	if (masks->scored) {
		found = url_scan_query(query, masks->scored, &evidence);
		judging->verdict->score += findings_weight(query_findings_left(judging, found, &evidence));
	}
	return false;
}

static bool is_overridden(const struct http_head *head)
{
	for (size_t i = 0; i < head->field_count; i++) {
		struct span value = http_field_value(head, &head->fields[i]);
		if (head->fields[i].id == HTTP_FIELD_METHOD_OVERRIDE && value.len > 0 && !span_ieq(value, http_method(head)))
			return true;
	}
	return false;
}

void shield_ask_exceptions(const struct shield *shield, const struct shield_request *request,
			   struct exception_asked *asked)
{
	*asked = (struct exception_asked){
	    .set = shield->settings.exceptions,
	    .method = http_method(request->head),
	    .is_overridden = is_overridden(request->head),
	    .path = request->canon->path,
	    .forward_path = request->forward_path.ptr ? request->forward_path : request->canon->path,
	    .is_clear = canon_is_clear(request->canon),
	    .origin_kind = (uint8_t)shield->settings.origin_kind,
	    .now_s = request->wall_us / 1000000,
	};
}

void shield_judge(const struct shield *shield, struct shield_scratch *scratch,
		  const struct shield_request *request, struct verdict *verdict)
{
	static bool (*const steps[])(struct judging *) = {
	    judge_host,        judge_method,      judge_url_lengths,    judge_segments,
	    judge_fields,      judge_cookies,     judge_content_length, judge_content_type,
	    judge_path,        judge_path_lists,  judge_rules,          judge_query,
	    judge_arguments,   judge_query_lists, judge_texts,          judge_values,
	    judge_score,       judge_excepted,    judge_watched,
	};
	const int site_mode = shield->settings.mode;
	struct judging judging = {
	    .shield = shield,
	    .scratch = scratch,
	    .tally = &scratch->tally,
	    .request = request,
	    .verdict = verdict,
	    .mode = request->mode ? request->mode : (enum shield_mode)site_mode,
	};
	*verdict = (struct verdict){.action = VERDICT_ALLOW, .enforced = true};
	rule_tally_begin(&scratch->tally);
	scratch->skips_rules = false;
	scratch->asked.set = NULL; /* and nobody looks at the rest */
	if (shield->settings.exceptions)
		shield_ask_exceptions(shield, request, &scratch->asked);
	if (judge_forbidden_method(&judging) || judging.mode == SHIELD_OFF)
		return;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i](&judging))
			return;
	}
	scratch->skips_rules = judging.always_allowed;
}
