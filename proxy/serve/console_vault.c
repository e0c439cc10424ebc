/* The content of POST /api/vault/VERB, a JSON object:
 *
 *   "site"         needed: the site's name
 *   "url"          a page: canonical path with an optional query
 *   "all"          true: all pages of the site; approve and reject
 *   "version"      the number of a version; approve, reject, rollback, pin, unpin
 *   "time_s"       seconds since 1970; rollback
 *   "duration_ms"  how long a publish window is open, 0 closes it; publish, token
 *   "valid_ms"     how long a token can be used; token
 *   "token"        a one-time token that carries the order; publish
 *   "why"          for the audit
 *
 * Trusts nothing in it. Whether there is such a site or page, the keeper knows. */
#include "serve/console_vault.h"

#include <string.h>

#include "sallyport/json.h"

static const char path_start[] = "/api/vault/";

enum vault_verb console_vault_verb(const char *path)
{
	const size_t len = sizeof(path_start) - 1;
	return strncmp(path, path_start, len) == 0 ? vault_verb_lookup(path + len) : VERB_UNSET;
}

static bool read_text(const struct json_value *said, const char *key, char *out, size_t room,
		      struct err *err)
{
	struct span text = json_text(said, key, "");
	if (text.len >= room || memchr(text.ptr, '\0', text.len))
		return err_set(err, "%s: not a text of at most %zu bytes", key, room - 1);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
			return err_set(err, "%s: control bytes have no place in it", key);
	memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
	return true;
}

/* What is left out is 0. */
static bool read_number(const struct json_value *said, const char *key, uint64_t max, uint64_t *out,
			struct err *err)
{
	*out = 0;
	if (!json_member(said, key))
		return true;
	if (json_get_number(said, key, out) && *out <= max)
		return true;
	return err_set(err, "%s: not a whole number from 0 to %llu", key, (unsigned long long)max);
}

static bool read_members(const struct json_value *said, struct vault_order *out, struct err *err)
{
	uint64_t version;
	if (!read_text(said, "site", out->site, sizeof(out->site), err) ||
	    !read_text(said, "url", out->url, sizeof(out->url), err) ||
	    !read_text(said, "token", out->token, sizeof(out->token), err) ||
	    !read_text(said, "why", out->why, sizeof(out->why), err) ||
	    !read_number(said, "version", UINT32_MAX, &version, err) ||
	    !read_number(said, "time_s", UINT32_MAX, &out->time_s, err) ||
	    !read_number(said, "duration_ms", PUBLISH_MAX_MS, &out->duration_ms, err) ||
	    !read_number(said, "valid_ms", PUBLISH_MAX_MS, &out->valid_ms, err))
		return false;
	out->version = (uint32_t)version;
	out->all = json_bool(said, "all");
	return vault_order_check(out, err);
}

bool console_read_vault(enum vault_verb verb, struct span content, struct vault_order *out,
			struct err *err)
{
	struct json_value *said = json_read_map(content, err);
	*out = (struct vault_order){.verb = verb};
	bool ok = said && read_members(said, out, err);
	json_free(said);
	return ok;
}
