/* The scribe: what workers put into their rings stands in the files, and trouble with
 * files is counted and said, never waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/clock.h"
#include "sallyport/log.h"
#include "sallyport/scribe.h"
#include "sallyport/shield.h"
#include "sallyport/shm.h"

struct fixture {
	struct loop *loop;
	struct scribe *scribe;
	struct log_ring *rings;
	struct stats *stats;
	int rings_fd;
	int event_fd;
	char dir[64];
	char access[128], events[128];
	struct log_settings log;
};

static const size_t rings_bytes = sizeof(struct log_ring) * LOG_RINGS;

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;
	assert_non_null(f);
	signal(SIGPIPE, SIG_IGN);
	snprintf(f->dir, sizeof(f->dir), "/tmp/sallyport-scribe-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->access, sizeof(f->access), "%s/access.log", f->dir);
	snprintf(f->events, sizeof(f->events), "%s/events.log", f->dir);
	f->log = (struct log_settings){f->access, f->events, LOG_FORMAT_COMBINED};
	f->loop = loop_new(&err);
	f->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->rings_fd = shm_create("test-rings", rings_bytes, &err);
	f->rings = shm_map(f->rings_fd, rings_bytes, true, &err);
	f->stats = calloc(1, sizeof(*f->stats));
	assert_true(f->loop && f->event_fd >= 0 && f->rings && f->stats);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	scribe_free(f->scribe);
	loop_free(f->loop);
	munmap(f->rings, rings_bytes);
	close(f->rings_fd);
	close(f->event_fd);
	free(f->stats);
	unlink(f->access);
	unlink(f->events);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	struct err err;
	struct scribe_setup s = {.rings = f->rings, .event_fd = f->event_fd, .log = &f->log, .stats = f->stats};
	f->scribe = scribe_new(f->loop, &s, &err);
	assert_non_null(f->scribe);
}

static bool put(struct fixture *f, unsigned slot, uint8_t kind, const char *text)
{
	char buf[4096];
	bool wake;
	struct log_record record = {.kind = kind,
				    .status = 200,
				    .enforced = 1,
				    .action = VERDICT_ALLOW,
				    .wall_us = 1795468104123456};
	struct span texts[LOG_TEXT_COUNT] = {[LOG_TEXT_METHOD] = SPAN("GET"),
					     [LOG_TEXT_TARGET] = span_from_str(text),
					     [LOG_TEXT_ORIGIN] = span_from_str(text)};
	assert_true(addr_parse_ip(SPAN("192.0.2.7"), 1, &record.client));
	record.peer = record.client;
	atomic_store(&f->stats->slots[slot].in_use, 1);
	size_t len = log_record_pack(&record, texts, buf, sizeof(buf));
	bool ok = log_ring_put(&f->rings[slot], buf, len, &wake);
	if (wake)
		assert_int_equal(eventfd_write(f->event_fd, 1), 0);
	return ok;
}

static char *content(const char *path)
{
	static char text[8 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	assert_true(fd >= 0);
	for (ssize_t n; (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0;)
		len += (size_t)n;
	close(fd);
	text[len] = '\0';
	return text;
}

static unsigned count(const char *text, const char *what)
{
	size_t left = strlen(text), len = strlen(what);
	unsigned n = 0;
	for (const char *found; (found = memmem(text, left, what, len)); n++) {
		left -= (size_t)(found + len - text);
		text = found + len;
	}
	return n;
}

static void run_ms(struct fixture *f, uint64_t ms)
{
	struct err err;
	uint64_t end = clock_mono_ms() + ms;
	for (uint64_t now; (now = clock_mono_ms()) < end;)
		assert_true(loop_once(f->loop, (int)(end - now), &err));
}

static void requests_and_events_go_to_their_files(void **state)
{
	struct fixture *f = *state;
	start(f);
	assert_true(put(f, 0, LOG_RECORD_ACCESS, "/first"));
	assert_true(put(f, 63, LOG_RECORD_ACCESS, "/second"));
	assert_true(put(f, 5, LOG_RECORD_EVENT, "an origin is down"));
	scribe_flush(f->scribe);
	char *text = content(f->access);
	assert_int_equal(count(text, "\n"), 2);
	assert_int_equal(count(text, "\"GET /first\" 200 "), 1);
	assert_int_equal(count(text, "\"GET /second\" 200 "), 1);
	text = content(f->events);
	assert_int_equal(count(text, "\n"), 1);
	assert_int_equal(count(text, "event=\"an origin is down\""), 1);
}

static void json_is_written_where_the_settings_say_so(void **state)
{
	struct fixture *f = *state;
	f->log.format = LOG_FORMAT_JSON;
	start(f);
	put(f, 0, LOG_RECORD_ACCESS, "/first");
	scribe_flush(f->scribe);
	assert_int_equal(count(content(f->access), "{\"time\":\"2026-11-23T21:08:24.123Z\""), 1);
}

static void off_means_no_file(void **state)
{
	struct fixture *f = *state;
	f->log.access = "off";
	f->log.events = "off";
	start(f);
	assert_true(put(f, 0, LOG_RECORD_ACCESS, "/first"));
	scribe_flush(f->scribe);
	assert_int_equal(access(f->access, F_OK), -1);
	assert_int_equal(scribe_lost(f->scribe), 0);
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
	struct fixture *f = *state;
	struct err err = {""};
	struct scribe_setup s = {.rings = f->rings, .event_fd = f->event_fd, .log = &f->log, .stats = f->stats};
	f->log.events = "/nonexistent/events.log";
	assert_null(scribe_new(f->loop, &s, &err));
	assert_non_null(strstr(err.text, "the event log cannot be opened: /nonexistent/events.log: No such file"));
}

static void reopening_follows_a_rotation(void **state)
{
	struct fixture *f = *state;
	struct err err;
	char rotated[160];
	start(f);
	put(f, 0, LOG_RECORD_ACCESS, "/before");
	snprintf(rotated, sizeof(rotated), "%s.1", f->access);
	assert_int_equal(rename(f->access, rotated), 0);
	scribe_flush(f->scribe);
	assert_int_equal(count(content(rotated), "GET /before"), 1);
	assert_true(scribe_reopen(f->scribe, &f->log, &err));
	put(f, 0, LOG_RECORD_ACCESS, "/after");
	scribe_flush(f->scribe);
	assert_int_equal(count(content(f->access), "GET /after"), 1);
	assert_int_equal(count(content(rotated), "/after"), 0);
	unlink(rotated);
}

static void reopening_that_fails_keeps_the_old_files(void **state)
{
	struct fixture *f = *state;
	struct err err = {""};
	struct log_settings bad = {f->access, "/nonexistent/events.log", LOG_FORMAT_COMBINED};
	start(f);
	assert_false(scribe_reopen(f->scribe, &bad, &err));
	put(f, 0, LOG_RECORD_EVENT, "still here");
	scribe_flush(f->scribe);
	assert_int_equal(count(content(f->events), "still here"), 1);
}

static void a_full_disk_loses_lines_counts_them_and_is_left_again(void **state)
{
	struct fixture *f = *state;
	struct err err;
	f->log.access = "/dev/full";
	start(f);
	for (int i = 0; i < 1000; i++)
		assert_true(put(f, 0, LOG_RECORD_ACCESS, "/lost"));
	scribe_flush(f->scribe);
	assert_int_equal(scribe_lost(f->scribe), 1000);
	f->log.access = f->access;
	assert_true(scribe_reopen(f->scribe, &f->log, &err));
	put(f, 0, LOG_RECORD_ACCESS, "/kept");
	scribe_flush(f->scribe);
	assert_int_equal(count(content(f->access), "\"GET /kept\""), 1);
	assert_int_equal(scribe_lost(f->scribe), 1000);
}

static void a_pipe_nobody_reads_does_not_stall_and_cut_lines_are_ended(void **state)
{
	struct fixture *f = *state;
	struct err err;
	assert_int_equal(mkfifo(f->access, 0600), 0);
	int reader = open(f->access, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	start(f);
	uint64_t begin = clock_mono_ms();
	for (int i = 0; i < 1000; i++)
		assert_true(put(f, 0, LOG_RECORD_ACCESS, "/page"));
	scribe_flush(f->scribe);
	assert_true(clock_mono_ms() - begin < 5000);
	uint64_t lost = scribe_lost(f->scribe);
	assert_in_range(lost, 1, 999);
	static char text[1 << 20];
	size_t len = 0;
	for (ssize_t n; (n = read(reader, text + len, sizeof(text) - 1 - len)) > 0;)
		len += (size_t)n;
	put(f, 0, LOG_RECORD_ACCESS, "/later");
	scribe_flush(f->scribe);
	for (ssize_t n; (n = read(reader, text + len, sizeof(text) - 1 - len)) > 0;)
		len += (size_t)n;
	text[len] = '\0';
	assert_int_equal(count(text, "\n192.0.2.7 - - [23/Nov/2026:21:08:24 +0000] \"GET /later\""),
			 1);
	/* whole lines, one more that was ended where it was cut, and the later one */
	assert_in_range(count(text, "\n"), 1000 - lost + 1, 1000 - lost + 2);
	assert_true(scribe_reopen(f->scribe, &f->log, &err));
	close(reader);
	put(f, 0, LOG_RECORD_ACCESS, "/nobody");
	scribe_flush(f->scribe);
	assert_int_equal(scribe_lost(f->scribe), lost + 1);
}

static void rings_never_used_cost_no_memory(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	start(f);
	put(f, 2, LOG_RECORD_ACCESS, "/one");
	run_ms(f, 150);
	scribe_flush(f->scribe);
	assert_int_equal(fstat(f->rings_fd, &st), 0);
	assert_true(st.st_blocks * 512 <= 4 * sysconf(_SC_PAGESIZE));
}

static void a_sleeping_scribe_is_woken_by_one_record(void **state)
{
	struct fixture *f = *state;
	start(f);
	put(f, 1, LOG_RECORD_ACCESS, "/first");
	run_ms(f, 2500);
	assert_int_equal(atomic_load(&f->rings[1].reader_asleep), 1);
	put(f, 1, LOG_RECORD_ACCESS, "/second");
	run_ms(f, 20);
	assert_int_equal(count(content(f->access), "\n"), 2);
	assert_int_equal(atomic_load(&f->rings[1].reader_asleep), 0);
}

static void a_damaged_ring_harms_only_itself(void **state)
{
	struct fixture *f = *state;
	start(f);
	put(f, 0, LOG_RECORD_ACCESS, "/damaged");
	put(f, 1, LOG_RECORD_ACCESS, "/sound");
	memset(f->rings[0].data, 0xff, 64);
	scribe_flush(f->scribe);
	assert_int_equal(count(content(f->access), "\n"), 1);
	put(f, 0, LOG_RECORD_ACCESS, "/again");
	bool wake;
	assert_true(log_ring_put(&f->rings[0], "not a record", 12, &wake));
	atomic_store(&f->rings[2].head, 12345677);
	atomic_store(&f->stats->slots[2].in_use, 1);
	scribe_flush(f->scribe);
	assert_int_equal(count(content(f->access), "\n"), 2);
}

enum { WRITERS = 3, RECORDS_EACH = 6000 };

struct writer {
	struct fixture *f;
	unsigned slot;
	pthread_t thread;
};

static void *writer_main(void *argument)
{
	struct writer *writer = argument;
	for (unsigned i = 0; i < RECORDS_EACH;) {
		if (put(writer->f, writer->slot, LOG_RECORD_ACCESS, "/threads"))
			i++;
		else
			usleep(1000);
		/* long enough, now and then, for the reader to fall asleep or nearly so */
		if (i % 2000 == 0)
			usleep(20000);
	}
	return NULL;
}

static void records_of_several_writers_all_arrive(void **state)
{
	struct fixture *f = *state;
	struct writer writers[WRITERS];
	start(f);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.f = f, .slot = i};
		assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]),
				 0);
	}
	uint64_t end = clock_mono_ms() + 20000;
	while (clock_mono_ms() < end && count(content(f->access), "\n") < WRITERS * RECORDS_EACH)
		run_ms(f, 100);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	assert_int_equal(count(content(f->access), "/threads\" 200 "), WRITERS * RECORDS_EACH);
}

int main(void)
{
	log_init("test", LOG_LEVEL_ERROR);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(requests_and_events_go_to_their_files, setup, teardown),
	    cmocka_unit_test_setup_teardown(json_is_written_where_the_settings_say_so, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(off_means_no_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_file_that_cannot_be_opened_is_named, setup, teardown),
	    cmocka_unit_test_setup_teardown(reopening_follows_a_rotation, setup, teardown),
	    cmocka_unit_test_setup_teardown(reopening_that_fails_keeps_the_old_files, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_full_disk_loses_lines_counts_them_and_is_left_again,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_pipe_nobody_reads_does_not_stall_and_cut_lines_are_ended, setup, teardown),
	    cmocka_unit_test_setup_teardown(rings_never_used_cost_no_memory, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_sleeping_scribe_is_woken_by_one_record, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_damaged_ring_harms_only_itself, setup, teardown),
	    cmocka_unit_test_setup_teardown(records_of_several_writers_all_arrive, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
