/* What commands print in the same way: documents and times. */
#include "cli/print.h"

#include <stdio.h>

#include "sallyport/clock.h"

bool cli_print_json(struct json_writer *json, size_t max, struct err *err)
{
	struct strbuf out;
	strbuf_init(&out, max);
	bool ok = json_end(json, &out);
	if (ok)
		printf("%s\n", out.data);
	strbuf_release(&out);
	return ok || err_set(err, "the answer is too long");
}

const char *cli_time(uint64_t time_s, char out[CLI_TIME_SIZE])
{
	char iso[CLOCK_ISO_SIZE];
	clock_format_iso(time_s * 1000000, iso);
	snprintf(out, CLI_TIME_SIZE, "%.19sZ", iso); /* without its milliseconds */
	if (time_s == 0)
		snprintf(out, CLI_TIME_SIZE, "-");
	return out;
}
