/* How old the rules are, for `status` and `check`. */
#include "cli/rules_age.h"

#include <inttypes.h>

#include "cli/control.h"

static void print_age(const struct json_value *of, const char *way_out)
{
	fputs(", ", stdout);
	control_print_duration(json_number(of, "age_s"));
	fputs(" old", stdout);
	if (json_bool(of, "old"))
		printf(": OLDER than rule_pack.max_age, %s", way_out);
	puts("");
}

static void print_day(const struct json_value *of, const char *key)
{
	struct span day = json_text(of, key, "-");
	control_print(stdout, span_of(day.ptr, day.len < 10 ? day.len : 10));
}

void rules_age_print(const struct json_value *rules)
{
	const struct json_value *pack = json_member(rules, "pack");
	if (!rules)
		return;
	printf("  rules         %" PRIu64, json_number(rules, "count"));
	if (json_text(rules, "updated", "").len > 0) {
		fputs(", files of ", stdout);
		print_day(rules, "updated");
		print_age(rules, "update sallyport, or install a pack by 'sallyport rules update'");
	} else {
		puts("");
	}
	if (!pack)
		return;
	fputs("                pack ", stdout);
	control_print(stdout, json_text(pack, "name", "-"));
	printf(" %" PRIu64 " with %" PRIu64 " of them, made ", json_number(pack, "version"), json_number(pack, "rules"));
	print_day(pack, "created");
	print_age(pack, "see 'sallyport rules update'");
}
