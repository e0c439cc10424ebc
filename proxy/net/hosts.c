/* Finds names in a text like /etc/hosts. An operator wrote it: a line that makes no sense is passed
 * over, as everywhere. */
#include "net/hosts.h"

#include "sallyport/small_file.h"

char *hosts_read(const char *path, size_t *len)
{
	return small_file_read(path, HOSTS_BYTES_MAX, len);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes a word off a line; empty at its end, or where a comment begins. */
static struct span take_word(struct span *line)
{
	size_t len = 0;
	while (line->len > 0 && is_blank(line->ptr[0]))
		*line = span_from(*line, 1);
	while (len < line->len && !is_blank(line->ptr[len]) && line->ptr[len] != '#')
		len++;
	struct span word = span_of(line->ptr, len);
	*line = span_from(*line, len);
	return word;
}

static bool has_name(struct span line, struct span name)
{
	for (struct span word = take_word(&line); word.len > 0; word = take_word(&line))
		if (span_ieq(word, name))
			return true;
	return false;
}

unsigned hosts_find(struct span text, struct span name, uint16_t port,
		    struct addr out[RESOLVE_MAX_ADDRS])
{
	unsigned n = 0;
	while (text.len > 0 && n < RESOLVE_MAX_ADDRS) {
		struct span line = span_of(text.ptr, span_find(text, '\n'));
		text = span_from(text, line.len + 1);
		struct span address = take_word(&line);
		if (has_name(line, name) && addr_parse_ip(address, port, &out[n]))
			n++;
	}
	return n;
}
