/* The networks of some countries, out of a MaxMind database (https://maxmind.github.io/MaxMind-DB/): its tree of
 * addresses is walked once, in order, where the policy is compiled. Trusts nothing in the file: libmaxminddb checks
 * its offsets, and the walk ends after as many steps as a tree of so many nodes can take.
 *
 * IPv4 stands below ::/96 in the tree. That part is reached by other ways too (::ffff:0:0/96, 2002::/16, 2001::/32),
 * which are left out: a visitor's address is IPv4 or it is not. */
#include <errno.h>
#include <maxminddb.h>
#include <string.h>
#include <sys/stat.h>

#include "shield/address_ranges.h"

enum {
	DEPTH_MAX = 128,
	V4_DEPTH = 96,
	MEMO = 1024, /* a power of two: records are shared by many networks */
};

/* What was found at an offset of the data section. */
struct memo {
	uint32_t offset;
	bool is_known, is_wanted;
};

struct walk {
	MMDB_s *db;
	const char *const *countries;
	size_t country_count;
	struct address_ranges *ranges;
	struct err *err;
	uint64_t steps_left;
	struct memo memo[MEMO];
};

/* A record that is to be looked at: of the network that these bits begin. */
struct branch {
	uint8_t bits[16];
	unsigned depth;
	uint64_t record;
	uint8_t type;
	MMDB_entry_s entry;
};

static bool is_listed(const struct walk *walk, const MMDB_entry_data_s *code)
{
	for (size_t i = 0; i < walk->country_count; i++) {
		if (code->data_size == 2 && memcmp(code->utf8_string, walk->countries[i], 2) == 0)
			return true;
	}
	return false;
}

static bool ask(struct walk *walk, MMDB_entry_s *entry, bool *is_wanted)
{
	MMDB_entry_data_s code;
	int status = MMDB_get_value(entry, &code, "country", "iso_code", NULL);
	*is_wanted = status == MMDB_SUCCESS && code.has_data && code.type == MMDB_DATA_TYPE_UTF8_STRING &&
		     is_listed(walk, &code);
	if (status == MMDB_SUCCESS || status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
		return true;
	return err_set(walk->err, "%s", MMDB_strerror(status));
}

static bool is_wanted(struct walk *walk, MMDB_entry_s *entry, bool *answer)
{
	struct memo *memo = &walk->memo[entry->offset & (MEMO - 1)];
	if (!memo->is_known || memo->offset != entry->offset) {
		*memo = (struct memo){.offset = entry->offset, .is_known = true};
		if (!ask(walk, entry, &memo->is_wanted))
			return false;
	}
	*answer = memo->is_wanted;
	return true;
}

/* As struct cidr has it: IPv4 as ::ffff:a.b.c.d. True: it is IPv4. */
static bool map_network(const struct walk *walk, const struct branch *branch, struct cidr *cidr)
{
	static const uint8_t zeros[12];
	*cidr = (struct cidr){.prefix = (uint8_t)branch->depth};
	if (walk->db->metadata.ip_version == 4) {
		memcpy(cidr->bytes + 12, branch->bits, 4);
		cidr->prefix = (uint8_t)(V4_DEPTH + branch->depth);
	} else {
		memcpy(cidr->bytes, branch->bits, sizeof(cidr->bytes));
	}
	if (cidr->prefix < V4_DEPTH || memcmp(cidr->bytes, zeros, sizeof(zeros)) != 0)
		return false;
	memset(cidr->bytes + 10, 0xff, 2);
	return true;
}

static bool add(struct walk *walk, const struct cidr *cidr)
{
	enum address_ranges_result result = address_ranges_add(walk->ranges, cidr);
	return result == ADDRESS_RANGES_ADDED || address_ranges_explain(result, walk->ranges, walk->err);
}

/* All of IPv4 may lie within a leaf that is less deep. */
static bool covers_v4(const struct branch *branch)
{
	static const uint8_t zeros[16];
	return branch->depth < V4_DEPTH && memcmp(branch->bits, zeros, sizeof(zeros)) == 0;
}

static bool take_leaf(struct walk *walk, struct branch *branch)
{
	bool wanted = false;
	if (!is_wanted(walk, &branch->entry, &wanted))
		return false;
	if (!wanted)
		return true;
	struct cidr cidr;
	const struct cidr all_v4 = {.bytes = {[10] = 0xff, [11] = 0xff}, .prefix = V4_DEPTH};
	bool is_v4 = map_network(walk, branch, &cidr);
	return add(walk, &cidr) && (is_v4 || !covers_v4(branch) || add(walk, &all_v4));
}

/* Another way to what stands below ::/96. */
static bool is_alias(const struct walk *walk, const struct branch *branch)
{
	static const uint8_t zeros[16];
	return walk->db->metadata.ip_version == 6 && branch->depth > 0 && walk->db->ipv4_start_node.netmask == V4_DEPTH &&
	       branch->record == walk->db->ipv4_start_node.node_value &&
	       !(branch->depth == V4_DEPTH && memcmp(branch->bits, zeros, sizeof(zeros)) == 0);
}

static void set_bit(struct branch *branch)
{
	branch->bits[branch->depth / 8] |= (uint8_t)(0x80 >> branch->depth % 8);
}

/* Puts both halves on the stack, the upper one below: leaves come in order. */
static bool open_node(struct walk *walk, const struct branch *branch, struct branch *stack, unsigned *n)
{
	MMDB_search_node_s node;
	const unsigned deepest = walk->db->metadata.ip_version == 4 ? 32 : DEPTH_MAX;
	if (branch->depth >= deepest || walk->steps_left-- == 0)
		return err_set(walk->err, "its tree is none");
	int status = MMDB_read_node(walk->db, (uint32_t)branch->record, &node);
	if (status != MMDB_SUCCESS)
		return err_set(walk->err, "%s", MMDB_strerror(status));
	struct branch right = *branch, left = *branch;
	set_bit(&right);
	right.depth = left.depth = branch->depth + 1;
	right.record = node.right_record, right.type = node.right_record_type, right.entry = node.right_record_entry;
	left.record = node.left_record, left.type = node.left_record_type, left.entry = node.left_record_entry;
	stack[(*n)++] = right;
	stack[(*n)++] = left;
	return true;
}

static bool take(struct walk *walk, struct branch *branch, struct branch *stack, unsigned *n)
{
	switch (branch->type) {
	case MMDB_RECORD_TYPE_EMPTY: return true;
	case MMDB_RECORD_TYPE_DATA: return take_leaf(walk, branch);
	case MMDB_RECORD_TYPE_SEARCH_NODE: return is_alias(walk, branch) || open_node(walk, branch, stack, n);
	default: return err_set(walk->err, "a record of its tree leads nowhere");
	}
}

static bool walk_tree(struct walk *walk)
{
	struct branch stack[DEPTH_MAX + 2] = {{.type = MMDB_RECORD_TYPE_SEARCH_NODE}};
	unsigned n = 1;
	while (n > 0) {
		struct branch branch = stack[--n];
		if (!take(walk, &branch, stack, &n))
			return false;
	}
	return true;
}

bool address_countries_read(const char *path, const char *const *countries, size_t n,
			    struct address_ranges *ranges, struct err *err)
{
	MMDB_s db;
	int status = MMDB_open(path, MMDB_MODE_MMAP, &db);
	if (status == MMDB_IO_ERROR)
		return err_set(err, "%s", strerror(errno));
	if (status != MMDB_SUCCESS)
		return err_set(err, "%s", MMDB_strerror(status));
	struct walk walk = {.db = &db, .countries = countries, .country_count = n, .ranges = ranges, .err = err,
			    .steps_left = db.metadata.node_count};
	bool ok = walk_tree(&walk);
	MMDB_close(&db);
	return ok;
}
