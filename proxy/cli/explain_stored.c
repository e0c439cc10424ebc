/* sallyport explain --request-id: what was kept of a request that was refused, and why it was. Reads the evidence
 * file and nothing else; the server need not run. Every byte in it is a stranger's, and some of them may
 * have come from a worker that was captured. */
#include "cli/explain_stored.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sallyport/clock.h"
#include "sallyport/log_record.h"
#include "sallyport/small_file.h"
#include "sallyport/vault_path.h"

enum { FILE_MAX = 64 << 20, RECORDS_SHOWN = 8 };

struct stored {
	struct explain *explain;
	char path[VAULT_PATH_SIZE];
	char *file; /* owned */
	size_t slots;
	uint64_t id[2];
	/* of all records */
	uint64_t records, skipped, oldest_us, newest_us;
	/* those with the id, the oldest first */
	struct kept of[RECORDS_SHOWN];
	size_t n;
};

/* ---- reading ---- */

/* 32 hexadecimal digits. */
static bool read_id(const char *text, uint64_t id[2])
{
	id[0] = id[1] = 0;
	for (size_t i = 0; i < REQUEST_ID_SIZE - 1; i++) {
		int digit = ascii_hex(text[i]);
		if (digit < 0)
			return false;
		id[i / 16] = id[i / 16] << 4 | (unsigned)digit;
	}
	return text[REQUEST_ID_SIZE - 1] == '\0';
}

static bool complain(const char *path, const char *why)
{
	fprintf(stderr, "sallyport explain: %s%s\n", path, why);
	return false;
}

static bool read_file(struct stored *s)
{
	size_t len;
	struct err err = {{0}};
	if (!evidence_path(s->explain->settings, s->path, &err))
		return complain("", err.text);
	s->file = small_file_read(s->path, FILE_MAX, &len);
	s->slots = len / EVIDENCE_SLOT_BYTES;
	if (s->file)
		return true;
	errno = 0;
	if (access(s->path, R_OK) != 0 && (errno == EACCES || errno == EPERM))
		return complain(s->path, ": only root, or the user that runs sallyport, may read it");
	return complain(s->path, errno == ENOENT ? ": there is no such file: has -c the server's policy, and its evidence.size "
						   "more than 0?"
						 : ": cannot be read, or is no evidence file");
}

/* Few have the id: a request may be noted in monitor mode, and be refused later. */
static void take(struct stored *s, const struct kept *kept)
{
	size_t at = s->n;
	if (kept->head.request_id[0] != s->id[0] || kept->head.request_id[1] != s->id[1] || s->n == RECORDS_SHOWN)
		return;
	for (; at > 0 && s->of[at - 1].sequence > kept->sequence; at--)
		s->of[at] = s->of[at - 1];
	s->of[at] = *kept;
	s->n++;
}

static void look_through(struct stored *s)
{
	for (size_t i = 0; i < s->slots; i++) {
		struct kept kept;
		struct span record;
		if (!evidence_slot_read(s->file + i * EVIDENCE_SLOT_BYTES, &kept.sequence, &record) ||
		    !evidence_read(record, &kept.head, &kept.reader))
			continue;
		s->records++;
		s->skipped += kept.head.skipped;
		if (s->oldest_us == 0 || kept.head.wall_us < s->oldest_us)
			s->oldest_us = kept.head.wall_us;
		if (kept.head.wall_us > s->newest_us)
			s->newest_us = kept.head.wall_us;
		take(s, &kept);
	}
}

static bool say_unknown(const struct stored *s)
{
	const struct evidence_settings *settings = &s->explain->settings->evidence;
	char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE];
	clock_format_iso(s->oldest_us, from);
	clock_format_iso(s->newest_us, to);
	fprintf(stderr, "sallyport explain: nothing is kept of %s.\n", s->explain->request_id);
	if (s->records > 0)
		fprintf(stderr, "%s has %" PRIu64 " refusals, from %s to %s; %" PRIu64 " more were only counted.\n",
			s->path, s->records, from, to, s->skipped);
	else
		fprintf(stderr, "%s has no refusal yet.\n", s->path);
	fprintf(stderr,
		"There is room for %zu. Each worker keeps %" PRIu64 " a second of one reason or rule, and %" PRIu64
		" of all; of one client\nat most an eighth of all is kept, by one reason or rule a quarter "
		"[evidence.size, evidence.per_second].\n",
		s->slots, settings->per_second, 8 * settings->per_second);
	return false;
}

bool explain_stored(struct explain *e, explain_verdict *say, explain_judge *judge, struct verdict *verdict)
{
	struct stored *s = calloc(1, sizeof(*s));
	bool ok = s != NULL;
	if (!s)
		return complain("", "out of memory");
	s->explain = e;
	if (!read_id(e->request_id, s->id))
		ok = complain(e->request_id, " is no id: one has 32 hexadecimal digits");
	if (ok && (ok = read_file(s)))
		look_through(s);
	if (ok && s->n == 0)
		ok = say_unknown(s);
	if (ok && e->as_json) {
		json_begin(&e->json);
		json_open_list(&e->json, "steps");
	}
	for (size_t i = 0; ok && i < s->n; i++)
		explain_record(e, &s->of[i], say, judge, verdict);
	/* The answer was written by then, or what it borrows of the record is not needed for it. */
	verdict->name = verdict->evidence = (struct span){0};
	free(s->file);
	free(s);
	return ok;
}
