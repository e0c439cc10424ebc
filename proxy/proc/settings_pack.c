/* What a policy may say about signed packs of rules, and the installed one: read, verified, and handed on as text.
 * Whatever is wrong with it is an error of the policy, so that nobody runs with other rules than the policy says. */
#include "proc/settings_schema.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proc/web_place.h"
#include "sallyport/keys.h"
#include "sallyport/rule_store.h"
#include "sallyport/units.h"

#define PACK(member) offsetof(struct rule_pack_settings, member)

#define YEARS_MS UINT64_C(315360000000) /* ten */

enum { KEYS_MAX = 64, SIZE_MIN = 1024 };

static const struct setting rows[] = {
    {"keys", SETTING_STRINGS, PACK(keys), .max = KEYS_MAX, .or_one = true,
     .example = "( \"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\" )",
     .doc = "The public keys whose packs count, as `sallyport rules key` prints them. Without one, no pack does, installed or not."},
    {"max_age", SETTING_TIME, PACK(max_age_ms), .standard = "180 d", .max = YEARS_MS,
     .doc = "`sallyport status` and `check` warn where the pack, or the newest file of rules that says its date, is older. "
	    "`0 s`: never."},
    {"max_size", SETTING_BYTES, PACK(max_bytes), .standard = "2 MiB", .min = SIZE_MIN, .max = RULE_PACK_BYTES_MAX,
     .doc = "The largest pack that is taken."},
    {"url", SETTING_STRING, PACK(url), .example = "\"https://rules.example/shop.pack\"",
     .doc = "Where `sallyport rules update` without a file gets the pack: https. Without it nothing is ever fetched, and with it only "
	    "by that command."},
    {"ca", SETTING_STRING, PACK(ca), .example = "\"/etc/sallyport/rules-ca.pem\"",
     .doc = "The certificate authorities, in PEM, that the certificate of `url` may come from. Without it, the system's."},
    {"directory", SETTING_STRING, PACK(directory), .example = "\"/var/lib/sallyport-rules\"",
     .doc = "Where the pack is installed, and the one before it. Without it `/var/lib/sallyport-rules` for root, else "
	    "`$XDG_STATE_HOME/sallyport/rules` or `~/.local/state/sallyport/rules`."},
    {0},
};

static bool is_https(const char *text)
{
	struct web_place place;
	return web_place_of(text, &place) && place.tls;
}

static void read_keys(struct rule_pack_settings *pack, struct policy_where where, struct policy_context *context)
{
	pack->trusted = arena_alloc(context->arena, (pack->keys.n + 1) * sizeof(pack->trusted[0]));
	if (!pack->trusted) {
		policy_error(context, where, "out of memory");
		return;
	}
	for (size_t i = 0; i < pack->keys.n; i++) {
		if (hex_read(span_from_str(pack->keys.items[i]), pack->trusted[pack->trusted_count], SIGN_PUBLIC_SIZE))
			pack->trusted_count++;
		else
			policy_error_in(context, where, "keys",
					"\"%.80s\" is no public key of 64 hexadecimal digits, such as `sallyport rules key` prints",
					pack->keys.items[i]);
	}
}

static void finish(void *structure, struct policy_where where, struct policy_context *context)
{
	struct rule_pack_settings *pack = structure;
	policy_resolve_path(&pack->directory, "directory", where, context);
	policy_resolve_path(&pack->ca, "ca", where, context);
	read_keys(pack, where, context);
	if (pack->url && !is_https(pack->url))
		policy_error_in(context, where, "url", "\"%.64s\" is no URL such as https://rules.example/shop.pack",
				pack->url);
	if (pack->keys.n == 0 && (pack->url || pack->directory))
		policy_error(context, where, "without keys no pack would count: whose is it to be?");
	if (pack->ca && !pack->url)
		policy_error_in(context, where, "ca", "it is the url's, and there is none");
}

const struct schema rule_pack_schema = {
    .name = "rule_pack",
    .size = sizeof(struct rule_pack_settings),
    .settings = rows,
    .where_offset = PACK(where),
    .finish = finish,
};

/* ---- the pack itself ---- */

struct reading {
	struct settings *settings;
	struct policy_context *context;
	struct strbuf bytes;
	char path[RULE_STORE_PATH_SIZE];
};

static void report(struct reading *reading, const char *why)
{
	const struct rule_pack_settings *pack = &reading->settings->rule_pack;
	if (reading->settings->pack_given)
		policy_error(reading->context, pack->where, "rule_pack: the pack: %s", why);
	else
		policy_error(reading->context, pack->where,
			     "rule_pack: the pack that is installed in %s: %s. `sallyport rules rollback` goes back to the one before "
			     "it, `sallyport rules remove` to no pack",
			     reading->path, why);
}

/* False: there is none, or it cannot be read, which was reported. */
static bool get_bytes(struct reading *reading)
{
	const struct settings *settings = reading->settings;
	struct err err = {""};
	if (settings->pack_given) {
		strbuf_add_span(&reading->bytes, settings->pack_given->bytes);
		return settings->pack_given->bytes.len > 0;
	}
	enum file_read read = FILE_FAILED;
	if (rule_store_path(&settings->rule_pack, reading->path, &err))
		read = rule_store_read(reading->path, RULE_STORE_CURRENT, &reading->bytes, &err);
	if (read == FILE_FAILED)
		report(reading, err.text);
	return read == FILE_READ;
}

static bool is_small(const struct reading *reading, struct err *err)
{
	const uint64_t max = reading->settings->rule_pack.max_bytes;
	char text[UNITS_TEXT_SIZE];
	units_format(SETTING_BYTES, max, text);
	if (reading->bytes.truncated)
		return err_set(err, "it is larger than any pack may be, %d bytes", RULE_PACK_BYTES_MAX);
	return reading->bytes.len <= max ||
	       err_set(err, "it has %zu bytes, more than rule_pack.max_size = \"%s\"", reading->bytes.len, text);
}

/* "pack shop 12/sql.cfg" is what errors and lists call it. */
static void hand_on(struct reading *reading, const struct rule_pack *pack, const struct rule_pack_file *file,
		    pack_file *on_file, void *on_context)
{
	char name[2 * RULE_PACK_NAME_MAX + 64];
	snprintf(name, sizeof(name), "pack %s %" PRIu64 "/%.*s", pack->name, pack->version, SPAN_ARG(file->name));
	char *kept = arena_strdup(reading->context->arena, name), *text = strndup(file->text.ptr, file->text.len);
	if (kept && text)
		on_file(on_context, kept, text);
	else
		report(reading, "out of memory");
	free(text);
}

static void note(struct rules_dates *dates, const struct rule_pack *pack)
{
	memcpy(dates->pack, pack->name, sizeof(dates->pack));
	dates->pack_version = pack->version;
	dates->pack_created_s = pack->created_s;
}

void settings_pack_read(struct settings *settings, struct policy_context *context, pack_file *on_file, void *on_context)
{
	const struct rule_pack_settings *wanted = &settings->rule_pack;
	const struct rule_pack_trust trust = {.keys = (const uint8_t (*)[SIGN_PUBLIC_SIZE])wanted->trusted,
					      .n = wanted->trusted_count};
	struct reading reading = {.settings = settings, .context = context};
	struct rule_pack pack;
	struct err err = {""};
	if (trust.n == 0)
		return;
	strbuf_init(&reading.bytes, RULE_PACK_BYTES_MAX);
	if (get_bytes(&reading)) {
		if (is_small(&reading, &err) && rule_pack_open(strbuf_span(&reading.bytes), &trust, &pack, &err)) {
			note(&settings->rules_dates, &pack);
			for (size_t i = 0; i < pack.file_count; i++)
				hand_on(&reading, &pack, &pack.files[i], on_file, on_context);
		} else {
			report(&reading, err.text);
		}
	}
	strbuf_release(&reading.bytes);
}
