/* A worker: see plane_fuzz.h. */
#include "plane_fuzz.h"

static void write_policy(char *out, size_t room, unsigned front_at, unsigned origin_at)
{
	snprintf(out, room,
		 "listen = ( { address = \"127.0.0.1:%u\"; } );"
		 "sites = ( { name = \"s\"; hosts = ( \"a.example\" ); origins = ( \"http://127.0.0.1:%u\" );"
		 "shield = { query_findings = { escape_invalid = \"rewrite\"; raw_byte = \"rewrite\"; };"
		 "cookie_findings = { escape_control = \"reject\"; }; field_findings = { escape_double = \"score\"; };"
		 "answers = ( { reasons = ( \"path-above-root\", \"content-too-large\" ); action = \"tarpit\"; },"
		 "{ reasons = ( \"escape-nul\" ); action = \"close\"; } ); limits = { body = \"4 KiB\"; };"
		 "throttle = { per_client = \"100000/s\"; burst = 1000000; strikes = 9; }; }; } );"
		 "default_site = \"s\"; rules = ();",
		 front_at, origin_at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct plane worker = {.write_policy = write_policy};
	return plane_try(&worker, data, size);
}
