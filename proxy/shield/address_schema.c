/* Named sets of addresses, from the policy's text to ranges: the one place that reads the files they come from. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/address_set.h"
#include "shield/address_ranges.h"
#include "shield/networks.h"

#define SET(member) offsetof(struct address_set, member)
#define MIB(n)      (UINT64_C(1048576) * (n))

enum { NETWORKS_LISTED_MAX = 65536, FILES_MAX = 64, COUNTRIES_MAX = 256, RANGES_MAX = 1000000 };

static const char reference[] = "set:";

static const struct setting set_rows[] = {
    {"name", SETTING_STRING, SET(name), .required = true, .example = "\"offices\"",
     .doc = "What lists of addresses name it by, as `set:NAME`: letters, digits, `-`, `_` and `.`."},
    {"networks", SETTING_STRINGS, SET(networks), .max = NETWORKS_LISTED_MAX, .example = "( \"192.0.2.0/24\" )",
     .doc = "Networks and addresses, IPv4 and IPv6."},
    {"files", SETTING_STRINGS, SET(files), .max = FILES_MAX, .or_one = true, .example = "\"lists/drop.txt\"",
     .doc = "Files of networks, one a line; `#` and `;` begin a comment. Read when the policy is."},
    {"database", SETTING_STRING, SET(database), .example = "\"/var/lib/GeoIP/GeoLite2-Country.mmdb\"",
     .doc = "A MaxMind database with `country.iso_code`, from which `countries` are taken when the policy is read."},
    {"countries", SETTING_STRINGS, SET(countries), .max = COUNTRIES_MAX, .example = "( \"DE\", \"FR\" )",
     .doc = "Countries by their two letters of ISO 3166-1."},
    {"file_max", SETTING_BYTES, SET(file_max), .standard = "64 MiB", .min = 1024, .max = MIB(1024),
     .doc = "How large each of `files`, and `database`, may be. A larger one is refused."},
    {"networks_max", SETTING_COUNT, SET(networks_max), .standard = "262144", .min = 1, .max = RANGES_MAX,
     .doc = "How many networks the set may have, those that touch counted as one: 32 bytes of memory each."},
    {0},
};

/* ---- files ---- */

/* What is read into a set, and what for. */
struct filling {
	struct address_set *set;
	struct address_ranges ranges;
	struct policy_where where;
	struct policy_context *context;
	const char *path; /* of the file that is being read */
};

/* Whoever only asks what would become of a request may not be allowed to read it. */
static void report_unreadable(struct filling *filling, const char *setting, const char *path, int error)
{
	if (filling->context->leaves_files)
		policy_warning(filling->context, policy_where_of(filling->context, setting, filling->where),
			       "%s: %s cannot be read: %s; its addresses are not known here", setting, path,
			       strerror(error));
	else
		policy_error_in(filling->context, filling->where, setting, "%s cannot be read: %s", path,
				strerror(error));
}

/* A file of the right kind and size, opened; -1: reported. */
static int open_file(struct filling *filling, const char *setting, const char *path, size_t *len)
{
	const uint64_t max = filling->set->file_max;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		report_unreadable(filling, setting, path, errno);
	} else if (!S_ISREG(st.st_mode)) {
		policy_error_in(filling->context, filling->where, setting, "%s is not a file", path);
	} else if (st.st_size == 0) {
		policy_error_in(filling->context, filling->where, setting, "%s is empty: a list of nothing has a comment",
				path);
	} else if ((uint64_t)st.st_size > max) {
		policy_error_in(filling->context, filling->where, setting,
				"%s has %llu bytes, more than the %llu of file_max", path,
				(unsigned long long)st.st_size, (unsigned long long)max);
	} else {
		*len = (size_t)st.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool read_all(int fd, char *bytes, size_t len)
{
	for (size_t off = 0; off < len;) {
		ssize_t n = read(fd, bytes + off, len - off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		off += (size_t)n;
	}
	return true;
}

static void report_line(void *context, unsigned line, const char *text)
{
	struct filling *filling = context;
	const struct policy_where where = {filling->path, line};
	policy_error(filling->context, where, "%s", text);
}

static void parse_file(struct filling *filling, struct span text)
{
	struct err err = {0};
	if (!address_file_parse(text, &filling->ranges, report_line, filling, &err))
		policy_error_in(filling->context, filling->where, "files", "%s: %s", filling->path, err.text);
}

static void add_file(struct filling *filling, const char *path)
{
	size_t len;
	policy_resolve_path(&path, "files", filling->where, filling->context);
	int fd = path ? open_file(filling, "files", path, &len) : -1;
	if (fd < 0)
		return;
	char *text = malloc(len);
	filling->path = path;
	if (text && read_all(fd, text, len))
		parse_file(filling, span_of(text, len));
	else
		policy_error_in(filling->context, filling->where, "files", "%s cannot be read whole", path);
	free(text);
	close(fd);
}

/* ---- countries ---- */

static bool is_country(const char *code)
{
	return strlen(code) == 2 && code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z';
}

static bool check_countries(struct filling *filling)
{
	const struct address_set *set = filling->set;
	bool ok = true;
	for (size_t i = 0; i < set->countries.n; i++) {
		if (is_country(set->countries.items[i]))
			continue;
		ok = false;
		policy_error_in(filling->context, filling->where, "countries",
				"\"%.16s\" is no country's code, such as \"DE\"", set->countries.items[i]);
	}
	if (!set->database == (set->countries.n == 0))
		return ok && set->database;
	policy_error_in(filling->context, filling->where, set->database ? "database" : "countries", "%s is not set",
			set->database ? "countries" : "database");
	return false;
}

static void add_countries(struct filling *filling)
{
	struct address_set *set = filling->set;
	const size_t before = filling->ranges.n;
	struct err err = {0};
	size_t len;
	policy_resolve_path(&set->database, "database", filling->where, filling->context);
	int fd = set->database ? open_file(filling, "database", set->database, &len) : -1;
	if (fd < 0)
		return;
	close(fd);
	if (!address_countries_read(set->database, set->countries.items, set->countries.n, &filling->ranges, &err))
		policy_error_in(filling->context, filling->where, "database", "%s: %s", set->database, err.text);
	else if (filling->ranges.n == before)
		policy_error_in(filling->context, filling->where, "countries", "%s has no network of them",
				set->database);
}

/* ---- a set ---- */

static void check_name(const char *name, struct policy_where where, struct policy_context *context)
{
	static const char marks[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	if (strspn(name, marks) != strlen(name))
		policy_error_in(context, where, "name", "\"%.64s\" has more than letters, digits, \"-\", \"_\" and \".\"",
				name);
}

static void add_networks(struct filling *filling)
{
	const struct policy_strings *networks = &filling->set->networks;
	for (size_t i = 0; i < networks->n; i++) {
		struct cidr cidr;
		struct err err = {0};
		if (!cidr_parse(span_from_str(networks->items[i]), &cidr, &err)) {
			policy_error_in(filling->context, filling->where, "networks", "%s", err.text);
			continue;
		}
		enum address_ranges_result result = address_ranges_add(&filling->ranges, &cidr);
		if (result == ADDRESS_RANGES_ADDED)
			continue;
		address_ranges_explain(result, &filling->ranges, &err);
		policy_error_in(filling->context, filling->where, "networks", "%s", err.text);
		return;
	}
}

/* What was gathered, joined, moves into the policy's own memory. */
static void keep(struct filling *filling)
{
	struct address_set *set = filling->set;
	const struct cidr_set whole = cidr_set_of(filling->ranges.items, filling->ranges.n);
	struct cidr_range *kept = arena_alloc(filling->context->arena, (whole.n + 1) * sizeof(*kept));
	if (!kept) {
		policy_error(filling->context, filling->where,
			     "out of memory: %zu networks, and a policy may take %d MiB in all", whole.n,
			     POLICY_ARENA_MAX >> 20);
		return;
	}
	if (whole.n > 0)
		memcpy(kept, whole.ranges, whole.n * sizeof(*kept));
	set->set = (struct cidr_set){kept, whole.n};
}

static void finish_set(void *structure, struct policy_where where, struct policy_context *context)
{
	struct address_set *set = structure;
	struct filling filling = {.set = set, .where = where, .context = context, .ranges = {.max = set->networks_max}};
	const size_t errors = policy_errors_count(context->errors);
	if (set->name)
		check_name(set->name, where, context);
	add_networks(&filling);
	for (size_t i = 0; i < set->files.n; i++)
		add_file(&filling, set->files.items[i]);
	if (check_countries(&filling))
		add_countries(&filling);
	keep(&filling);
	if (set->set.n == 0 && policy_errors_count(context->errors) == errors && !context->leaves_files)
		policy_warning(context, where, "there is no network in it");
	address_ranges_release(&filling.ranges);
}

const struct schema address_set_schema = {
    .name = "address_sets",
    .size = sizeof(struct address_set),
    .settings = set_rows,
    .where_offset = SET(where),
    .finish = finish_set,
};

void address_sets_check(const struct policy_list *sets, struct policy_context *context)
{
	const struct address_set *items = sets->items;
	for (size_t i = 1; i < sets->n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (items[i].name && items[j].name && strcmp(items[i].name, items[j].name) == 0)
				policy_error(context, items[i].where,
					     "address_sets[%zu].name: \"%s\" is address_sets[%zu] already", i,
					     items[i].name, j);
		}
	}
}

/* ---- lists ---- */

static bool is_reference(const char *text)
{
	return strncmp(text, reference, sizeof(reference) - 1) == 0;
}

void address_list_compile(struct address_list *list, const char *setting, struct policy_where where,
			  struct policy_context *context)
{
	struct policy_strings networks = {.where = list->texts.where};
	networks.items = arena_alloc(context->arena, (list->texts.n + 1) * sizeof(networks.items[0]));
	if (!networks.items) {
		policy_error_in(context, where, setting, "out of memory");
		return;
	}
	for (size_t i = 0; i < list->texts.n; i++) {
		if (!is_reference(list->texts.items[i]))
			networks.items[networks.n++] = list->texts.items[i];
	}
	list->own = networks_compile(&networks, setting, where, context);
}

static const struct address_set *find_set(const struct policy_list *sets, const char *name)
{
	const struct address_set *items = sets->items;
	for (size_t i = 0; i < sets->n; i++) {
		if (items[i].name && strcmp(items[i].name, name) == 0)
			return &items[i];
	}
	return NULL;
}

void address_list_link(struct address_list *list, const struct policy_list *sets, const char *named,
		       struct policy_context *context)
{
	list->set_count = 0;
	list->sets = arena_alloc(context->arena, (list->texts.n + 1) * sizeof(list->sets[0]));
	if (!list->sets) {
		policy_error(context, list->texts.where, "out of memory");
		return;
	}
	for (size_t i = 0; i < list->texts.n; i++) {
		const char *text = list->texts.items[i];
		if (!is_reference(text))
			continue;
		const struct address_set *set = find_set(sets, text + sizeof(reference) - 1);
		if (set)
			list->sets[list->set_count++] = set;
		else
			policy_error(context, list->texts.where, "%s: there is no address set \"%s\"", named,
				     text + sizeof(reference) - 1);
	}
}
