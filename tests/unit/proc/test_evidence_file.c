/* The evidence file: nobody else's, of fixed size, whole after a crash, and not emptied of everything by a flood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proc/evidence_file.h"
#include "sallyport/small_file.h"

enum { SLOTS = 32, BYTES = SLOTS * EVIDENCE_SLOT_BYTES };

static char directory[64], path[80];

static int setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/sallyport-evidence-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/evidence", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static struct evidence_file *opened(uint64_t bytes)
{
	struct err err = {{0}};
	struct evidence_file *file = evidence_file_open(path, bytes, &err);
	if (!file || !evidence_file_begin(file, &err))
		fail_msg("%s", err.text);
	return file;
}

static void put(struct evidence_file *file, uint64_t id, enum reason reason, uint32_t client)
{
	char buf[EVIDENCE_RECORD_MAX];
	struct evidence_writer writer;
	struct evidence_head head = {.reason = (uint16_t)reason, .request_id = {0, id}};
	head.client.u.in4.sin_family = AF_INET;
	head.client.u.in4.sin_addr.s_addr = client;
	evidence_begin(&writer, &head, buf, sizeof(buf));
	evidence_file_put(file, span_of(buf, evidence_end(&writer)));
}

/* Is a record with that id in the file? Each is read as `explain` reads it. */
static bool has(uint64_t id)
{
	size_t len;
	char *bytes = small_file_read(path, 1 << 20, &len);
	bool found = false;
	assert_non_null(bytes);
	for (size_t at = 0; at + EVIDENCE_SLOT_BYTES <= len; at += EVIDENCE_SLOT_BYTES) {
		struct evidence_head head;
		struct evidence_reader reader;
		struct span record;
		uint64_t sequence;
		if (evidence_slot_read(bytes + at, &sequence, &record) && evidence_read(record, &head, &reader))
			found |= head.request_id[1] == id;
	}
	free(bytes);
	return found;
}

static off_t size_of_file(void)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void it_is_for_its_owner_alone_and_never_grows(void **state)
{
	struct evidence_file *file = opened(BYTES);
	struct stat st;
	(void)state;
	for (uint64_t id = 1; id <= 3 * SLOTS; id++)
		put(file, id, (enum reason)(id % 20 + 1), (uint32_t)id);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_size, BYTES);
	for (uint64_t id = 1; id <= 3 * SLOTS; id++)
		assert_int_equal(has(id), id > 2 * SLOTS);
	evidence_file_close(file);
}

static void it_outlives_whoever_writes_it(void **state)
{
	struct evidence_file *file = opened(BYTES);
	(void)state;
	for (uint64_t id = 1; id <= SLOTS; id++)
		put(file, id, (enum reason)(id % 20 + 1), (uint32_t)id);
	evidence_file_close(file);
	file = opened(BYTES);
	put(file, 1000, REASON_RULE, 77);
	evidence_file_close(file);
	assert_true(has(1000) && has(2) && has(SLOTS));
	assert_false(has(1)); /* the oldest, and not just any */
}

static void another_size_keeps_what_fits(void **state)
{
	struct evidence_file *file = opened(BYTES);
	(void)state;
	for (uint64_t id = 1; id <= SLOTS; id++)
		put(file, id, (enum reason)(id % 20 + 1), (uint32_t)id);
	evidence_file_close(file);
	evidence_file_close(opened(BYTES / 2));
	assert_int_equal(size_of_file(), BYTES / 2);
	assert_true(has(1) && has(SLOTS / 2) && !has(SLOTS / 2 + 1));
	file = opened(2 * BYTES);
	assert_int_equal(size_of_file(), 2 * BYTES);
	put(file, 1000, REASON_RULE, 77);
	assert_true(has(1) && has(1000));
	evidence_file_close(file);
}

/* Cut anywhere, changed anywhere: what was not touched is read, and writing goes on. */
static void damage_costs_what_it_touches(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct evidence_file *file = opened(BYTES);
		for (uint64_t id = 1; id <= SLOTS; id++)
			put(file, id, (enum reason)(id % 20 + 1), (uint32_t)id);
		evidence_file_close(file);
		off_t at = (off_t)(round * 2654435761u % BYTES), slot = at / EVIDENCE_SLOT_BYTES;
		int fd = open(path, O_WRONLY);
		bool cut = round % 2;
		if (cut)
			assert_int_equal(ftruncate(fd, at), 0);
		else
			assert_int_equal(pwrite(fd, "damage of some bytes", 20, slot * EVIDENCE_SLOT_BYTES + at % 90), 20);
		close(fd);
		file = opened(BYTES);
		for (uint64_t id = 1; id <= SLOTS; id++)
			if (cut ? id <= (uint64_t)slot : id != (uint64_t)slot + 1)
				assert_true(has(id));
		put(file, 1000, REASON_RULE, 77);
		assert_true(has(1000));
		evidence_file_close(file);
		unlink(path);
	}
}

static void nobody_elses_file_is_written(void **state)
{
	struct err err = {{0}};
	char other[96];
	(void)state;
	snprintf(other, sizeof(other), "%s/other", directory);
	close(open(other, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(symlink(other, path), 0);
	assert_null(evidence_file_open(path, BYTES, &err));
	unlink(path);
	assert_int_equal(link(other, path), 0);
	assert_null(evidence_file_open(path, BYTES, &err));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(evidence_file_open(path, BYTES, &err));
	unlink(path);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(chmod(path, 0640), 0);
	assert_null(evidence_file_open(path, BYTES, &err));
	assert_non_null(strstr(err.text, "chmod 0600"));
	unlink(other);
}

static void two_servers_don_t_write_one_file(void **state)
{
	struct err err = {{0}};
	struct evidence_file *first = opened(BYTES), *second = evidence_file_open(path, BYTES, &err);
	(void)state;
	assert_non_null(second);
	assert_false(evidence_file_begin(second, &err));
	assert_non_null(strstr(err.text, "another server"));
	put(second, 5, REASON_RULE, 1);
	assert_false(has(5));
	evidence_file_close(second);
	evidence_file_close(first);
}

static void what_is_no_record_is_left_out(void **state)
{
	struct evidence_file *file = opened(BYTES);
	char junk[EVIDENCE_RECORD_MAX + 1] = {3};
	(void)state;
	for (size_t len = 0; len <= sizeof(junk); len += 37)
		evidence_file_put(file, span_of(junk, len));
	evidence_file_put(file, span_of(junk, sizeof(junk)));
	size_t len;
	char *bytes = small_file_read(path, 1 << 20, &len);
	assert_int_equal(len, BYTES);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], 0);
	free(bytes);
	evidence_file_close(file);
}

/* Nothing waits for room, and nothing that stands is harmed. */
static void what_cannot_be_written_is_counted(void **state)
{
	struct evidence_file *file = opened(BYTES);
	struct rlimit old, none = {0, 0};
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	put(file, 1, REASON_RULE, 1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	put(file, 2, REASON_RULE, 1);
	put(file, 3, REASON_RULE, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(evidence_file_lost(file), 2);
	put(file, 4, REASON_RULE, 1);
	assert_int_equal(evidence_file_lost(file), 2);
	assert_true(has(1) && has(4) && !has(2) && !has(3));
	evidence_file_close(file);
}

/* ---- who makes way ---- */

static void a_flood_takes_its_share_and_no_more(void **state)
{
	struct evidence_file *file = opened(BYTES);
	(void)state;
	for (uint64_t id = 1; id <= SLOTS; id++)
		put(file, id, (enum reason)(id % 20 + 1), (uint32_t)id);
	for (uint64_t id = 1000; id < 3000; id++) /* one client, all kinds of reasons */
		put(file, id, (enum reason)(id % 40 + 1), 4711);
	unsigned left = 0;
	for (uint64_t id = 1; id <= SLOTS; id++)
		left += has(id);
	assert_int_equal(left, SLOTS - SLOTS / 8);
	for (uint64_t id = 3000; id < 5000; id++) /* one reason, all kinds of clients */
		put(file, id, REASON_SCORE, (uint32_t)id);
	left = 0;
	for (uint64_t id = 1; id <= SLOTS; id++)
		left += has(id);
	assert_true(left >= SLOTS - SLOTS / 8 - SLOTS / 4);
	assert_true(has(4999) && has(2999));
	evidence_file_close(file);
}

static void a_client_repeating_itself_keeps_what_else_it_did(void **state)
{
	struct evidence_file *file = opened(BYTES);
	(void)state;
	put(file, 1, REASON_SCORE, 4711);
	for (uint64_t id = 2; id < 5 * SLOTS; id++)
		put(file, id, REASON_RULE, 4711);
	assert_true(has(1) && has(5 * SLOTS - 1));
	evidence_file_close(file);
}

static void a_file_of_one_slot_has_the_newest(void **state)
{
	struct evidence_file *file = opened(1);
	(void)state;
	put(file, 1, REASON_RULE, 1);
	put(file, 2, REASON_SCORE, 2);
	assert_true(has(2) && !has(1));
	evidence_file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(it_is_for_its_owner_alone_and_never_grows, setup, teardown),
	    cmocka_unit_test_setup_teardown(it_outlives_whoever_writes_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(another_size_keeps_what_fits, setup, teardown),
	    cmocka_unit_test_setup_teardown(damage_costs_what_it_touches, setup, teardown),
	    cmocka_unit_test_setup_teardown(nobody_elses_file_is_written, setup, teardown),
	    cmocka_unit_test_setup_teardown(two_servers_don_t_write_one_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_record_is_left_out, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_cannot_be_written_is_counted, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_flood_takes_its_share_and_no_more, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_client_repeating_itself_keeps_what_else_it_did, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_file_of_one_slot_has_the_newest, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
