/* Which mode a path has. Pure. */
#include "shield/compiled.h"

/* After these the forwarded path still has one reading only: what they name was rewritten, or
 * is part of a name and no separator. Any other finding, also one yet unknown here, leaves doubt. */
enum {
	CLEAR_FINDINGS = URL_RAW_BYTE | URL_DOT_SEGMENT | URL_EMPTY_SEGMENT | URL_ESCAPE_NEEDLESS |
			 URL_UTF8_INVALID | URL_ESCAPE_INVALID,
};

bool canon_is_clear(const struct url_canon *canon)
{
	return !(canon->findings & ~(unsigned)CLEAR_FINDINGS);
}

static enum shield_mode stricter(enum shield_mode a, enum shield_mode b)
{
	_Static_assert(SHIELD_OFF < SHIELD_MONITOR && SHIELD_MONITOR < SHIELD_ENFORCE,
		       "modes stand in the order of their strictness");
	return a > b ? a : b;
}

enum shield_mode shield_mode_at(const struct shield *shield, const struct url_canon *canon)
{
	const struct shield_settings *settings = &shield->settings;
	const struct shield_path *best = NULL;
	enum shield_mode mode =
	    settings->mode ? (enum shield_mode)settings->mode : SHIELD_ENFORCE;
	const unsigned reading = shield_reading(settings->origin_kind);
	for (size_t i = 0; i < settings->path_count; i++) {
		const struct shield_path *path = &settings->paths[i];
		if ((!best || path->path_len > best->path_len) &&
		    url_is_under(canon->path, span_of(path->path, path->path_len), reading))
			best = path;
	}
	if (!best)
		return mode;
	if (!canon_is_clear(canon))
		return stricter(mode, (enum shield_mode)best->mode);
	return (enum shield_mode)best->mode;
}
