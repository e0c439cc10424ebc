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
 * larger number counts. A name is kept as a hash; two names that a client makes collide
 * are counted together, at its own cost. */
#include "shield/judging.h"

enum {
	HASHES_MAX = 1024, /* names beyond are not compared; as many arguments pass no profile */
};

struct arguments {
	enum origin_kind kind;
	struct span rest;
	struct span name, value; /* of the current one, raw */
};

static bool is_separator(const struct arguments *arguments, char c)
{
	return c == '&' || (c == ';' && arguments->kind <= ORIGIN_UNIX);
}

/* Takes the next argument that is not empty. */
static bool next_argument(struct arguments *arguments)
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

/* One byte as PHP turns names into variables (php_register_variable_ex). */
static char php_byte(char c, struct span name, size_t at)
{
	if (c == '.' || c == ' ')
		return '_';
	if (c == '[' && span_find(span_from(name, at), ']') == name.len - at)
		return '_';
	return c;
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
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (kind == ORIGIN_IIS)
			c = ascii_lower(c);
		else if (!in_index)
			c = php_byte(c, name, i);
		in_index |= c == '[';
		buf[len++] = c;
	}
	return span_of(buf, len);
}

/* FNV-1a, 64 bits. */
static uint64_t hash_of(struct span s)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static bool has_control(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
			return true;
	}
	return false;
}

static uint64_t count_equal(const uint64_t *hashes, size_t n, uint64_t hash)
{
	uint64_t equal = 0;
	for (size_t i = 0; i < n; i++)
		equal += hashes[i] == hash;
	return equal;
}

static bool judge_name(struct judging *judging, const struct arguments *argument)
{
	if (refuse_over(judging, LIMIT_arg_name, argument->name.len, argument->name) ||
	    refuse_over(judging, LIMIT_arg_value, argument->value.len, argument->value))
		return true;
	if (!has_control(url_decode_query(argument->name, judging->request->buf)))
		return false;
	judging->name_control = URL_NAME_CONTROL;
	return judging->shield->query.rejected & URL_NAME_CONTROL &&
	       refuse_by(judging, REASON_ARGUMENT_NAME, argument->name,
			 finding_setting(URL_NAME_CONTROL, true));
}

bool judge_arguments(struct judging *judging)
{
	enum origin_kind kind = (enum origin_kind)judging->shield->settings.origin_kind;
	struct arguments arguments = {.kind = kind, .rest = judging->request->target->query};
	uint64_t hashes[HASHES_MAX];
	size_t n = 0;
	while (next_argument(&arguments)) {
		n++;
		if (refuse_over(judging, LIMIT_args, n, judging->request->target->query) ||
		    judge_name(judging, &arguments))
			return true;
		if (n > HASHES_MAX)
			continue;
		struct span name = read_name(kind, arguments.name, judging->request->buf);
		hashes[n - 1] = hash_of(name);
		uint64_t times = count_equal(hashes, n, hashes[n - 1]);
		if (refuse_over(judging, LIMIT_arg_repeats, times, arguments.name))
			return true;
	}
	return false;
}
