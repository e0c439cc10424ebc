/* Arguments of a query, split as the origin does:
 *
 *   kind         separators   names are one name where
 *   unix         & ;          they are equal once decoded
 *   tomcat       &            the same
 *   iis          &            they differ in case only
 *   php          &            "." and " " are "_", spaces before them and what follows a
 *                             NUL are dropped, "[" that nothing closes is "_"
 *
 * unix is any program: older CGI libraries split at ";" too (HTML 4.01, appendix B.2.2), so the
 * larger number counts. */
#include "shield/arguments.h"

#include "shield/judging.h"
#include "shield/repeats.h"

static bool is_separator(const struct arguments *arguments, char c)
{
	return c == '&' || (c == ';' && arguments->kind <= ORIGIN_UNIX);
}

bool next_argument(struct arguments *arguments)
{
	while (arguments->rest.len > 0 && is_separator(arguments, arguments->rest.ptr[0]))
		arguments->rest = span_from(arguments->rest, 1);
	struct span rest = arguments->rest;
	size_t end = 0;
	while (end < rest.len && !is_separator(arguments, rest.ptr[end]))
		end++;
	struct span argument = span_of(rest.ptr, end);
	arguments->name = span_of(argument.ptr, span_find(argument, '='));
	arguments->value = span_from(argument, arguments->name.len + 1);
	arguments->rest = span_from(rest, end);
	return end > 0;
}

/* One byte as PHP turns names into variables (php_register_variable_ex). closed: a "]" follows. */
static char php_byte(char c, bool closed)
{
	return c == '.' || c == ' ' || (c == '[' && !closed) ? '_' : c;
}

static size_t behind_last(struct span s, char c)
{
	const char *last = s.len > 0 ? memrchr(s.ptr, c, s.len) : NULL;
	return last ? (size_t)(last - s.ptr) + 1 : 0;
}

/* The name as the origin reads it, decoded into buf. */
static struct span read_name(enum origin_kind kind, struct span raw, char *buf)
{
	struct span name = url_decode_query(raw, buf);
	size_t len = 0;
	if (kind != ORIGIN_PHP && kind != ORIGIN_IIS)
		return name;
	while (kind == ORIGIN_PHP && name.len > 0 && name.ptr[0] == ' ')
		name = span_from(name, 1);
	if (kind == ORIGIN_PHP)
		name.len = span_find(name, '\0');
	bool in_index = false;
	size_t last_close = kind == ORIGIN_PHP ? behind_last(name, ']') : 0;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (kind == ORIGIN_IIS)
			c = ascii_lower(c);
		else if (!in_index)
			c = php_byte(c, i < last_close);
		in_index |= c == '[';
		buf[len++] = c;
	}
	return span_of(buf, len);
}

static bool has_control(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
			return true;
	}
	return false;
}

static bool judge_name(struct judging *judging, const struct arguments *argument)
{
	if (refuse_over(judging, LIMIT_arg_name, argument->name.len, argument->name) ||
	    refuse_over(judging, LIMIT_arg_value, argument->value.len, argument->value))
		return true;
	const struct span name = url_decode_query(argument->name, judging->request->buf);
	if (!has_control(name) || is_finding_excepted(judging, URL_NAME_CONTROL, name))
		return false;
	judging->name_control = URL_NAME_CONTROL;
	return judging->shield->found[PLACE_QUERY].rejected & URL_NAME_CONTROL &&
	       refuse_by(judging, REASON_ARGUMENT_NAME, argument->name,
			 finding_setting(URL_NAME_CONTROL, PLACE_QUERY));
}

/* Looked at only where there are more arguments than one name may have. */
static bool judge_repeats(struct judging *judging, struct arguments arguments)
{
	struct repeats repeats;
	repeats_init(&repeats);
	while (next_argument(&arguments)) {
		struct span name = read_name(arguments.kind, arguments.name, judging->request->buf);
		if (refuse_over(judging, LIMIT_arg_repeats, repeats_add(&repeats, name),
				arguments.name))
			return true;
	}
	return false;
}

bool judge_arguments(struct judging *judging)
{
	const uint64_t most = judging->shield->settings.limits.arg_repeats;
	const struct span query = judging->request->target->query;
	const struct arguments all = {
	    .kind = (enum origin_kind)judging->shield->settings.origin_kind, .rest = query};
	struct arguments arguments = all;
	size_t n = 0;
	while (next_argument(&arguments)) {
		if (refuse_over(judging, LIMIT_args, ++n, query) ||
		    judge_name(judging, &arguments))
			return true;
	}
	return most > 0 && n > most && judge_repeats(judging, all);
}
