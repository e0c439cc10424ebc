/* The kernel leg's table as one text. Order: tables, then everything that rules name (chains, emptied; sets;
 * limits), then the rules. */
#include "sallyport/ruleset.h"

#include "egress/ruleset_text.h"

static void each_origin(struct ruleset_writer *w, void (*write)(struct ruleset_writer *w))
{
	for (w->index = 0; w->index < w->plan->origin_count; w->index++) {
		w->origin = &w->plan->origins[w->index];
		write(w);
	}
	w->origin = NULL;
}

void ruleset_write(const struct warden_plan *plan, const struct ruleset_facts *facts, struct strbuf *out)
{
	struct ruleset_writer w = {.plan = plan, .facts = facts, .out = out};
	strbuf_add_str(out, "add table inet " RULESET_TABLE "\n"
			    "add set inet " RULESET_TABLE " stage1 { type mark ; flags dynamic,timeout ; size 256 ; }\n"
			    "add set inet " RULESET_TABLE " stage2 { type mark ; flags dynamic,timeout ; size 256 ; }\n");
	ruleset_declare_lists(&w);
	each_origin(&w, ruleset_declare_origin);
	ruleset_declare_sources(&w);
	each_origin(&w, ruleset_fill_origin);
	ruleset_fill_sources(&w);
	ruleset_write_bridge(&w);
}

bool ruleset_declares(struct span text, const struct ruleset_object *object)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "\nadd %s %s " RULESET_TABLE " %s", object->kind, object->family, object->name);
	const char *at = text.ptr, *end = text.ptr + text.len;
	if (len < 0 || (size_t)len >= sizeof(line))
		return false;
	while ((at = memmem(at, (size_t)(end - at), line, (size_t)len)) != NULL) {
		at += len;
		if (at == end || *at == '\n' || *at == ' ')
			return true;
	}
	return false;
}

bool ruleset_has_sets(const struct warden_origin *origin, char family)
{
	return ruleset_origin_has(origin, family);
}

void ruleset_write_removal(bool has_bridge, struct strbuf *out)
{
	/* added first, so that it is no error where it is not there */
	static const char *const families[] = {"inet", "bridge"};
	for (size_t i = 0; i < (has_bridge ? 2 : 1); i++)
		strbuf_addf(out, "add table %s " RULESET_TABLE "\ndelete table %s " RULESET_TABLE "\n", families[i], families[i]);
}
