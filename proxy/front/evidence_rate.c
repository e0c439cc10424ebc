/* How many records of evidence a worker makes: a flood costs it a look at two counters each. */
#include "front/evidence.h"

/* Two keys in one cell are counted together. */
static struct evidence_rate_cell *cell_of(struct evidence_rate *rate, uint64_t key)
{
	return &rate->cells[(key ^ key >> 32) % EVIDENCE_RATE_CELLS];
}

bool evidence_rate_take(struct evidence_rate *rate, uint64_t key, uint64_t second, uint64_t per_second,
			uint32_t *skipped)
{
	struct evidence_rate_cell *cell = cell_of(rate, key);
	if (rate->second != second) {
		rate->second = second;
		rate->kept = 0;
	}
	if (cell->second != second) {
		cell->second = second;
		cell->kept = 0;
	}
	if (cell->kept >= per_second || rate->kept >= EVIDENCE_RATE_ALL * per_second) {
		cell->skipped += cell->skipped < UINT32_MAX;
		return false;
	}
	rate->kept++;
	cell->kept++;
	*skipped = cell->skipped;
	cell->skipped = 0;
	return true;
}
