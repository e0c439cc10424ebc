/* One record per request into this worker's ring, and events. The scribe turns
 * them into lines. Nothing here waits: a full ring loses the record, counted. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "front/gate.h"

static void put(struct front *f, struct log_record *record, const struct span texts[LOG_TEXT_COUNT])
{
	bool wake = false;
	size_t len = log_record_pack(record, texts, f->record, sizeof(f->record));
	if (!log_ring_put(f->setup.memory.ring, f->record, len, &wake))
		stat_add(&f->stats->log_dropped, 1);
	if (wake) {
		uint64_t one = 1;
		/* Full means that it is awake already. */
		ssize_t n = write(f->setup.log_event_fd, &one, sizeof(one));
		(void)n;
	}
}

static uint32_t since(uint64_t from_us, uint64_t to_us)
{
	uint64_t us = from_us == 0 || to_us <= from_us ? 0 : to_us - from_us;
	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* Whose request it was, and the address that it went to. */
static void note_visit(struct span texts[LOG_TEXT_COUNT], const struct visit *visit, char where[ADDR_TEXT_SIZE])
{
	texts[LOG_TEXT_EGRESS] = span_from_str(visit->origin->policy->name);
	if (visit->place.host.ptr)
		texts[LOG_TEXT_ORIGIN] = span_of(where, addr_format(&visit->place.addr, where));
}

static void note_tls(struct log_record *record, struct span texts[LOG_TEXT_COUNT], const struct client *c)
{
	struct tls_facts facts = tls_facts(&c->stream);
	record->tls = (uint16_t)facts.version;
	record->tls_resumed = facts.resumed;
	texts[LOG_TEXT_SNI] = span_from_str(facts.name);
	texts[LOG_TEXT_CIPHER] = span_from_str(facts.cipher);
}

static void note_exception(struct front *f, struct span texts[LOG_TEXT_COUNT], const struct verdict *verdict)
{
	if (!verdict->excepted)
		return;
	texts[LOG_TEXT_EXCEPTED] =
	    span_from_str(verdict->excepted_rule ? verdict->excepted_rule : verdict->excepted->finding);
	stat_add(&f->stats->requests_excepted, 1);
}

void record_exchange(struct exchange *x)
{
	struct front *f = x->front;
	const struct http_head *head = &x->request;
	uint64_t now_us = loop_now_us(f->loop);
	char where[ADDR_TEXT_SIZE];
	struct log_record record = {
	    .kind = LOG_RECORD_ACCESS,
	    .version = head->version,
	    .action = (uint8_t)x->verdict.action,
	    .enforced = x->verdict.enforced,
	    .status = x->status,
	    .reason = (uint16_t)x->verdict.reason,
	    .slot = (uint16_t)f->setup.slot,
	    .wall_us = x->wall_us,
	    .request_id = {x->id[0], x->id[1]},
	    .total_us = x->start_us != 0 && now_us > x->start_us ? now_us - x->start_us : 0,
	    .head_us = since(x->start_us, x->head_us),
	    .connect_us = since(x->ask_us, x->connected_us),
	    .first_byte_us = since(x->sent_us, x->first_byte_us),
	    .bytes_in = x->up_bytes,
	    .bytes_out = x->down_bytes,
	    .client = x->visitor,
	    .peer = x->client->peer,
	    .limit = x->verdict.limit,
	    .value = x->verdict.value,
	};
	struct span texts[LOG_TEXT_COUNT] = {{0}};
	if (head->target_len > 0) {
		texts[LOG_TEXT_TARGET] = http_target(head);
		if (head->method_len > 0)
			texts[LOG_TEXT_METHOD] = http_method(head);
	}
	if (x->subject.canon.path.ptr && !span_eq(x->subject.canon.path, x->subject.target.path))
		texts[LOG_TEXT_CANON] = x->subject.canon.path;
	texts[LOG_TEXT_HOST] = x->subject.host.ptr ? x->subject.host : http_find(head, HTTP_FIELD_HOST);
	texts[LOG_TEXT_USER_AGENT] = http_find(head, HTTP_FIELD_USER_AGENT);
	texts[LOG_TEXT_REFERER] = http_find(head, HTTP_FIELD_REFERER);
	if (x->subject.site)
		texts[LOG_TEXT_SITE] = span_from_str(x->subject.site->name);
	texts[LOG_TEXT_RULE] = span_from_str(x->verdict.rule);
	texts[LOG_TEXT_EVIDENCE] = x->verdict.evidence;
	texts[LOG_TEXT_NAME] = x->verdict.name;
	note_exception(f, texts, &x->verdict);
	texts[LOG_TEXT_SETTING] = span_from_str(x->verdict.setting);
	if (x->visit)
		note_visit(texts, x->visit, where);
	else if (x->claim.spec)
		texts[LOG_TEXT_ORIGIN] = span_from_str(x->claim.spec->authority);
	note_tls(&record, texts, x->client);
	put(f, &record, texts);
}

static struct log_record connection_record(const struct front *f, const struct addr *peer, enum reason reason,
					   unsigned status)
{
	return (struct log_record){
	    .kind = LOG_RECORD_ACCESS,
	    .status = (uint16_t)status,
	    .reason = (uint16_t)reason,
	    .slot = (uint16_t)f->setup.slot,
	    .wall_us = clock_wall_us(),
	    .client = *peer,
	    .peer = *peer,
	};
}

void record_connection(struct front *f, const struct addr *peer, enum reason reason, unsigned status)
{
	struct log_record record = connection_record(f, peer, reason, status);
	struct span texts[LOG_TEXT_COUNT] = {{0}};
	put(f, &record, texts);
}

void record_client(const struct client *c, enum reason reason, unsigned status, const char *evidence)
{
	struct log_record record = connection_record(c->front, &c->peer, reason, status);
	struct span texts[LOG_TEXT_COUNT] = {{0}};
	texts[LOG_TEXT_EVIDENCE] = span_from_str(evidence);
	texts[LOG_TEXT_SETTING] = span_from_str(judge_limit(c->front->settings, reason, &record.limit));
	note_tls(&record, texts, c);
	put(c->front, &record, texts);
}

void record_event(void *context, const struct origin_spec *spec, bool is_down, const char *sentence,
		  uint32_t folded)
{
	struct front *f = context;
	char text[512];
	struct log_record record = {
	    .kind = LOG_RECORD_EVENT,
	    .reason = is_down ? REASON_ORIGIN_DOWN : REASON_UNSET,
	    .slot = (uint16_t)f->setup.slot,
	    .wall_us = clock_wall_us(),
	    .folded = folded,
	};
	struct span texts[LOG_TEXT_COUNT] = {{0}};
	int n = snprintf(text, sizeof(text), "origin %s is %s: %s", spec->url, is_down ? "down" : "up", sentence);
	texts[LOG_TEXT_ORIGIN] = span_of(text, n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
	put(f, &record, texts);
}

void record_guard(struct front *f, const struct guard_event *event)
{
	struct log_record record = {
	    .kind = LOG_RECORD_EVENT,
	    .reason = (uint16_t)event->reason,
	    .slot = (uint16_t)f->setup.slot,
	    .wall_us = clock_wall_us(),
	    .folded = event->folded,
	};
	struct span texts[LOG_TEXT_COUNT] = {{0}};
	texts[LOG_TEXT_ORIGIN] = event->sentence;
	texts[LOG_TEXT_EVIDENCE] = event->evidence;
	texts[LOG_TEXT_SITE] = span_from_str(event->site->name);
	put(f, &record, texts);
}
