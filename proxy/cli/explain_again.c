/* Judges a request that was kept by the policy in hand: has the exception, or whatever was changed, the effect that
 * was meant? Only where all of its head is there; secrets stand as so many "x". Content is not
 * kept, and who comes how often neither. */
#include "cli/explain_stored.h"

enum { HEAD_MAX = HTTP_HEAD_MAX };

/* The length of a mask, "[12 bytes]", that begins the text, and of what it hides; 0: there is none. */
static size_t mask_at(struct span text, uint64_t *hidden)
{
	size_t space = text.ptr[0] == '[' ? span_find(text, ' ') : text.len;
	struct span unit = span_from(text, space);
	size_t len = span_starts(unit, SPAN(" bytes]")) ? sizeof(" bytes]") - 1
		     : span_starts(unit, SPAN(" byte]")) ? sizeof(" byte]") - 1
							 : 0;
	bool is_mask = len > 0 && span_to_u64(span_of(text.ptr + 1, space - 1), HEAD_MAX, hidden);
	return is_mask ? space + len : 0;
}

void kept_unmask(struct strbuf *out, const struct evidence_piece *piece)
{
	for (struct span rest = piece->text; rest.len > 0;) {
		uint64_t hidden = 0;
		size_t len = piece->flags & EVIDENCE_MASKED ? mask_at(rest, &hidden) : 0;
		if (len == 0)
			strbuf_add_char(out, rest.ptr[0]);
		for (uint64_t i = 0; i < hidden; i++)
			strbuf_add_char(out, 'x');
		rest = span_from(rest, len > 0 ? len : 1);
	}
}

/* What follows a piece in a head; NULL: it is none of it. */
static const char *end_of(const struct kept *kept, enum evidence_kind kind)
{
	switch (kind) {
	case EVIDENCE_METHOD: return " ";
	case EVIDENCE_TARGET: return kept->head.version == HTTP_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
	case EVIDENCE_FIELD: return "\r\n";
	default: return NULL;
	}
}

/* False: it is not there to its last byte. */
static bool rebuild_head(struct explain *e, const struct kept *kept)
{
	struct evidence_reader reader = kept->reader;
	struct evidence_piece piece;
	if (kept->head.left_out > 0 || kept->head.version == HTTP_VERSION_UNSET)
		return false;
	strbuf_reset(&e->head);
	while (evidence_next(&reader, &piece)) {
		const char *end = end_of(kept, piece.kind);
		if (!end)
			continue;
		if (piece.flags & (EVIDENCE_CUT | EVIDENCE_NAME_CUT) || piece.bytes > HEAD_MAX)
			return false;
		strbuf_add_span(&e->head, piece.name);
		strbuf_add_str(&e->head, piece.kind == EVIDENCE_FIELD ? ": " : "");
		kept_unmask(&e->head, &piece);
		strbuf_add_str(&e->head, end);
	}
	strbuf_add_str(&e->head, "\r\n");
	return !e->head.truncated;
}

/* Without a word to the operator. */
static bool judge_again(struct explain *e, const struct kept *kept, explain_judge *judge, struct verdict *now)
{
	char client[ADDR_TEXT_SIZE];
	struct err err = {{0}};
	if (!rebuild_head(e, kept))
		return false;
	e->is_tls = kept->head.is_tls;
	if (has_address(kept)) {
		e->visitor = kept->head.client;
		client[addr_format_ip(&e->visitor, client)] = '\0';
		e->from = client;
	}
	e->is_mute = true;
	bool ok = judge(e, now, &err);
	e->is_mute = false;
	e->from = NULL;
	return ok;
}

static const char *verdict_word(const struct verdict *verdict)
{
	if (verdict->action == VERDICT_ALLOW)
		return "lets its head pass";
	return verdict->enforced ? "refuses it" : "would refuse it, and only watches";
}

void explain_again(struct explain *e, const struct kept *kept, const struct verdict *then,
		   explain_judge *judge)
{
	struct verdict now = {0};
	if (!judge_again(e, kept, judge, &now)) {
		explain_sayf(e, "now", NULL, "not judged again: not all of its head was kept");
		return;
	}
	bool is_alike = now.action == then->action && now.enforced == then->enforced && now.reason == then->reason;
	const char *rule = now.rule && then->rule && strcmp(now.rule, then->rule) != 0 ? now.rule : NULL;
	if (is_alike && !rule)
		explain_sayf(e, "now", NULL, "this policy judges it alike");
	else
		explain_sayf(e, "now", NULL, "this policy %s%s%s%s%s", verdict_word(&now),
			     now.action == VERDICT_ALLOW ? "; its content, and how often the client asked, are not judged again"
							 : ", reason ",
			     now.action == VERDICT_ALLOW ? "" : reason_name(now.reason), rule ? "; rule " : "", rule ? rule : "");
}
