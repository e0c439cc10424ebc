/* Lists of networks from files: whatever the text, what is not taken is said with its line, and the set that comes of it is sorted,
 * bounded, and has the first address of each network that was taken. */
#include "head_fuzz.h"
#include "shield/address_ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NETWORKS_MAX = 100 };

struct told {
	unsigned line, lines;
};

static void on_bad(void *context, unsigned line, const char *text)
{
	struct told *told = context;
	MUST(text[0] != '\0');
	MUST(line > told->line && line <= told->lines);
	told->line = line;
}

static bool is_after(const struct cidr_range *range, const struct cidr_range *before)
{
	return range->first.high != before->last.high ? range->first.high > before->last.high
						      : range->first.low > before->last.low;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct address_ranges ranges = {.max = NETWORKS_MAX};
	struct told told = {.lines = 1};
	struct err err = {{0}};
	for (size_t i = 0; i < size; i++)
		told.lines += data[i] == '\n';
	MUST(address_file_parse(text, &ranges, on_bad, &told, &err) || err.text[0] != '\0');
	MUST(ranges.n <= NETWORKS_MAX);
	struct cidr_set set = cidr_set_of(ranges.items, ranges.n);
	for (size_t i = 1; i < set.n; i++)
		MUST(is_after(&set.ranges[i], &set.ranges[i - 1]));
	address_ranges_release(&ranges);
	return 0;
}
