/* Counters and quotas straight from netlink (linux/netfilter/nf_tables.h). libnftables would ask for each set
 * of the table before it answers, which for many origins takes a quarter of a second. */
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "egress/kernel_netlink.h"
#include "sallyport/big_endian.h"
#include "sallyport/kernel_nft.h"

enum { TABLE_SIZE = 64 };

int kernel_counters_open(struct err *err)
{
	return netlink_open(NETLINK_NETFILTER, err);
}

static uint64_t number_in(const char *bytes, size_t len, unsigned type)
{
	size_t value_len;
	const char *at = netlink_find(bytes, len, type, &value_len);
	return at && value_len == sizeof(uint64_t) ? big64_at(at) : 0;
}

struct reader {
	bool is_quota;
	void (*each)(void *context, const struct kernel_counter *counter);
	void *context;
};

static void take_object(void *context, const char *header, const char *bytes, size_t len)
{
	const struct reader *reader = context;
	size_t name_len, data_len;
	const char *name = netlink_find(bytes, len, NFTA_OBJ_NAME, &name_len);
	const char *data = netlink_find(bytes, len, NFTA_OBJ_DATA, &data_len);
	(void)header;
	if (!name || !data || !memchr(name, '\0', name_len))
		return;
	struct kernel_counter counter = {.name = name};
	if (reader->is_quota) {
		counter.bytes = number_in(data, data_len, NFTA_QUOTA_CONSUMED);
	} else {
		counter.packets = number_in(data, data_len, NFTA_COUNTER_PACKETS);
		counter.bytes = number_in(data, data_len, NFTA_COUNTER_BYTES);
	}
	reader->each(reader->context, &counter);
}

bool kernel_counters_read(int fd, const char *table, bool is_quota,
			  void (*each)(void *context, const struct kernel_counter *counter), void *context,
			  struct err *err)
{
	const struct nfgenmsg family = {.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0};
	const uint32_t type = htobe32(is_quota ? NFT_OBJECT_QUOTA : NFT_OBJECT_COUNTER);
	struct reader reader = {.is_quota = is_quota, .each = each, .context = context};
	const struct netlink_reader objects = {.type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWOBJ,
					       .header_len = sizeof(family),
					       .each = take_object,
					       .context = &reader};
	struct netlink_question question;
	if (strlen(table) >= TABLE_SIZE)
		return err_set(err, "the name of a table is too long");
	netlink_begin(&question, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ, NLM_F_DUMP, &family, sizeof(family));
	netlink_add(&question, NFTA_OBJ_TABLE, table, strlen(table) + 1);
	netlink_add(&question, NFTA_OBJ_TYPE, &type, sizeof(type));
	/* what has changed meanwhile is counted next time */
	return netlink_talk(fd, &question, &objects) || errno == EINTR ||
	       err_set(err, "cannot read the counters: %s", strerror(errno));
}
