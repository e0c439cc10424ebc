/* Orders about the vault: names, and what each needs. Checked where they are made, and again where they
 * are carried out, since what lies between is trusted with nothing. */
#include "sallyport/vault_order.h"

#include <string.h>

enum needs {
	NEEDS_NOTHING = 0,
	NEEDS_URL = 1,
	NEEDS_URL_OR_ALL = 2,
	NEEDS_GOAL = 4,
};

static const struct {
	const char *name;
	unsigned needs;
} verbs[VERB_COUNT] = {
    [VERB_APPROVE] = {"approve", NEEDS_URL_OR_ALL},
    [VERB_REJECT] = {"reject", NEEDS_URL_OR_ALL},
    [VERB_ROLLBACK] = {"rollback", NEEDS_GOAL},
    [VERB_PIN] = {"pin", NEEDS_URL},
    [VERB_UNPIN] = {"unpin", NEEDS_URL},
    [VERB_FORGET] = {"forget", NEEDS_URL},
    [VERB_PUBLISH] = {"publish", NEEDS_NOTHING},
    [VERB_TOKEN] = {"token", NEEDS_NOTHING},
    [VERB_ENROL] = {"enrol", NEEDS_NOTHING},
    [VERB_SEAL] = {"seal", NEEDS_NOTHING},
    [VERB_RELEASE] = {"release", NEEDS_NOTHING},
};

const char *vault_verb_name(uint32_t verb)
{
	return verb > VERB_UNSET && verb < VERB_COUNT ? verbs[verb].name : "-";
}

enum vault_verb vault_verb_lookup(const char *name)
{
	for (int verb = VERB_UNSET + 1; verb < VERB_COUNT; verb++)
		if (strcmp(verbs[verb].name, name) == 0)
			return (enum vault_verb)verb;
	return VERB_UNSET;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool check_forms(const struct vault_order *order, struct err *err)
{
	if (order->verb <= VERB_UNSET || order->verb >= VERB_COUNT ||
	    !ends(order->site, sizeof(order->site)) || !ends(order->token, sizeof(order->token)) ||
	    !ends(order->why, sizeof(order->why)) || !ends(order->url, sizeof(order->url)))
		return err_set(err, "the order makes no sense");
	if (!order->site[0])
		return err_set(err, "site: no name of a site");
	if (order->url[0] && order->url[0] != '/')
		return err_set(err, "url: it has to be a path with an optional query, such as "
				    "\"/news?page=2\"");
	if (order->duration_ms > PUBLISH_MAX_MS || order->valid_ms > PUBLISH_MAX_MS)
		return err_set(err, "a window, and a token, last a day at most");
	return true;
}

bool vault_order_check(const struct vault_order *order, struct err *err)
{
	if (!check_forms(order, err))
		return false;
	unsigned needs = verbs[order->verb].needs;
	if ((needs & NEEDS_URL) && !order->url[0])
		return err_set(err, "it needs the url of a page");
	if ((needs & NEEDS_URL_OR_ALL) && (order->url[0] != '\0') == (order->all != 0))
		return err_set(err, "it needs the url of a page, or all of the site's");
	if ((needs & NEEDS_GOAL) && (order->version != 0) == (order->time_s != 0))
		return err_set(err, "it needs a time, or the number of a version, to go back to");
	if ((needs & NEEDS_GOAL) && order->version != 0 && !order->url[0])
		return err_set(err, "a version is one of a page: it needs its url");
	if (order->verb == VERB_TOKEN && order->duration_ms == 0)
		return err_set(err, "a token needs the time that its window lasts");
	return true;
}
