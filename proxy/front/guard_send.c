/* Sends what lies ready in memory, a piece at a time: a client that reads slowly makes us keep the
 * content, which others may use too, and no copy of it. */
#include "front/guard.h"

enum { PIECE_BYTES = 64 << 10, PIECES_PER_TURN = 16 };

static struct span next_piece(struct page *page)
{
	uint64_t left = page->out_end - page->out_at;
	size_t len = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
	if (len == 0)
		return span_of(NULL, 0);
	struct span piece = span_of(page->out->bytes + page->out_at, len);
	page->out_at += len;
	return piece;
}

bool guard_send_head(struct exchange *x, size_t head_len)
{
	return response_send(x, head_len, next_piece(x->page));
}

enum pump guard_send(struct exchange *x)
{
	for (int i = 0; i < PIECES_PER_TURN; i++) {
		if (!client_flush(x))
			return PUMP_FAIL;
		if (x->down_pending.len > 0)
			return PUMP_WAIT;
		struct span piece = next_piece(x->page);
		if (piece.len == 0)
			return PUMP_END;
		if (!response_send(x, 0, piece))
			return PUMP_FAIL;
	}
	return PUMP_AGAIN;
}
