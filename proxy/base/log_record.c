/* What a worker tells the scribe, as bytes. The writer is trusted with nothing:
 * unpacking checks every length and number that the scribe indexes by. */
#include "sallyport/log_record.h"

#include "sallyport/log_ring.h"
#include "sallyport/reason.h"

_Static_assert(LOG_TEXT_COUNT <= 16, "each text has a bit in `truncated`");

size_t log_record_pack(struct log_record *record, const struct span texts[LOG_TEXT_COUNT],
		       char *buf, size_t room)
{
	if (room > LOG_RECORD_MAX)
		room = LOG_RECORD_MAX;
	if (room < sizeof(*record))
		return 0;
	size_t used = sizeof(*record);
	record->truncated = 0;
	for (unsigned i = 0; i < LOG_TEXT_COUNT; i++) {
		size_t len = texts[i].len < LOG_TEXT_MAX ? texts[i].len : LOG_TEXT_MAX;
		if (len > room - used)
			len = room - used;
		if (len < texts[i].len)
			record->truncated |= (uint16_t)(1U << i);
		record->text_len[i] = (uint16_t)len;
		if (len > 0)
			memcpy(buf + used, texts[i].ptr, len);
		used += len;
	}
	memcpy(buf, record, sizeof(*record));
	return used;
}

static bool is_sound(const struct log_record *record)
{
	return (record->kind == LOG_RECORD_ACCESS || record->kind == LOG_RECORD_EVENT) &&
	       record->reason < REASON_COUNT && record->status < 1000;
}

bool log_record_unpack(const char *buf, size_t len, struct log_record *record,
		       struct span texts[LOG_TEXT_COUNT])
{
	if (len < sizeof(*record))
		return false;
	memcpy(record, buf, sizeof(*record));
	if (!is_sound(record))
		return false;
	size_t used = sizeof(*record);
	for (unsigned i = 0; i < LOG_TEXT_COUNT; i++) {
		size_t text_len = record->text_len[i];
		if (text_len > LOG_TEXT_MAX || text_len > len - used)
			return false;
		texts[i] = span_of(buf + used, text_len);
		used += text_len;
	}
	return used == len;
}

void log_format_request_id(const uint64_t id[2], char out[REQUEST_ID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	for (unsigned i = 0; i < REQUEST_ID_SIZE - 1; i++)
		out[i] = digits[id[i / 16] >> (60 - 4 * (i % 16)) & 15];
	out[REQUEST_ID_SIZE - 1] = '\0';
}
