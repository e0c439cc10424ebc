/* How old the rules are, as `status` and `check` say it. Being old is no error and no warning of a policy, which is as
 * right as it was when it was written: it is a state of the server. */
#include "sallyport/rules_age.h"

#include "sallyport/clock.h"

struct rules_age rules_age_of(const struct settings *settings)
{
	return (struct rules_age){.rules = settings->rule_count,
				  .max_age_ms = settings->rule_pack.max_age_ms,
				  .dates = settings->rules_dates};
}

uint64_t rules_age_made_s(const struct rules_age *age)
{
	return age->dates.pack[0] ? age->dates.pack_created_s : age->dates.updated_s;
}

static void add_date(struct json_writer *json, const char *key, uint64_t at_s)
{
	char iso[CLOCK_ISO_SIZE];
	clock_format_iso(at_s * 1000000, iso);
	memcpy(iso + 19, "Z", 2);
	json_add_text(json, key, span_from_str(iso));
}

static void add_age(const struct rules_age *age, uint64_t then_s, bool decides, uint64_t now_s, struct json_writer *json)
{
	uint64_t seconds = clock_since(then_s, now_s);
	json_add_number(json, "age_s", seconds);
	json_add_bool(json, "old", decides && age->max_age_ms > 0 && seconds > age->max_age_ms / 1000);
}

void rules_age_describe(const struct rules_age *age, uint64_t now_s, struct json_writer *json)
{
	const struct rules_dates *dates = &age->dates;
	json_open_object(json, "rules");
	json_add_number(json, "count", age->rules);
	json_add_number(json, "max_age_s", age->max_age_ms / 1000);
	if (dates->updated_s > 0) {
		add_date(json, "updated", dates->updated_s);
		add_age(age, dates->updated_s, !dates->pack[0], now_s, json);
	}
	if (dates->pack[0]) {
		json_open_object(json, "pack");
		json_add_text(json, "name", span_from_str(dates->pack));
		json_add_number(json, "version", dates->pack_version);
		json_add_number(json, "rules", dates->pack_rules);
		add_date(json, "created", dates->pack_created_s);
		add_age(age, dates->pack_created_s, true, now_s, json);
		json_close(json);
	}
	json_close(json);
}
