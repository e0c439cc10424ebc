/* The ring: what is put comes out in order, nothing blocks, and a writer that lies
 * about everything moves the reader nowhere outside of the ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "dice.h"
#include "guard_page.h"
#include "sallyport/log_ring.h"

/* The ring's last byte abuts an unreadable page. */
static struct log_ring *ring_new(void)
{
	static struct log_ring zeroed;
	return (struct log_ring *)(void *)guarded_copy(&zeroed, sizeof(zeroed));
}

static void ring_free(struct log_ring *ring)
{
	guarded_free((char *)ring, sizeof(*ring));
}

static size_t record_len(uint64_t number)
{
	return sizeof(number) + number * 7919 % (number % 64 == 0 ? 30000 : 700);
}

static void make_record(uint64_t number, char *out)
{
	size_t len = record_len(number);
	memcpy(out, &number, sizeof(number));
	memset(out + sizeof(number), (int)(number & 0xff), len - sizeof(number));
}

static void assert_record(const char *record, size_t len, uint64_t number)
{
	uint64_t found;
	assert_true(len >= sizeof(found));
	memcpy(&found, record, sizeof(found));
	assert_int_equal(found, number);
	assert_int_equal(len, record_len(number));
	for (size_t i = sizeof(found); i < len; i++)
		assert_int_equal((unsigned char)record[i], number & 0xff);
}

enum { THREAD_RECORDS = 60000 };

static void *write_all(void *ring)
{
	static char record[LOG_RECORD_MAX];
	bool wake;
	for (uint64_t number = 0; number < THREAD_RECORDS;) {
		make_record(number, record);
		if (log_ring_put(ring, record, record_len(number), &wake))
			number++;
		else
			sched_yield();
	}
	return NULL;
}

static void ring_keeps_order_between_threads(void **state)
{
	(void)state;
	struct log_ring *ring = ring_new();
	pthread_t writer;
	assert_int_equal(pthread_create(&writer, NULL, write_all, ring), 0);
	static char buf[LOG_RECORD_MAX];
	for (uint64_t number = 0; number < THREAD_RECORDS;) {
		bool damaged;
		size_t len = log_ring_take(ring, buf, &damaged);
		assert_false(damaged);
		if (len > 0)
			assert_record(buf, len, number++);
		else
			sched_yield();
	}
	pthread_join(writer, NULL);
	ring_free(ring);
}

static void ring_that_is_full_loses_and_counts(void **state)
{
	(void)state;
	struct log_ring *ring = ring_new();
	static char record[LOG_RECORD_MAX], buf[LOG_RECORD_MAX];
	bool wake, damaged;
	unsigned put = 0, woke = 0;
	memset(record, 'r', sizeof(record));
	while (log_ring_put(ring, record, 1000, &wake)) {
		put++;
		woke += wake;
	}
	assert_int_equal(put, LOG_RING_BYTES / 1008);
	assert_int_equal(woke, 1); /* once, as it became half full */
	assert_int_equal(atomic_load(&ring->dropped), 1);
	assert_int_equal(log_ring_take(ring, buf, &damaged), 1000);
	assert_memory_equal(buf, record, 1000);
	assert_true(log_ring_put(ring, record, 1000, &wake));
	assert_false(log_ring_put(ring, record, 1000, &wake));
	assert_int_equal(atomic_load(&ring->dropped), 2);
	for (unsigned i = 0; i < put; i++)
		assert_int_equal(log_ring_take(ring, buf, &damaged), 1000);
	assert_int_equal(log_ring_take(ring, buf, &damaged), 0);
	ring_free(ring);
}

static void ring_takes_records_up_to_the_largest(void **state)
{
	(void)state;
	struct log_ring *ring = ring_new();
	static char record[LOG_RECORD_MAX + 1], buf[LOG_RECORD_MAX];
	bool wake, damaged;
	for (size_t len = 1; len <= LOG_RECORD_MAX; len = len * 3 + 1) {
		assert_true(log_ring_put(ring, record, len, &wake));
		assert_int_equal(log_ring_take(ring, buf, &damaged), len);
	}
	assert_true(log_ring_put(ring, record, LOG_RECORD_MAX, &wake));
	assert_int_equal(log_ring_take(ring, buf, &damaged), LOG_RECORD_MAX);
	assert_false(log_ring_put(ring, record, LOG_RECORD_MAX + 1, &wake));
	assert_false(log_ring_put(ring, record, 0, &wake));
	assert_int_equal(log_ring_take(ring, buf, &damaged), 0);
	ring_free(ring);
}

static void ring_wakes_a_sleeping_reader_once(void **state)
{
	(void)state;
	struct log_ring *ring = ring_new();
	bool wake;
	assert_true(log_ring_put(ring, "x", 1, &wake));
	assert_false(wake);
	atomic_store(&ring->reader_asleep, 1);
	assert_true(log_ring_put(ring, "x", 1, &wake));
	assert_true(wake);
	assert_true(log_ring_put(ring, "x", 1, &wake));
	assert_false(wake);
	ring_free(ring);
}

static void ring_damage_is_emptied_and_the_writer_goes_on(void **state)
{
	(void)state;
	static const struct {
		uint64_t head, tail;
		uint32_t length;
	} rows[] = {
	    {8, 0, 0}, /* a record of no length */
	    {8, 0, 5}, /* longer than what was written */
	    {LOG_RING_BYTES, 0, LOG_RECORD_MAX + 1},
	    {LOG_RING_BYTES, 0, UINT32_MAX},
	    {LOG_RING_BYTES + 8, 0, 4}, /* more than fits */
	    {0, 8, 4},                  /* the reader before the writer */
	    {4, 0, 4},
	    {20, 4, 4}, /* on odd places */
	    {UINT64_MAX, 3, 4},
	    {3, UINT64_MAX, 4},
	    {UINT64_MAX, UINT64_MAX - 4, 4},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct log_ring *ring = ring_new();
		static char buf[LOG_RECORD_MAX];
		bool damaged, wake;
		memcpy(ring->data, &rows[i].length, sizeof(rows[i].length));
		atomic_store(&ring->head, rows[i].head);
		atomic_store(&ring->tail, rows[i].tail);
		assert_int_equal(log_ring_take(ring, buf, &damaged), 0);
		assert_true(damaged);
		assert_int_equal(log_ring_take(ring, buf, &damaged), 0);
		assert_false(damaged);
		assert_true(log_ring_put(ring, "after", 5, &wake));
		assert_int_equal(log_ring_take(ring, buf, &damaged), 5);
		assert_memory_equal(buf, "after", 5);
		ring_free(ring);
	}
}

struct liar {
	struct log_ring *ring;
	_Atomic bool stop;
};

static void lie_once(struct log_ring *ring, uint64_t *seed)
{
	uint64_t what = dice_next(seed);
	uint64_t at = dice_next(seed) % LOG_RING_BYTES / 8 * 8;
	switch (what % 5) {
	case 0: memcpy(ring->data + at, seed, sizeof(*seed)); break;
	case 1: atomic_store(&ring->head, dice_next(seed)); break;
	case 2: atomic_store(&ring->tail, dice_next(seed)); break;
	case 3: atomic_store(&ring->head, atomic_load(&ring->tail) + at); break;
	case 4: {
		uint32_t length = (uint32_t)(what >> 8) % (LOG_RECORD_MAX + 8);
		memcpy(ring->data + at, &length, sizeof(length));
		atomic_store(&ring->tail, at);
		atomic_store(&ring->head, at + LOG_RING_BYTES);
		break;
	}
	}
}

__attribute__((no_sanitize("thread"))) static void *lie_all(void *context)
{
	struct liar *liar = context;
	uint64_t seed = 88172645463325252u;
	while (!atomic_load(&liar->stop))
		lie_once(liar->ring, &seed);
	return NULL;
}

static void ring_reader_survives_a_hostile_writer(void **state)
{
	(void)state;
	struct liar liar = {.ring = ring_new()};
	uint64_t seed = 4711;
	/* the byte behind buf is unreadable too: a length too long would fault */
	static char room[LOG_RECORD_MAX];
	char *buf = guarded_copy(room, sizeof(room));
	bool damaged;
	unsigned taken = 0, damages = 0;
	for (unsigned i = 0; i < 300000; i++) {
		lie_once(liar.ring, &seed);
		taken += log_ring_take(liar.ring, buf, &damaged) > 0;
		damages += damaged;
	}
	assert_true(taken > 1000 && damages > 1000);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, lie_all, &liar), 0);
	for (unsigned i = 0; i < 1000000; i++)
		assert_true(log_ring_take(liar.ring, buf, &damaged) <= LOG_RECORD_MAX);
	atomic_store(&liar.stop, true);
	pthread_join(thread, NULL);
	guarded_free(buf, sizeof(room));
	ring_free(liar.ring);
}

static void ring_writer_survives_a_hostile_reader(void **state)
{
	(void)state;
	struct log_ring *ring = ring_new();
	uint64_t seed = 4712;
	static char record[LOG_RECORD_MAX];
	bool wake;
	for (unsigned i = 0; i < 100000; i++) {
		atomic_store(&ring->tail, i % 2 ? dice_next(&seed) : atomic_load(&ring->head));
		if (i % 3 == 0)
			atomic_store(&ring->head, dice_next(&seed));
		log_ring_put(ring, record, dice_next(&seed) % LOG_RECORD_MAX, &wake);
	}
	ring_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ring_keeps_order_between_threads),
	    cmocka_unit_test(ring_that_is_full_loses_and_counts),
	    cmocka_unit_test(ring_takes_records_up_to_the_largest),
	    cmocka_unit_test(ring_wakes_a_sleeping_reader_once),
	    cmocka_unit_test(ring_damage_is_emptied_and_the_writer_goes_on),
	    cmocka_unit_test(ring_reader_survives_a_hostile_writer),
	    cmocka_unit_test(ring_writer_survives_a_hostile_reader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
