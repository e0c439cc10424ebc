/* The gate: see plane_fuzz.h. Absolute form and CONNECT, and whatever else is sent to it. All ports are strict, so that
 * nothing leaves this machine. */
#include "plane_fuzz.h"

static void write_policy(char *out, size_t room, unsigned front_at, unsigned origin_at)
{
	snprintf(out, room,
		 "listen = ( { address = \"127.0.0.1:1\"; } );"
		 "sites = ( { name = \"s\"; hosts = ( \"a.example\" ); origins = ( \"http://127.0.0.1:%u\" ); } );"
		 "egress = { proxy = \"0.0.0.0:%u\"; origins = ( \"127.0.0.1\" ); kernel = \"off\"; strikes = 1000;"
		 "allow = ( \"127.0.0.1:%u\", \"listed.example\" ); deny = ( \"denied.example\" ); strict_ports = ( \"1-65535\" );"
		 "limits = { requests = \"0/s\"; host_requests = \"0/s\"; bytes = \"1 GiB/s\"; }; };"
		 "timeouts = { connect = \"100 ms\"; }; rules = ();",
		 origin_at, front_at, origin_at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct plane gate = {.write_policy = write_policy, .is_gate = true};
	return plane_try(&gate, data, size);
}
