/* Loads a policy from a file, the command line and the environment, and lets go
 * of it again. Everything lives in one arena but the shields, which are vectorscan's.
 *
 * The command line becomes a piece of policy text that wins over the file's: one
 * syntax, one set of checks. */

#include "proc/settings_schema.h"

enum { OVERLAY_MAX = 64 << 10 };

/* Nobody watches a demo for a day. */
static const char demo_guard[] =
    " ); guard = { mode = \"enforce\"; rate = \"50/s\"; settle = \"2 s\"; sample_interval = \"500 ms\"; "
    "probe_interval = \"2 s\"; recover = 1; }; } ); ";

/* 127.0.0.2 stands for the demo's machine, since the gate serves others only. Its port is whichever is free:
 * `sallyport demo scan` asks for it. */
static const char demo_egress[] =
    "egress = { proxy = \"127.0.0.1:0\"; origins = ( \"127.0.0.2\" ); kernel = \"off\"; quarantine = \"1 min\"; }; ";

/* ---- what the command line says, as a policy would ---- */

static void write_quoted(struct strbuf *out, struct span text)
{
	strbuf_add_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			strbuf_add_char(out, '\\');
		strbuf_add_char(out, text.ptr[i]);
	}
	strbuf_add_char(out, '"');
}

/* Each element of a comma-separated list between `before` and `after`. */
static void write_each(struct strbuf *out, const char *before, const char *list, const char *after)
{
	struct span rest = span_from_str(list);
	struct span element;

	for (bool first = true; span_next_element(&rest, &element); first = false) {
		strbuf_addf(out, "%s%s", first ? "" : ", ", before);
		write_quoted(out, element);
		strbuf_add_str(out, after);
	}
}

static void write_one(struct strbuf *out, const char *before, const char *text, const char *after)
{
	strbuf_add_str(out, before);
	write_quoted(out, span_from_str(text));
	strbuf_add_str(out, after);
}

static void write_overlay(const struct settings_overrides *overrides, struct strbuf *out)
{
	if (overrides->listen) {
		strbuf_add_str(out, "listen = ( ");
		write_each(out, "{ address = ", overrides->listen, "; }");
		strbuf_add_str(out, " ); ");
	}
	if (overrides->origin) {
		strbuf_add_str(out, "default_site = \"default\"; "
				    "sites = ( { name = \"default\"; origins = ( ");
		write_each(out, "", overrides->origin, "");
		strbuf_add_str(out, overrides->demo ? demo_guard : " ); } ); ");
	}
	if (overrides->demo_vault) {
		write_one(out, "vault = { directory = ", overrides->demo_vault, "; }; ");
		strbuf_add_str(out, demo_egress);
	}
	if (overrides->console)
		write_one(out, "console = { address = ", overrides->console, "; }; ");
	if (overrides->log)
		write_one(out, "log = { access = ", overrides->log, "; }; ");
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

void settings_overrides_from_environment(struct settings_overrides *overrides)
{
	*overrides = (struct settings_overrides){
	    .listen = environment("SALLYPORT_LISTEN"),
	    .origin = environment("SALLYPORT_ORIGIN"),
	    .console = environment("SALLYPORT_CONSOLE"),
	    .log = environment("SALLYPORT_LOG"),
	};
}

/* ---- load and free ---- */

static struct settings *new_settings(struct policy_context *context, struct policy_errors *errors)
{
	struct settings *settings = NULL;

	*context = (struct policy_context){.errors = errors};
	context->arena = arena_new(POLICY_ARENA_MAX);
	if (context->arena)
		settings = arena_alloc(context->arena, sizeof(*settings));
	if (settings) {
		settings->arena = context->arena;
		return settings;
	}
	arena_free(context->arena);
	policy_error(context, (struct policy_where){NULL, 0}, "out of memory");
	return NULL;
}

static struct settings *load(struct policy_source *source,
			     const struct settings_overrides *overrides, bool has_built_in,
			     struct policy_errors *errors)
{
	struct policy_context context;
	struct settings *settings = new_settings(&context, errors);
	struct strbuf overlay;
	bool ok = false;

	if (!settings)
		return NULL;
	settings->has_built_in = has_built_in;
	context.leaves_files = overrides && overrides->leaves_files;
	context.asks_machine = overrides && overrides->asks_machine;
	settings->rules_wanted = overrides ? overrides->rules_wanted : RULES_COMPILED;
	settings->pack_given = overrides ? overrides->pack : NULL;
	strbuf_init(&overlay, OVERLAY_MAX);
	if (overrides)
		write_overlay(overrides, &overlay);
	source->overlay = overlay.data;
	if (overlay.truncated)
		policy_error(&context, (struct policy_where){NULL, 0}, "more than %d KiB of text",
			     OVERLAY_MAX >> 10);
	else
		ok = policy_read(source, &settings_schema, settings, &context);
	strbuf_release(&overlay);
	if (ok)
		return settings;
	settings_free(settings);
	return NULL;
}

struct settings *settings_load(const char *path, const struct settings_overrides *overrides,
			       struct policy_errors *errors)
{
	struct policy_context context = {.errors = errors};
	const struct policy_where where = {path, 0};
	struct policy_source source = {.path = path};

	if (path && overrides && overrides->origin)
		policy_warning(&context, where,
			       "its sites are replaced by one for %s, as --origin or "
			       "SALLYPORT_ORIGIN says",
			       overrides->origin);
	return load(&source, overrides, true, errors);
}

struct settings *settings_load_text(const char *text, const struct settings_overrides *overrides,
				    struct policy_errors *errors)
{
	struct policy_source source = {.text = text};

	return load(&source, overrides, false, errors);
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	for (size_t i = 0; i < settings->shield_count; i++)
		shield_free(settings->shields[i]);
	rule_set_free(settings->rule_set);
	arena_free(settings->arena);
}

void settings_document(struct strbuf *out)
{
	policy_document(&settings_schema, out);
}

void settings_document_reasons(struct strbuf *out)
{
	strbuf_add_str(out, "| reason | status | meaning |\n|---|---|---|\n");
	for (enum reason reason = REASON_UNSET + 1; reason < REASON_COUNT; reason++) {
		strbuf_addf(out, "| `%s` | ", reason_name(reason));
		if (reason_status(reason))
			strbuf_addf(out, "%u", reason_status(reason));
		else
			strbuf_add_str(out, "closed");
		strbuf_addf(out, " | %s |\n", reason_text(reason));
	}
}
