/* What stands in a table, by name, straight from netlink (linux/netfilter/nf_tables.h). libnftables would ask for each
 * set's elements before it answers. */
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "egress/kernel_netlink.h"
#include "sallyport/kernel_nft.h"

enum { TABLE_SIZE = 64 };

/* How the kernel asks and answers for a kind; objects are told apart by their type, which is 0 of what is none. */
struct kind {
	uint8_t ask, answer;
	uint16_t table, name, flags;
	uint32_t object;
};

static const struct kind kinds[] = {
    [KERNEL_CHAIN] = {NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, 0, 0},
    [KERNEL_SET] = {NFT_MSG_GETSET, NFT_MSG_NEWSET, NFTA_SET_TABLE, NFTA_SET_NAME, NFTA_SET_FLAGS, 0},
    [KERNEL_LIMIT] = {NFT_MSG_GETOBJ, NFT_MSG_NEWOBJ, NFTA_OBJ_TABLE, NFTA_OBJ_NAME, 0, NFT_OBJECT_LIMIT},
    [KERNEL_QUOTA] = {NFT_MSG_GETOBJ, NFT_MSG_NEWOBJ, NFTA_OBJ_TABLE, NFTA_OBJ_NAME, 0, NFT_OBJECT_QUOTA},
    [KERNEL_COUNTER] = {NFT_MSG_GETOBJ, NFT_MSG_NEWOBJ, NFTA_OBJ_TABLE, NFTA_OBJ_NAME, 0, NFT_OBJECT_COUNTER},
};

struct reader {
	const struct kind *kind;
	const char *table;
	void (*each)(void *context, const char *name);
	void *context;
};

static const char *text_in(const char *bytes, size_t len, unsigned type)
{
	size_t text_len;
	const char *text = netlink_find(bytes, len, type, &text_len);
	return text && memchr(text, '\0', text_len) ? text : "";
}

/* Sets of rules' own, and maps, are none that we have made by name. */
static bool is_a_named_set(const struct kind *kind, const char *bytes, size_t len)
{
	uint32_t flags = 0;
	size_t flags_len;
	const char *at = kind->flags ? netlink_find(bytes, len, kind->flags, &flags_len) : NULL;
	if (at && flags_len == sizeof(flags))
		memcpy(&flags, at, sizeof(flags));
	return (be32toh(flags) & (NFT_SET_ANONYMOUS | NFT_SET_MAP)) == 0;
}

static void take_name(void *context, const char *header, const char *bytes, size_t len)
{
	const struct reader *reader = context;
	const char *name = text_in(bytes, len, reader->kind->name);
	(void)header;
	if (name[0] != '\0' && strcmp(text_in(bytes, len, reader->kind->table), reader->table) == 0 &&
	    is_a_named_set(reader->kind, bytes, len))
		reader->each(reader->context, name);
}

bool kernel_objects_read(int fd, bool is_bridge, const char *table, enum kernel_object of,
			 void (*each)(void *context, const char *name), void *context, struct err *err)
{
	const struct kind *kind = &kinds[of];
	const struct nfgenmsg family = {.nfgen_family = is_bridge ? NFPROTO_BRIDGE : NFPROTO_INET, .version = NFNETLINK_V0};
	const uint32_t type = htobe32(kind->object);
	struct reader reader = {kind, table, each, context};
	const struct netlink_reader names = {.type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | kind->answer),
					     .header_len = sizeof(family),
					     .each = take_name,
					     .context = &reader};
	struct netlink_question question;
	if (strlen(table) >= TABLE_SIZE)
		return err_set(err, "the name of a table is too long");
	netlink_begin(&question, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | kind->ask), NLM_F_DUMP, &family, sizeof(family));
	if (kind->object != 0) {
		netlink_add(&question, NFTA_OBJ_TABLE, table, strlen(table) + 1);
		netlink_add(&question, NFTA_OBJ_TYPE, &type, sizeof(type));
	}
	return netlink_talk(fd, &question, &names) || errno == ENOENT ||
	       err_set(err, "cannot read what is in the kernel's table: %s", strerror(errno));
}
