/* What matched in a request so far. */
#include "sallyport/rule.h"

void rule_tally_begin(struct rule_tally *tally)
{
	tally->hit_count = 0; /* hits lie behind it and are not read */
	tally->waiver_count = 0;
	tally->broken = false;
	tally->text_len = 0;
	memset(tally->met, 0, sizeof(tally->met));
}

void rule_tally_carry(struct rule_tally *to, const struct rule_tally *from)
{
	rule_tally_begin(to);
	to->hit_count = from->hit_count;
	to->waiver_count = from->waiver_count;
	to->broken = from->broken;
	memcpy(to->hits, from->hits, from->hit_count * sizeof(to->hits[0]));
	memcpy(to->waivers, from->waivers, from->waiver_count * sizeof(to->waivers[0]));
	memcpy(to->met, from->met, sizeof(to->met));
}

bool rule_tally_has(const struct rule_tally *tally, uint32_t rule)
{
	for (uint32_t i = 0; i < tally->hit_count; i++) {
		if (tally->hits[i].rule == rule)
			return true;
	}
	return false;
}
