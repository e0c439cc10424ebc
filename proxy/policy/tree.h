#ifndef SALLYPORT_POLICY_TREE_H
#define SALLYPORT_POLICY_TREE_H

#include "sallyport/policy.h"

/* A policy as it was written: values with the place where they stand. */

enum node_type {
	NODE_UNSET = 0,
	NODE_GROUP,
	NODE_LIST, /* "( … )" and "[ … ]" alike */
	NODE_STRING,
	NODE_NUMBER,
	NODE_FRACTION, /* no setting takes one: its value is not kept */
	NODE_BOOL,
};

struct node {
	const char *name; /* NULL in a list */
	enum node_type type;
	struct policy_where where;
	const char *string;
	int64_t number;        /* NODE_BOOL: 0 or 1 */
	struct node *children; /* in order, by next */
	size_t child_count;
	struct node *next;
};

/* Parses a file (path) or text (under a name) into a group. NULL: the errors are reported. */
struct node *tree_read(const char *path, const char *text, const char *name,
		       struct policy_context *context);
/* The member of a group; NULL where there is none. */
struct node *tree_find(const struct node *group, const char *name);
/* Settings of `winner` replace or join those of `group`; groups are merged, all else is replaced. */
void tree_overlay(struct node *group, struct node *winner);
/* Settings of `other` that group does not have at all join it. */
void tree_fill(struct node *group, struct node *other);

#endif
