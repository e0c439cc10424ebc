/* Who the visitor is, where trusted proxies stand before us: X-Forwarded-For is
 * read from the right, and the first address that is not a trusted proxy is the
 * visitor. What stands further left may be anybody's invention. */
#include "front/front.h"

bool is_in(const struct cidr *networks, size_t n, const struct addr *addr)
{
	for (size_t i = 0; i < n; i++) {
		if (cidr_has(&networks[i], addr))
			return true;
	}
	return false;
}

bool is_trusted(const struct settings *settings, const struct addr *addr)
{
	return is_in(settings->trusted, settings->trusted_count, addr);
}

/* The last element of a comma-separated list, taken off it. */
static struct span take_last(struct span *list)
{
	size_t start = list->len;
	while (start > 0 && list->ptr[start - 1] != ',')
		start--;
	struct span last = span_trim_ows(span_from(*list, start));
	list->len = start > 0 ? start - 1 : 0;
	return last;
}

/* Walks one field's list; true where the visitor was found, or the trail ends. */
static bool walk(const struct settings *settings, struct span list, struct addr *visitor)
{
	while (list.len > 0) {
		struct addr addr;
		struct span element = take_last(&list);
		if (!addr_parse_ip(element, 0, &addr))
			return true;
		*visitor = addr;
		if (!is_trusted(settings, &addr))
			return true;
	}
	return false;
}

struct addr visitor_of(const struct settings *settings, const struct addr *peer,
		       const struct http_head *head)
{
	struct addr visitor = *peer;
	for (unsigned i = head->field_count; i-- > 0;) {
		if (head->fields[i].id == HTTP_FIELD_X_FORWARDED_FOR &&
		    walk(settings, http_field_value(head, &head->fields[i]), &visitor))
			break;
	}
	return visitor;
}
