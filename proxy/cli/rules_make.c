/* sallyport rules key, sign and verify: making packs, and looking at them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/print.h"
#include "cli/rules.h"
#include "sallyport/cli.h"
#include "sallyport/clock.h"
#include "sallyport/files.h"
#include "sallyport/keys.h"

enum { PATH_ROOM = 1024, PACK_MODE = 0644 };

/* ---- files that are named ---- */

/* The directory that a path is in, open; *name: what it is called there. -1: err says why. */
static int open_parent(const char *path, const char **name, struct err *err)
{
	char parent[PATH_ROOM];
	const char *slash = strrchr(path, '/');
	int len = slash ? snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path)
			: snprintf(parent, sizeof(parent), ".");
	*name = slash ? slash + 1 : path;
	int fd = len < PATH_ROOM && (*name)[0] ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		err_set(err, "%s: %s", path, (*name)[0] ? strerror(errno) : "it is a directory");
	return fd;
}

static enum keys_read load_key(const char *path, struct sign_key **out, struct err *err)
{
	const char *name;
	int directory = open_parent(path, &name, err);
	if (directory < 0)
		return KEYS_REFUSED;
	enum keys_read read = keys_load(directory, name, out, err);
	close(directory);
	return read;
}

/* ---- key ---- */

static bool make_key(const char *path, struct sign_key **out, struct err *err)
{
	const char *name;
	int directory = open_parent(path, &name, err);
	if (directory < 0)
		return false;
	*out = sign_key_new(err);
	bool ok = *out && keys_save(directory, name, *out, err);
	close(directory);
	return ok;
}

int rules_cli_key(struct rules_use *use)
{
	uint8_t public_part[SIGN_PUBLIC_SIZE];
	char hex[KEY_HEX_SIZE];
	struct sign_key *key = NULL;
	struct err err;
	enum keys_read read = load_key(use->operand, &key, &err);
	bool ok = read == KEYS_READ || (read == KEYS_ABSENT && make_key(use->operand, &key, &err));
	if (ok) {
		sign_key_public(key, public_part);
		puts(hex_write(public_part, SIGN_PUBLIC_SIZE, hex));
		if (read == KEYS_ABSENT)
			fprintf(stderr, "%s is the private key: who has it decides what counts as an attack wherever the "
				"public key, above, is in rule_pack.keys.\n", use->operand);
	}
	sign_key_free(key);
	return ok ? CLI_DONE : rules_cli_fail(use, &err);
}

/* ---- sign ---- */

struct signing {
	struct rule_pack pack;
	struct strbuf texts[RULE_PACK_FILES_MAX];
	char names[RULE_PACK_FILES_MAX][RULE_PACK_NAME_MAX + 1];
};

static int is_rules(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && span_ends(span_from_str(entry->d_name), SPAN(".cfg"));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool add_file(struct signing *signing, int directory, const char *name, struct err *err)
{
	struct rule_pack *pack = &signing->pack;
	if (pack->file_count == RULE_PACK_FILES_MAX)
		return err_set(err, "more than %d files, no pack has more", RULE_PACK_FILES_MAX);
	struct strbuf *text = &signing->texts[pack->file_count];
	strbuf_init(text, RULE_PACK_BYTES_MAX);
	if (!rule_pack_is_file_name(span_from_str(name)))
		return err_set(err, "%.128s: a file of a pack is named by at most %d letters, digits, '.', '-' and '_'", name,
			       RULE_PACK_NAME_MAX);
	enum file_read read = file_read(directory, name, text, err);
	if (read != FILE_READ)
		return read == FILE_FAILED ? false : err_set(err, "%s is gone", name);
	if (text->len > 0 && text->data[text->len - 1] != '\n')
		strbuf_add_char(text, '\n');
	memcpy(signing->names[pack->file_count], name, strlen(name) + 1);
	pack->files[pack->file_count] =
	    (struct rule_pack_file){span_from_str(signing->names[pack->file_count]), strbuf_span(text)};
	pack->file_count++;
	return true;
}

static bool add_files(struct signing *signing, const char *path, struct err *err)
{
	struct dirent **entries;
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n = directory < 0 ? -1 : scandirat(directory, ".", &entries, is_rules, by_name);
	bool ok = n > 0 || err_set(err, "%s: %s", path, n < 0 ? strerror(errno) : "there is no *.cfg in it");
	for (int i = 0; i < n; i++) {
		ok = ok && add_file(signing, directory, entries[i]->d_name, err);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (directory >= 0)
		close(directory);
	return ok;
}

/* --name, or what the directory is called. */
static bool take_name(const struct rules_use *use, struct rule_pack *pack, struct err *err)
{
	struct span name = span_from_str(use->operand);
	while (name.len > 1 && name.ptr[name.len - 1] == '/')
		name.len--;
	for (size_t slash; (slash = span_find(name, '/')) < name.len;)
		name = span_from(name, slash + 1);
	if (use->name)
		name = span_from_str(use->name);
	if (!rule_pack_is_name(name))
		return err_set(err, "\"%.64s\" is no name of a pack, of at most %d lower-case letters, digits, '.', '-' and '_': give "
			       "it one by --name", use->name ? use->name : use->operand, RULE_PACK_NAME_MAX);
	memcpy(pack->name, name.ptr, name.len);
	return true;
}

static bool take_version(const struct rules_use *use, struct rule_pack *pack, struct err *err)
{
	return (use->version && span_to_u64(span_from_str(use->version), RULE_PACK_VERSION_MAX, &pack->version) &&
		pack->version > 0) ||
	       err_set(err, "--version: a number from 1 to %" PRIu64 ", larger than the last one's", RULE_PACK_VERSION_MAX);
}

/* As a policy with nothing but the pack would read it. */
static bool compiles(struct span bytes, const uint8_t key[SIGN_PUBLIC_SIZE])
{
	const struct rule_pack_given given = {bytes};
	const struct settings_overrides overrides = {.listen = ":8080", .origin = "http://192.0.2.1", .pack = &given};
	char text[128 + KEY_HEX_SIZE], hex[KEY_HEX_SIZE];
	struct policy_errors *errors = policy_errors_new();
	struct strbuf said;
	hex_write(key, SIGN_PUBLIC_SIZE, hex);
	snprintf(text, sizeof(text), "rule_pack = { keys = \"%s\"; max_size = \"%d B\"; };", hex, RULE_PACK_BYTES_MAX);
	struct settings *settings = errors ? settings_load_text(text, &overrides, errors) : NULL;
	bool ok = settings != NULL;
	strbuf_init(&said, 1 << 20);
	if (errors && !ok)
		policy_errors_print(errors, &said);
	control_print(stderr, strbuf_span(&said));
	strbuf_release(&said);
	settings_free(settings);
	policy_errors_free(errors);
	return ok;
}

static bool write_pack(const char *path, struct span bytes, struct err *err)
{
	const char *name;
	int directory = open_parent(path, &name, err);
	if (directory < 0)
		return false;
	bool ok = file_replace(directory, name, bytes.ptr, bytes.len, err);
	if (ok && fchmodat(directory, name, PACK_MODE, 0) != 0)
		ok = err_set(err, "cannot let others read %s: %s", path, strerror(errno));
	close(directory);
	return ok;
}

static bool sign_with(struct rules_use *use, struct signing *signing, const struct sign_key *key, struct err *err)
{
	uint8_t public_part[SIGN_PUBLIC_SIZE];
	struct strbuf bytes;
	strbuf_init(&bytes, RULE_PACK_BYTES_MAX);
	sign_key_public(key, public_part);
	signing->pack.created_s = clock_wall_us() / 1000000;
	bool ok = take_name(use, &signing->pack, err) && take_version(use, &signing->pack, err) &&
		  add_files(signing, use->operand, err) && rule_pack_write(&signing->pack, key, &bytes, err) &&
		  (compiles(strbuf_span(&bytes), public_part) || err_set(err, "nothing was signed: the rules have errors")) &&
		  write_pack(use->output, strbuf_span(&bytes), err);
	if (ok)
		printf("%s: %s %" PRIu64 ", %zu files, %zu bytes\n", use->output, signing->pack.name,
		       signing->pack.version, signing->pack.file_count, bytes.len);
	for (size_t i = 0; i < RULE_PACK_FILES_MAX; i++)
		strbuf_release(&signing->texts[i]);
	strbuf_release(&bytes);
	return ok;
}

int rules_cli_sign(struct rules_use *use)
{
	struct sign_key *key = NULL;
	struct err err = {"there is no such key: 'sallyport rules key' makes one"};
	if (!use->key || !use->output || !use->version)
		return cli_wrong_use("rules", "sign takes a DIRECTORY, -k KEY, -o FILE and --version N");
	struct signing *signing = calloc(1, sizeof(*signing));
	bool ok = signing && load_key(use->key, &key, &err) == KEYS_READ && sign_with(use, signing, key, &err);
	sign_key_free(key);
	free(signing);
	return ok ? CLI_DONE : rules_cli_fail(use, &err);
}

/* ---- verify ---- */

static int print_pack(const struct rules_use *use, const struct rule_pack *pack, const char *trusted)
{
	char hex[KEY_HEX_SIZE], time[CLI_TIME_SIZE];
	struct json_writer json;
	hex_write(pack->key, SIGN_PUBLIC_SIZE, hex);
	cli_time(pack->created_s, time);
	if (!use->as_json) {
		printf("%s %" PRIu64 ", made %s, signed by %s, %s\n", pack->name, pack->version, time, hex, trusted);
		for (size_t i = 0; i < pack->file_count; i++)
			printf("  %8zu bytes  %.*s\n", pack->files[i].text.len, SPAN_ARG(pack->files[i].name));
		return CLI_DONE;
	}
	json_begin(&json);
	json_add_text(&json, "name", span_from_str(pack->name));
	json_add_number(&json, "version", pack->version);
	json_add_text(&json, "created", span_from_str(time));
	json_add_text(&json, "key", span_from_str(hex));
	json_add_text(&json, "trusted", span_from_str(trusted));
	json_open_list(&json, "files");
	for (size_t i = 0; i < pack->file_count; i++) {
		json_open_object(&json, NULL);
		json_add_text(&json, "name", pack->files[i].name);
		json_add_number(&json, "bytes", pack->files[i].text.len);
		json_close(&json);
	}
	json_close(&json);
	return rules_cli_print_json(use, &json);
}

static int verify_by(const struct rules_use *use, const struct rule_pack_trust *trust, const char *trusted)
{
	struct rule_pack *pack = calloc(1, sizeof(*pack));
	struct err err = {"out of memory"};
	size_t len;
	char *bytes = pack ? rules_cli_read(use, use->operand, RULE_PACK_BYTES_MAX, &len) : NULL;
	int status = CLI_NO;
	if (!pack)
		rules_cli_fail(use, &err);
	else if (bytes && rule_pack_open(span_of(bytes, len), trust, pack, &err))
		status = print_pack(use, pack, trusted);
	else if (bytes)
		rules_cli_fail(use, &err);
	free(bytes);
	free(pack);
	return status;
}

/* Without a policy or a key: whether it is whole, which says nothing of who signed it. */
int rules_cli_verify(struct rules_use *use)
{
	static const struct rule_pack_trust anybody = {.anybody = true};
	uint8_t key[1][SIGN_PUBLIC_SIZE];
	const struct rule_pack_trust one = {.keys = (const uint8_t (*)[SIGN_PUBLIC_SIZE])key, .n = 1};
	if (use->key && !hex_read(span_from_str(use->key), key[0], SIGN_PUBLIC_SIZE))
		return cli_wrong_use("rules", "verify --key takes a public key of 64 hexadecimal digits");
	if (use->key)
		return verify_by(use, &one, "as --key says");
	if (!use->policy)
		return verify_by(use, &anybody, "whom nobody was asked to trust: name a policy with -c, or --key");
	struct settings *settings = rules_cli_load(use, RULES_LEFT, NULL, false);
	if (!settings)
		return CLI_NO;
	const struct rule_pack_trust trust = {.keys = (const uint8_t (*)[SIGN_PUBLIC_SIZE])settings->rule_pack.trusted,
					      .n = settings->rule_pack.trusted_count};
	int status = verify_by(use, &trust, "whom the policy trusts");
	settings_free(settings);
	return status;
}
