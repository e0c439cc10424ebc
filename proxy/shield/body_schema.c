/* What a policy may say about the content of requests: rows, and what they are compiled to. */
#include "shield/body_schema.h"

#define BODIES(member) offsetof(struct shield_policy_bodies, member)
#define LIMIT(member)  offsetof(struct shield_policy_bodies, bodies.limits.member)

enum { MIB = 1 << 20 };

static const struct policy_choice codings[] = {
    {"decode", BODY_CODINGS_DECODE}, {"refuse", BODY_CODINGS_REFUSE}, {NULL, 0}};
static const struct policy_choice larger[] = {
    {"stream", BODY_LARGER_STREAM}, {"refuse", BODY_LARGER_REFUSE}, {NULL, 0}};

static const struct setting rows[] = {
    {"inspect", SETTING_STRINGS, BODIES(inspect), .standard = "form, multipart, json, xml", .max = 4,
     .doc = "The kinds of content that are looked into, by Content-Type: `form` "
	    "(application/x-www-form-urlencoded), `multipart` (multipart/form-data, multipart/…), `json` "
	    "(application/json, text/json, …+json), `xml` (application/xml, text/xml, …+xml). An empty list: "
	    "none is."},
    {"max", SETTING_BYTES, BODIES(bodies.max), .standard = "1 MiB", .min = 1024, .max = 16 * MIB,
     .doc = "Content that is looked into is held up to this size, until it is read to its end: before "
	    "that, the origin gets nothing of it. Decoded content may be no larger either."},
    {"larger", SETTING_ENUM, BODIES(bodies.larger), .choices = larger,
     .doc = "What becomes of `multipart` above `max`. `stream`: it passes as it comes, up to "
	    "`limits.body`, and is looked into on its way; where something is wrong, the origin never gets its "
	    "end. `refuse`: as all other kinds. The default is `stream`, in the profile `strict` `refuse`."},
    {"codings", SETTING_ENUM, BODIES(bodies.codings), .standard = "decode", .choices = codings,
     .doc = "Content with a Content-Encoding: `decode` looks into what it decodes to (gzip, deflate, br, zstd), "
	    "`refuse` takes none."},
    {"values", SETTING_COUNT, LIMIT(values), .standard = "10000", .min = 1, .max = 1000000,
     .doc = "How many values: arguments and parts, in JSON every value, list and object, in XML "
	    "every element, attribute and text."},
    {"depth", SETTING_COUNT, LIMIT(depth), .standard = "64", .min = 1, .max = 256,
     .doc = "How deep JSON and XML may be nested."},
    {"name", SETTING_BYTES, LIMIT(name), .standard = "1 KiB", .min = 1, .max = 65536,
     .doc = "The longest name of an argument or part, key, element or attribute; in a form as sent."},
    {"file_name", SETTING_BYTES, LIMIT(file_name), .standard = "1 KiB", .min = 1, .max = 65536,
     .doc = "The longest name of a file."},
    {"part_head", SETTING_BYTES, LIMIT(part_head), .standard = "8 KiB", .min = 64, .max = 65536,
     .doc = "All field lines of a part together."},
    {"value", SETTING_BYTES, LIMIT(value), .standard = "1 MiB", .min = 1, .max = 16 * MIB,
     .doc = "The longest value, in a form as sent. The content of a file is none."},
    {"skip_paths", SETTING_STRINGS, BODIES(skip_paths), .max = 64, .example = "( \"/upload\" )",
     .doc = "Paths, with everything under them, whose content is not looked into."},
    {"skip_types", SETTING_STRINGS, BODIES(skip_types), .max = 64, .example = "( \"application/fhir+json\" )",
     .doc = "Content types that are not looked into. One that ends in `*` is a beginning."},
    {0},
};

static unsigned kind_of(const char *name)
{
	for (int kind = BODY_FORM; kind < BODY_RAW; kind++) {
		if (strcmp(name, body_kind_name((enum body_kind)kind)) == 0)
			return 1U << kind;
	}
	return 0;
}

static const char **list_of(const struct policy_strings *strings)
{
	return strings->n > 0 ? strings->items : NULL;
}

static void finish(void *structure, struct policy_where where, struct policy_context *context)
{
	struct shield_policy_bodies *policy = structure;
	struct shield_bodies *bodies = &policy->bodies;

	for (size_t i = 0; i < policy->inspect.n; i++) {
		const char *name = policy->inspect.items[i];
		unsigned kind = kind_of(name);

		if (!kind)
			policy_error_in(context, where, "inspect",
					"\"%s\" is none of form, multipart, json, xml", name);
		bodies->kinds |= kind;
	}
	for (size_t i = 0; i < policy->skip_paths.n; i++)
		check_policy_path(policy->skip_paths.items[i], "skip_paths", where, context);
	bodies->skip_paths = list_of(&policy->skip_paths);
	bodies->skip_types = list_of(&policy->skip_types);
}

const struct schema bodies_schema = {
    .name = "bodies",
    .size = sizeof(struct shield_policy_bodies),
    .settings = rows,
    .where_offset = BODIES(where),
    .finish = finish,
};

bool bodies_policy_eq(const struct shield_policy_bodies *a, const struct shield_policy_bodies *b)
{
	return a->bodies.kinds == b->bodies.kinds && a->bodies.max == b->bodies.max &&
	       memcmp(&a->bodies.limits, &b->bodies.limits, sizeof(a->bodies.limits)) == 0 &&
	       a->bodies.codings == b->bodies.codings && a->bodies.larger == b->bodies.larger &&
	       strings_eq(&a->skip_paths, &b->skip_paths) && strings_eq(&a->skip_types, &b->skip_types);
}
