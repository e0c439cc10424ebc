/* Sends what lies ready in memory, a piece at a time: a client that reads slowly makes us keep the
 * content, which others may use too, and no copy of it. */
#include "front/guard.h"

enum { PIECE_BYTES = 64 << 10, PIECES_PER_TURN = 16 };

static struct span next_piece(struct page *page, size_t most)
{
	uint64_t left = page->out_end - page->out_at;
	size_t len = left < most ? (size_t)left : most;
	if (len == 0)
		return span_of(NULL, 0);
	struct span piece = span_of(page->out->bytes + page->out_at, len);
	page->out_at += len;
	return piece;
}

bool guard_send_head(struct exchange *x, size_t head_len)
{
	return response_send(x, head_len, next_piece(x->page, PIECE_BYTES));
}

enum pump guard_send(struct exchange *x)
{
	for (int i = 0; i < PIECES_PER_TURN; i++) {
		if (!client_flush(x))
			return PUMP_FAIL;
		if (x->down_pending.len > 0)
			return PUMP_WAIT;
		if (x->page->out_at == x->page->out_end)
			return PUMP_END;
		size_t room = reply_may_pass(x, PIECE_BYTES);
		if (room == 0)
			return PUMP_WAIT;
		struct span piece = next_piece(x->page, room);
		if (!response_send(x, 0, piece))
			return PUMP_FAIL;
	}
	return PUMP_AGAIN;
}
