/* Every error and warning that a policy can cause has a broken policy that causes
 * it, and says what it should. conf/bad/ holds them, each with its "# expect:"
 * lines; what can't be a file in a checkout is made here. */

#include "sallyport/clock.h"
#include "sallyport/keys.h"
#include "sallyport/settings.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* libconfig forgets the last string it read where it gives up on a syntax error. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

enum { TEXT_MAX = 1 << 20 };

/* All that was said, by all cases. */
static struct strbuf said;

static void load(const char *path, const struct settings_overrides *overrides, struct strbuf *out)
{
	struct policy_errors *errors = policy_errors_new();
	struct settings *settings;

	assert_non_null(errors);
	settings = settings_load(path, overrides, errors);
	assert_int_equal(settings == NULL, policy_errors_count(errors) > 0);
	settings_free(settings);
	strbuf_init(out, TEXT_MAX);
	policy_errors_print(errors, out);
	policy_errors_free(errors);
	if (out->data)
		strbuf_add_str(&said, out->data);
}

/* ---- conf/bad ---- */

/* "# expect: 4: error: …" becomes "conf/bad/x.cfg:4: error: …"; without a line number, and with
 * another file's name, it starts with "error:" and the file. */
static void read_expected(const char *path, struct strbuf *out)
{
	static const char mark[] = "# expect: ";
	char line[8192];
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	strbuf_init(out, TEXT_MAX);
	while (fgets(line, sizeof(line), file) && strncmp(line, mark, sizeof(mark) - 1) == 0) {
		const char *text = line + sizeof(mark) - 1;

		if (ascii_is_digit(text[0]))
			strbuf_addf(out, "%s:%s", path, text);
		else if (strncmp(text, "error:", 6) == 0 || strncmp(text, "warning:", 8) == 0)
			strbuf_addf(out, "%s: %s", path, text);
		else
			strbuf_add_str(out, text);
	}
	fclose(file);
}

static void each_bad_policy_says_what_is_wrong(void **state)
{
	glob_t files;
	size_t wrong = 0;

	(void)state;
	assert_int_equal(system("tests/make-certificates conf/bad/parts/tls"), 0);
	assert_int_equal(glob("conf/bad/*.cfg", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct strbuf expected, got;

		read_expected(files.gl_pathv[i], &expected);
		load(files.gl_pathv[i], &(struct settings_overrides){.asks_machine = true}, &got);
		if (!expected.data || !got.data || strcmp(expected.data, got.data) != 0) {
			print_error("%s\nexpected:\n%sgot:\n%s\n", files.gl_pathv[i],
				    expected.data ? expected.data : "", got.data ? got.data : "");
			wrong++;
		}
		strbuf_release(&expected);
		strbuf_release(&got);
	}
	globfree(&files);
	assert_int_equal(wrong, 0);
}

/* ---- what is made here ---- */

static char dir[] = "/tmp/sallyport-policy-XXXXXX";

static FILE *create(const char *name, char path[256])
{
	FILE *file;

	snprintf(path, 256, "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	return file;
}

static void expect(const char *path, const struct settings_overrides *overrides,
		   const char *pattern)
{
	struct strbuf got;

	load(path, overrides, &got);
	if (!got.data || fnmatch(pattern, got.data, 0) != 0)
		fail_msg("%s: expected %s got %s", path ? path : "-", pattern,
			 got.data ? got.data : "nothing");
	strbuf_release(&got);
	if (path)
		unlink(path);
}

static void a_file_over_4_mib_is_refused(void **state)
{
	char path[256];
	FILE *file = create("large.cfg", path);

	(void)state;
	for (size_t i = 0; i < 70000; i++)
		fprintf(file, "# %060zu\n", i);
	fclose(file);
	expect(path, NULL, "*large.cfg is larger than 4 MiB\n");
}

static void files_of_over_4_mib_together_are_refused(void **state)
{
	char path[256];
	char part[256];
	FILE *file = create("part.cfg", part);

	(void)state;
	for (size_t i = 0; i < 40000; i++)
		fprintf(file, "# %060zu\n", i);
	fclose(file);
	file = create("whole.cfg", path);
	fprintf(file, "@include \"part.cfg\"\n@include \"part.cfg\"\n");
	fclose(file);
	expect(path, NULL, "*the policy is larger than 4 MiB\n");
	unlink(part);
}

static void a_policy_of_too_many_values_is_refused(void **state)
{
	char path[256];
	FILE *file = create("values.cfg", path);

	(void)state;
	fprintf(file, "listen = (\n");
	for (size_t i = 0; i < 120000; i++)
		fprintf(file, "1,\n");
	fprintf(file, ");\n");
	fclose(file);
	expect(path, NULL, "*more than 100000 settings and list items\n");
}

static void more_than_256_includes_are_refused(void **state)
{
	char path[256];
	char empty[256];
	FILE *file = create("empty.cfg", empty);

	(void)state;
	fclose(file);
	file = create("many.cfg", path);
	for (size_t i = 0; i < 300; i++)
		fprintf(file, "@include \"empty.cfg\"\n");
	fclose(file);
	expect(path, NULL, "*more than 256 files are included\n*");
	unlink(empty);
}

static void includes_more_than_10_deep_are_refused(void **state)
{
	char path[256];
	char name[32];

	(void)state;
	for (int i = 0; i < 12; i++) {
		FILE *file;

		snprintf(name, sizeof(name), "deep%d.cfg", i);
		file = create(name, path);
		fprintf(file, "@include \"deep%d.cfg\"\n", i + 1);
		fclose(file);
	}
	snprintf(path, sizeof(path), "%s/deep0.cfg", dir);
	expect(path, NULL, "*files include one another more than 10 deep\n");
	for (int i = 1; i < 12; i++) {
		snprintf(path, sizeof(path), "%s/deep%d.cfg", dir, i);
		unlink(path);
	}
}

static void a_pipe_is_refused_without_waiting(void **state)
{
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect(path, NULL, "*is a device or pipe, not a file\n");
}

static void replacing_the_sites_of_a_file_is_warned_of(void **state)
{
	const struct settings_overrides overrides = {.origin = "http://10.0.0.9"};
	char path[256];
	FILE *file = create("replaced.cfg", path);

	(void)state;
	fprintf(file, "listen = ( { address = \":8080\"; } );\n");
	fclose(file);
	expect(path, &overrides, "*warning: its sites are replaced by one for http://10.0.0.9*");
}

static void missing_built_in_rules_are_warned_of(void **state)
{
	const struct settings_overrides overrides = {.origin = "http://10.0.0.9",
						     .listen = ":8080"};

	(void)state;
	setenv("SALLYPORT_DATADIR", "/nonexistent", 1);
	expect(NULL, &overrides, "*warning: rules: there are none: *\n");
	setenv("SALLYPORT_DATADIR", ".", 1);
}

static void an_exception_that_ends_soon_is_warned_of(void **state)
{
	char path[256], date[CLOCK_ISO_SIZE];
	FILE *file = create("ends.cfg", path);

	(void)state;
	clock_format_iso(clock_wall_us() + UINT64_C(3) * 86400 * 1000000, date);
	fprintf(file,
		"listen = ( { address = \":8080\"; } );\n"
		"sites = ( { name = \"shop\"; hosts = ( \"shop.example\" ); origins = ( \"http://10.0.0.5\" ); shield = {\n"
		"\texceptions = ( { rule = \"sql.union\"; owner = \"shop\"; reason = \"words\"; expires = \"%.10s\"; } ); }; } );\n",
		date);
	fclose(file);
	expect(path, NULL, "*:3: warning: shield.exceptions: \"sql.union\" ends on 2*-*-* (shop: words)\n");
}

static void a_broken_command_line_names_itself(void **state)
{
	const struct settings_overrides overrides = {.origin = "ftp://10.0.0.9", .listen = "8080"};

	(void)state;
	expect(NULL, &overrides,
	       "command line or environment: error: listen\\[0\\].address: *\n"
	       "command line or environment: error: sites\\[0\\].origins: *\n");
}

/* ---- signed packs of rules ---- */

static void install(const char *bytes, size_t len)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/packs", dir);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/packs/current.pack", dir);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static void uninstall(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/packs/current.pack", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/packs", dir);
	rmdir(path);
}

/* A policy that trusts the key, in a file that expect() takes away. */
static void write_trusting(const struct sign_key *key, char path[256])
{
	uint8_t public_part[SIGN_PUBLIC_SIZE];
	char hex[KEY_HEX_SIZE];
	FILE *file = create("trusting.cfg", path);

	sign_key_public(key, public_part);
	hex_write(public_part, SIGN_PUBLIC_SIZE, hex);
	fprintf(file, "listen = ( { address = \":8080\"; } ); rules = ( );\n"
		      "sites = ( { name = \"a\"; hosts = ( \"a\" ); origins = ( \"http://10.0.0.5\" ); } );\n"
		      "rule_pack = { keys = \"%s\"; directory = \"packs\"; };\n", hex);
	fclose(file);
}

static void a_broken_pack_names_itself(void **state)
{
	static const char garbage[] = "rules = ( );\n";
	const struct rule_pack_given given = {{garbage, sizeof(garbage) - 1}};
	const struct settings_overrides with = {.pack = &given};
	struct rule_pack pack = {.name = "shop", .version = 3, .created_s = 1, .file_count = 1,
				 .files = {{SPAN("a.cfg"), SPAN("@include \"a.cfg\"\n")}}};
	struct err err;
	struct sign_key *key = sign_key_new(&err);
	struct strbuf bytes;
	char path[256];

	(void)state;
	assert_non_null(key);
	install(garbage, sizeof(garbage) - 1);
	write_trusting(key, path);
	expect(path, NULL, "*trusting.cfg:3: error: rule_pack: the pack that is installed in *packs: it is no rule pack: *");
	write_trusting(key, path);
	expect(path, &with, "*trusting.cfg:3: error: rule_pack: the pack: it is no rule pack: *");
	strbuf_init(&bytes, RULE_PACK_BYTES_MAX);
	assert_true(rule_pack_write(&pack, key, &bytes, &err));
	install(bytes.data, bytes.len);
	write_trusting(key, path);
	expect(path, NULL, "pack shop 3/a.cfg:1: error: this text may not include files\n");
	strbuf_release(&bytes);
	sign_key_free(key);
	uninstall();
}

/* ---- no message without a case ---- */

/* These need an exhausted heap, a failing disk or a command line of 64 KiB. */
static const char *const unreachable[] = {"out of memory", "*MiB of memory", "cannot read *",
					  "*KiB of text", NULL};

static const char *skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
	}
	return *p ? p + 1 : p;
}

/* The start of an argument of a call; p stands behind the opening parenthesis. */
static const char *argument(const char *p, unsigned index)
{
	for (int depth = 0; *p && depth >= 0;) {
		if (index == 0)
			return p + strspn(p, " \t\n");
		if (*p == '"') {
			p = skip_string(p);
			continue;
		}
		depth += (*p == '(' || *p == '{') - (*p == ')' || *p == '}');
		index -= depth == 0 && *p == ',';
		p++;
	}
	return "";
}

/* Skips "%-10.3llu" and the like. */
static const char *skip_conversion(const char *p)
{
	p += strspn(p, "%.*0123456789lzt");
	return *p ? p + 1 : p;
}

/* Adjacent literals, as a pattern for fnmatch with "*" for conversions. False: no literal. */
static bool literal_to_pattern(const char *p, struct strbuf *out)
{
	strbuf_init(out, 4096);
	while (*p == '"') {
		for (p++; *p && *p != '"';) {
			if (*p == '%') {
				strbuf_add_char(out, '*');
				p = skip_conversion(p);
				continue;
			}
			if (*p == '\\')
				p++;
			if (strchr("[]*?\\", *p))
				strbuf_add_char(out, '\\');
			strbuf_add_char(out, *p++);
		}
		p++;
		p += strspn(p, " \t\n");
	}
	return out->len > 0;
}

static bool matches_line(const char *pattern, const char *text)
{
	char line[4096];
	char whole[4200];

	for (int i = 0; i < 4; i++) {
		static const char *const heads[] = {
		    "* error: ", "* error: *: ", "* warning: ", "* warning: *: "};

		snprintf(whole, sizeof(whole), "%s%s", heads[i], pattern);
		for (const char *p = text; *p;) {
			const size_t len = strcspn(p, "\n");

			snprintf(line, sizeof(line), "%.*s", (int)len, p);
			if (fnmatch(whole, line, 0) == 0)
				return true;
			p += len + (p[len] == '\n');
		}
	}
	return false;
}

static bool is_unreachable(const char *pattern)
{
	for (size_t i = 0; unreachable[i]; i++) {
		if (fnmatch(unreachable[i], pattern, 0) == 0)
			return true;
	}
	return false;
}

struct reporter {
	const char *call;
	unsigned argument; /* the format's place */
};

static const struct reporter reporters[] = {{"policy_error(", 2},    {"policy_warning(", 2},
					    {"policy_error_in(", 3}, {" fail(", 1},
					    {"\tfail(", 1},          {NULL, 0}};

/* Returns how many messages nothing caused; *found counts all. */
static size_t scan_source(const char *path, const char *source, size_t *found)
{
	size_t missing = 0;

	for (const struct reporter *reporter = reporters; reporter->call; reporter++) {
		const char *p = source;

		while ((p = strstr(p, reporter->call))) {
			struct strbuf pattern;

			p += strlen(reporter->call);
			if (literal_to_pattern(argument(p, reporter->argument), &pattern)) {
				++*found;
				if (!is_unreachable(pattern.data) &&
				    !matches_line(pattern.data, said.data)) {
					print_error("%s: nothing causes: %s\n", path, pattern.data);
					missing++;
				}
			}
			strbuf_release(&pattern);
		}
	}
	return missing;
}

static size_t scan_files(const char *pattern, size_t *found)
{
	static char source[1 << 18];
	size_t missing = 0;
	glob_t files;

	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		FILE *file = fopen(files.gl_pathv[i], "r");
		size_t len;

		assert_non_null(file);
		len = fread(source, 1, sizeof(source) - 1, file);
		source[len] = '\0';
		fclose(file);
		missing += scan_source(files.gl_pathv[i], source, found);
	}
	globfree(&files);
	return missing;
}

/* Runs last: it looks at what the tests before it made the policy say. */
static void every_message_has_a_policy_that_causes_it(void **state)
{
	size_t found = 0;
	size_t missing = 0;

	(void)state;
	assert_non_null(said.data);
	missing += scan_files("proxy/policy/*.c", &found);
	missing += scan_files("proxy/front/site_schema.c", &found);
	missing += scan_files("proxy/shield/shield_schema.c", &found);
	missing += scan_files("proxy/proc/settings*.c", &found);
	missing += scan_files("proxy/egress/*.c", &found);
	assert_true(found > 60);
	assert_int_equal(missing, 0);
}

static int set_up(void **state)
{
	(void)state;
	strbuf_init(&said, TEXT_MAX);
	setenv("SALLYPORT_DATADIR", ".", 1);
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	strbuf_release(&said);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_bad_policy_says_what_is_wrong),
	    cmocka_unit_test(a_file_over_4_mib_is_refused),
	    cmocka_unit_test(files_of_over_4_mib_together_are_refused),
	    cmocka_unit_test(a_policy_of_too_many_values_is_refused),
	    cmocka_unit_test(more_than_256_includes_are_refused),
	    cmocka_unit_test(includes_more_than_10_deep_are_refused),
	    cmocka_unit_test(a_pipe_is_refused_without_waiting),
	    cmocka_unit_test(replacing_the_sites_of_a_file_is_warned_of),
	    cmocka_unit_test(missing_built_in_rules_are_warned_of),
	    cmocka_unit_test(an_exception_that_ends_soon_is_warned_of),
	    cmocka_unit_test(a_broken_command_line_names_itself),
	    cmocka_unit_test(a_broken_pack_names_itself),
	    cmocka_unit_test(every_message_has_a_policy_that_causes_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
