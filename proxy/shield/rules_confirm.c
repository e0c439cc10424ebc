/* One pattern at a time, by PCRE2, interpreted: its native code would lie in memory that workers could
 * both write and execute, and a confirmation is too rare to be worth that. */
#include "shield/rules_confirm.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	STEPS_MAX = 20000,    /* of one match */
	HEAP_MAX_KIB = 1024,  /* what it may remember */
};

struct confirm_scratch {
	pcre2_match_context *limits;
	pcre2_match_data *data;
};

static const pcre2_code *code_of(const struct confirm *confirm)
{
	return (const pcre2_code *)(const void *)confirm;
}

struct confirm *confirm_new(const char *text, bool cased, struct err *err)
{
	const uint32_t options = PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF |
				 (cased ? 0 : PCRE2_CASELESS);
	PCRE2_UCHAR message[128];
	PCRE2_SIZE at;
	int error;
	pcre2_code *code =
	    pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &error, &at, NULL);
	if (!code) {
		pcre2_get_error_message(error, message, sizeof(message));
		err_set(err, "%s at index %zu.", (const char *)message, (size_t)at);
		return NULL;
	}
	return (struct confirm *)(void *)code;
}

void confirm_free(struct confirm *confirm)
{
	pcre2_code_free((pcre2_code *)(void *)confirm);
}

struct confirm_scratch *confirm_scratch_new(void)
{
	struct confirm_scratch *scratch = calloc(1, sizeof(*scratch));
	if (!scratch)
		return NULL;
	scratch->limits = pcre2_match_context_create(NULL);
	scratch->data = pcre2_match_data_create(1, NULL);
	if (!scratch->limits || !scratch->data) {
		confirm_scratch_free(scratch);
		return NULL;
	}
	pcre2_set_match_limit(scratch->limits, STEPS_MAX);
	pcre2_set_heap_limit(scratch->limits, HEAP_MAX_KIB);
	return scratch;
}

void confirm_scratch_free(struct confirm_scratch *scratch)
{
	if (!scratch)
		return;
	pcre2_match_context_free(scratch->limits);
	pcre2_match_data_free(scratch->data);
	free(scratch);
}

bool confirm_match(const struct confirm *confirm, struct confirm_scratch *scratch, struct span text,
		   size_t *end)
{
	int result = pcre2_match(code_of(confirm), (PCRE2_SPTR)text.ptr, text.len, 0, 0, scratch->data,
				 scratch->limits);
	if (result == PCRE2_ERROR_NOMATCH)
		return false;
	*end = result >= 0 ? pcre2_get_ovector_pointer(scratch->data)[1] : text.len;
	return true;
}

bool confirm_find(const struct confirm *confirm, struct confirm_scratch *scratch, struct span text, size_t *begin,
		  size_t *end)
{
	if (pcre2_match(code_of(confirm), (PCRE2_SPTR)text.ptr, text.len, 0, 0, scratch->data, scratch->limits) < 0)
		return false;
	*begin = pcre2_get_ovector_pointer(scratch->data)[0];
	*end = pcre2_get_ovector_pointer(scratch->data)[1];
	return true;
}
