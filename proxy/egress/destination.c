/* A destination as a text: one spelling for logs, for what is learned, and for who writes it by hand. */
#include "sallyport/egress.h"

#include <stdio.h>

#include "sallyport/url.h"

void egress_destination_text(const struct egress_destination *destination, char out[EGRESS_DESTINATION_SIZE])
{
	const bool is_ipv6 = destination->is_literal && span_find(destination->host, ':') < destination->host.len;
	snprintf(out, EGRESS_DESTINATION_SIZE, is_ipv6 ? "[%.*s]:%u" : "%.*s:%u", SPAN_ARG(destination->host),
		 destination->port);
}

bool egress_destination_read(struct span text, char out[EGRESS_DESTINATION_SIZE], struct err *err)
{
	char address[ADDR_TEXT_SIZE];
	struct url_host host;
	enum reason reason;
	if (!url_parse_host(text, &host, &reason) || host.name.len == 0)
		return err_set(err, "\"%.*s\" is no host with a port, such as packages.example:443", SPAN_ARG(text));
	if (host.port == 0)
		return err_set(err, "\"%.*s\" has no port: write %.*s:443", SPAN_ARG(text), SPAN_ARG(host.name));
	struct egress_destination destination = {.host = url_host_bare(&host), .port = host.port};
	destination.is_literal = addr_parse_ip(destination.host, host.port, &destination.addr);
	if (destination.is_literal)
		destination.host = span_of(address, addr_format_ip(&destination.addr, address));
	egress_destination_text(&destination, out);
	for (char *c = out; *c; c++)
		*c = ascii_lower(*c);
	return true;
}
