#ifndef SALLYPORT_ADDRESS_SET_H
#define SALLYPORT_ADDRESS_SET_H

#include "sallyport/cidr_set.h"
#include "sallyport/policy.h"

/* Addresses that a policy gives a name to, so that its lists can say "set:NAME" instead of networks: from the policy
 * itself, from files, from a MaxMind database by country. All are read where the policy is compiled, and
 * become ranges: nothing is opened, and no database asked, while requests are judged. What is bad in a file is an
 * error of the policy, with the file and its line. */

/* One of address_sets. */
struct address_set {
	const char *name;
	struct policy_strings networks, files, countries;
	const char *database;
	uint64_t file_max;     /* bytes of each file */
	uint64_t networks_max; /* ranges, once those that touch are joined */
	struct policy_where where;
	struct cidr_set set; /* in the arena */
};

extern const struct schema address_set_schema;

/* A list of a policy that may name sets. */
struct address_list {
	struct policy_strings texts; /* networks, and "set:NAME" */
	struct cidr_set own;
	const struct address_set **sets; /* set_count of them */
	size_t set_count;
};

/* Compiles what are networks; reports by the setting's name. Sets are missing until they are linked. */
void address_list_compile(struct address_list *list, const char *setting, struct policy_where where,
			  struct policy_context *context);
/* Finds the sets among `sets` (of struct address_set); one that is not there is reported, with `where` it was named:
 * "sites[0].shield.deny_addresses". */
void address_list_link(struct address_list *list, const struct policy_list *sets, const char *named,
		       struct policy_context *context);
/* Names of sets have to differ. */
void address_sets_check(const struct policy_list *sets, struct policy_context *context);

/* It names something, whether or not that has any address. */
static inline bool address_list_is_set(const struct address_list *list)
{
	return list->texts.n > 0;
}
bool address_list_has(const struct address_list *list, const struct addr *addr);
/* The same; *set: the set that has it, NULL where the list does by itself. */
bool address_list_find(const struct address_list *list, const struct addr *addr,
		       const struct address_set **set);

#endif
