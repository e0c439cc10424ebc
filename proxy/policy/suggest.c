/* The nearest known name, by edit distance with transpositions (Damerau's,
 * restricted form): insert, delete, replace, swap neighbours. Bounded by the
 * longest name worth a suggestion. */

#include "sallyport/suggest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LEN = 32 };

static size_t min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Both at most NAME_MAX_LEN long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NAME_MAX_LEN + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *recycled = before;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = min2(min2(above[j], row[j - 1]) + 1,
				      above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min2(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = recycled;
	}
	return above[b_len];
}

void suggest_init(struct suggestion *suggestion, const char *wanted)
{
	*suggestion = (struct suggestion){.wanted = wanted, .distance = SIZE_MAX};
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
	const size_t wanted_len = strnlen(suggestion->wanted, NAME_MAX_LEN + 1);
	const size_t len = strnlen(candidate, NAME_MAX_LEN + 1);
	size_t d;

	if (wanted_len > NAME_MAX_LEN || len > NAME_MAX_LEN)
		return;
	d = distance(suggestion->wanted, wanted_len, candidate, len);
	/* Further than a third of the name, it is another word. */
	if (d > 1 + wanted_len / 3 || d >= len || d >= suggestion->distance)
		return;
	suggestion->nearest = candidate;
	suggestion->distance = d;
}

const char *suggest_text(const struct suggestion *suggestion, char out[SUGGEST_TEXT_SIZE])
{
	out[0] = '\0';
	if (suggestion->nearest) /* of NAME_MAX_LEN bytes at most */
		snprintf(out, SUGGEST_TEXT_SIZE, ", did you mean \"%s\"?", suggestion->nearest);
	return out;
}
