/* The verdict on a request: method, lengths, findings in the path, rules, findings in
 * the query, in this order; shield.h has it as a table. Pure: looks at the head, its
 * parts and the compiled policy, writes the verdict and the caller's buffer, and does
 * nothing else. Framing, hosts and the content itself are judged elsewhere. */
#include "shield/compiled.h"

struct judging {
	const struct shield *shield;
	struct shield_scratch *scratch;
	const struct shield_request *request;
	struct verdict *verdict;
	enum shield_mode mode;
};

/* Findings that refuse a request; why each does or does not stands in url.h. */
enum {
	PATH_REFUSED = URL_ESCAPE_NUL | URL_UTF8_OVERLONG | URL_ABOVE_ROOT | URL_ESCAPE_DOUBLE |
		       URL_ESCAPE_UNICODE | URL_ESCAPE_CONTROL | URL_ESCAPE_INVALID |
		       URL_BACKSLASH | URL_ENCODED_SLASH | URL_UTF8_INVALID | URL_RAW_UNSAFE,
	QUERY_REFUSED = URL_ESCAPE_NUL | URL_UTF8_OVERLONG | URL_ESCAPE_UNICODE | URL_RAW_UNSAFE,
};

static enum reason reason_of_finding(unsigned finding)
{
	switch (finding) {
	case URL_ESCAPE_NUL: return REASON_ESCAPE_NUL;
	case URL_UTF8_OVERLONG: return REASON_UTF8_OVERLONG;
	case URL_ABOVE_ROOT: return REASON_PATH_ABOVE_ROOT;
	case URL_ESCAPE_DOUBLE: return REASON_ESCAPE_DOUBLE;
	case URL_ESCAPE_UNICODE: return REASON_ESCAPE_UNICODE;
	case URL_ESCAPE_CONTROL: return REASON_ESCAPE_CONTROL;
	case URL_ESCAPE_INVALID: return REASON_ESCAPE_INVALID;
	case URL_BACKSLASH: return REASON_PATH_BACKSLASH;
	case URL_ENCODED_SLASH: return REASON_PATH_ENCODED_SLASH;
	case URL_UTF8_INVALID: return REASON_UTF8_INVALID;
	default: return REASON_TARGET_BYTE;
	}
}

/* Refuses, as far as the mode goes. Always true: the judging is over. */
static bool refuse(struct judging *judging, enum reason reason, struct span evidence)
{
	*judging->verdict = (struct verdict){
	    .action = VERDICT_REJECT,
	    .reason = reason,
	    .status = (uint16_t)reason_status(reason),
	    .enforced = judging->mode != SHIELD_MONITOR,
	    .evidence = evidence,
	};
	return true;
}

static bool refuse_by_setting(struct judging *judging, enum reason reason, struct span evidence,
			      const char *setting, uint64_t limit)
{
	refuse(judging, reason, evidence);
	judging->verdict->setting = setting;
	judging->verdict->limit = limit;
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

static bool is_listed(const char **methods, struct span method)
{
	while (*methods && !span_eq(span_from_str(*methods), method))
		methods++;
	return *methods != NULL;
}

static bool allows(const struct shield *shield, enum http_method method, struct span name)
{
	if (method == HTTP_METHOD_OTHER && shield->settings.methods)
		return is_listed(shield->settings.methods, name);
	return shield->methods >> method & 1;
}

/* A framework takes the method from this field instead, whatever its case. */
static bool allows_override(const struct shield *shield, struct span value)
{
	char upper[32];
	if (value.len == 0 || value.len > sizeof(upper))
		return value.len == 0;
	for (size_t i = 0; i < value.len; i++)
		upper[i] = (char)(value.ptr[i] - (value.ptr[i] >= 'a' && value.ptr[i] <= 'z' ? 0x20 : 0));
	struct span name = span_of(upper, value.len);
	enum http_method method = http_method_lookup(name);
	return method != HTTP_CONNECT && method != HTTP_TRACE && allows(shield, method, name);
}

static bool judge_method(struct judging *judging)
{
	const struct shield *shield = judging->shield;
	const struct http_head *head = judging->request->head;
	struct span denied = {0};
	if (!allows(shield, (enum http_method)head->method, http_method(head)))
		denied = http_method(head);
	for (size_t i = 0; i < head->field_count && !denied.ptr; i++) {
		struct span value = http_field_value(head, &head->fields[i]);
		if (head->fields[i].id == HTTP_FIELD_METHOD_OVERRIDE && !allows_override(shield, value))
			denied = value;
	}
	return denied.ptr && refuse_by_setting(judging, REASON_METHOD_DENIED, denied, "sites[].shield.methods", 0);
}

static bool is_over(uint64_t length, uint64_t limit)
{
	return limit > 0 && length > limit;
}

static bool judge_url_lengths(struct judging *judging)
{
	const struct shield_settings *settings = &judging->shield->settings;
	const struct shield_request *request = judging->request;
	struct span path = request->target->path, query = request->target->query;
	if (is_over(request->head->target_len, settings->url_bytes))
		return refuse_by_setting(judging, REASON_URL_TOO_LONG, http_target(request->head),
					 "sites[].shield.limits.url", settings->url_bytes);
	if (is_over(path.len, settings->path_bytes) ||
	    is_over(request->canon->path.len, settings->path_bytes))
		return refuse_by_setting(judging, REASON_PATH_TOO_LONG, path,
					 "sites[].shield.limits.path", settings->path_bytes);
	return is_over(query.len, settings->query_bytes) &&
	       refuse_by_setting(judging, REASON_QUERY_TOO_LONG, query,
				 "sites[].shield.limits.query", settings->query_bytes);
}

/* Content of a length not said beforehand is counted as it comes, by its reader. */
static bool judge_content_length(struct judging *judging)
{
	const struct http_head *head = judging->request->head;
	uint64_t limit = judging->shield->settings.body_bytes;
	return head->framing == HTTP_FRAMING_LENGTH && is_over(head->content_length, limit) &&
	       refuse_by_setting(judging, REASON_CONTENT_TOO_LARGE,
				 http_find(head, HTTP_FIELD_CONTENT_LENGTH),
				 "sites[].shield.limits.body", limit);
}

/* The evidence is the most severe finding's; all that refuse are more severe than all
 * that do not. */
static bool judge_path(struct judging *judging)
{
	const struct url_canon *canon = judging->request->canon;
	unsigned worst = url_worst_finding(canon->findings & PATH_REFUSED);
	return worst && refuse(judging, reason_of_finding(worst), canon->evidence);
}

static bool judge_query(struct judging *judging)
{
	struct span query = judging->request->target->query, evidence;
	if (!query.ptr)
		return false;
	unsigned worst = url_worst_finding(url_scan_query(query, &evidence) & QUERY_REFUSED);
	return worst && refuse(judging, reason_of_finding(worst), evidence);
}

/* What the rule saw, up to where it matched; of the query the raw bytes that were decoded
 * into it, because the decoded ones are gone when the verdict is logged. */
static struct span evidence_of_hit(const struct rule_texts *texts, const struct rule_hit *hit,
				   struct span query)
{
	if (hit->where == RULE_QUERY)
		return url_query_prefix(query, hit->end);
	return span_of(texts->text[hit->where].ptr, hit->end);
}

static bool judge_rules(struct judging *judging)
{
	const struct rules *rules = judging->shield->rules;
	const struct shield_request *request = judging->request;
	struct span query = request->target->query;
	struct rule_hit hit = {0};
	struct rule_texts texts = {
	    .text = {
		[RULE_PATH] = request->canon->decoded, [RULE_URL] = http_target(request->head)}};
	if (query.ptr && rules_want(rules, RULE_QUERY))
		texts.text[RULE_QUERY] = url_decode_query(query, request->buf);
	switch (rules_scan(rules, judging->scratch, &texts, &hit)) {
	case RULES_NONE: return false;
	case RULES_MATCH:
		refuse(judging, REASON_RULE, evidence_of_hit(&texts, &hit, query));
		judging->verdict->rule = hit.rule->id;
		return true;
	default: /* unjudged is not allowed */
		refuse(judging, REASON_RULE, http_target(request->head));
		judging->verdict->rule = SHIELD_RULE_BROKEN;
		return true;
	}
}

void shield_judge(const struct shield *shield, struct shield_scratch *scratch,
		  const struct shield_request *request, struct verdict *verdict)
{
	static bool (*const steps[])(struct judging *) = {
	    judge_method, judge_url_lengths, judge_content_length,
	    judge_path,   judge_rules,       judge_query,
	};
	const int site_mode = shield->settings.mode;
	struct judging judging = {shield, scratch, request, verdict,
				  request->mode ? request->mode : (enum shield_mode)site_mode};
	*verdict = (struct verdict){.action = VERDICT_ALLOW, .enforced = true};
	if (judge_forbidden_method(&judging) || judging.mode == SHIELD_OFF)
		return;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i](&judging))
			return;
	}
}
