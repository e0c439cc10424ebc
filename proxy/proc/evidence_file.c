/* Writes evidence into its file, one slot at a time. A record that a crash tears costs its own slot and the one
 * that it was to take the place of, nothing else. Trusts the path to be the operator's, not what lies there; and nothing that
 * stands in a record. Does not wait for the disk: what a power cut loses is lost. */
#include "proc/evidence_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/crypto.h"
#include "sallyport/log.h"

enum { CLIENT_SHARE = 8, KEY_SHARE = 4 };

struct evidence_file {
	int fd;
	bool is_ready, is_failing;
	size_t slots;
	uint64_t sequence; /* of the newest */
	uint64_t lost;
	struct evidence_note *notes;
	char slot[EVIDENCE_SLOT_BYTES];
};

/* ---- which slot ---- */

struct oldest {
	size_t at, n;
	uint64_t sequence;
};

static void look(struct oldest *oldest, const struct evidence_note *note, size_t at)
{
	if (oldest->n++ == 0 || note->sequence < oldest->sequence) {
		oldest->at = at;
		oldest->sequence = note->sequence;
	}
}

size_t evidence_place(const struct evidence_note *notes, size_t n, uint64_t key, uint64_t client)
{
	struct oldest all = {0}, alike = {0}, own = {0}, repeated = {0};
	for (size_t i = 0; i < n; i++) {
		if (notes[i].sequence == 0)
			return i;
		look(&all, &notes[i], i);
		if (notes[i].key == key)
			look(&alike, &notes[i], i);
		if (notes[i].client != client)
			continue;
		look(&own, &notes[i], i);
		if (notes[i].key == key)
			look(&repeated, &notes[i], i);
	}
	if (own.n > 0 && own.n >= n / CLIENT_SHARE)
		return repeated.n > 0 ? repeated.at : own.at;
	return alike.n > 0 && alike.n >= n / KEY_SHARE ? alike.at : all.at;
}

/* False: not a record. */
static bool note_of(struct span record, struct evidence_note *note)
{
	struct evidence_head head;
	struct evidence_reader reader;
	if (!evidence_read(record, &head, &reader))
		return false;
	note->key = evidence_key(head.reason, evidence_find(reader, EVIDENCE_RULE).text);
	note->client = addr_client_key(&head.client);
	return true;
}

/* ---- opening ---- */

static bool is_ours(int fd, const char *path, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_set(err, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return err_set(err, "%s is no file of its own", path);
	if (st.st_uid != geteuid())
		return err_set(err, "%s belongs to user %u, it has to be user %u's", path, st.st_uid, geteuid());
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(err, "%s is open to others; chmod 0600 %s", path, path);
	return true;
}

static bool open_at(struct evidence_file *file, const char *path, struct err *err)
{
	uint8_t unused[DIGEST_SIZE];
	digest("", 0, unused); /* a sandbox may close before the first record comes */
	file->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	if (file->fd < 0)
		return err_set(err, "%s: %s", path, strerror(errno));
	return is_ours(file->fd, path, err);
}

struct evidence_file *evidence_file_open(const char *path, uint64_t bytes, struct err *err)
{
	struct evidence_file *file = calloc(1, sizeof(*file));
	size_t slots = (size_t)(bytes < EVIDENCE_FILE_MAX ? bytes : EVIDENCE_FILE_MAX) / EVIDENCE_SLOT_BYTES;
	if (!file) {
		err_set(err, "out of memory");
		return NULL;
	}
	file->fd = -1;
	file->slots = slots > 0 ? slots : 1;
	file->notes = calloc(file->slots, sizeof(*file->notes));
	if (file->notes ? open_at(file, path, err) : err_set(err, "out of memory"))
		return file;
	evidence_file_close(file);
	return NULL;
}

/* All of its room is taken now, so that it is there later. */
static bool resize(const struct evidence_file *file, struct err *err)
{
	struct stat st;
	off_t size = (off_t)(file->slots * EVIDENCE_SLOT_BYTES);
	bool ok = fstat(file->fd, &st) == 0;
	if (ok && st.st_size > size)
		ok = ftruncate(file->fd, size) == 0;
	if (ok && st.st_size < size && fallocate(file->fd, 0, 0, size) != 0)
		ok = errno == EOPNOTSUPP && ftruncate(file->fd, size) == 0;
	return ok || err_set(err, "%lld bytes are not to be had: %s", (long long)size, strerror(errno));
}

static bool read_slot(struct evidence_file *file, size_t i, struct span *record)
{
	off_t at = (off_t)(i * EVIDENCE_SLOT_BYTES);
	uint64_t sequence;
	if (pread(file->fd, file->slot, sizeof(file->slot), at) != (ssize_t)sizeof(file->slot) ||
	    !evidence_slot_read(file->slot, &sequence, record) || sequence == 0 || sequence == UINT64_MAX)
		return false;
	file->notes[i].sequence = sequence;
	return true;
}

bool evidence_file_begin(struct evidence_file *file, struct err *err)
{
	if (flock(file->fd, LOCK_EX | LOCK_NB) != 0)
		return err_set(err, errno == EWOULDBLOCK ? "another server writes it" : "%s", strerror(errno));
	if (!resize(file, err))
		return false;
	for (size_t i = 0; i < file->slots; i++) {
		struct span record;
		if (!read_slot(file, i, &record) || !note_of(record, &file->notes[i]))
			file->notes[i] = (struct evidence_note){0};
		if (file->notes[i].sequence > file->sequence)
			file->sequence = file->notes[i].sequence;
	}
	file->is_ready = true;
	return true;
}

/* ---- writing ---- */

static void note_failure(struct evidence_file *file)
{
	file->lost++;
	if (!file->is_failing)
		log_error("evidence: %s: records are being lost", strerror(errno));
	file->is_failing = true;
}

static void note_success(struct evidence_file *file)
{
	if (file->is_failing)
		log_warn("evidence: writing again, %" PRIu64 " records were lost", file->lost);
	file->is_failing = false;
}

void evidence_file_put(struct evidence_file *file, struct span record)
{
	struct evidence_note note;
	if (!file->is_ready || record.len > EVIDENCE_RECORD_MAX || !note_of(record, &note))
		return;
	size_t i = evidence_place(file->notes, file->slots, note.key, note.client);
	note.sequence = ++file->sequence;
	evidence_slot_fill(file->slot, note.sequence, record);
	errno = ENOSPC; /* where less is written */
	if (pwrite(file->fd, file->slot, sizeof(file->slot), (off_t)(i * sizeof(file->slot))) ==
	    (ssize_t)sizeof(file->slot)) {
		file->notes[i] = note;
		note_success(file);
	} else {
		file->notes[i] = (struct evidence_note){0};
		note_failure(file);
	}
}

uint64_t evidence_file_lost(const struct evidence_file *file)
{
	return file->lost;
}

void evidence_file_close(struct evidence_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file->notes);
	free(file);
}
