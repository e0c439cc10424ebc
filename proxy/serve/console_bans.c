/* The content of POST /api/bans/add and /lift. Trusts nothing in it; whether the network is one, the master says. */
#include "serve/console_bans.h"

#include <string.h>

#include "sallyport/json.h"

static bool read_members(const struct json_value *said, struct ban_request *out, struct err *err)
{
	const struct span network = json_text(said, "network", "");
	if (network.len == 0 || network.len >= BAN_TEXT_SIZE || network.len != strlen(network.ptr))
		return err_set(err, "network: no address and no network");
	if (json_member(said, "duration_ms") &&
	    (out->verb != BAN_ADD || !json_get_number(said, "duration_ms", &out->duration_ms) ||
	     out->duration_ms > BAN_MAX_MS))
		return err_set(err, "duration_ms: not a whole number of at most a year, with add");
	memcpy(out->network, network.ptr, network.len);
	return true;
}

bool console_read_ban(enum ban_verb verb, struct span content, struct ban_request *out, struct err *err)
{
	struct json_value *said = json_read_map(content, err);
	*out = (struct ban_request){.verb = (uint32_t)verb};
	bool ok = said && read_members(said, out, err);
	json_free(said);
	return ok;
}
