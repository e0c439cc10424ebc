/* Counts by what refused. Rows, clients and examples are bounded; what a bound leaves out is said. */
#include "cli/replay_tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "sallyport/lru.h"

enum { CLIENTS_FIRST = 1 << 10 };

bool tally_init(struct tally *tally, size_t show)
{
	*tally = (struct tally){.show = show, .client_room = CLIENTS_FIRST};
	tally->clients = calloc(tally->client_room, sizeof(uint64_t));
	return tally->clients && getrandom(&tally->seed, sizeof(tally->seed), 0) == (ssize_t)sizeof(tally->seed);
}

static void free_row(struct row *row)
{
	for (size_t i = 0; i < row->example_count; i++)
		free(row->examples[i]);
	free(row->examples);
	free(row->exception);
	free(row);
}

void tally_release(struct tally *tally)
{
	struct row *row, *next;
	HASH_ITER(hh, tally->rows, row, next)
	{
		HASH_DEL(tally->rows, row);
		free_row(row);
	}
	free(tally->clients);
}

/* ---- clients ---- */

static bool insert(uint64_t *table, size_t room, uint64_t hash)
{
	size_t at = (size_t)hash & (room - 1);
	while (table[at] && table[at] != hash)
		at = (at + 1) & (room - 1);
	bool is_new = table[at] == 0;
	table[at] = hash;
	return is_new;
}

/* False: it stays as large as it is. */
static bool grow(struct tally *tally)
{
	size_t room = 2 * tally->client_room;
	uint64_t *table = room <= 2 * TALLY_CLIENTS_MAX ? calloc(room, sizeof(*table)) : NULL;
	if (!table)
		return false;
	for (size_t i = 0; i < tally->client_room; i++) {
		if (tally->clients[i])
			insert(table, room, tally->clients[i]);
	}
	free(tally->clients);
	tally->clients = table;
	tally->client_room = room;
	return true;
}

/* True: this client is seen the first time in what `part` stands for. */
static bool is_new_client(struct tally *tally, const void *part, size_t len, struct span client)
{
	if (2 * tally->client_count >= tally->client_room && !grow(tally)) {
		tally->clients_full = true;
		return false;
	}
	uint64_t hash = lru_hash(lru_hash(tally->seed, part, len), client.len ? client.ptr : "", client.len);
	bool is_new = insert(tally->clients, tally->client_room, hash ? hash : 1);
	tally->client_count += is_new;
	return is_new;
}

/* ---- examples ---- */

/* A part of the text around what decided: so much of it, from the place on where that stands. */
static struct span excerpt(struct span text, struct span evidence, size_t max)
{
	const char *at = evidence.len > 0 && text.len > max ? memmem(text.ptr, text.len, evidence.ptr, evidence.len) : NULL;
	size_t start = at ? (size_t)(at - text.ptr) : 0;
	start = start > max / 4 ? start - max / 4 : 0;
	text = span_from(text, start);
	text.len = text.len > max ? max : text.len;
	return text;
}

/* Copies it to `at`; gives the place behind it. */
static char *move(struct span *text, char *at)
{
	if (text->len > 0)
		memcpy(at, text->ptr, text->len);
	text->ptr = at;
	return at + text->len;
}

static struct span request_line(const struct logged *request, struct strbuf *line)
{
	strbuf_add_span(line, request->method);
	if (request->target.ptr) {
		strbuf_add_char(line, ' ');
		strbuf_add_span(line, request->target);
	}
	return line->data ? strbuf_span(line) : SPAN("");
}

/* In one piece, with its texts behind it. */
static struct example *copy_example(const struct example *example)
{
	const size_t len = example->log.len + example->request.len + example->client.len + example->name.len +
			   example->evidence.len;
	struct example *kept = malloc(sizeof(*kept) + len);
	if (!kept)
		return NULL;
	*kept = *example;
	char *at = (char *)(kept + 1);
	at = move(&kept->log, at);
	at = move(&kept->request, at);
	at = move(&kept->client, at);
	at = move(&kept->name, at);
	move(&kept->evidence, at);
	return kept;
}

static struct example *new_example(const struct tally_entry *entry)
{
	const struct opinion *opinion = entry->opinion;
	const struct span none = {0};
	struct strbuf line;
	strbuf_init(&line, 2 * REPLAY_LINE_MAX);
	struct span request = request_line(entry->request, &line);
	struct example example = {
	    .log = span_from_str(entry->log),
	    .line = entry->line,
	    .request = excerpt(request, opinion->evidence, TALLY_EXAMPLE_MAX),
	    .client = excerpt(entry->request->client, none, 255),
	    .name = excerpt(opinion->name, none, 255),
	    .evidence = excerpt(opinion->evidence, none, 512),
	    .status = entry->request->status,
	};
	example.is_cut = example.request.len < request.len;
	struct example *kept = line.truncated ? NULL : copy_example(&example);
	strbuf_release(&line);
	return kept;
}

static bool has_succeeded(unsigned status)
{
	return status >= 200 && status < 400;
}

/* Where a new one belongs: behind the others, or in place of the first that had not succeeded. */
static struct example **place_of(struct row *row, size_t show, bool succeeded)
{
	if (row->example_count < show)
		return &row->examples[row->example_count];
	for (size_t i = 0; succeeded && i < row->example_count; i++) {
		if (!has_succeeded(row->examples[i]->status))
			return &row->examples[i];
	}
	return NULL;
}

static bool add_example(struct tally *tally, struct row *row, const struct tally_entry *entry)
{
	bool succeeded = has_succeeded(entry->request->status);
	if (row->example_count == tally->show && (!succeeded || row->succeeded >= tally->show))
		return true; /* those that are there all had succeeded, or this one adds nothing */
	struct example **place = place_of(row, tally->show, succeeded);
	if (!place)
		return true;
	struct example *example = new_example(entry);
	if (!example)
		return false;
	if (place == &row->examples[row->example_count])
		row->example_count++;
	else
		free(*place);
	*place = example;
	return true;
}

/* ---- rows ---- */

static struct row *add_row(struct tally *tally, const char *key, size_t len)
{
	struct row *row = calloc(1, sizeof(*row));
	if (row && tally->show > 0)
		row->examples = calloc(tally->show, sizeof(struct example *));
	if (!row || (tally->show > 0 && !row->examples)) {
		free(row);
		return NULL;
	}
	memcpy(row->key, key, len);
	row->name = row->key + 1;
	row->class = (enum row_class)(key[0] - '0');
	HASH_ADD_KEYPTR(hh, tally->rows, row->key, len, row);
	tally->row_count++;
	return row;
}

static struct row *row_of(struct tally *tally, const struct tally_entry *entry)
{
	const struct opinion *opinion = entry->opinion;
	char key[TALLY_NAME_MAX + 2];
	struct row *row = NULL;
	size_t room = TALLY_ROWS_MAX;
	const char *name = opinion->rule ? opinion->rule : reason_name(opinion->reason);
	for (int i = 0; i < 2 && !row; i++) {
		int len = snprintf(key, sizeof(key), "%c%s", '0' + (int)entry->class, name);
		size_t used = len < (int)sizeof(key) ? (size_t)len : sizeof(key) - 1;
		HASH_FIND(hh, tally->rows, key, used, row);
		if (!row && tally->row_count < room)
			row = add_row(tally, key, used);
		name = "(others)";
		room += ROW_CLASSES;
	}
	if (row && row->count == 0) {
		row->is_rule = opinion->rule != NULL;
		row->setting = opinion->setting;
		row->limit = opinion->limit;
	}
	return row;
}

struct row *tally_add(struct tally *tally, const struct tally_entry *entry)
{
	struct total *total = &tally->totals[entry->class];
	struct row *row = row_of(tally, entry);
	if (!row || !add_example(tally, row, entry))
		return NULL;
	bool succeeded = has_succeeded(entry->request->status);
	row->count++;
	row->succeeded += succeeded;
	row->value_max = entry->opinion->value > row->value_max ? entry->opinion->value : row->value_max;
	row->clients += is_new_client(tally, &row, sizeof(row), entry->request->client);
	total->count++;
	total->succeeded += succeeded;
	total->clients += is_new_client(tally, &total, sizeof(total), entry->request->client);
	return row;
}

void tally_bad(struct tally *tally, const char *log, uint64_t line, const char *why)
{
	if (tally->bad < TALLY_NOTES_MAX) {
		struct bad_line *note = &tally->notes[tally->bad];
		size_t len = strlen(log);
		snprintf(note->log, sizeof(note->log), "%s", len < sizeof(note->log) ? log : log + len - sizeof(note->log) + 1);
		snprintf(note->why, sizeof(note->why), "%s", why);
		note->line = line;
	}
	tally->bad++;
}

static int by_count(const struct row *a, const struct row *b)
{
	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return strcmp(a->name, b->name);
}

void tally_sort(struct tally *tally)
{
	HASH_SORT(tally->rows, by_count);
}
