/* What counts as an ACME challenge's path. Pure. */
#include "sallyport/challenge.h"

static bool is_base64url(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

bool challenge_token(struct span path, struct span *token)
{
	static const struct span folder = SPAN("/" CHALLENGE_FOLDER "/");
	if (!span_starts(path, folder))
		return false;
	struct span rest = span_from(path, folder.len);
	if (rest.len == 0 || rest.len > CHALLENGE_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < rest.len; i++)
		if (!is_base64url(rest.ptr[i]))
			return false;
	*token = rest;
	return true;
}
