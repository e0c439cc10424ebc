/* Lines of access logs: any bytes are read in any dialect without a byte beyond them, what comes out
 * lies within the line or the reader, and what our own log writes of any bytes is read back. The first byte chooses
 * the dialect. */
#include <stdlib.h>
#include <string.h>

#include "cli/replay_judge.h"
#include "head_fuzz.h"
#include "sallyport/http_head.h"
#include "sallyport/scribe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned touched;

static void touch(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		touched += (unsigned char)text.ptr[i];
}

static void touch_all(const struct logged *logged)
{
	touch(logged->method);
	touch(logged->target);
	touch(logged->version);
	touch(logged->host);
	touch(logged->client);
	touch(logged->verdict.reason);
	touch(logged->verdict.rule);
	touch(logged->verdict.evidence);
	touch(logged->verdict.canonical);
	MUST(logged->field_count <= LOGGED_FIELDS_MAX && logged->status <= 999);
	for (size_t i = 0; i < logged->field_count; i++) {
		touch(logged->fields[i].name);
		touch(logged->fields[i].value);
	}
	touched += (unsigned)replay_then(logged);
}

static enum line_kind read_copy(struct line_reader *reader, const char *line, size_t len, struct logged *logged)
{
	static char *copy;
	struct err err;
	free(copy);
	copy = malloc(len ? len : 1);
	MUST(copy);
	memcpy(copy, line, len);
	return line_read(reader, copy, len, logged, &err);
}

static struct span part(struct span text, size_t of, size_t parts)
{
	return span_of(text.ptr + text.len * of / parts, text.len / parts);
}

static void check_own(struct line_reader *reader, struct span bytes)
{
	static char line[LOG_LINE_MAX], target[LOG_TEXT_MAX];
	struct log_record record = {.kind = LOG_RECORD_ACCESS, .version = HTTP_1_1, .action = 2, .status = 200};
	struct span texts[LOG_TEXT_COUNT] = {{0}};
	struct logged logged;
	struct span raw = part(bytes, 0, 2);
	for (size_t i = 0; i < raw.len && i < sizeof(target); i++)
		target[i] = raw.ptr[i] == ' ' ? '/' : raw.ptr[i];
	texts[LOG_TEXT_METHOD] = SPAN("GET");
	texts[LOG_TEXT_TARGET] = span_of(target, raw.len < sizeof(target) ? raw.len : sizeof(target));
	texts[LOG_TEXT_USER_AGENT] = part(bytes, 1, 2);
	if (raw.len < 2 || texts[LOG_TEXT_USER_AGENT].len < 2 || raw.len > sizeof(target))
		return;
	for (int i = 0; i < 2; i++) {
		size_t len = (i ? log_format_json : log_format_combined)(&record, texts, line, sizeof(line));
		MUST(len > 0 && read_copy(reader, line, len - 1, &logged) == LINE_REQUEST);
		MUST(logged.is_ours && span_eq(logged.target, texts[LOG_TEXT_TARGET]) && logged.field_count == 1);
		MUST(span_eq(logged.fields[0].value, texts[LOG_TEXT_USER_AGENT]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_reader reader;
	struct logged logged;
	if (size < 1 || size > REPLAY_LINE_MAX)
		return 0;
	MUST(line_reader_init(&reader, (enum log_dialect)(data[0] % 4)));
	if (read_copy(&reader, (const char *)data + 1, size - 1, &logged) == LINE_REQUEST)
		touch_all(&logged);
	reader.dialect = DIALECT_AUTO;
	check_own(&reader, span_of((const char *)data + 1, size - 1));
	line_reader_release(&reader);
	return 0;
}
