/* The shortest edit between two lists of lines, by E. W. Myers, "An O(ND) difference algorithm and
 * its variations" (1986): for each number of edits, how far each diagonal gets. Bounded in edits, so
 * in time and memory, whatever somebody put on a page. */
#include "cli/text_diff.h"

#include <stdlib.h>

struct lines {
	struct span *of;
	size_t n;
};

struct trace {
	int *reached[TEXT_DIFF_EDITS + 1]; /* by diagonal, -d to d */
	int edits;                         /* -1: too many */
};

/* ---- lines ---- */

static bool split(struct span text, struct lines *out)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	out->of = calloc(n + 1, sizeof(*out->of));
	out->n = 0;
	while (out->of && text.len > 0) {
		size_t end = span_find(text, '\n');
		out->of[out->n++] = span_of(text.ptr, end);
		text = span_from(text, end + 1);
	}
	return out->of != NULL;
}

static struct lines part(const struct lines *lines, size_t from, size_t n)
{
	return (struct lines){lines->of + from, n};
}

static size_t equal_head(const struct lines *a, const struct lines *b)
{
	size_t n = 0;
	while (n < a->n && n < b->n && span_eq(a->of[n], b->of[n]))
		n++;
	return n;
}

static size_t equal_tail(const struct lines *a, const struct lines *b)
{
	size_t n = 0;
	while (n < a->n && n < b->n && span_eq(a->of[a->n - 1 - n], b->of[b->n - 1 - n]))
		n++;
	return n;
}

/* ---- the search ---- */

/* Where diagonal k is entered with d edits: from above, or from the left. */
static bool comes_from_above(const int *before, int k, int d)
{
	return k == -d || (k != d && before[k - 1] < before[k + 1]);
}

/* *now: with d edits; before: with one less, both indexed by diagonal. True: the end is reached. */
static bool advance(const struct lines *a, const struct lines *b, const int *before, int *now, int d)
{
	for (int k = -d; k <= d; k += 2) {
		int x = d == 0 ? 0 : comes_from_above(before, k, d) ? before[k + 1] : before[k - 1] + 1;
		int y = x - k;
		while (x < (int)a->n && y < (int)b->n && y >= 0 && span_eq(a->of[x], b->of[y])) {
			x++;
			y++;
		}
		now[k] = x;
		if (x >= (int)a->n && y >= (int)b->n)
			return true;
	}
	return false;
}

static bool search(const struct lines *a, const struct lines *b, struct trace *trace)
{
	const int *before = NULL;
	trace->edits = -1;
	for (int d = 0; d <= TEXT_DIFF_EDITS; d++) {
		int *room = calloc(2 * (size_t)d + 3, sizeof(*room));
		if (!room)
			return false;
		trace->reached[d] = room;
		int *now = room + d + 1;
		if (advance(a, b, before, now, d)) {
			trace->edits = d;
			return true;
		}
		before = now;
	}
	return true;
}

static void trace_free(struct trace *trace)
{
	for (int d = 0; d <= TEXT_DIFF_EDITS; d++)
		free(trace->reached[d]);
	free(trace);
}

/* ---- telling ---- */

struct step {
	int x, y;  /* where it ends */
	char kind; /* the edit that it began with, before the lines that are in both; 0: none */
};

/* From the end back to the beginning, as each number of edits was reached. */
static void walk_back(const struct trace *trace, int x, int y, struct step *steps)
{
	for (int d = trace->edits; d >= 0; d--) {
		int k = x - y;
		steps[d] = (struct step){x, y, 0};
		if (d == 0)
			break;
		const int *before = trace->reached[d - 1] + d;
		bool above = comes_from_above(before, k, d);
		int from = above ? k + 1 : k - 1;
		steps[d].kind = above ? '+' : '-';
		x = before[from];
		y = x - from;
	}
}

static void tell(const struct lines *a, const struct lines *b, const struct step *steps, int edits,
		 text_diff_line *on_line, void *context)
{
	int x = 0, y = 0;
	for (int d = 0; d <= edits; d++) {
		if (steps[d].kind == '-')
			on_line(context, '-', a->of[x++]);
		else if (steps[d].kind == '+')
			on_line(context, '+', b->of[y++]);
		for (; x < steps[d].x; x++, y++)
			on_line(context, ' ', a->of[x]);
	}
}

static void tell_all(const struct lines *lines, char kind, text_diff_line *on_line, void *context)
{
	for (size_t i = 0; i < lines->n; i++)
		on_line(context, kind, lines->of[i]);
}

/* Lines that have neither beginning nor end in common. */
struct middle {
	struct lines a, b;
	struct trace *trace;
	struct step *steps;
};

static bool find_middle(struct middle *middle)
{
	middle->trace = calloc(1, sizeof(*middle->trace));
	middle->steps = calloc(TEXT_DIFF_EDITS + 1, sizeof(*middle->steps));
	if (!middle->trace || !middle->steps)
		return false;
	middle->trace->edits = -1;
	/* numbers of lines stay small enough for int */
	if (middle->a.n > INT32_MAX / 4 || middle->b.n > INT32_MAX / 4)
		return true;
	if (!search(&middle->a, &middle->b, middle->trace))
		return false;
	if (middle->trace->edits >= 0)
		walk_back(middle->trace, (int)middle->a.n, (int)middle->b.n, middle->steps);
	return true;
}

static void tell_middle(const struct middle *middle, text_diff_line *on_line, void *context)
{
	if (middle->trace->edits >= 0) {
		tell(&middle->a, &middle->b, middle->steps, middle->trace->edits, on_line, context);
		return;
	}
	tell_all(&middle->a, '-', on_line, context);
	tell_all(&middle->b, '+', on_line, context);
}

static bool diff_lines(const struct lines *a, const struct lines *b, text_diff_line *on_line,
		       void *context)
{
	size_t head = equal_head(a, b);
	struct lines rest_a = part(a, head, a->n - head), rest_b = part(b, head, b->n - head);
	size_t tail = equal_tail(&rest_a, &rest_b);
	struct lines before = part(a, 0, head), after = part(a, a->n - tail, tail);
	struct middle middle = {.a = part(&rest_a, 0, rest_a.n - tail),
				.b = part(&rest_b, 0, rest_b.n - tail)};
	bool ok = find_middle(&middle);
	if (ok) {
		tell_all(&before, ' ', on_line, context);
		tell_middle(&middle, on_line, context);
		tell_all(&after, ' ', on_line, context);
	}
	if (middle.trace)
		trace_free(middle.trace);
	free(middle.steps);
	return ok;
}

bool text_diff(struct span a, struct span b, text_diff_line *on_line, void *context)
{
	struct lines lines_a = {0}, lines_b = {0};
	bool ok = split(a, &lines_a) && split(b, &lines_b) &&
		  diff_lines(&lines_a, &lines_b, on_line, context);
	free(lines_a.of);
	free(lines_b.of);
	return ok;
}
