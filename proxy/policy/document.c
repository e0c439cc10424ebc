/* Says what settings are: in error messages, and as the reference in
 * conf/README.md. All of it comes from the rows of the schemas. */

#include "policy/document.h"
#include "sallyport/units.h"

enum { PATH_MAX_BYTES = 256 };

const char *document_type(enum setting_type type)
{
	switch (type) {
	case SETTING_BOOL: return "true or false";
	case SETTING_COUNT: return "a number";
	case SETTING_BYTES: return "a size";
	case SETTING_TIME: return "a time with its unit";
	case SETTING_RATE: return "a rate";
	case SETTING_BYTE_RATE: return "a rate of bytes";
	case SETTING_STRING: return "a string";
	case SETTING_ENUM: return "a word";
	case SETTING_STRINGS: return "a list of strings";
	case SETTING_GROUP: return "a group";
	case SETTING_LIST: return "a list of groups";
	case SETTING_UNSET: break;
	}
	return "nothing";
}

const char *document_units(enum setting_type type)
{
	switch (type) {
	case SETTING_BYTES: return ": units are B, KiB, MiB and GiB";
	case SETTING_TIME: return ": units are ms, s, min, h and d";
	case SETTING_RATE: return ": a whole number, and /s, /min, /h or /d";
	case SETTING_BYTE_RATE: return ": units are B/s, KiB/s, MiB/s and GiB/s";
	default: return "";
	}
}

static bool is_bare(enum setting_type type)
{
	return type == SETTING_BOOL || type == SETTING_COUNT;
}

/* text: as in a row's `standard`. */
static void write_standard(enum setting_type type, struct span text, struct strbuf *out)
{
	struct span item;

	if (type == SETTING_STRINGS) {
		strbuf_add_str(out, "( ");
		for (bool first = true; span_next_element(&text, &item); first = false)
			strbuf_addf(out, "%s\"%.*s\"", first ? "" : ", ", SPAN_ARG(item));
		strbuf_add_str(out, " )");
	} else if (is_bare(type)) {
		strbuf_add_span(out, text);
	} else {
		strbuf_addf(out, "\"%.*s\"", SPAN_ARG(text));
	}
}

void document_example(const struct setting *setting, struct strbuf *out)
{
	if (setting->example)
		strbuf_add_str(out, setting->example);
	else if (setting->type == SETTING_GROUP)
		strbuf_add_str(out, "{ … }");
	else if (setting->type == SETTING_LIST)
		strbuf_add_str(out, "( { … } )");
	else if (setting->type == SETTING_ENUM)
		strbuf_addf(out, "\"%s\"", setting->choices[0].name);
	else if (setting->standard)
		write_standard(setting->type, span_from_str(setting->standard), out);
}

static void write_type(const struct setting *setting, struct strbuf *out)
{
	if (setting->type != SETTING_ENUM) {
		strbuf_addf(out, "%s%s", setting->or_one ? "a string, or " : "",
			    document_type(setting->type));
		return;
	}
	for (const struct policy_choice *choice = setting->choices; choice->name; choice++)
		strbuf_addf(out, "%s`%s`", choice == setting->choices ? "" : ", ", choice->name);
}

static void write_range(const struct setting *setting, struct strbuf *out)
{
	char min[UNITS_TEXT_SIZE];
	char max[UNITS_TEXT_SIZE];

	if (setting->max == 0)
		return;
	if (setting->type == SETTING_LIST || setting->type == SETTING_STRINGS) {
		strbuf_addf(out, "at most %llu items", (unsigned long long)setting->max);
		return;
	}
	units_format(setting->type, setting->min, min);
	units_format(setting->type, setting->max, max);
	strbuf_addf(out, "%s to %s", min, max);
}

/* "|" would end a cell. */
static void write_cell(struct strbuf *out, const char *text)
{
	for (; *text; text++)
		strbuf_addf(out, "%s%c", *text == '|' ? "\\" : "", *text);
}

static void write_row(const struct setting *setting, const char *path, struct strbuf *out)
{
	strbuf_addf(out, "| `%s` | ", path);
	write_type(setting, out);
	strbuf_add_str(out, " | ");
	write_range(setting, out);
	strbuf_add_str(out, " | ");
	if (setting->standard) {
		strbuf_add_char(out, '`');
		write_standard(setting->type, span_from_str(setting->standard), out);
		strbuf_add_char(out, '`');
	} else if (setting->required) {
		strbuf_add_str(out, "**needed**");
	}
	strbuf_add_str(out, " | ");
	write_cell(out, setting->doc);
	if (setting->example)
		strbuf_addf(out, " Example: `%s`", setting->example);
	strbuf_add_str(out, " |\n");
}

static void write_schema(const struct schema *schema, const char *prefix, struct strbuf *out)
{
	char path[PATH_MAX_BYTES];

	for (const struct setting *setting = schema->settings; setting->name; setting++) {
		snprintf(path, sizeof(path), "%s%s%s", prefix, setting->name,
			 setting->type == SETTING_LIST ? "[]" : "");
		write_row(setting, path, out);
		if (setting->sub) {
			snprintf(path, sizeof(path), "%s%s%s", prefix, setting->name,
				 setting->type == SETTING_LIST ? "[]." : ".");
			write_schema(setting->sub, path, out);
		}
	}
}

void policy_document(const struct schema *schema, struct strbuf *out)
{
	strbuf_add_str(out, "| setting | type | range | default | meaning |\n"
			    "|---|---|---|---|---|\n");
	write_schema(schema, "", out);
}
