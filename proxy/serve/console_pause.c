/* The content of POST /api/pause. Trusts nothing in it: every member must be there, of its
 * type and in its range. Whether there is such a site, the master knows. */
#include "serve/console_pause.h"

#include <inttypes.h>
#include <string.h>

#include "sallyport/json.h"

static bool read_members(const struct json_value *said, struct pause_request *out, struct err *err)
{
	struct span leg = json_text(said, "leg", ""), site = json_text(said, "site", "");
	if (leg.len != strlen(leg.ptr) || leg_lookup(leg.ptr) == LEG_UNSET)
		return err_set(err, "leg: \"shield\", \"guard\" and \"egress\" are what can be paused");
	out->leg = leg_lookup(leg.ptr);
	if (out->leg == LEG_EGRESS && json_member(said, "site"))
		return err_set(err, "site: egress is paused as a whole");
	if (out->leg != LEG_EGRESS && (site.len == 0 || site.len >= SITE_NAME_SIZE || site.len != strlen(site.ptr)))
		return err_set(err, "site: no name of a site");
	if (!json_get_number(said, "duration_ms", &out->duration_ms) ||
	    out->duration_ms > PAUSE_MAX_MS)
		return err_set(err, "duration_ms: not a whole number from 0 to %d", PAUSE_MAX_MS);
	memcpy(out->site, site.ptr, site.len);
	return true;
}

bool console_read_pause(struct span content, struct pause_request *out, struct err *err)
{
	struct json_value *said = json_read_map(content, err);
	*out = (struct pause_request){0};
	bool ok = said && read_members(said, out, err);
	json_free(said);
	return ok;
}
