/* Rates of egress (GCRA), of what one process counts: the theoretical arrival time of the next unit is all that is kept. */
#include "sallyport/egress.h"

uint64_t egress_rate_wait_us(const struct egress_rate *rate, uint64_t tat_us, uint64_t now_us)
{
	uint64_t ahead_us = tat_us > now_us ? tat_us - now_us : 0;
	return rate->interval_us == 0 || ahead_us <= rate->tolerance_us ? 0 : ahead_us - rate->tolerance_us;
}

void egress_rate_use(const struct egress_rate *rate, uint64_t *tat_us, uint64_t n, uint64_t now_us)
{
	*tat_us = (*tat_us > now_us ? *tat_us : now_us) + n * rate->interval_us;
}
