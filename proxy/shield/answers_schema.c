/* What a policy may say about answers to refusals: of a site by reason, of a rule by itself. */
#include "shield/answers_schema.h"

#include "sallyport/suggest.h"
#include "sallyport/verdict_answer.h"

#define ANSWERS(member) offsetof(struct shield_policy_answer, member)

const struct policy_choice answer_actions[] = {{"reject", VERDICT_REJECT},
					       {"close", VERDICT_CLOSE},
					       {"tarpit", VERDICT_TARPIT},
					       {NULL, 0}};

static const struct setting answer_settings[] = {
    {"reasons", SETTING_STRINGS, ANSWERS(reasons), .required = true,
     .example = "( \"escape-nul\", \"path-above-root\" )",
     .doc = "Reasons that this site's shield refuses for: those of findings, limits and lists, "
	    "`rule`, the methods', the addresses', `throttled`, `concurrency`, `session-throttled` and `login-throttled`."},
    {"action", SETTING_ENUM, ANSWERS(answer.action), .choices = answer_actions,
     .doc = ANSWER_ACTION_DOC " Without it `reject`."},
    {"status", SETTING_COUNT, ANSWERS(answer.status), .min = ANSWER_STATUS_MIN,
     .max = ANSWER_STATUS_MAX, .example = "404",
     .doc = ANSWER_STATUS_DOC " Without it the reason's own."},
    {0},
};

void answer_check(const struct verdict_answer *answer, struct policy_where where,
		  struct policy_context *context)
{
	if (answer->status != 0 && !answer_has_status(answer->status))
		policy_error_in(context, where, "status",
				"%llu is none of 400, 403, 404, 405, 410, 413, 414, 415, 417, 429 "
				"and 431",
				(unsigned long long)answer->status);
	if (answer->status != 0 && answer->action == VERDICT_CLOSE)
		policy_error_in(context, where, "status",
				"a connection that is closed without a word has none");
}

static void refuse_reason(const char *name, struct policy_where where,
			  struct policy_context *context)
{
	struct suggestion suggestion;
	char nearest[SUGGEST_TEXT_SIZE];

	suggest_init(&suggestion, name);
	for (int reason = REASON_UNSET + 1; reason < REASON_COUNT; reason++) {
		if (answer_is_for((enum reason)reason))
			suggest_offer(&suggestion, reason_name((enum reason)reason));
	}
	policy_error_in(context, where, "reasons", "\"%s\" is no reason that a site answers%s", name,
			suggest_text(&suggestion, nearest));
}

static void finish_answer(void *structure, struct policy_where where,
			  struct policy_context *context)
{
	const struct shield_policy_answer *answer = structure;

	for (size_t i = 0; i < answer->reasons.n; i++) {
		if (!answer_is_for(reason_lookup(span_from_str(answer->reasons.items[i]))))
			refuse_reason(answer->reasons.items[i], where, context);
	}
	answer_check(&answer->answer, where, context);
	if (answer->answer.status == 0 && answer->answer.action == VERDICT_UNSET)
		policy_error(context, where, "neither action nor status is set");
}

const struct schema answer_schema = {
    .name = "answers",
    .size = sizeof(struct shield_policy_answer),
    .settings = answer_settings,
    .where_offset = ANSWERS(where),
    .finish = finish_answer,
};

/* Appends one entry's reasons; each may have one answer. */
static void add_reasons(struct shield_policy *policy, const struct shield_policy_answer *entry,
			struct policy_context *context)
{
	for (size_t i = 0; i < entry->reasons.n; i++) {
		const enum reason reason = reason_lookup(span_from_str(entry->reasons.items[i]));
		size_t j = 0;

		if (!answer_is_for(reason))
			continue;
		while (j < policy->reason_answer_count && policy->reason_answers[j].reason != reason)
			j++;
		if (j < policy->reason_answer_count)
			policy_error(context, entry->where, "answers: \"%s\" has an answer already",
				     reason_name(reason));
		else
			policy->reason_answers[policy->reason_answer_count++] =
			    (struct reason_answer){reason, entry->answer};
	}
}

void answers_policy_compile(struct shield_policy *policy, struct policy_context *context)
{
	const struct shield_policy_answer *entries = policy->answers.items;

	if (policy->answers.n == 0)
		return;
	policy->reason_answers =
	    arena_alloc(context->arena, REASON_COUNT * sizeof(policy->reason_answers[0]));
	if (!policy->reason_answers) {
		policy_error(context, policy->answers.where, "out of memory");
		return;
	}
	for (size_t i = 0; i < policy->answers.n; i++)
		add_reasons(policy, &entries[i], context);
}

bool answers_policy_eq(const struct shield_policy *a, const struct shield_policy *b)
{
	if (a->reason_answer_count != b->reason_answer_count)
		return false;
	for (size_t i = 0; i < a->reason_answer_count; i++) {
		const struct reason_answer *left = &a->reason_answers[i];
		const struct reason_answer *right = &b->reason_answers[i];

		if (left->reason != right->reason || left->answer.action != right->answer.action ||
		    left->answer.status != right->answer.status)
			return false;
	}
	return true;
}
