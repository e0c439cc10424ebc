/* sallyport rules update, rollback and remove: which pack is installed. Nothing is changed before the whole policy was
 * compiled as it would be afterwards; then the change is made at once, and the server that runs is told. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/rules.h"
#include "sallyport/cli.h"
#include "sallyport/rule_fetch.h"
#include "sallyport/rule_store.h"

enum { STATUS_WAIT_S = 2, RELOAD_WAIT_S = 150 };

struct change {
	struct rules_use *use;
	struct settings *places; /* the policy without its rules: whose packs count, and where they are */
	struct settings *before, *after;
	struct rule_pack_trust trust;
	char path[RULE_STORE_PATH_SIZE];
	struct rule_store store;
	bool is_open;
	struct rule_pack old;    /* that is installed, */
	struct strbuf old_bytes;
	bool is_installed, counts;
	struct rule_pack pack;   /* that is to count; name "": none */
	struct strbuf bytes;     /* of it */
};

/* ---- what is there ---- */

static bool find_places(struct change *change, struct err *err)
{
	const struct rule_pack_settings *pack = &change->places->rule_pack;
	change->trust = (struct rule_pack_trust){.keys = (const uint8_t (*)[SIGN_PUBLIC_SIZE])pack->trusted,
						 .n = pack->trusted_count};
	if (pack->trusted_count == 0)
		return err_set(err, "the policy has no rule_pack.keys, so no pack counts: whose are to?");
	change->is_open = rule_store_path(pack, change->path, err) && rule_store_open(change->path, &change->store, err);
	return change->is_open;
}

/* One that does not count, which is said, can be followed by any, and is no pack to go back to. */
static void look_at_installed(struct change *change)
{
	struct err why = {""};
	enum file_read read = rule_store_read(change->path, RULE_STORE_CURRENT, &change->old_bytes, &why);
	change->is_installed = read != FILE_ABSENT;
	change->counts = read == FILE_READ &&
			 rule_pack_open(strbuf_span(&change->old_bytes), &change->trust, &change->old, &why);
	if (!change->is_installed || change->counts)
		return;
	fprintf(stderr, "sallyport rules %s: the pack that is installed does not count: ", change->use->verb);
	control_print(stderr, span_from_str(why.text));
	fputc('\n', stderr);
}

static bool begin(struct rules_use *use, struct change *change)
{
	struct err err;
	*change = (struct change){.use = use};
	strbuf_init(&change->bytes, RULE_PACK_BYTES_MAX);
	strbuf_init(&change->old_bytes, RULE_PACK_BYTES_MAX);
	change->places = rules_cli_load(use, RULES_LEFT, NULL, false);
	if (!change->places)
		return false;
	if (!find_places(change, &err))
		return rules_cli_fail(use, &err) == CLI_DONE;
	look_at_installed(change);
	return true;
}

static void end(struct change *change)
{
	settings_free(change->before);
	settings_free(change->after);
	settings_free(change->places);
	if (change->is_open)
		rule_store_close(&change->store);
	strbuf_release(&change->bytes);
	strbuf_release(&change->old_bytes);
}

/* The policy with the pack that is to be, which has to be right; and as it is, or, where it is wrong, without a pack. */
static bool compile(struct change *change)
{
	const struct rule_pack_given given = {strbuf_span(&change->bytes)}, none = {{NULL, 0}};
	change->after = rules_cli_load(change->use, RULES_COMPILED, &given, false);
	if (!change->after) {
		fprintf(stderr, "sallyport rules %s: %s it the policy has errors, so nothing was changed\n",
			change->use->verb, given.bytes.len > 0 ? "with" : "without");
		return false;
	}
	change->before = rules_cli_load(change->use, RULES_READ, NULL, true);
	if (!change->before)
		change->before = rules_cli_load(change->use, RULES_READ, &none, true);
	return true;
}

/* ---- what became of it ---- */

struct listing {
	enum rules_change wanted;
	struct json_writer *json; /* NULL: as text */
	unsigned n[RULES_REMOVED + 1];
};

static void count_change(void *context, enum rules_change change, const struct rule_spec *rule)
{
	struct listing *listing = context;
	(void)rule;
	listing->n[change]++;
}

static void list_change(void *context, enum rules_change change, const struct rule_spec *rule)
{
	static const char *const words[] = {[RULES_ADDED] = "added", [RULES_CHANGED] = "changed", [RULES_REMOVED] = "removed"};
	const struct listing *listing = context;
	if (listing->json && change == listing->wanted) {
		json_add_text(listing->json, NULL, span_from_str(rule->id));
	} else if (!listing->json) {
		printf("  %-8s %-28s ", words[change], rule->id);
		control_print(stdout, span_from_str(rule->message));
		puts("");
	}
}

static bool print_changes(const struct change *change)
{
	struct listing listing = {.json = NULL};
	if (!rules_diff(change->before, change->after, count_change, &listing))
		return false;
	if (change->pack.name[0])
		printf("%s %" PRIu64 " is installed", change->pack.name, change->pack.version);
	else
		fputs("No pack counts any more", stdout);
	printf(": %u rules added, %u changed, %u removed, %zu in all\n", listing.n[RULES_ADDED],
	       listing.n[RULES_CHANGED], listing.n[RULES_REMOVED], change->after->rule_count);
	return rules_diff(change->before, change->after, list_change, &listing);
}

static bool add_changes(const struct change *change, enum rules_change wanted, const char *key, struct json_writer *json)
{
	struct listing listing = {.wanted = wanted, .json = json};
	json_open_list(json, key);
	bool ok = rules_diff(change->before, change->after, list_change, &listing);
	json_close(json);
	return ok;
}

/* ---- the server that runs ---- */

enum told { TOLD_UNSET = 0, TOLD_NOBODY, TOLD_LOADED, TOLD_REFUSED };

static enum told tell(const struct change *change, struct control_options *options, struct strbuf *errors)
{
	struct control_answer answer;
	struct err err;
	const char *socket = change->use->socket;
	*options = (struct control_options){.as_json = false};
	if (socket ? snprintf(options->socket, CONTROL_PATH_SIZE, "%s", socket) >= CONTROL_PATH_SIZE
		   : !control_socket_path(change->places, options->socket, &err))
		return TOLD_NOBODY;
	bool lives = control_ask(options, "GET", "/readyz", NULL, STATUS_WAIT_S, &answer, &err);
	control_answer_release(&answer);
	if (!lives)
		return TOLD_NOBODY;
	bool answered = control_ask(options, "POST", "/api/reload", NULL, RELOAD_WAIT_S, &answer, &err);
	struct json_value *said = answered ? json_read(strbuf_span(&answer.body), NULL) : NULL;
	bool loaded = answered && answer.status == 200 && json_bool(said, "ok");
	strbuf_add_span(errors, answered ? json_text(said, "errors", "") : span_from_str(err.text));
	json_free(said);
	control_answer_release(&answer);
	return loaded ? TOLD_LOADED : TOLD_REFUSED;
}

static int report_json(const struct change *change, enum told told, const struct strbuf *errors)
{
	static const char *const words[] = {
	    [TOLD_UNSET] = "none", [TOLD_NOBODY] = "none", [TOLD_LOADED] = "loaded", [TOLD_REFUSED] = "refused"};
	struct json_writer json;
	struct err err = {"out of memory"};
	json_begin(&json);
	json_add_text(&json, "pack", span_from_str(change->pack.name));
	json_add_number(&json, "version", change->pack.version);
	json_add_number(&json, "rules", change->after->rule_count);
	bool ok = add_changes(change, RULES_ADDED, "added", &json) &&
		  add_changes(change, RULES_CHANGED, "changed", &json) &&
		  add_changes(change, RULES_REMOVED, "removed", &json);
	json_add_text(&json, "server", span_from_str(words[told]));
	json_add_text(&json, "errors", strbuf_span(errors));
	int status = rules_cli_print_json(change->use, &json);
	return ok ? status : rules_cli_fail(change->use, &err);
}

static int report_text(const struct change *change, enum told told, const char *socket, const struct strbuf *errors)
{
	struct err err = {"out of memory"};
	if (!print_changes(change))
		return rules_cli_fail(change->use, &err);
	if (told == TOLD_LOADED) {
		puts("The running server has loaded it.");
	} else if (told == TOLD_NOBODY) {
		printf("No server answers at %s: it counts from its next start.\n", socket);
	} else {
		fflush(stdout);
		fputs("The running server goes on as before, since it did not take its policy:\n", stderr);
		control_print(stderr, strbuf_span(errors));
		fputc('\n', stderr);
	}
	return CLI_DONE;
}

static int finish(const struct change *change)
{
	struct control_options options;
	struct strbuf errors;
	strbuf_init(&errors, 1 << 20);
	enum told told = tell(change, &options, &errors);
	int status = change->use->as_json ? report_json(change, told, &errors)
					  : report_text(change, told, options.socket, &errors);
	strbuf_release(&errors);
	return told == TOLD_REFUSED ? CLI_NO : status;
}

/* ---- update ---- */

static bool get_pack(struct change *change, struct err *err)
{
	const struct rule_pack_settings *pack = &change->places->rule_pack;
	size_t len;
	if (!change->use->operand && !pack->url)
		return err_set(err, "which pack? Name its file, or set rule_pack.url");
	if (!change->use->operand)
		return rule_fetch(change->places, &change->bytes, err);
	char *bytes = rules_cli_read(change->use, change->use->operand, pack->max_bytes, &len);
	if (bytes)
		strbuf_add(&change->bytes, bytes, len);
	free(bytes);
	return bytes != NULL;
}

static bool is_there(const struct change *change)
{
	return change->counts && span_eq(strbuf_span(&change->old_bytes), strbuf_span(&change->bytes));
}

static bool may_follow(const struct change *change, struct err *err)
{
	const struct rules_use *use = change->use;
	const struct rule_pack *pack = &change->pack, *old = &change->old;
	if (!change->counts || is_there(change))
		return true;
	if (strcmp(old->name, pack->name) != 0)
		return use->replace || err_set(err, "the pack that is installed is \"%s\", and this is \"%s\": --replace puts it in its place",
					       old->name, pack->name);
	if (pack->version > old->version || use->allow_older)
		return true;
	if (pack->version == old->version)
		return err_set(err, "version %" PRIu64 " of %s is installed, and is another: a version is one thing only; --allow-older takes it all the same",
			       pack->version, pack->name);
	return err_set(err, "%s %" PRIu64 " is older than %" PRIu64 ", which is installed: --allow-older takes it all the same",
		       pack->name, pack->version, old->version);
}

static bool take_pack(struct change *change, struct err *err)
{
	return get_pack(change, err) &&
	       rule_pack_open(strbuf_span(&change->bytes), &change->trust, &change->pack, err) &&
	       may_follow(change, err);
}

static bool install(const struct change *change, struct err *err)
{
	return is_there(change) || rule_store_install(&change->store, strbuf_span(&change->bytes), change->counts, err);
}

static int update(struct change *change)
{
	struct err err = {""};
	if (!take_pack(change, &err))
		return err.text[0] ? rules_cli_fail(change->use, &err) : CLI_NO; /* or it was said */
	if (is_there(change) && !change->use->as_json) {
		printf("%s %" PRIu64 " is installed already.\n", change->pack.name, change->pack.version);
		return CLI_DONE;
	}
	if (!compile(change))
		return CLI_NO;
	return install(change, &err) ? finish(change) : rules_cli_fail(change->use, &err);
}

/* ---- back ---- */

static bool take_previous(struct change *change, struct err *err)
{
	enum file_read read = rule_store_read(change->path, RULE_STORE_PREVIOUS, &change->bytes, err);
	if (read == FILE_ABSENT)
		return err_set(err, "there is no pack to go back to; 'sallyport rules remove' goes back to none");
	return read == FILE_READ &&
	       (rule_pack_open(strbuf_span(&change->bytes), &change->trust, &change->pack, err) ||
		err_prefix(err, "the pack to go back to"));
}

static int roll_back(struct change *change)
{
	struct err err = {""};
	if (!take_previous(change, &err))
		return rules_cli_fail(change->use, &err);
	if (!compile(change))
		return CLI_NO;
	return install(change, &err) ? finish(change) : rules_cli_fail(change->use, &err);
}

static int remove_pack(struct change *change)
{
	struct err err = {""};
	if (!change->is_installed) {
		err_set(&err, "there is no pack in %s", change->path);
		return rules_cli_fail(change->use, &err);
	}
	if (!compile(change))
		return CLI_NO;
	return rule_store_remove(&change->store, change->counts, &err) ? finish(change)
								       : rules_cli_fail(change->use, &err);
}

/* ---- the verbs ---- */

static int carry_out(struct rules_use *use, int (*what)(struct change *change))
{
	struct change change;
	int status = begin(use, &change) ? what(&change) : CLI_NO;
	end(&change);
	return status;
}

int rules_cli_update(struct rules_use *use)
{
	return carry_out(use, update);
}

int rules_cli_rollback(struct rules_use *use)
{
	return carry_out(use, roll_back);
}

int rules_cli_remove(struct rules_use *use)
{
	return carry_out(use, remove_pack);
}
