/* How explain says a step: a line, or an object of the JSON answer. Bytes of a request are shown
 * so that none reaches the terminal as it is. */
#include "cli/explain.h"

#include <string.h>

/* Bytes as they may stand on a terminal: what is not printable ASCII as \xHH. */
void explain_add_shown(struct strbuf *out, struct span s)
{
	for (size_t i = 0; i < s.len && i < SHOWN_MAX; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c >= 0x20 && c < 0x7f && c != '\\')
			strbuf_add_char(out, (char)c);
		else
			strbuf_addf(out, "\\x%02X", c);
	}
	if (s.len > SHOWN_MAX)
		strbuf_addf(out, "... (%zu bytes)", s.len);
}

/* One step: its name, what it found, and the setting that decides about it (or NULL). */
void explain_say(struct explain *e, const char *step, const char *setting, const struct strbuf *text)
{
	if (e->is_mute)
		return;
	if (e->as_json) {
		json_open_object(&e->json, NULL);
		json_add_text(&e->json, "step", span_from_str(step));
		json_add_text(&e->json, "text", strbuf_span(text));
		if (setting)
			json_add_text(&e->json, "setting", span_from_str(setting));
		json_close(&e->json);
		return;
	}
	strbuf_addf(&e->out, "%-10s ", step);
	strbuf_add_span(&e->out, strbuf_span(text));
	if (setting)
		strbuf_addf(&e->out, "   [%s]", setting);
	strbuf_add_char(&e->out, '\n');
}

void explain_sayf(struct explain *e, const char *step, const char *setting, const char *fmt, ...)
{
	struct strbuf text;
	va_list ap;
	strbuf_init(&text, 4096);
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	explain_say(e, step, setting, &text);
	strbuf_release(&text);
}

void explain_span(struct explain *e, const char *step, struct span s)
{
	struct strbuf text;
	strbuf_init(&text, 4 * SHOWN_MAX + 1024);
	explain_add_shown(&text, s);
	explain_say(e, step, NULL, &text);
	strbuf_release(&text);
}
