/* How the gate says no: to programs in a field that is made for it (RFC 9209), to whoever reads the answer in
 * plain words, with the setting that would have to be changed. */
#include "front/gate.h"

#include <stdio.h>

static const char *error_type(enum reason reason)
{
	switch (reason) {
	case REASON_EGRESS_PRIVATE: return "destination_ip_prohibited";
	case REASON_EGRESS_CONNECTIONS: return "connection_limit_reached";
	case REASON_ORIGIN_UNRESOLVED: return "dns_error";
	case REASON_ORIGIN_REFUSED: return "connection_refused";
	case REASON_ORIGIN_CONNECT_TIMEOUT: return "connection_timeout";
	case REASON_ORIGIN_CLOSED:
	case REASON_ORIGIN_TRUNCATED: return "connection_terminated";
	case REASON_ORIGIN_TIMEOUT:
	case REASON_ORIGIN_STALLED: return "connection_read_timeout";
	case REASON_ORIGIN_STATUS_LINE:
	case REASON_ORIGIN_HEAD:
	case REASON_ORIGIN_HEAD_TOO_LARGE:
	case REASON_ORIGIN_FRAMING:
	case REASON_ORIGIN_CHUNK:
	case REASON_ORIGIN_INTERIM: return "http_protocol_error";
	case REASON_OVERLOAD:
	case REASON_NO_SOCKET: return "proxy_internal_error";
	default: return reason >= REASON_EGRESS_CLIENT && reason <= REASON_EGRESS_CONNECTIONS ? "http_request_denied"
											      : "http_request_error";
	}
}

size_t gate_status(const struct exchange *x, char *out, size_t room)
{
	const struct verdict *verdict = &x->verdict;
	int n = snprintf(out, room, "Proxy-Status: " HTTP_PSEUDONYM "; error=%s; details=\"%s\"\r\n",
			 error_type(verdict->reason), reason_name(verdict->reason));
	return n < 0 || (size_t)n >= room ? 0 : (size_t)n;
}

size_t gate_page(const struct exchange *x, char *out, size_t room)
{
	const struct verdict *verdict = &x->verdict;
	char id[FRONT_ID_BYTES], limit[48] = "";
	log_format_request_id(x->id, id);
	if (verdict->limit > 0)
		snprintf(limit, sizeof(limit), " (%llu)", (unsigned long long)verdict->limit);
	int n = snprintf(out, room, "%u %s\n%s: %s\n%s%s%s%sid: %s\n", x->status, http_status_phrase(x->status),
			 reason_name(verdict->reason), reason_text(verdict->reason),
			 verdict->setting ? "setting: " : "", verdict->setting ? verdict->setting : "", limit,
			 verdict->setting ? "\n" : "", id);
	return n < 0 || (size_t)n >= room ? 0 : (size_t)n;
}
