/* What a refusal looks like: each reason has its status, a site may say otherwise for what its
 * own shield refuses, and a rule for itself. Decides how it is said, never whether. */
#include "sallyport/verdict_answer.h"
#include "shield/compiled.h"

/* What is refused before a site is known, or by nobody's choice, has one answer everywhere. */
static const enum reason answerable[] = {
#define FINDING(id, setting, name, why, ...) REASON_##why,
#include "sallyport/findings.def"
#define LIMIT(member, type, why, ...) REASON_##why,
#include "sallyport/limits.def"
    REASON_BODY_TOO_LARGE,
    REASON_BODY_TYPE,
    REASON_BODY_CHARSET,
    REASON_BODY_CODING,
    REASON_BODY_MALFORMED,
    REASON_BODY_AMBIGUOUS,
    REASON_BODY_DOCTYPE,
    REASON_BODY_TOO_MANY_VALUES,
    REASON_BODY_TOO_DEEP,
    REASON_BODY_NAME_TOO_LONG,
    REASON_BODY_VALUE_TOO_LONG,
    REASON_BODY_PART_HEAD_TOO_LARGE,
    REASON_FIELD_RULE_TOO_LARGE,
    REASON_COOKIE_MALFORMED,
    REASON_RULE,
    REASON_HOST_DENIED,
    REASON_METHOD_DENIED,
    REASON_METHOD_LISTED,
    REASON_EXTENSION_DENIED,
    REASON_CONTENT_TYPE_DENIED,
    REASON_URL_SEQUENCE,
    REASON_QUERY_SEQUENCE,
    REASON_FIELD_DENIED,
    REASON_FIELD_SEQUENCE,
    REASON_ADDRESS_DENIED,
    REASON_ADDRESS_NOT_ALLOWED,
    REASON_THROTTLED,
    REASON_CONCURRENCY,
    REASON_SESSION_THROTTLED,
    REASON_LOGIN_THROTTLED,
};

static const uint16_t statuses[] = {400, 403, 404, 405, 410, 413, 414, 415, 417, 429, 431};

enum { STATUS_COUNT = sizeof(statuses) / sizeof(statuses[0]) };

bool answer_is_for(enum reason reason)
{
	for (size_t i = 0; i < sizeof(answerable) / sizeof(answerable[0]); i++) {
		if (answerable[i] == reason)
			return true;
	}
	return false;
}

bool answer_has_status(uint64_t status)
{
	for (size_t i = 0; i < STATUS_COUNT; i++) {
		if (statuses[i] == status)
			return true;
	}
	return false;
}

void answer_give(const struct verdict_answer *answer, struct verdict *verdict)
{
	if (answer->action != VERDICT_UNSET)
		verdict->action = (enum verdict_action)answer->action;
	if (answer->status != 0)
		verdict->status = (uint16_t)answer->status;
}

void answers_compile(struct shield *shield)
{
	const struct shield_settings *settings = &shield->settings;
	for (size_t i = 0; i < settings->answer_count; i++)
		shield->answers[settings->answers[i].reason] = &settings->answers[i].answer;
}

void shield_answer(const struct shield *shield, struct verdict *verdict)
{
	const struct verdict_answer *answer = shield->answers[verdict->reason];
	if (answer && verdict->action != VERDICT_ALLOW)
		answer_give(answer, verdict);
}
