/* Log lines from records: the combined format with our own fields, and JSON.
 *
 * A record comes from a worker, which may have been captured: no value of it is
 * trusted, and whatever bytes the texts hold, the result is one line.
 * Pure: no clock, no file. It runs once per request, so numbers and texts are
 * written straight into the caller's buffer. */
#include "sallyport/scribe.h"

#include "sallyport/clock.h"
#include "sallyport/egress_tell.h"
#include "sallyport/http_head.h"
#include "sallyport/json.h"
#include "sallyport/shield.h"
#include "sallyport/word.h"

/* Room for everything but the texts: about twenty names, numbers and addresses. */
enum { FIXED_ROOM = 1024, ESCAPED_BYTE = 4 };

#define CUT_MARK "\xe2\x80\xa6" /* U+2026; a text's own bytes never appear so */

/* The callers checked that the longest possible line fits. */
struct line {
	char *at;
};

static void put_bytes(struct line *line, const char *bytes, size_t len)
{
	memcpy(line->at, bytes, len);
	line->at += len;
}

#define PUT(line, literal) put_bytes((line), (literal), sizeof(literal) - 1)

static void put_str(struct line *line, const char *str)
{
	put_bytes(line, str, strlen(str));
}

static void put_u64(struct line *line, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	put_bytes(line, digits + at, sizeof(digits) - at);
}

static void put_padded(struct line *line, unsigned n, unsigned width)
{
	for (unsigned i = width; i-- > 0; n /= 10)
		line->at[i] = (char)('0' + n % 10);
	line->at += width;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool all_plain(uint64_t word)
{
	return (word_high(word) | word_below(word, 0x20) | word_find(word, '"') | word_find(word, '\\') |
		word_find(word, 0x7f)) == 0;
}

static void put_escaped_byte(struct line *line, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	if (is_plain(c)) {
		*line->at++ = (char)c;
		return;
	}
	char escape[ESCAPED_BYTE] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
	put_bytes(line, escape, sizeof(escape));
}

static void put_escaped(struct line *line, struct span text)
{
	size_t i = 0;
	while (i < text.len) {
		if (text.len - i >= 8) {
			const uint64_t word = word_load(text.ptr + i);
			if (all_plain(word)) {
				word_store(line->at, word);
				line->at += 8;
				i += 8;
				continue;
			}
		}
		put_escaped_byte(line, (unsigned char)text.ptr[i++]);
	}
}

struct view {
	const struct log_record *record;
	const struct span *texts;
};

static void put_text(struct line *line, const struct view *view, enum log_text text)
{
	put_escaped(line, view->texts[text]);
	if (view->record->truncated & (1u << text))
		PUT(line, CUT_MARK);
}

/* "text", or "-" where there is none. */
static void put_quoted(struct line *line, const struct view *view, enum log_text text)
{
	*line->at++ = '"';
	if (view->texts[text].len == 0)
		*line->at++ = '-';
	put_text(line, view, text);
	*line->at++ = '"';
}

static void put_quoted_if(struct line *line, const char *name, const struct view *view,
			  enum log_text text)
{
	if (view->texts[text].len == 0)
		return;
	put_str(line, name);
	put_quoted(line, view, text);
}

static void put_number(struct line *line, const char *name, uint64_t n)
{
	put_str(line, name);
	put_u64(line, n);
}

static void put_addr(struct line *line, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];
	if (addr->u.sa.sa_family != AF_INET && addr->u.sa.sa_family != AF_INET6)
		PUT(line, "-");
	else
		put_bytes(line, text, addr_format_ip(addr, text));
}

static uint64_t sane_wall_us(uint64_t wall_us)
{
	const uint64_t last_us = 253402300799999999; /* 9999-12-31T23:59:59.999999Z */
	return wall_us > last_us ? 0 : wall_us;
}

/* "23/Nov/2026:21:08:24 +0000". Days to a civil date by the era method: years begin in
 * March, so that the leap day is a year's last. */
static void put_clf_time(struct line *line, uint64_t wall_us)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	uint64_t seconds = sane_wall_us(wall_us) / 1000000;
	unsigned of_day = (unsigned)(seconds % 86400);
	unsigned days = (unsigned)(seconds / 86400) + 719468; /* since 0000-03-01 */
	unsigned era = days / 146097, of_era = days % 146097;
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned shifted = (5 * of_year + 2) / 153;
	unsigned month = shifted < 10 ? shifted + 2 : shifted - 10; /* January is 0 */
	put_padded(line, of_year - (153 * shifted + 2) / 5 + 1, 2);
	*line->at++ = '/';
	put_bytes(line, names + 3 * month, 3);
	*line->at++ = '/';
	put_padded(line, year + era * 400 + (month < 2), 4);
	*line->at++ = ':';
	put_padded(line, of_day / 3600, 2);
	*line->at++ = ':';
	put_padded(line, of_day / 60 % 60, 2);
	*line->at++ = ':';
	put_padded(line, of_day % 60, 2);
	PUT(line, " +0000");
}

static const char *action_name(const struct log_record *record)
{
	switch (record->action) {
	case VERDICT_ALLOW: return "allow";
	case VERDICT_REJECT: return "reject";
	case VERDICT_CLOSE: return "close";
	case VERDICT_TARPIT: return "tarpit";
	case VERDICT_COPY: return "copy";
	default: return "-";
	}
}

static bool is_monitored(const struct log_record *record)
{
	return !record->enforced && record->action > VERDICT_ALLOW && record->action <= VERDICT_COPY;
}

static const char *record_reason(const struct log_record *record)
{
	return reason_name(record->reason < REASON_COUNT ? (enum reason)record->reason
							 : REASON_UNSET);
}

static const char *version_name(const struct log_record *record)
{
	return record->version == HTTP_1_0   ? "HTTP/1.0"
	       : record->version == HTTP_1_1 ? "HTTP/1.1"
					     : "";
}

static const char *tls_name(const struct log_record *record)
{
	return record->tls == 13 ? "1.3" : record->tls == 12 ? "1.2" : "";
}

static unsigned record_status(const struct log_record *record)
{
	return record->status <= 999 ? record->status : 0;
}

static void put_request(struct line *line, const struct view *view)
{
	const char *version = version_name(view->record);
	*line->at++ = '"';
	if (view->texts[LOG_TEXT_METHOD].len + view->texts[LOG_TEXT_TARGET].len == 0)
		*line->at++ = '-';
	put_text(line, view, LOG_TEXT_METHOD);
	if (view->texts[LOG_TEXT_TARGET].len > 0) {
		*line->at++ = ' ';
		put_text(line, view, LOG_TEXT_TARGET);
	}
	if (*version != '\0') {
		*line->at++ = ' ';
		put_str(line, version);
	}
	*line->at++ = '"';
}

static void put_verdict(struct line *line, const struct view *view)
{
	const struct log_record *record = view->record;
	char id[REQUEST_ID_SIZE];
	log_format_request_id(record->request_id, id);
	PUT(line, " host=");
	put_quoted(line, view, LOG_TEXT_HOST);
	PUT(line, " site=");
	put_quoted(line, view, LOG_TEXT_SITE);
	PUT(line, " action=");
	put_str(line, action_name(record));
	PUT(line, " reason=");
	put_str(line, record_reason(record));
	PUT(line, " id=");
	put_str(line, id);
	put_number(line, " total_us=", record->total_us);
	put_number(line, " head_us=", record->head_us);
	put_number(line, " connect_us=", record->connect_us);
	put_number(line, " first_byte_us=", record->first_byte_us);
	put_number(line, " in=", record->bytes_in);
}

static bool is_same_host(const struct addr *a, const struct addr *b)
{
	if (a->u.sa.sa_family != b->u.sa.sa_family)
		return false;
	if (a->u.sa.sa_family == AF_INET)
		return a->u.in4.sin_addr.s_addr == b->u.in4.sin_addr.s_addr;
	return memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, sizeof(a->u.in6.sin6_addr)) == 0;
}

static void put_details(struct line *line, const struct view *view)
{
	const struct log_record *record = view->record;
	if (is_monitored(record))
		PUT(line, " enforced=no");
	put_quoted_if(line, " rule=", view, LOG_TEXT_RULE);
	put_quoted_if(line, " excepted=", view, LOG_TEXT_EXCEPTED);
	put_quoted_if(line, " canonical=", view, LOG_TEXT_CANON);
	put_quoted_if(line, " name=", view, LOG_TEXT_NAME);
	put_quoted_if(line, " evidence=", view, LOG_TEXT_EVIDENCE);
	if (*tls_name(record)) {
		PUT(line, " tls=");
		put_str(line, tls_name(record));
	}
	if (record->limit > 0)
		put_number(line, " limit=", record->limit);
	if (record->value > 0)
		put_number(line, " value=", record->value);
	put_quoted_if(line, " setting=", view, LOG_TEXT_SETTING);
	put_quoted_if(line, " origin=", view, LOG_TEXT_ORIGIN);
	if (view->texts[LOG_TEXT_HOST].len == 0) /* the only name that there is */
		put_quoted_if(line, " sni=", view, LOG_TEXT_SNI);
	if (!is_same_host(&record->peer, &record->client)) {
		PUT(line, " peer=");
		put_addr(line, &record->peer);
	}
}

static void put_access(struct line *line, const struct view *view)
{
	const struct log_record *record = view->record;
	put_addr(line, &record->client);
	PUT(line, " - - [");
	put_clf_time(line, record->wall_us);
	PUT(line, "] ");
	put_request(line, view);
	*line->at++ = ' ';
	put_padded(line, record_status(record), 3);
	*line->at++ = ' ';
	put_u64(line, record->bytes_out);
	*line->at++ = ' ';
	put_quoted(line, view, LOG_TEXT_REFERER);
	*line->at++ = ' ';
	put_quoted(line, view, LOG_TEXT_USER_AGENT);
	put_verdict(line, view);
	put_details(line, view);
}

static void put_event(struct line *line, const struct view *view)
{
	char time[CLOCK_ISO_SIZE];
	clock_format_iso(sane_wall_us(view->record->wall_us), time);
	put_str(line, time);
	PUT(line, " reason=");
	put_str(line, record_reason(view->record));
	put_number(line, " folded=", view->record->folded);
	if (view->record->news > 0) {
		PUT(line, " news=");
		put_str(line, egress_news_name(view->record->news));
	}
	put_quoted_if(line, " egress=", view, LOG_TEXT_EGRESS);
	put_quoted_if(line, " site=", view, LOG_TEXT_SITE);
	put_quoted_if(line, " rule=", view, LOG_TEXT_RULE);
	put_quoted_if(line, " evidence=", view, LOG_TEXT_EVIDENCE);
	PUT(line, " event=");
	put_quoted(line, view, LOG_TEXT_ORIGIN);
}

size_t log_format_combined(const struct log_record *record, const struct span *texts, char *buf,
			   size_t room)
{
	struct view view = {record, texts};
	struct line line = {buf};
	size_t need = FIXED_ROOM;
	for (int i = 0; i < LOG_TEXT_COUNT; i++)
		need += ESCAPED_BYTE * texts[i].len;
	if (need > room)
		return 0;
	if (record->kind == LOG_RECORD_EVENT)
		put_event(&line, &view);
	else
		put_access(&line, &view);
	*line.at++ = '\n';
	return (size_t)(line.at - buf);
}

static const char *const json_names[LOG_TEXT_COUNT] = {
    [LOG_TEXT_METHOD] = "method",
    [LOG_TEXT_TARGET] = "target",
    [LOG_TEXT_CANON] = "canonical",
    [LOG_TEXT_HOST] = "host",
    [LOG_TEXT_USER_AGENT] = "user_agent",
    [LOG_TEXT_REFERER] = "referer",
    [LOG_TEXT_SITE] = "site",
    [LOG_TEXT_RULE] = "rule",
    [LOG_TEXT_EVIDENCE] = "evidence",
    [LOG_TEXT_NAME] = "name",
    [LOG_TEXT_ORIGIN] = "origin",
    [LOG_TEXT_SETTING] = "setting",
    [LOG_TEXT_SNI] = "sni",
    [LOG_TEXT_CIPHER] = "cipher",
    [LOG_TEXT_EGRESS] = "egress",
    [LOG_TEXT_EXCEPTED] = "excepted",
};

static const char *json_name(const struct log_record *record, int text)
{
	if (record->kind == LOG_RECORD_EVENT && text == LOG_TEXT_ORIGIN)
		return "event";
	return json_names[text];
}

/* A list of the texts in `set`, left out where there are none. */
static void json_add_names(struct json_writer *writer, const struct log_record *record,
			   const char *key, unsigned set)
{
	if (set == 0)
		return;
	json_open_list(writer, key);
	for (int i = 0; i < LOG_TEXT_COUNT; i++) {
		if (set & (1u << i))
			json_add_text(writer, NULL, span_from_str(json_name(record, i)));
	}
	json_close(writer);
}

static void json_add_texts(struct json_writer *writer, const struct view *view)
{
	unsigned latin1 = 0, all = (1u << LOG_TEXT_COUNT) - 1;
	for (int i = 0; i < LOG_TEXT_COUNT; i++) {
		if (view->texts[i].len == 0)
			continue;
		if (!json_is_text(view->texts[i]))
			latin1 |= 1u << i;
		json_add_text(writer, json_name(view->record, i), view->texts[i]);
	}
	json_add_names(writer, view->record, "latin1", latin1);
	json_add_names(writer, view->record, "cut", view->record->truncated & all);
}

static void json_add_addr(struct json_writer *writer, const char *key, const struct addr *addr)
{
	char text[ADDR_TEXT_SIZE];
	struct line line = {text};
	put_addr(&line, addr);
	json_add_text(writer, key, span_of(text, (size_t)(line.at - text)));
}

static void json_add_access(struct json_writer *writer, const struct log_record *record)
{
	char id[REQUEST_ID_SIZE];
	log_format_request_id(record->request_id, id);
	json_add_text(writer, "id", span_from_str(id));
	json_add_addr(writer, "client", &record->client);
	json_add_addr(writer, "peer", &record->peer);
	json_add_text(writer, "version", span_from_str(version_name(record)));
	json_add_number(writer, "status", record_status(record));
	json_add_text(writer, "action", span_from_str(action_name(record)));
	json_add_bool(writer, "enforced", !is_monitored(record));
	json_add_number(writer, "bytes_in", record->bytes_in);
	json_add_number(writer, "bytes_out", record->bytes_out);
	json_add_number(writer, "total_us", record->total_us);
	json_add_number(writer, "head_us", record->head_us);
	json_add_number(writer, "connect_us", record->connect_us);
	json_add_number(writer, "first_byte_us", record->first_byte_us);
	if (*tls_name(record)) {
		json_add_text(writer, "tls", span_from_str(tls_name(record)));
		json_add_bool(writer, "resumed", record->tls_resumed != 0);
	}
	if (record->limit > 0)
		json_add_number(writer, "limit", record->limit);
	if (record->value > 0)
		json_add_number(writer, "value", record->value);
}

static void json_add_event(struct json_writer *writer, const struct log_record *record)
{
	json_add_number(writer, "folded", record->folded);
	if (record->news > 0)
		json_add_text(writer, "news", span_from_str(egress_news_name(record->news)));
}

size_t log_format_json(const struct log_record *record, const struct span *texts, char *buf,
		       size_t room)
{
	struct view view = {record, texts};
	struct json_writer writer;
	char time[CLOCK_ISO_SIZE];
	bool is_event = record->kind == LOG_RECORD_EVENT;
	clock_format_iso(sane_wall_us(record->wall_us), time);
	json_begin(&writer);
	json_add_text(&writer, "time", span_from_str(time));
	json_add_text(&writer, "kind", is_event ? SPAN("event") : SPAN("access"));
	json_add_text(&writer, "reason", span_from_str(record_reason(record)));
	if (is_event)
		json_add_event(&writer, record);
	else
		json_add_access(&writer, record);
	json_add_texts(&writer, &view);
	size_t len = json_end_to(&writer, buf, room > 0 ? room - 1 : 0);
	if (len == 0)
		return 0;
	buf[len] = '\n';
	return len + 1;
}
