/* The scribe: empties the workers' rings into the access log and the event log.
 *
 * Trusts the operator's file names, and nothing that stands in a ring: a worker may have
 * been captured, so a record is copied, checked and escaped before it is written.
 * Does not rotate files (scribe_reopen follows whoever does) and never makes a
 * worker wait. SIGPIPE has to be ignored by the process.
 *
 *          records, or half a ring              20 empty visits
 *   asleep ───────────────────────► awake ────────────────────────► asleep
 *   (eventfd; a look every second)  (a visit every 100 ms)
 *
 * Lines are gathered and written in one call per visit. To fall asleep without losing a
 * wake-up, the flag is raised in every ring first and the rings are looked at once more: a worker
 * publishes its record before it looks at the flag, so one of the two sees the other. */
#include "sallyport/scribe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/log.h"

enum {
	AT_ONCE_MS = 1, /* in another round of the loop: signals and orders come first */
	VISIT_INTERVAL_MS = 100,
	LOOK_INTERVAL_MS = 1000,            /* while asleep: a ring may be newly in use */
	QUIET_VISITS = 20,                  /* empty ones before falling asleep */
	VISIT_RECORDS = 4096,               /* of one ring, before the next has its turn */
	FLUSH_RECORDS = LOG_RING_BYTES / 8, /* more than a ring can hold */
	BATCH_BYTES = 64 << 10,
	SINK_BYTES = BATCH_BYTES + LOG_LINE_MAX,
	SINK_WAIT_MS = 200, /* for a pipe or terminal to take more */
	CALM_MS = 5000,     /* without a failure: the trouble has ended */
	WARNING_INTERVAL_MS = 10000,
};

/* One log file. */
struct sink {
	const char *name; /* "access log" */
	char *path;       /* owned */
	int fd;           /* -1: off */
	bool is_owned;    /* the descriptor is ours to close */
	bool is_file;     /* a regular file takes everything at once */
	bool is_failing;
	bool is_mid_line; /* the last write stopped within a line */
	char *batch;      /* SINK_BYTES, owned; lines not yet written */
	size_t batch_len;
	uint64_t lost;        /* lines, since the start */
	uint64_t lost_before; /* … when the current trouble began */
	uint64_t failed_at_ms;
};

struct scribe {
	struct loop *loop;
	struct log_ring *rings;
	const struct stats *stats;
	void (*on_event)(const struct log_record *record, const struct span texts[LOG_TEXT_COUNT]);
	void (*on_evidence)(struct span record);
	struct watch wake;
	struct timer visit;
	struct sink access, events;
	int format;
	uint64_t used; /* bit per ring that was ever in use */
	bool is_asleep;
	unsigned quiet_visits;
	uint64_t dropped_said;
	uint64_t warned_at_ms;
	_Alignas(8) char record[LOG_RECORD_MAX];
};

static_assert(STATS_SLOTS <= 64, "scribe.used has a bit per ring");

/* ---- sinks ---- */

static void sink_release(struct sink *sink)
{
	if (sink->is_owned && sink->fd >= 0)
		close(sink->fd);
	free(sink->path);
	free(sink->batch);
	*sink = (struct sink){.fd = -1};
}

/* standard_fd: what "-" means. */
static bool sink_open(struct sink *sink, const char *name, const char *path, int standard_fd,
		      struct err *err)
{
	struct stat st;
	*sink = (struct sink){.name = name, .fd = -1, .path = strdup(path)};
	if (!sink->path)
		return err_set(err, "%s: out of memory", name);
	if (strcmp(path, "off") == 0)
		return true;
	sink->batch = malloc(SINK_BYTES);
	if (!sink->batch)
		return err_set(err, "%s: out of memory", name);
	if (strcmp(path, "-") == 0) {
		sink->fd = standard_fd;
	} else {
		sink->is_owned = true;
		sink->fd = open(
		    path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
	}
	if (sink->fd < 0 || fstat(sink->fd, &st) != 0)
		return err_set(err, "the %s cannot be opened: %s: %s", name, path, strerror(errno));
	sink->is_file = S_ISREG(st.st_mode);
	return true;
}

static uint64_t count_lines(const char *bytes, size_t len)
{
	uint64_t lines = 0;
	for (const char *end = bytes + len; bytes < end; lines++) {
		bytes = memchr(bytes, '\n', (size_t)(end - bytes));
		if (!bytes)
			break;
		bytes++;
	}
	return lines;
}

/* One write. Standard output may be shared, so it can't be made non-blocking:
 * a pipe that polls writable has room for PIPE_BUF bytes. */
static ssize_t sink_write_some(struct sink *sink, const char *bytes, size_t len)
{
	if (!sink->is_file) {
		struct pollfd pollfd = {.fd = sink->fd, .events = POLLOUT};
		int ready = poll(&pollfd, 1, SINK_WAIT_MS);
		if (ready == 0)
			errno = EAGAIN;
		if (ready <= 0)
			return -1;
		len = len < PIPE_BUF ? len : PIPE_BUF;
	}
	return write(sink->fd, bytes, len);
}

/* Bytes written; less than len with errno set where it failed. */
static size_t sink_write_all(struct sink *sink, const char *bytes, size_t len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = sink_write_some(sink, bytes + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			break;
	}
	return done;
}

static void sink_note_failure(struct sink *sink, int error, uint64_t now_ms)
{
	sink->failed_at_ms = now_ms;
	if (sink->is_failing)
		return;
	sink->is_failing = true;
	log_error("%s %s: %s: lines are being lost", sink->name, sink->path, strerror(error));
}

static void sink_note_success(struct sink *sink, uint64_t now_ms)
{
	if (!sink->is_failing || now_ms - sink->failed_at_ms < CALM_MS)
		return;
	sink->is_failing = false;
	log_warn("%s %s: writing again, %" PRIu64 " lines were lost", sink->name, sink->path,
		 sink->lost - sink->lost_before);
	sink->lost_before = sink->lost;
}

static void sink_write_batch(struct sink *sink, uint64_t now_ms)
{
	if (sink->batch_len == 0)
		return;
	size_t done = 0;
	/* a line that was cut off ends before the next begins */
	if (!sink->is_mid_line || sink_write_all(sink, "\n", 1) == 1) {
		sink->is_mid_line = false;
		done = sink_write_all(sink, sink->batch, sink->batch_len);
	}
	if (done < sink->batch_len) {
		int error = errno;
		if (done > 0)
			sink->is_mid_line = sink->batch[done - 1] != '\n';
		sink->lost += count_lines(sink->batch + done, sink->batch_len - done);
		sink_note_failure(sink, error, now_ms);
	} else {
		sink_note_success(sink, now_ms);
	}
	sink->batch_len = 0;
}

/* ---- rings ---- */

static bool slot_was_used(const struct stats_slot *slot)
{
	return atomic_load_explicit(&slot->in_use, memory_order_relaxed) != 0 ||
	       atomic_load_explicit(&slot->requests, memory_order_relaxed) != 0 ||
	       atomic_load_explicit(&slot->connections_accepted, memory_order_relaxed) != 0;
}

/* A ring once used is looked at ever after: its worker may have died with records in it. */
static void find_used_rings(struct scribe *scribe)
{
	for (unsigned i = 0; i < STATS_SLOTS; i++) {
		uint64_t bit = UINT64_C(1) << i;
		if (!(scribe->used & bit) &&
		    (!scribe->stats || slot_was_used(&scribe->stats->slots[i])))
			scribe->used |= bit;
	}
}

/* The next used ring from index on, LOG_RINGS at the end. Those of no slot are few, and looked at always. */
static unsigned next_used(const struct scribe *scribe, unsigned index)
{
	uint64_t rest = index < STATS_SLOTS ? scribe->used >> index : 0;
	if (rest)
		return index + (unsigned)__builtin_ctzll(rest);
	return index < STATS_SLOTS ? STATS_SLOTS : index;
}

#define FOR_EACH_USED(scribe, i)                                                                   \
	for (unsigned i = next_used((scribe), 0); i < LOG_RINGS; i = next_used((scribe), i + 1))

static bool ring_has_records(const struct log_ring *ring)
{
	return atomic_load_explicit(&ring->head, memory_order_acquire) !=
	       atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

/* What a captured worker can cause is said now and then, not each time. */
static bool may_warn(struct scribe *scribe)
{
	uint64_t now_ms = loop_now_ms(scribe->loop);
	if (scribe->warned_at_ms != 0 && now_ms - scribe->warned_at_ms < WARNING_INTERVAL_MS)
		return false;
	scribe->warned_at_ms = now_ms;
	return true;
}

static void write_record(struct scribe *scribe, size_t len, unsigned slot)
{
	struct log_record record;
	struct span texts[LOG_TEXT_COUNT];
	if (scribe->record[0] == LOG_RECORD_EVIDENCE) {
		if (scribe->on_evidence)
			scribe->on_evidence(span_of(scribe->record, len));
		return;
	}
	if (!log_record_unpack(scribe->record, len, &record, texts)) {
		if (may_warn(scribe))
			log_warn("the log ring of slot %u holds what is not a record", slot);
		return;
	}
	if (record.kind == LOG_RECORD_EVENT && scribe->on_event)
		scribe->on_event(&record, texts);
	struct sink *sink = record.kind == LOG_RECORD_EVENT ? &scribe->events : &scribe->access;
	if (sink->fd < 0)
		return;
	char *end = sink->batch + sink->batch_len;
	size_t room = SINK_BYTES - sink->batch_len;
	size_t line = scribe->format == LOG_FORMAT_JSON
			  ? log_format_json(&record, texts, end, room)
			  : log_format_combined(&record, texts, end, room);
	if (line == 0)
		sink->lost++;
	sink->batch_len += line;
	if (sink->batch_len >= BATCH_BYTES)
		sink_write_batch(sink, loop_now_ms(scribe->loop));
}

/* True where records may be left. */
static bool drain_ring(struct scribe *scribe, unsigned slot, unsigned max_records)
{
	struct log_ring *ring = &scribe->rings[slot];
	for (unsigned n = 0; n < max_records; n++) {
		bool damaged = false;
		size_t len =
		    ring_has_records(ring) ? log_ring_take(ring, scribe->record, &damaged) : 0;
		if (damaged && may_warn(scribe))
			log_warn("the log ring of slot %u was damaged, and emptied", slot);
		if (len == 0)
			return false;
		write_record(scribe, len, slot);
	}
	return true;
}

static void write_batches(struct scribe *scribe)
{
	uint64_t now_ms = loop_now_ms(scribe->loop);
	sink_write_batch(&scribe->access, now_ms);
	sink_write_batch(&scribe->events, now_ms);
}

static bool any_records(const struct scribe *scribe)
{
	FOR_EACH_USED(scribe, i)
	{
		if (ring_has_records(&scribe->rings[i]))
			return true;
	}
	return false;
}

static void raise_flags(struct scribe *scribe, bool asleep)
{
	FOR_EACH_USED(scribe, i)
	atomic_store_explicit(&scribe->rings[i].reader_asleep, asleep, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

static void warn_of_drops(struct scribe *scribe)
{
	uint64_t dropped = 0;
	FOR_EACH_USED(scribe, i)
	dropped += atomic_load_explicit(&scribe->rings[i].dropped, memory_order_relaxed);
	if (dropped == scribe->dropped_said || !may_warn(scribe))
		return;
	log_warn("%" PRIu64 " log records found a full ring and were dropped",
		 dropped - scribe->dropped_said);
	scribe->dropped_said = dropped;
}

/* ---- visits ---- */

/* Milliseconds until the next visit. */
static uint64_t visit_rings(struct scribe *scribe)
{
	bool more = false, any;
	find_used_rings(scribe);
	any = any_records(scribe);
	FOR_EACH_USED(scribe, i)
	more |= drain_ring(scribe, i, VISIT_RECORDS);
	write_batches(scribe);
	warn_of_drops(scribe);
	if (any) {
		if (scribe->is_asleep)
			raise_flags(scribe, false);
		scribe->is_asleep = false;
		scribe->quiet_visits = 0;
		return more ? AT_ONCE_MS : VISIT_INTERVAL_MS;
	}
	if (!scribe->is_asleep && ++scribe->quiet_visits < QUIET_VISITS)
		return VISIT_INTERVAL_MS;
	/* also when asleep already: for rings that are newly in use */
	raise_flags(scribe, true);
	scribe->is_asleep = true;
	return any_records(scribe) ? AT_ONCE_MS : LOOK_INTERVAL_MS;
}

static void visit_and_rearm(struct scribe *scribe)
{
	uint64_t wait_ms = visit_rings(scribe);
	loop_arm(scribe->loop, &scribe->visit, loop_now_ms(scribe->loop) + wait_ms);
}

static void on_visit(struct timer *timer)
{
	visit_and_rearm((struct scribe *)((char *)timer - offsetof(struct scribe, visit)));
}

static void on_wake(struct watch *watch, unsigned events)
{
	struct scribe *scribe = (struct scribe *)((char *)watch - offsetof(struct scribe, wake));
	uint64_t count;
	ssize_t n = read(watch->fd, &count, sizeof(count));
	/* nothing there means another read was first: the visit is due all the same */
	if ((events & LOOP_ERROR) || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		log_error("the scribe's event descriptor failed; visits go on by time");
		loop_unwatch(scribe->loop, watch);
	}
	visit_and_rearm(scribe);
}

/* ---- life ---- */

struct scribe *scribe_new(struct loop *loop, const struct scribe_setup *setup, struct err *err)
{
	struct scribe *scribe = calloc(1, sizeof(*scribe));
	if (!scribe) {
		err_set(err, "scribe: out of memory");
		return NULL;
	}
	scribe->loop = loop;
	scribe->rings = setup->rings;
	scribe->stats = setup->stats;
	scribe->on_event = setup->on_event;
	scribe->on_evidence = setup->on_evidence;
	scribe->access.fd = scribe->events.fd = -1;
	scribe->wake = (struct watch){.on_event = on_wake, .fd = setup->event_fd};
	scribe->visit.on_expiry = on_visit;
	if (!scribe_reopen(scribe, setup->log, err) ||
	    !loop_watch_input(loop, &scribe->wake, err)) {
		scribe_free(scribe);
		return NULL;
	}
	loop_arm(loop, &scribe->visit, loop_now_ms(loop));
	return scribe;
}

/* What was counted goes on in the file opened anew. */
static void replace_sink(struct sink *old, struct sink *new)
{
	new->lost = new->lost_before = old->lost;
	sink_release(old);
	*old = *new;
}

bool scribe_reopen(struct scribe *scribe, const struct log_settings *log, struct err *err)
{
	struct sink access, events = {.fd = -1};
	if (!sink_open(&access, "access log", log->access, STDOUT_FILENO, err) ||
	    !sink_open(&events, "event log", log->events, STDERR_FILENO, err)) {
		sink_release(&access);
		sink_release(&events);
		return false;
	}
	write_batches(scribe);
	replace_sink(&scribe->access, &access);
	replace_sink(&scribe->events, &events);
	scribe->format = log->format;
	return true;
}

void scribe_flush(struct scribe *scribe)
{
	find_used_rings(scribe);
	FOR_EACH_USED(scribe, i)
	drain_ring(scribe, i, FLUSH_RECORDS);
	write_batches(scribe);
}

uint64_t scribe_lost(const struct scribe *scribe)
{
	return scribe->access.lost + scribe->events.lost;
}

void scribe_free(struct scribe *scribe)
{
	if (!scribe)
		return;
	loop_unwatch(scribe->loop, &scribe->wake);
	loop_disarm(scribe->loop, &scribe->visit);
	sink_release(&scribe->access);
	sink_release(&scribe->events);
	free(scribe);
}
