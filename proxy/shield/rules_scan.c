/* Matches rules: values are gathered by group, between NUL bytes; the group's filter looks at all of them
 * in one scan, and its lanes at single values where it must be. Allocates nothing and makes
 * no system call. Time grows with the bytes of the values alone: each value is scanned at most
 * once by each lane, and patterns that are matched one at a time have a limit of steps. */
#include "shield/rules.h"

#include "sallyport/exception.h"
#include "sallyport/shield.h"

enum {
	LINES_ROOM = 64 << 10, /* values of a group that are looked at together */
	NAMES_ROOM = 64 << 10, /* their names that do not stay */
	ENTRIES_MAX = 128,
	VIEWS_MAX = 256,
	VIEW_SMALL = 256,  /* bytes of views, on average, below which a scan of all of them saves more than it costs */
	VALUE_LONG = 4096, /* see rule_scan.refused */
};

struct entry {
	struct rule_value value; /* .value lies in the lines, or stands alone */
	unsigned kinds;
	bool alone; /* not in the lines */
};

/* What was gathered of one group. */
struct lines {
	char *text, *names;
	size_t len, names_len;
	struct entry entries[ENTRIES_MAX];
	size_t n;
	unsigned kinds; /* of all of them */
};

/* What chains make of a value; several may make the same of it. */
struct view {
	const struct entry *entry;
	struct span text; /* between NUL bytes */
	uint64_t lanes;   /* that see it so */
};

/* Those of one group that were not looked at yet: looked at together, too. */
struct views {
	char *text; /* LINES_ROOM bytes */
	size_t len, n;
	struct view views[VIEWS_MAX];
};

struct rule_scratch {
	struct pattern_scratch *patterns;
	struct confirm_scratch *confirm;
	struct lines lines[GROUP_COUNT][2]; /* of plain values, of others */
	char *a, *b;     /* for transformations */
	char *framed;    /* for a value between NUL bytes */
	struct views views;
	uint64_t *seen;  /* conditions with negated patterns that matched the value in hand */
	size_t seen_words;
};

struct rule_scratch *rule_scratch_new(void)
{
	struct rule_scratch *scratch = calloc(1, sizeof(*scratch));
	if (!scratch)
		return NULL;
	bool ok = (scratch->patterns = pattern_scratch_new()) != NULL &&
		  (scratch->confirm = confirm_scratch_new()) != NULL &&
		  (scratch->a = malloc(RULE_VALUE_MAX)) != NULL && (scratch->b = malloc(RULE_VALUE_MAX)) != NULL &&
		  (scratch->framed = malloc(RULE_VALUE_MAX + 2)) != NULL &&
		  (scratch->views.text = malloc(LINES_ROOM)) != NULL;
	for (int i = 0; i < 2 * GROUP_COUNT && ok; i++)
		ok = (scratch->lines[i / 2][i % 2].text = malloc(LINES_ROOM)) != NULL &&
		     (scratch->lines[i / 2][i % 2].names = malloc(NAMES_ROOM)) != NULL;
	if (ok)
		return scratch;
	rule_scratch_free(scratch);
	return NULL;
}

void rule_scratch_free(struct rule_scratch *scratch)
{
	if (!scratch)
		return;
	pattern_scratch_free(scratch->patterns);
	confirm_scratch_free(scratch->confirm);
	for (int i = 0; i < 2 * GROUP_COUNT; i++) {
		free(scratch->lines[i / 2][i % 2].text);
		free(scratch->lines[i / 2][i % 2].names);
	}
	free(scratch->a);
	free(scratch->b);
	free(scratch->framed);
	free(scratch->views.text);
	free(scratch->seen);
	free(scratch);
}

static bool fit_group(struct rule_scratch *scratch, const struct group *group, struct err *err)
{
	for (int i = PLAIN; i <= MARKED; i++) {
		if (group->filter[i] && !pattern_scratch_fit(scratch->patterns, group->filter[i], err))
			return false;
	}
	return true;
}

bool rule_scratch_fit(struct rule_scratch *scratch, const struct rule_set *set, struct err *err)
{
	size_t words = set->condition_count / 64 + 1;
	for (int g = 0; g < GROUP_COUNT; g++) {
		if (!fit_group(scratch, &set->groups[g], err))
			return false;
	}
	if (words <= scratch->seen_words)
		return true;
	uint64_t *grown = realloc(scratch->seen, words * sizeof(*grown));
	if (!grown)
		return err_set(err, "no memory to match rules in");
	scratch->seen = grown;
	scratch->seen_words = words;
	return true;
}

/* ---- what matched ---- */

/* One value while some lanes look at it, all of which see the same. */
struct look {
	struct rule_scan *scan;
	const struct rule_value *value;
	enum rule_group group;
	uint64_t lanes;   /* 1 << index in the group */
	struct span text; /* the value as they see it */
	bool changed;     /* that is not how it came */
	bool alone;       /* it does not lie between NUL bytes */
};

static bool selects(const struct condition *condition, const struct rule_value *value)
{
	const struct rule_condition *spec = condition->spec;
	bool selected = false;
	if (!(condition->targets >> value->target & 1))
		return false;
	for (size_t i = 0; i < spec->selector_count && condition->is_named; i++) {
		const struct rule_selector *selector = &spec->selectors[i];
		if (selector->target != value->target ||
		    (selector->name && !span_ieq(span_from_str(selector->name), value->name)))
			continue;
		if (selector->excludes)
			return false;
		selected = true;
	}
	return selected || !condition->is_named;
}

/* The bytes before `end`, kept; none where there is no more room. */
static struct span keep(struct rule_tally *tally, struct span text, size_t end)
{
	size_t room = RULE_TEXT_MAX - tally->text_len;
	size_t len = end < text.len ? end : text.len, from = len;
	len = len < RULE_EXCERPT_MAX ? len : RULE_EXCERPT_MAX;
	len = len < room ? len : room;
	char *kept = memcpy(tally->text + tally->text_len, text.ptr + from - len, len);
	tally->text_len = (uint16_t)(tally->text_len + len);
	return span_of(kept, len);
}

/* Up to the match, where the raw bytes are the value, or the value is them with escapes decoded. */
static struct span evidence_of(const struct look *look, size_t end)
{
	const struct rule_value *value = look->value;
	if (!value->raw.ptr)
		return keep(look->scan->tally, look->text, end);
	if (look->changed)
		return value->raw;
	if (value->raw.len == value->value.len)
		return span_of(value->raw.ptr, end < value->raw.len ? end : value->raw.len);
	bool has_escapes = value->target < TARGET_JSON_NAME || value->target > TARGET_XML;
	return has_escapes ? url_query_prefix(value->raw, end) : value->raw;
}

static bool all_met(const struct rule_set *set, const struct condition *condition,
		    struct rule_tally *tally)
{
	size_t first = condition->met - condition->index, n = set->specs[condition->rule].condition_count;
	tally->met[condition->met / 64] |= UINT64_C(1) << condition->met % 64;
	for (size_t bit = first; bit < first + n; bit++) {
		if (!(tally->met[bit / 64] >> bit % 64 & 1))
			return false;
	}
	return true;
}

static struct span name_of(const struct look *look)
{
	const struct rule_value *value = look->value;
	if (value->raw_name.ptr || value->raw.ptr || !value->name.ptr)
		return value->raw_name;
	return keep(look->scan->tally, value->name, value->name.len);
}

/* Is the match one that may be? Others of its rule still count. */
static bool is_waived(const struct look *look, const struct condition *condition, size_t end)
{
	const struct rule_scan *scan = look->scan;
	struct rule_tally *tally = scan->tally;
	const struct exception *by =
	    scan->asked ? exception_for_rule(scan->asked, condition->rule, look->value) : NULL;
	if (scan->watch) {
		const struct rule_match match = {condition->rule, condition->index, look->value, look->text, end, by};
		scan->watch->matched(scan->watch->context, &match);
	}
	if (!by)
		return false;
	uint32_t i = 0;
	while (i < tally->waiver_count && tally->waivers[i].rule != condition->rule)
		i++;
	if (i == tally->waiver_count && i < RULE_HITS_MAX)
		tally->waivers[tally->waiver_count++] = (struct rule_waiver){condition->rule, by};
	return true;
}

static int mode_of(const struct rule_scan *scan, uint32_t rule)
{
	return scan->modes ? scan->modes[rule] : scan->set->specs[rule].mode;
}

/* What refuses by itself, what adds to the score, what is only watched. */
static int rank_of(const struct rule_scan *scan, uint32_t rule)
{
	return mode_of(scan, rule) == SHIELD_MONITOR ? 2 : scan->set->specs[rule].score > 0;
}

static bool goes_before(const struct rule_scan *scan, uint32_t a, uint32_t b)
{
	const int rank_a = rank_of(scan, a), rank_b = rank_of(scan, b);
	return rank_a != rank_b ? rank_a < rank_b : a < b;
}

/* Of more than there is room for, those stay that the verdict hangs on, and of these the first in order. */
static void add_hit(const struct rule_scan *scan, const struct rule_hit *hit)
{
	struct rule_tally *tally = scan->tally;
	uint32_t last = 0;
	if (tally->hit_count < RULE_HITS_MAX) {
		tally->hits[tally->hit_count++] = *hit;
		return;
	}
	for (uint32_t i = 1; i < RULE_HITS_MAX; i++)
		last = goes_before(scan, tally->hits[last].rule, tally->hits[i].rule) ? i : last;
	if (goes_before(scan, hit->rule, tally->hits[last].rule))
		tally->hits[last] = *hit;
}

/* A rule counts once in a request. */
static void note(const struct look *look, const struct condition *condition, size_t end)
{
	struct rule_scan *scan = look->scan;
	struct rule_tally *tally = scan->tally;
	const int mode = mode_of(scan, condition->rule);
	if (mode == SHIELD_OFF || is_waived(look, condition, end) || (condition->met != NOT_MET && !all_met(scan->set, condition, tally)) ||
	    rule_tally_has(tally, condition->rule))
		return;
	scan->refused |= rank_of(scan, condition->rule) == 0;
	struct rule_hit hit = {
	    .rule = condition->rule,
	    .condition = condition->index,
	    .target = look->value->target,
	    .name = name_of(look),
	    .evidence = evidence_of(look, end),
	};
	if (!look->value->raw.ptr)
		hit.is_torn = rule_excerpt_is_torn(look->text, hit.evidence, end);
	add_hit(scan, &hit);
}

static void on_pattern(void *context, unsigned id, size_t end)
{
	const struct look *look = context;
	struct rule_scratch *scratch = look->scan->scratch;
	const struct condition *condition = &look->scan->set->conditions[id];
	bool is_known = !look->scan->watch && !condition->spec->negated && condition->met == NOT_MET &&
			rule_tally_has(look->scan->tally, condition->rule);
	if (is_known || !(look->lanes >> condition->lanes[look->group] & 1) || !selects(condition, look->value) ||
	    (condition->confirm &&
	     !confirm_match(condition->confirm, scratch->confirm, look->text, &end)))
		return;
	if (!condition->confirm)
		end--; /* of the NUL before it */
	if (condition->spec->negated)
		scratch->seen[id / 64] |= UINT64_C(1) << id % 64;
	else
		note(look, condition, end);
}

/* ---- conditions without patterns ---- */

static bool has_byte_outside(const uint8_t set[32], struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];
		if (!(set[byte / 8] >> byte % 8 & 1))
			return true;
	}
	return false;
}

static bool is_in(const struct cidr_set *networks, struct span text)
{
	struct addr addr;
	return networks && addr_parse_ip(text, 0, &addr) && cidr_set_has(networks, &addr);
}

static bool holds_directly(const struct look *look, uint32_t id)
{
	const struct rule_condition *spec = look->scan->set->conditions[id].spec;
	switch (spec->op) {
	case OPERATOR_LONGER: return look->text.len > spec->number;
	case OPERATOR_BYTES: return has_byte_outside(spec->bytes, look->text);
	case OPERATOR_NETWORK: return is_in(spec->networks, look->text);
	default: return look->scan->scratch->seen[id / 64] >> id % 64 & 1;
	}
}

static void look_directly(const struct look *look, const struct lane *lane)
{
	for (uint32_t i = 0; i < lane->direct_count; i++) {
		uint32_t id = lane->direct[i];
		const struct condition *condition = &look->scan->set->conditions[id];
		if (selects(condition, look->value) &&
		    holds_directly(look, id) != condition->spec->negated)
			note(look, condition, look->text.len);
	}
}

static void ask_directly(const struct look *look)
{
	const struct group *group = &look->scan->set->groups[look->group];
	for (size_t i = 0; i < group->lane_count && group->has_direct; i++) {
		if (look->lanes >> i & 1)
			look_directly(look, &group->lanes[i]);
	}
}

/* ---- lanes ---- */

/* The text between NUL bytes, as the filter wants it. Values among others have them. */
static struct span framed(const struct look *look)
{
	char *room = look->scan->scratch->framed;
	if (!look->alone)
		return span_of(look->text.ptr - 1, look->text.len + 2);
	room[0] = room[look->text.len + 1] = '\0';
	memcpy(room + 1, look->text.ptr, look->text.len);
	return span_of(room, look->text.len + 2);
}

static void look_in_lanes(struct look *look)
{
	struct rule_scratch *scratch = look->scan->scratch;
	const struct group *group = &look->scan->set->groups[look->group];
	if (look->scan->refused && look->value->value.len > VALUE_LONG)
		return;
	if (group->always)
		memset(scratch->seen, 0, scratch->seen_words * sizeof(*scratch->seen));
	if (group->filter[MARKED] && !patterns_scan(group->filter[MARKED], scratch->patterns, framed(look),
						    on_pattern, look))
		look->scan->tally->broken = true;
	ask_directly(look);
}

/* ---- groups ---- */

struct wanted {
	const struct rule_set *set;
	enum rule_group group;
	uint64_t lanes;
};

static void on_candidate(void *context, unsigned id, size_t end)
{
	struct wanted *wanted = context;
	(void)end;
	wanted->lanes |= UINT64_C(1) << wanted->set->conditions[id].lanes[wanted->group];
}

static uint64_t lanes_that_always_look(const struct group *group)
{
	uint64_t lanes = 0;
	for (size_t i = 0; i < group->lane_count && group->always; i++)
		lanes |= (uint64_t)group->lanes[i].always << i;
	return lanes;
}

/* The lanes that have to look at single values of the text. */
static uint64_t lanes_wanted(struct rule_scan *scan, enum rule_group g, const struct patterns *filter, struct span text)
{
	struct wanted wanted = {scan->set, g, lanes_that_always_look(&scan->set->groups[g])};
	if (filter && !patterns_scan(filter, scan->scratch->patterns, text, on_candidate, &wanted))
		scan->tally->broken = true;
	return wanted.lanes;
}

static void look_if_wanted(struct look *look, uint64_t wanted)
{
	if (look->lanes & wanted)
		look_in_lanes(look);
	else
		ask_directly(look);
}

static void empty_views(struct views *views)
{
	views->text[0] = '\0';
	views->len = 1;
	views->n = 0;
}

static void run_views(struct rule_scan *scan, enum rule_group g)
{
	struct views *views = &scan->scratch->views;
	const struct patterns *filter = scan->set->groups[g].filter[MARKED];
	uint64_t wanted = UINT64_MAX;
	if (views->n > 1 && views->len < views->n * VIEW_SMALL)
		wanted = lanes_wanted(scan, g, filter, span_of(views->text, views->len));
	for (size_t i = 0; i < views->n; i++) {
		const struct view *view = &views->views[i];
		struct look look = {scan, &view->entry->value, g, view->lanes, view->text, true, false};
		look_if_wanted(&look, wanted);
	}
	empty_views(views);
}

/* first: of that entry. False: there is no room, whatever is done. */
static bool add_view(struct rule_scan *scan, const struct look *look, const struct entry *entry, size_t *first)
{
	struct views *views = &scan->scratch->views;
	size_t i = *first, len = look->text.len;
	while (i < views->n && !span_eq(views->views[i].text, look->text))
		i++;
	if (i < views->n) {
		views->views[i].lanes |= look->lanes;
		return true;
	}
	if (len + 2 > LINES_ROOM)
		return false;
	if (views->n == VIEWS_MAX || views->len + len + 1 > LINES_ROOM) {
		run_views(scan, look->group);
		*first = 0;
	}
	char *text = memcpy(views->text + views->len, look->text.ptr, len);
	text[len] = '\0';
	views->len += len + 1;
	views->views[views->n++] = (struct view){entry, span_of(text, len), look->lanes};
	return true;
}

/* The lanes that see the same look at it together; those that see the value as it is only where one of them must. */
static void look_at(struct rule_scan *scan, enum rule_group g, const struct entry *entry, uint64_t wanted)
{
	struct rule_scratch *scratch = scan->scratch;
	const struct group *group = &scan->set->groups[g];
	const struct span value = entry->value.value;
	struct look plain = {scan, &entry->value, g, 0, value, false, entry->alone};
	size_t first = scratch->views.n;
	for (size_t i = 0; i < group->lane_count; i++) {
		const struct lane *lane = &group->lanes[i];
		struct look look = {scan, &entry->value, g, UINT64_C(1) << i, value, true, true};
		if (!(lane->targets >> entry->value.target & 1))
			continue;
		if (lane->kinds == KIND_ANY || lane->kinds & entry->kinds)
			look.text = transform_chain(lane->chain, value, entry->kinds, scratch->a, scratch->b);
		if (look.text.ptr == value.ptr && look.text.len == value.len)
			plain.lanes |= look.lanes;
		else if (!add_view(scan, &look, entry, &first))
			look_in_lanes(&look);
	}
	look_if_wanted(&plain, wanted);
}

static void empty(struct lines *lines)
{
	lines->text[0] = '\0';
	lines->len = 1;
	lines->names_len = 0;
	lines->n = 0;
	lines->kinds = 0;
}

static void run_lines(struct rule_scan *scan, enum rule_group g, int i)
{
	const struct group *group = &scan->set->groups[g];
	struct lines *lines = &scan->scratch->lines[g][i];
	const uint64_t wanted = lanes_wanted(scan, g, group->filter[i], span_of(lines->text, lines->len));
	bool must = wanted != 0 || group->has_direct || group->kinds & lines->kinds ||
		    group->kinds == KIND_ANY;
	for (size_t j = 0; j < lines->n && must; j++)
		look_at(scan, g, &lines->entries[j], wanted);
	run_views(scan, g);
	empty(lines);
}

void rule_scan_begin(struct rule_scan *scan, const struct rule_set *set, struct rule_scratch *scratch,
		     struct rule_tally *tally, const uint8_t *modes)
{
	*scan = (struct rule_scan){.set = set, .scratch = scratch, .tally = tally, .modes = modes};
	for (int i = 0; i < 2 * GROUP_COUNT; i++) {
		empty(&scratch->lines[i / 2][i % 2]);
	}
	empty_views(&scratch->views);
}

/* Too long to be a line among others: every lane looks at it. */
static void look_alone(struct rule_scan *scan, enum rule_group g, const struct rule_value *value)
{
	const struct entry entry = {.value = *value, .kinds = KIND_ANY, .alone = true};
	if (value->value.len > RULE_VALUE_MAX)
		scan->tally->broken = true;
	else
		look_at(scan, g, &entry, UINT64_MAX);
	run_views(scan, g);
}

/* False: there is no room for its name, which does not stay. */
static bool enter(struct lines *lines, const struct rule_value *value, unsigned kinds)
{
	struct entry *entry = &lines->entries[lines->n++];
	const size_t len = value->value.len, name_len = value->raw.ptr ? 0 : value->name.len;
	entry->value = *value;
	entry->kinds = kinds;
	entry->alone = false;
	entry->value.value.ptr = memcpy(lines->text + lines->len, value->value.ptr, len);
	lines->kinds |= kinds;
	lines->text[lines->len + len] = '\0';
	lines->len += len + 1;
	if (name_len > NAMES_ROOM - lines->names_len)
		return false;
	if (name_len > 0)
		entry->value.name.ptr = memcpy(lines->names + lines->names_len, value->name.ptr, name_len);
	lines->names_len += name_len;
	return true;
}

static void gather(struct rule_scan *scan, enum rule_group g, int i, const struct rule_value *value, unsigned kinds)
{
	struct lines *lines = &scan->scratch->lines[g][i];
	if (lines->n == ENTRIES_MAX || lines->len + value->value.len + 1 > LINES_ROOM)
		run_lines(scan, g, i);
	if (!enter(lines, value, kinds))
		run_lines(scan, g, i);
}

void rule_scan_add(struct rule_scan *scan, const struct rule_value *value)
{
	enum rule_group g = rule_group_of(value->target);
	if (!(scan->set->targets >> value->target & 1))
		return;
	if (value->value.len + 2 > LINES_ROOM) {
		look_alone(scan, g, value);
		return;
	}
	const enum byte_kind marks = scan->set->groups[g].marks;
	const unsigned kinds = kinds_of(value->value);
	if (marks && !(kinds & marks)) /* by a branch, which is foreseen, and not by an index that is waited for */
		gather(scan, g, PLAIN, value, kinds);
	else
		gather(scan, g, MARKED, value, kinds);
}

void rule_scan_run(struct rule_scan *scan)
{
	for (int i = 0; i < 2 * GROUP_COUNT; i++) {
		if (scan->scratch->lines[i / 2][i % 2].n > 0)
			run_lines(scan, (enum rule_group)(i / 2), i % 2);
	}
}
