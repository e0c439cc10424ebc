/* slow: looks for values that cost the rules that come with sallyport most time for their length.
 *
 *   slow [SECONDS [SEED]]        30 seconds, seed 1
 *
 * A value is a unit over and over between two ends. It begins with pieces of attacks, and from then on changes the
 * worst that it knows: a piece or a byte is put in, taken out, or put in another's place, ends and units change places.
 * The worst are printed as lines of tests/vectors/slow.txt, which `make test` holds to its bounds. */
#include <stdio.h>

#include "../unit/front/cost.h"

enum { KEPT = 24, PART_MAX = 48, VALUE = 8 << 10 };

struct part {
	char bytes[PART_MAX];
	size_t len;
};
struct value {
	struct part parts[3]; /* before, the unit, behind */
	enum rule_target target;
	double ns_per_byte;
};

static const char *const pieces[] = {
    "'", "\"", "<", "<a ", "${", "{{", "/*", "*/", "/*!50000", "%25", "%u00", "%41", "&#", "&#x3c;", "&lt;", "\\", "\\x3c", "\\u003c",
    "(", ")", "../", "..\\", "./", "union", "select", "from", " or ", " and ", "1", ";", "|", "$(", "$IFS", "`", "on", "onload", "\n", "\r\n",
    "a", "A", "0", "-", "--", "=", "script", "javascript:", "data:", "http://", "O:1:\"", "__class__", "jndi:", "<?", "<!", "<!--", "\xe5\x98\x8a",
    "\xad", "/", "%", "&", "*", ")(", "::", "$ne", "[$", "[", "]", "char(1)", "concat(", "sleep(", "exec", "/bin/", "cat ", "ping ", " ", "\t", ".", "_",
    "{", "}", "#", "@", "+", ",", ":", "w", "~", "^", "?", "\\0", "\x80", "like", "between", "having", "alert(", "src=", "style=", "document", "etc/passwd",
};

static const enum rule_target targets[] = {TARGET_ARG, TARGET_ARG_NAME, TARGET_URL, TARGET_PATH, TARGET_FIELD, TARGET_FILE_NAME};
static struct cost cost;
static struct value kept[KEPT];
static uint64_t state;

static size_t below(size_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(state >> 33) % n;
}

static void insert(struct part *part, size_t at, const char *bytes, size_t len)
{
	if (part->len + len > PART_MAX)
		return;
	memmove(part->bytes + at + len, part->bytes + at, part->len - at);
	memcpy(part->bytes + at, bytes, len);
	part->len += len;
}

static void erase(struct part *part, size_t at, size_t len)
{
	len = len < part->len - at ? len : part->len - at;
	memmove(part->bytes + at, part->bytes + at + len, part->len - at - len);
	part->len -= len;
}

static void change(struct value *value)
{
	struct part *part = &value->parts[below(3)];
	const char *piece = pieces[below(sizeof(pieces) / sizeof(pieces[0]))];
	size_t at = below(part->len + 1);
	switch (below(6)) {
	case 0:
		erase(part, at, 1 + below(4));
		break;
	case 1:
		erase(part, at, 1 + below(4));
		insert(part, at, piece, strlen(piece));
		break;
	case 2:
		value->target = targets[below(sizeof(targets) / sizeof(targets[0]))];
		break;
	case 3:
		*part = kept[below(KEPT)].parts[below(3)];
		break;
	default: insert(part, at, piece, strlen(piece)); break;
	}
	if (value->parts[1].len == 0)
		insert(&value->parts[1], 0, piece, strlen(piece));
}

static struct span span_of_part(const struct part *part)
{
	return span_of(part->bytes, part->len);
}

static void weigh(struct value *value)
{
	static char text[VALUE];
	cost_fill(text, VALUE, span_of_part(&value->parts[0]), span_of_part(&value->parts[1]), span_of_part(&value->parts[2]));
	uint64_t best = cost_of_value(&cost, value->target, span_of(text, VALUE));
	for (int i = 0; i < 2 && (double)best > kept[KEPT - 1].ns_per_byte * VALUE; i++) {
		uint64_t again = cost_of_value(&cost, value->target, span_of(text, VALUE));
		best = again < best ? again : best;
	}
	value->ns_per_byte = (double)best / VALUE;
}

static bool is_like(const struct value *a, const struct value *b)
{
	return a->target == b->target && a->parts[1].len == b->parts[1].len &&
	       memcmp(a->parts[1].bytes, b->parts[1].bytes, a->parts[1].len) == 0;
}

/* The worst first; of those with one unit the worst only. */
static void keep(const struct value *value)
{
	size_t at = 0, twin = 0;
	while (twin < KEPT - 1 && !is_like(&kept[twin], value))
		twin++;
	if (value->ns_per_byte <= kept[twin].ns_per_byte)
		return;
	while (kept[at].ns_per_byte > value->ns_per_byte)
		at++;
	memmove(&kept[at + 1], &kept[at], (twin - at) * sizeof(kept[0]));
	kept[at] = *value;
}

/* With a dot before it, so that an empty one is something, too. */
static void print_part(const struct part *part)
{
	printf("  .");
	for (size_t i = 0; i < part->len; i++) {
		unsigned char c = (unsigned char)part->bytes[i];
		printf(c > 0x20 && c < 0x7f && c != '\\' && c != '#' ? "%c" : "\\x%02x", c);
	}
}

int main(int argc, char **argv)
{
	const double seconds = argc > 1 ? strtod(argv[1], NULL) : 30;
	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	if (!cost_open(&cost)) {
		fprintf(stderr, "slow: the rules are refused; start it from the top of the tree\n");
		return 1;
	}
	for (uint64_t tried = 0; (double)cpu_ns() < seconds * 1e9; tried++) {
		struct value value = kept[tried < KEPT ? tried : below(KEPT)];
		value.target = value.target ? value.target : TARGET_ARG;
		for (size_t i = 0; i <= below(3); i++)
			change(&value);
		weigh(&value);
		keep(&value);
	}
	for (size_t i = 0; i < KEPT; i++) {
		printf("%s", rule_target_word(kept[i].target));
		for (size_t j = 0; j < 3; j++)
			print_part(&kept[i].parts[j]);
		printf("  # %.0f ns a byte\n", kept[i].ns_per_byte);
	}
	cost_close(&cost);
	return 0;
}
