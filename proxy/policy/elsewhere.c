/* Where else a setting stands: who writes one into the wrong group is told the right one. */
#include "policy/elsewhere.h"

#include <string.h>

enum { PREFIX_MAX = 256 };

struct search {
	const char *name;
	bool in_lists;
	size_t found;
	struct strbuf *out;
};

static void look(struct search *search, const struct schema *schema, const char *prefix)
{
	char path[PREFIX_MAX];

	for (const struct setting *setting = schema->settings; setting->name; setting++) {
		const bool is_list = setting->type == SETTING_LIST;

		if (prefix[0] && strcmp(setting->name, search->name) == 0)
			strbuf_addf(search->out, "%s%s%s", search->found++ ? ", " : "", prefix, setting->name);
		if (setting->type != SETTING_GROUP && !(is_list && search->in_lists))
			continue;
		if (snprintf(path, sizeof(path), "%s%s%s.", prefix, setting->name, is_list ? "[]" : "") <
		    (int)sizeof(path))
			look(search, setting->sub, path);
	}
}

size_t elsewhere_find(const struct schema *schema, const char *name, bool in_lists, struct strbuf *out)
{
	struct search search = {.name = name, .in_lists = in_lists, .out = out};

	look(&search, schema, "");
	return search.found;
}
