/* ClientHellos: any bytes give the same name whole and byte by byte, and a name is one that a Host field could
 * have and no address. */
#include <stdlib.h>
#include <string.h>

#include "head_fuzz.h"
#include "sallyport/client_hello.h"
#include "sallyport/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum hello_parse parse_copy(const uint8_t *data, size_t len, char name[SERVER_NAME_SIZE])
{
	char *copy = malloc(len ? len : 1);
	MUST(copy);
	memcpy(copy, data, len);
	enum hello_parse parse = client_hello_parse(span_of(copy, len), name);
	free(copy);
	MUST(parse != HELLO_UNSET && strlen(name) < SERVER_NAME_SIZE);
	MUST(parse == HELLO_DONE || name[0] == '\0');
	return parse;
}

static void check_name(const char *name)
{
	struct url_host host;
	struct addr addr;
	enum reason reason = REASON_UNSET;
	MUST(url_parse_host(span_from_str(name), &host, &reason));
	MUST(host.port == 0 && span_eq(host.name, span_from_str(name)));
	MUST(!addr_parse_ip(host.name, 0, &addr));
	for (const char *at = name; *at; at++)
		MUST(ascii_lower(*at) == *at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char whole[SERVER_NAME_SIZE], part[SERVER_NAME_SIZE] = "";
	enum hello_parse bytewise = HELLO_MORE;
	if (size > 4096)
		return 0;
	enum hello_parse parse = parse_copy(data, size, whole);
	for (size_t len = 0; len <= size && bytewise == HELLO_MORE; len++)
		bytewise = parse_copy(data, len, part);
	MUST(bytewise == parse && strcmp(whole, part) == 0);
	if (whole[0] != '\0')
		check_name(whole);
	return 0;
}
