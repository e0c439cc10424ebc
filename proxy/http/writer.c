/* Heads as bytes. Trusts that names and values come from a parsed head or from
 * us, and so have no line end in them; never trusts that they fit. */
#include "http/writer.h"

enum { U64_DIGITS_MAX = 20 };

void put_u64(struct writer *w, uint64_t number)
{
	char digits[U64_DIGITS_MAX];
	size_t i = sizeof(digits);
	do
		digits[--i] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	put(w, span_of(digits + i, sizeof(digits) - i));
}

void put_field(struct writer *w, struct span name, struct span value)
{
	put(w, name);
	PUT(w, ": ");
	put(w, value);
	PUT(w, "\r\n");
}

void put_quoted(struct writer *w, struct span s)
{
	PUT(w, "\"");
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
			continue;
		if (s.ptr[i] == '"' || s.ptr[i] == '\\')
			PUT(w, "\\");
		put(w, span_of(s.ptr + i, 1));
	}
	PUT(w, "\"");
}

/* Where the line ends, if it stands there already as put_field would write it; else 0. */
static size_t written_end(const struct http_head *head, const struct http_field *field)
{
	size_t colon = (size_t)field->name_off + field->name_len;
	size_t end = (size_t)field->value_off + field->value_len;
	bool as_written = field->value_off == colon + 2 && head->base[colon + 1] == ' ' &&
			  head->base[end] == '\r';
	return as_written ? end + 2 : 0;
}

/* Most fields of most heads are kept and stand side by side: such a run is copied at once. */
void put_fields(struct writer *w, const struct http_head *head,
		bool (*keep)(const struct http_field *field, const void *context),
		const void *context)
{
	size_t from = 0, to = 0; /* the run so far */
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		if (!keep(field, context))
			continue;
		size_t end = written_end(head, field);
		if (end && field->name_off == to) {
			to = end;
			continue;
		}
		put(w, span_of(head->base + from, to - from));
		from = end ? field->name_off : 0;
		to = end;
		if (!end)
			put_field(w, http_field_name(head, field), http_field_value(head, field));
	}
	put(w, span_of(head->base + from, to - from));
}
