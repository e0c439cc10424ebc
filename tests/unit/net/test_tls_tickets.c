/* Keys of tickets over time: made once, shared, renewed, over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/tls_tickets.h"

enum { PERIOD = TLS_TICKET_PERIOD_MS, START = 5000 };

static struct tls_tickets *new_tickets(void)
{
	void *memory = mmap(NULL, tls_tickets_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	return tls_tickets_of(memory);
}

static struct tls_ticket_key seal(struct tls_tickets *tickets, uint64_t now_ms)
{
	struct tls_ticket_key key;
	assert_true(tls_tickets_seal(tickets, now_ms, &key));
	return key;
}

static bool opens(const struct tls_tickets *tickets, const struct tls_ticket_key *key, uint64_t now_ms, bool *renew)
{
	struct tls_ticket_key found;
	if (!tls_tickets_open(tickets, key->name, now_ms, &found, renew))
		return false;
	assert_memory_equal(&found, key, sizeof(found));
	return true;
}

static void the_first_who_seals_makes_a_key(void **state)
{
	(void)state;
	struct tls_tickets *tickets = new_tickets();
	static const struct tls_ticket_key nothing;
	struct tls_ticket_key first = seal(tickets, START);
	assert_memory_not_equal(&first, &nothing, sizeof(first));
	assert_memory_not_equal(first.cipher, first.mac, sizeof(first.mac));
	struct tls_ticket_key again = seal(tickets, START + PERIOD - 1);
	assert_memory_equal(&first, &again, sizeof(first));
	munmap(tickets, tls_tickets_bytes());
}

static void a_key_seals_one_period_and_opens_two(void **state)
{
	(void)state;
	struct tls_tickets *tickets = new_tickets();
	struct tls_ticket_key first = seal(tickets, START);
	bool renew = true;
	assert_true(opens(tickets, &first, START + PERIOD - 1, &renew));
	assert_false(renew);
	struct tls_ticket_key second = seal(tickets, START + PERIOD);
	assert_memory_not_equal(&first, &second, sizeof(first));
	assert_true(opens(tickets, &first, START + PERIOD, &renew));
	assert_true(renew);
	assert_true(opens(tickets, &first, START + 2 * (uint64_t)PERIOD - 1, &renew));
	assert_false(opens(tickets, &first, START + 2 * (uint64_t)PERIOD, &renew));
	assert_true(opens(tickets, &second, START + 2 * (uint64_t)PERIOD, &renew));
	munmap(tickets, tls_tickets_bytes());
}

static bool has_bytes(const void *memory, const void *bytes, size_t len)
{
	return memmem(memory, tls_tickets_bytes(), bytes, len) != NULL;
}

static void what_is_over_is_wiped(void **state)
{
	(void)state;
	struct tls_tickets *tickets = new_tickets();
	struct tls_ticket_key first = seal(tickets, START);
	assert_true(has_bytes(tickets, first.cipher, sizeof(first.cipher)));
	tls_tickets_tend(tickets, START + 2 * (uint64_t)PERIOD);
	assert_false(has_bytes(tickets, first.cipher, sizeof(first.cipher)));
	assert_false(has_bytes(tickets, first.mac, sizeof(first.mac)));
	munmap(tickets, tls_tickets_bytes());
}

static void many_periods_later_it_still_works(void **state)
{
	(void)state;
	struct tls_tickets *tickets = new_tickets();
	struct tls_ticket_key last = seal(tickets, START);
	for (uint64_t i = 1; i < 50; i++) {
		uint64_t now_ms = START + i * PERIOD;
		bool renew = false;
		struct tls_ticket_key key = seal(tickets, now_ms);
		assert_memory_not_equal(key.name, last.name, sizeof(key.name));
		assert_true(opens(tickets, &last, now_ms, &renew) && renew);
		last = key;
	}
	munmap(tickets, tls_tickets_bytes());
}

static void an_unknown_name_opens_nothing(void **state)
{
	(void)state;
	struct tls_tickets *tickets = new_tickets();
	struct tls_ticket_key key = seal(tickets, START), none = {.name = {0}};
	bool renew = false;
	assert_false(opens(tickets, &none, START, &renew));
	key.name[0] ^= 1;
	assert_false(opens(tickets, &key, START, &renew));
	munmap(tickets, tls_tickets_bytes());
}

/* The state of a cell is its first word: made_ms << 2 | phase, 1 being made. */
static void a_maker_that_died_holds_up_nobody(void **state)
{
	(void)state;
	struct tls_tickets *tickets = new_tickets();
	struct tls_ticket_key first = seal(tickets, START), key;
	uint64_t *cells = (uint64_t *)tickets;
	size_t words = tls_tickets_bytes() / sizeof(uint64_t) / 4;
	uint64_t now_ms = START + PERIOD;
	for (size_t i = 0; i < 4; i++) {
		if (cells[i * words] == 0) {
			cells[i * words] = now_ms << 2 | 1;
			break;
		}
	}
	assert_true(tls_tickets_seal(tickets, now_ms, &key));
	assert_memory_equal(&key, &first, sizeof(key)); /* the last one serves on */
	assert_true(tls_tickets_seal(tickets, now_ms + PERIOD, &key));
	assert_memory_not_equal(&key, &first, sizeof(key));
	munmap(tickets, tls_tickets_bytes());
}

static void processes_agree_on_one_key(void **state)
{
	(void)state;
	struct tls_tickets *tickets = new_tickets();
	struct tls_ticket_key *keys = mmap(NULL, 8 * sizeof(*keys), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(keys != MAP_FAILED);
	for (int i = 0; i < 8; i++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			while (!tls_tickets_seal(tickets, START, &keys[i])) /* another makes it just now */
				usleep(100);
			_exit(0);
		}
	}
	for (int i = 0; i < 8; i++)
		wait(NULL);
	for (int i = 1; i < 8; i++)
		assert_memory_equal(&keys[i], &keys[0], sizeof(keys[0]));
	munmap(keys, 8 * sizeof(*keys));
	munmap(tickets, tls_tickets_bytes());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_who_seals_makes_a_key),
	    cmocka_unit_test(a_key_seals_one_period_and_opens_two),
	    cmocka_unit_test(what_is_over_is_wiped),
	    cmocka_unit_test(many_periods_later_it_still_works),
	    cmocka_unit_test(an_unknown_name_opens_nothing),
	    cmocka_unit_test(a_maker_that_died_holds_up_nobody),
	    cmocka_unit_test(processes_agree_on_one_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
