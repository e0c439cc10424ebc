/* How many distinct names an origin may ask for. What it had lately is known by its hash; what is admitted takes
 * the place of the oldest, so nothing is ever full, and what is refused displaces nothing. */
#include "sallyport/egress_dns.h"

static bool is_known(const struct egress_asked *asked, uint64_t hash)
{
	for (size_t i = 0; i < EGRESS_ASKED_KEPT; i++)
		if (asked->names[i] == hash)
			return true;
	return false;
}

static bool takes_a_turn(struct egress_asked *asked, const struct egress_rate *rate, uint64_t now_us)
{
	if (egress_rate_wait_us(rate, asked->tat_us, now_us) > 0)
		return false;
	egress_rate_use(rate, &asked->tat_us, 1, now_us);
	return true;
}

bool egress_asked_admit(struct egress_asked *asked, const struct egress_rate *rate, enum egress_stage stage, uint64_t hash,
			uint64_t now_us)
{
	hash |= 1; /* 0 is an empty place */
	if (is_known(asked, hash))
		return true;
	if (stage != EGRESS_FREE || !takes_a_turn(asked, rate, now_us))
		return false;
	asked->names[asked->next++ % EGRESS_ASKED_KEPT] = hash;
	return true;
}
