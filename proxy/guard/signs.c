/* Words that defacers leave. A sign is no proof, and its absence none either: what is held is held by
 * digest. Signs decide only how loud the alarm is. */
#include "sallyport/signs.h"

static const char *const signs[] = {
    "hacked by", "h4cked by", "hack3d by", "h4ck3d by", "haxored by", "defaced by", "pwned by",
    "pwn3d by", "0wned by", "0wn3d by", "owned by team", "has been hacked", "have been hacked",
    "was hacked", "you got hacked", "got hacked by", "hacked !", "hacked!", "cyber army", "greetz to",
    "your security is low", "security breach by", "fuck usa government", "fuck poizonbox",
};

/* In any case, at the beginning of what is left. */
static bool begins_with(struct span rest, const char *word)
{
	return span_istarts(rest, span_from_str(word));
}

static bool has_sign(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = ascii_lower(text.ptr[i]);
		struct span rest = span_from(text, i);
		/* the first letters of all of them: most positions end here */
		if (!strchr("hdp0oyswcgf", c) || c == '\0')
			continue;
		for (size_t s = 0; s < sizeof(signs) / sizeof(signs[0]); s++)
			if (begins_with(rest, signs[s]))
				return true;
	}
	return false;
}

/* What stands between <title> and </title>, as far as anybody reads. */
static struct span title_of(struct span content)
{
	enum { TITLE_MAX = 512 };
	for (size_t i = 0; i + 6 < content.len; i++) {
		struct span rest = span_from(content, i);
		if (content.ptr[i] != '<' || !begins_with(rest, "<title"))
			continue;
		rest = span_from(rest, span_find(rest, '>'));
		if (rest.len > TITLE_MAX)
			rest.len = TITLE_MAX;
		size_t end = 0;
		while (end < rest.len && !begins_with(span_from(rest, end), "</title"))
			end++;
		return span_of(rest.ptr, end);
	}
	return span_of(content.ptr, 0);
}

bool signs_of_defacement(struct span content, uint64_t good_bytes)
{
	return has_sign(title_of(content)) || (content.len < good_bytes / 2 && has_sign(content));
}
