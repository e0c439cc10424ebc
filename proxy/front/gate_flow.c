/* Bytes a second, each way, of an origin in all and with each host: by not reading faster. What is not read
 * fills the sender's window, and no byte is lost. A reading that has to wait is taken up by the exchange's
 * timer, in pieces that are worth waking up for. */
#include "front/gate.h"

enum { BURST_US = 250000, PIECE_BYTES = 65536, PIECES_PER_S = 50 };

/* Bytes that may pass now. */
static uint64_t room_of(uint64_t tat_us, uint64_t per_s, uint64_t now_us)
{
	uint64_t ahead = tat_us > now_us ? tat_us - now_us : 0;
	if (per_s == 0)
		return UINT64_MAX;
	return ahead >= BURST_US ? 0 : (BURST_US - ahead) * per_s / 1000000;
}

static uint64_t piece_of(uint64_t per_s)
{
	uint64_t piece = per_s / PIECES_PER_S;
	return piece == 0 ? 1 : piece < PIECE_BYTES ? piece : PIECE_BYTES;
}

/* When there is room for a piece. */
static uint64_t until_us(uint64_t tat_us, uint64_t per_s)
{
	uint64_t takes_us = piece_of(per_s) * 1000000 / per_s + 1;
	return tat_us + takes_us - BURST_US;
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
	visit->resume_ms[way] = held_us == 0 ? 0 : held_us / 1000 + 1;
	return held_us == 0 ? (size_t)room : 0;
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

bool gate_is_held(const struct visit *visit, enum gate_way way)
{
	return visit->resume_ms[way] != 0;
}

void gate_has_read(struct visit *visit, enum gate_way way, size_t bytes)
{
	const struct egress_policy *policy = visit->origin->gate->policy;
	uint64_t now_us = loop_now_us(visit->x->front->loop);
	use(&visit->origin->use, way, policy->origin_bytes_per_s, bytes, now_us);
	if (visit->host)
		use(&visit->host->use, way, policy->host_bytes_per_s, bytes, now_us);
}

uint64_t gate_resumes_ms(const struct visit *visit)
{
	uint64_t at_ms = UINT64_MAX;
	for (int way = 0; way < GATE_WAYS; way++) {
		if (visit->resume_ms[way] != 0 && visit->resume_ms[way] < at_ms)
			at_ms = visit->resume_ms[way];
	}
	return at_ms;
}
