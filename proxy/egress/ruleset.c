/* The kernel leg's table as one text. Order: tables, then everything that rules name (chains, emptied; sets;
 * limits), then the rules. */
#include "sallyport/ruleset.h"

#include "egress/ruleset_text.h"

#include <stdlib.h>

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
	ruleset_declare_shared(&w);
	ruleset_declare_lists(&w);
	each_origin(&w, ruleset_declare_origin);
	ruleset_declare_sources(&w);
	each_origin(&w, ruleset_fill_origin);
	ruleset_fill_sources(&w);
	ruleset_write_bridge(&w);
}

/* ---- what a text declares ---- */

static int by_bytes(const void *left, const void *right)
{
	const struct span *a = left, *b = right;
	int order = memcmp(a->ptr, b->ptr, a->len < b->len ? a->len : b->len);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* "add set inet sallyport stage1": a line up to what it is declared as. Empty: it declares nothing. */
static struct span declaration_of(struct span line)
{
	if (!span_starts(line, SPAN("add ")) || span_starts(line, SPAN("add rule ")) || span_starts(line, SPAN("add element ")))
		return (struct span){0};
	const char *brace = memmem(line.ptr, line.len, " {", 2);
	return brace ? span_of(line.ptr, (size_t)(brace - line.ptr)) : line;
}

static size_t take_declarations(struct span text, struct span *out)
{
	size_t n = 0;
	while (text.len > 0) {
		const size_t len = span_find(text, '\n');
		const struct span declaration = declaration_of(span_of(text.ptr, len));
		if (declaration.len > 0 && out)
			out[n] = declaration;
		n += declaration.len > 0;
		text = span_from(text, len < text.len ? len + 1 : len);
	}
	return n;
}

bool ruleset_declared_init(struct ruleset_declared *declared, struct span text)
{
	*declared = (struct ruleset_declared){.n = take_declarations(text, NULL)};
	declared->of = calloc(declared->n + 1, sizeof(*declared->of));
	if (!declared->of)
		return false;
	take_declarations(text, declared->of);
	qsort(declared->of, declared->n, sizeof(*declared->of), by_bytes);
	return true;
}

void ruleset_declared_release(struct ruleset_declared *declared)
{
	free(declared->of);
	*declared = (struct ruleset_declared){0};
}

bool ruleset_declares(const struct ruleset_declared *declared, const struct ruleset_object *object)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "add %s %s " RULESET_TABLE " %s", object->kind, object->family, object->name);
	if (len < 0 || (size_t)len >= sizeof(line))
		return false;
	const struct span wanted = span_of(line, (size_t)len);
	return bsearch(&wanted, declared->of, declared->n, sizeof(*declared->of), by_bytes) != NULL;
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
