/* The words by which policies, messages and documents call what rules look at and through. */
#include "sallyport/rule.h"

static const char *const target_words[TARGET_COUNT] = {
#define RULE_TARGET(id, word, doc) [TARGET_##id] = word,
#include "sallyport/rule_words.def"
};

static const char *const transform_words[TRANSFORM_COUNT] = {
#define RULE_TRANSFORM(id, word, doc) [TRANSFORM_##id] = word,
#include "sallyport/rule_words.def"
};

static const char *const severity_words[] = {
    [RULE_SEVERITY_NOTICE] = "notice",
    [RULE_SEVERITY_WARNING] = "warning",
    [RULE_SEVERITY_ERROR] = "error",
    [RULE_SEVERITY_CRITICAL] = "critical",
};

static int find_word(const char *const *words, int n, struct span word)
{
	for (int i = 1; i < n; i++) {
		if (span_eq(span_from_str(words[i]), word))
			return i;
	}
	return 0;
}

const char *rule_target_word(enum rule_target target)
{
	return target_words[target] ? target_words[target] : "-";
}

const char *rule_transform_word(enum rule_transform transform)
{
	return transform_words[transform] ? transform_words[transform] : "-";
}

const char *rule_severity_word(enum rule_severity severity)
{
	return severity_words[severity] ? severity_words[severity] : "-";
}

enum rule_target rule_target_of(struct span word)
{
	return (enum rule_target)find_word(target_words, TARGET_COUNT, word);
}

enum rule_transform rule_transform_of(struct span word)
{
	return (enum rule_transform)find_word(transform_words, TRANSFORM_COUNT, word);
}
