/* See lifeboat.h. A file is read and compared with its name before the first byte of it goes out; that it
 * was right is remembered for as long as the file stays untouched. Trusts its channel: whoever sends
 * connections there is a worker of ours. Trusts neither disk nor request. */
#include "sallyport/lifeboat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/crypto.h"
#include "sallyport/log.h"
#include "serve/httpd.h"

enum {
	CONNECTIONS_MAX = 1024,
	IDLE_S = 75,
	HEX_LEN = 2 * DIGEST_SIZE,
	PATH_LEN = HEX_LEN + 4, /* "ab/", the name, NUL */
	READ_BYTES = 64 << 10,
	VERIFIED_SLOTS = 4096,
};

/* A file that was read whole, as it was then. */
struct verified {
	uint8_t digest[DIGEST_SIZE];
	ino_t inode;
	off_t size;
	struct timespec changed;
	bool is_good;
};

struct lifeboat {
	struct loop *loop;
	struct httpd *httpd;
	struct watch channel;
	struct digest *digest;
	int contents;
	struct verified verified[VERIFIED_SLOTS];
	char buf[READ_BYTES];
};

/* One content, as it is asked for. */
struct wanted {
	uint8_t digest[DIGEST_SIZE];
	char path[PATH_LEN];
	int fd;
	struct stat info;
};

/* "/<64 hexadecimal digits>", in lower case. */
static bool read_target(const char *target, struct wanted *wanted)
{
	struct span s = span_from_str(target);
	if (s.len != HEX_LEN + 1 || s.ptr[0] != '/')
		return false;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = ascii_hex(s.ptr[1 + 2 * i]), low = ascii_hex(s.ptr[2 + 2 * i]);
		if (high < 0 || low < 0)
			return false;
		wanted->digest[i] = (uint8_t)(high << 4 | low);
	}
	int n = snprintf(wanted->path, sizeof(wanted->path), "%.2s/%.64s", s.ptr + 1, s.ptr + 1);
	return n == PATH_LEN - 1;
}

static bool open_file(const struct lifeboat *boat, struct wanted *wanted)
{
	wanted->fd = openat(boat->contents, wanted->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (wanted->fd >= 0 && fstat(wanted->fd, &wanted->info) == 0 && S_ISREG(wanted->info.st_mode))
		return true;
	if (wanted->fd >= 0)
		close(wanted->fd);
	return false;
}

static struct verified *slot_of(struct lifeboat *boat, const struct wanted *wanted)
{
	uint32_t index;
	memcpy(&index, wanted->digest, sizeof(index));
	return &boat->verified[index % VERIFIED_SLOTS];
}

static bool is_same_file(const struct verified *slot, const struct wanted *wanted)
{
	const struct stat *info = &wanted->info;
	return memcmp(slot->digest, wanted->digest, DIGEST_SIZE) == 0 && slot->inode == info->st_ino &&
	       slot->size == info->st_size && slot->changed.tv_sec == info->st_ctim.tv_sec &&
	       slot->changed.tv_nsec == info->st_ctim.tv_nsec;
}

static bool digest_file(struct lifeboat *boat, const struct wanted *wanted, uint8_t out[DIGEST_SIZE])
{
	off_t at = 0;
	ssize_t n;
	digest_begin(boat->digest);
	while ((n = pread(wanted->fd, boat->buf, sizeof(boat->buf), at)) > 0) {
		digest_add(boat->digest, boat->buf, (size_t)n);
		at += n;
	}
	digest_end(boat->digest, out);
	return n == 0;
}

static bool verify(struct lifeboat *boat, const struct wanted *wanted)
{
	struct verified *slot = slot_of(boat, wanted);
	uint8_t found[DIGEST_SIZE];
	if (is_same_file(slot, wanted))
		return slot->is_good;
	bool is_good = digest_file(boat, wanted, found) && memcmp(found, wanted->digest, DIGEST_SIZE) == 0;
	if (!is_good)
		log_error("the vault's content/%s is damaged: it counts as absent", wanted->path);
	*slot = (struct verified){.inode = wanted->info.st_ino,
				  .size = wanted->info.st_size,
				  .changed = wanted->info.st_ctim,
				  .is_good = is_good};
	memcpy(slot->digest, wanted->digest, DIGEST_SIZE);
	return is_good;
}

/* "bytes=FIRST-LAST" within size, as workers write it. False: none, or something else. */
static bool read_range(struct MHD_Connection *connection, uint64_t size, uint64_t *first, uint64_t *last)
{
	struct span value = span_from_str(httpd_header(connection, MHD_HTTP_HEADER_RANGE));
	if (!value.ptr || !span_starts(value, SPAN("bytes=")))
		return false;
	value = span_from(value, 6);
	size_t dash = span_find(value, '-');
	return span_to_u64(span_of(value.ptr, dash), INT64_MAX, first) &&
	       span_to_u64(span_from(value, dash + 1), INT64_MAX, last) && *first <= *last && *last < size;
}

/* Takes the file's descriptor. */
static enum MHD_Result send_content(struct MHD_Connection *connection, const struct wanted *wanted)
{
	char range[96];
	uint64_t size = (uint64_t)wanted->info.st_size, first = 0, last = 0;
	bool is_part = read_range(connection, size, &first, &last);
	uint64_t len = is_part ? last - first + 1 : size;
	struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(len, wanted->fd, first);
	if (!response) {
		close(wanted->fd);
		return MHD_NO;
	}
	snprintf(range, sizeof(range), "bytes %llu-%llu/%llu", (unsigned long long)first,
		 (unsigned long long)last, (unsigned long long)size);
	if (is_part &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range) != MHD_YES) {
		MHD_destroy_response(response);
		return MHD_NO;
	}
	return httpd_send(connection, is_part ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK, response);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *target,
			      const char *method, const char *version, const char *content,
			      size_t *content_len, void **state)
{
	static int began;
	struct lifeboat *boat = context;
	struct wanted wanted;
	(void)version, (void)content;
	if (!*state) {
		*state = &began;
		return MHD_YES;
	}
	if (*content_len > 0 || strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return MHD_NO;
	if (!read_target(target, &wanted) || !open_file(boat, &wanted))
		return httpd_send(connection, MHD_HTTP_NOT_FOUND, httpd_response(SPAN(""), NULL));
	if (!verify(boat, &wanted)) {
		close(wanted.fd);
		return httpd_send(connection, MHD_HTTP_NOT_FOUND, httpd_response(SPAN(""), NULL));
	}
	return send_content(connection, &wanted);
}

static void on_channel(struct watch *watch, unsigned events)
{
	struct lifeboat *boat = (struct lifeboat *)(void *)((char *)watch - offsetof(struct lifeboat, channel));
	(void)events;
	httpd_add_from(boat->httpd, watch->fd);
}

struct lifeboat *lifeboat_new(struct loop *loop, int contents, int channel, struct err *err)
{
	struct lifeboat *boat = calloc(1, sizeof(*boat));
	struct digest *digest = digest_new();
	if (!boat || !digest) {
		err_set(err, "out of memory");
		digest_free(digest);
		free(boat);
		close(contents);
		close(channel);
		return NULL;
	}
	boat->loop = loop;
	boat->contents = contents;
	boat->digest = digest;
	boat->channel = (struct watch){.on_event = on_channel, .fd = channel};
	struct httpd_setup setup = {
	    .loop = loop,
	    .listen_fd = -1,
	    .max_connections = CONNECTIONS_MAX,
	    .idle_s = IDLE_S,
	    .handler = handle,
	    .context = boat,
	};
	boat->httpd = httpd_new(&setup, err);
	if (boat->httpd && loop_watch_input(loop, &boat->channel, err))
		return boat;
	lifeboat_free(boat);
	return NULL;
}

void lifeboat_free(struct lifeboat *boat)
{
	if (!boat)
		return;
	loop_unwatch(boat->loop, &boat->channel);
	httpd_free(boat->httpd);
	digest_free(boat->digest);
	close(boat->channel.fd);
	close(boat->contents);
	free(boat);
}
