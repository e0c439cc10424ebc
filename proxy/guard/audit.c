/* The audit chain: appended to, checked, and brought back to its head where a change that it
 * told of did not happen. Knows nothing of what the lines say. Nothing before the head is ever
 * written again. */
#include "guard/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/files.h"
#include "sallyport/keys.h"

enum { PENDING_MAX = 1 << 26, PREFIX_SIZE = 128 };

static void pack(uint8_t *out, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t unpack(const uint8_t *bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < 8; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

void audit_head_pack(const struct audit_head *head, uint8_t out[AUDIT_HEAD_SIZE])
{
	pack(out, head->lines);
	pack(out + 8, head->bytes);
	pack(out + 16, head->last_at);
	memcpy(out + 24, head->last, DIGEST_SIZE);
}

void audit_head_unpack(const uint8_t bytes[AUDIT_HEAD_SIZE], struct audit_head *out)
{
	out->lines = unpack(bytes);
	out->bytes = unpack(bytes + 8);
	out->last_at = unpack(bytes + 16);
	memcpy(out->last, bytes + 24, DIGEST_SIZE);
}

void audit_init(struct audit *audit, const struct audit_head *head)
{
	*audit = (struct audit){.head = *head, .pending = *head};
	strbuf_init(&audit->lines, PENDING_MAX);
}

void audit_release(struct audit *audit)
{
	strbuf_release(&audit->lines);
}

static size_t line_prefix(const struct audit_head *before, char out[PREFIX_SIZE])
{
	char last[HEX_SIZE(DIGEST_SIZE)];
	return (size_t)snprintf(out, PREFIX_SIZE, "{\"n\":%" PRIu64 ",\"last\":\"%s\",",
				before->lines + 1, hex_write(before->last, DIGEST_SIZE, last));
}

static void advance(struct audit_head *head, struct span line)
{
	head->lines++;
	head->last_at = head->bytes;
	head->bytes += line.len;
	digest(line.ptr, line.len, head->last);
}

bool audit_add(struct audit *audit, struct span members, struct err *err)
{
	char prefix[PREFIX_SIZE];
	size_t from = audit->lines.len, len = line_prefix(&audit->pending, prefix);
	if (len + members.len + 2 > AUDIT_LINE_MAX)
		return err_set(err, "a line of %zu bytes is too long for the audit", members.len);
	strbuf_add(&audit->lines, prefix, len);
	strbuf_add_span(&audit->lines, members);
	strbuf_add_str(&audit->lines, "}\n");
	if (audit->lines.truncated)
		return err_set(err, "more than %d bytes of audit lines wait", PENDING_MAX);
	advance(&audit->pending, span_of(audit->lines.data + from, audit->lines.len - from));
	return true;
}

static int open_file(int directory, int flags, struct err *err)
{
	struct stat st;
	int fd = openat(directory, AUDIT_FILE, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	int why = fd < 0 ? errno : EINVAL;
	err_set(err, "cannot open " AUDIT_FILE ": %s", strerror(why));
	if (fd >= 0)
		close(fd);
	errno = why;
	return -1;
}

/* A line that was cut short by a full disk must not stay. */
static bool append(const struct audit *audit, int fd)
{
	if (ftruncate(fd, (off_t)audit->head.bytes) != 0 ||
	    lseek(fd, 0, SEEK_END) != (off_t)audit->head.bytes)
		return false;
	if (file_write_all(fd, audit->lines.data, audit->lines.len) && fsync(fd) == 0)
		return true;
	int why = errno;
	if (ftruncate(fd, (off_t)audit->head.bytes) != 0)
		why = errno;
	errno = why;
	return false;
}

bool audit_write(struct audit *audit, int directory, struct err *err)
{
	if (audit->lines.len == 0)
		return true;
	bool is_first = audit->head.bytes == 0;
	int fd = open_file(directory, O_WRONLY | O_CREAT, err);
	if (fd < 0)
		return false;
	bool ok = (!is_first || file_give(directory, fd)) && append(audit, fd) &&
		  (!is_first || fsync(directory) == 0);
	int why = errno;
	close(fd);
	if (!ok) {
		err_set(err, "cannot write " AUDIT_FILE ": %s", strerror(why));
		errno = why;
		return false;
	}
	audit->written = true;
	return true;
}

static void forget_lines(struct audit *audit)
{
	strbuf_reset(&audit->lines);
	audit->written = false;
}

void audit_settle(struct audit *audit)
{
	audit->head = audit->pending;
	forget_lines(audit);
}

static bool cut(int directory, uint64_t bytes, struct err *err)
{
	int fd = open_file(directory, O_WRONLY, err);
	if (fd < 0)
		return errno == ENOENT && bytes == 0;
	bool ok = ftruncate(fd, (off_t)bytes) == 0 && fsync(fd) == 0;
	if (!ok)
		err_set(err, "cannot cut " AUDIT_FILE ": %s", strerror(errno));
	close(fd);
	return ok;
}

bool audit_undo(struct audit *audit, int directory, struct err *err)
{
	bool ok = !audit->written || cut(directory, audit->head.bytes, err);
	audit->pending = audit->head;
	forget_lines(audit);
	return ok;
}

/* ---- checking ---- */

static bool read_at(int fd, char *out, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pread(fd, out, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		out += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

static bool check_last_line(int fd, const struct audit_head *head, struct err *err)
{
	char line[AUDIT_LINE_MAX];
	uint8_t seen[DIGEST_SIZE];
	if (head->last_at > head->bytes || head->bytes - head->last_at > sizeof(line) ||
	    head->bytes > INT64_MAX)
		return err_set(err, "the audit's head makes no sense");
	size_t len = (size_t)(head->bytes - head->last_at);
	if (!read_at(fd, line, len, head->last_at))
		return err_set(err, AUDIT_FILE " ends before line %" PRIu64, head->lines);
	digest(line, len, seen);
	return memcmp(seen, head->last, DIGEST_SIZE) == 0 ||
	       err_set(err, "line %" PRIu64 " of " AUDIT_FILE " is not the one that was written",
		       head->lines);
}

bool audit_check_end(int directory, const struct audit_head *head, struct err *err)
{
	if (head->lines == 0)
		return true;
	int fd = open_file(directory, O_RDONLY, err);
	if (fd < 0)
		return false;
	bool ok = check_last_line(fd, head, err);
	close(fd);
	return ok;
}

static bool check_line(struct audit_head *seen, struct span line, struct err *err)
{
	char prefix[PREFIX_SIZE];
	size_t len = line_prefix(seen, prefix);
	if (!span_starts(line, span_of(prefix, len)) || !span_ends(line, SPAN("}\n")))
		return err_set(err, "line %" PRIu64 " of " AUDIT_FILE " is not part of the chain",
			       seen->lines + 1);
	advance(seen, line);
	return true;
}

static bool check_lines(FILE *file, const struct audit_head *head, struct err *err)
{
	struct audit_head seen = {0};
	char *line = NULL;
	size_t room = 0;
	bool ok = true;
	while (ok && seen.lines < head->lines) {
		ssize_t len = getline(&line, &room, file);
		ok = len > 0 ? check_line(&seen, span_of(line, (size_t)len), err)
			     : err_set(err, AUDIT_FILE " ends after %" PRIu64 " of %" PRIu64 " lines",
				       seen.lines, head->lines);
	}
	free(line);
	if (ok && memcmp(&seen, head, sizeof(seen)) != 0)
		return err_set(err, "line %" PRIu64 " of " AUDIT_FILE " is not the one that was written",
			       head->lines);
	return ok;
}

bool audit_check(int directory, const struct audit_head *head, uint64_t *beyond, struct err *err)
{
	struct stat st;
	*beyond = 0;
	int fd = open_file(directory, O_RDONLY, err);
	if (fd < 0)
		return errno == ENOENT && head->lines == 0;
	FILE *file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return err_set(err, "cannot read " AUDIT_FILE ": %s", strerror(errno));
	}
	bool ok = check_lines(file, head, err);
	if (ok && fstat(fd, &st) == 0 && (uint64_t)st.st_size > head->bytes)
		*beyond = (uint64_t)st.st_size - head->bytes;
	fclose(file);
	return ok;
}
