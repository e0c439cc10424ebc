/* Bytes a second, each way, of an origin in all and with each host: by not reading faster. What is not read
 * fills the sender's window, and no byte is lost. A reading that has to wait is taken up by the exchange's
 * timer, in pieces that are worth waking up for. */
#include "front/gate.h"

enum { BURST_US = 250000, PIECE_BYTES = 65536, PIECES_PER_S = 50 };

static uint64_t piece_of(uint64_t per_s)
{
	uint64_t piece = per_s / PIECES_PER_S;
	return piece == 0 ? 1 : piece < PIECE_BYTES ? piece : PIECE_BYTES;
}

static uint64_t piece_us(uint64_t per_s)
{
	return piece_of(per_s) * 1000000 / per_s + 1;
}

/* No less than a piece, whatever the rate. */
static uint64_t burst_us(uint64_t per_s)
{
	return piece_us(per_s) > BURST_US ? piece_us(per_s) : BURST_US;
}

/* Bytes that may pass now. */
static uint64_t room_of(uint64_t tat_us, uint64_t per_s, uint64_t now_us)
{
	uint64_t ahead = tat_us > now_us ? tat_us - now_us : 0;
	if (per_s == 0)
		return UINT64_MAX;
	return ahead >= burst_us(per_s) ? 0 : (burst_us(per_s) - ahead) * per_s / 1000000;
}

/* When there is room for a piece. */
static uint64_t until_us(uint64_t tat_us, uint64_t per_s)
{
	return tat_us + piece_us(per_s) - burst_us(per_s);
}

/* 0: at once. */
static uint64_t held_until_us(const struct gate_use *use, enum gate_way way, uint64_t per_s, uint64_t now_us,
			      uint64_t *room)
{
	uint64_t now_room = room_of(use->bytes_tat_us[way], per_s, now_us);
	*room = now_room < *room ? now_room : *room;
	return per_s == 0 || now_room >= piece_of(per_s) ? 0 : until_us(use->bytes_tat_us[way], per_s);
}

size_t gate_may_read(struct visit *visit, enum gate_way way, size_t wanted)
{
	const struct egress_policy *policy = visit->origin->gate->policy;
	uint64_t now_us = loop_now_us(visit->x->front->loop), room = wanted;
	uint64_t held_us = held_until_us(&visit->origin->use, way, policy->origin_bytes_per_s, now_us, &room);
	if (visit->host) {
		uint64_t of_host_us =
		    held_until_us(&visit->host->use, way, policy->host_bytes_per_s, now_us, &room);
		held_us = of_host_us > held_us ? of_host_us : held_us;
	}
	if (visit->is_relay && way == GATE_OUT) {
		uint64_t of_mail_us = gate_mail_held_us(visit, now_us, &room);
		held_us = of_mail_us > held_us ? of_mail_us : held_us;
	}
	if (held_us > 0)
		return flow_hold(visit->x, way, held_us);
	visit->x->resume_ms[way] = 0;
	return (size_t)room;
}

static void use(struct gate_use *use, enum gate_way way, uint64_t per_s, uint64_t bytes, uint64_t now_us)
{
	uint64_t *tat_us = &use->bytes_tat_us[way];
	if (per_s > 0)
		*tat_us = (*tat_us > now_us ? *tat_us : now_us) + bytes * 1000000 / per_s;
}

bool gate_listens(const struct visit *visit)
{
	return visit->is_relay;
}

void gate_has_read(struct visit *visit, enum gate_way way, size_t bytes)
{
	const struct egress_policy *policy = visit->origin->gate->policy;
	uint64_t now_us = loop_now_us(visit->x->front->loop);
	use(&visit->origin->use, way, policy->origin_bytes_per_s, bytes, now_us);
	if (visit->host)
		use(&visit->host->use, way, policy->host_bytes_per_s, bytes, now_us);
}
