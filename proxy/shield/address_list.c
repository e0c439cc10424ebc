/* Whether an address is in a list: in the list's own networks, else in a set that it names. */
#include "sallyport/address_set.h"

bool address_list_find(const struct address_list *list, const struct addr *addr, const struct address_set **set)
{
	*set = NULL;
	if (cidr_set_has(&list->own, addr))
		return true;
	for (size_t i = 0; i < list->set_count; i++) {
		if (cidr_set_has(&list->sets[i]->set, addr)) {
			*set = list->sets[i];
			return true;
		}
	}
	return false;
}

bool address_list_has(const struct address_list *list, const struct addr *addr)
{
	const struct address_set *set;
	return address_list_find(list, addr, &set);
}
