#ifndef SALLYPORT_THROTTLE_H
#define SALLYPORT_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often a client may ask: the generic cell rate algorithm (GCRA; ITU-T I.371, annex A)
 * over a table that all workers share without a lock. Pure: time is passed in, in microseconds
 * of CLOCK_MONOTONIC; no clock, no heap, no system call.
 *
 * A rate of one request per `interval` with a burst of B keeps one time per client and rate,
 * the theoretical arrival time (TAT): when the client would have used up what it asked for,
 * had it asked at exactly the rate. A request at `now` passes where TAT - now <= (B - 1) *
 * interval, and then moves TAT on by one interval. So over any window w at most w / interval +
 * B requests pass.
 *
 * THE TABLE is of fixed size, about 16.1 MiB, made once by the master and kept over reloads:
 *
 *   header      seed, how far it was swept                                       1 line
 *   buckets     2^18 of 64 bytes (a line of the cache), 8 cells each             16 MiB
 *   crowds      2^12 cells for each of 4 ranges of rates, and for rates of bytes 160 KiB
 *
 * A cell is 64 bits and changes by one compare-and-swap, so that what two workers let pass at
 * the same time is counted twice, exactly:
 *
 *   | tag: 21 bits of the key's hash | limited: 1 | TAT, microseconds modulo 2^42 |
 *
 * All cells of a client at a site are in one bucket: a request touches one line of memory. A
 * cell whose TAT has passed is free, because it says no more than a new one would; nothing has
 * to be deleted, and memory does not grow with the number of clients.
 *
 * WHEN A BUCKET IS FULL of cells that are not free, a client without one is judged so:
 *  1. The cell that would be free soonest gives way, if its client was never refused since the
 *     cell was taken (`limited` is not set). What is lost is what that client had used of its
 *     burst.
 *  2. A cell that is `limited` never gives way: who floods stays limited however many other
 *     addresses come, and a ban ends when it ends.
 *  3. Where all eight are limited, the newcomer shares a cell, its crowd, with those of the same
 *     class of rates and a 4096th of all clients: together they may ask as often as one may.
 *     Ordinary clients can be refused then, but not all, and nobody passes uncounted. This takes
 *     some two million addresses that are all over their limits at the same time.
 *
 * KEYS are hashed with 128 random bits that never leave our processes, by two rounds of
 * multiply and fold. This is not a cryptographic hash, and need not be: nobody sees its
 * output, only whether requests pass, so no set of addresses can be chosen that share a
 * bucket. Two clients that share bucket and tag share a cell; for two given ones the odds are
 * 1 in 2^39, for a newcomer to a full bucket 1 in 260,000.
 *
 * TIME of 42 bits comes around after 50 days. Before, stale cells are cleared: the calls sweep
 * the table as they go, all of it within five hours, a few microseconds each; where calls are so
 * rare that this falls three weeks behind, one sweeps all (milliseconds). What lies further ahead than
 * THROTTLE_HORIZON_US (and an hour, for clocks that differ) is no time of ours and counts as
 * free.
 *
 * RACES: two workers that see a client for the first time in the same instant may give it two
 * cells, if another cell of the bucket becomes free just then; it has two bursts that once. */
struct throttle_table;

#define THROTTLE_HORIZON_US (UINT64_C(7) * 86400 * 1000000) /* no TAT is further ahead */

size_t throttle_bytes(void);
/* Once, by who made the memory (zeroed, throttle_bytes() long). */
void throttle_init(void *memory, const uint64_t seed[2], uint64_t now_us);
struct throttle_table *throttle_of(void *memory);

/* A rate, compiled. */
struct throttle_rate {
	uint64_t id; /* tells it from the site's others, the same after a reload */
	uint64_t interval_us;
	uint64_t tolerance_us; /* (burst - 1) intervals */
};

/* count requests in per_ms, burst of them at once (0 counts as 1). The interval is rounded up,
 * so that never more than was said may pass. Equal values and salt give equal ids; a rate that
 * was changed counts anew. False where burst * interval is over the horizon, or the interval
 * below 1 us. */
bool throttle_rate_of(uint64_t count, uint64_t per_ms, uint64_t burst, uint64_t salt,
		      struct throttle_rate *out);
/* A number for a name that stands in a policy, the same on every machine. */
uint64_t throttle_id(const char *name);

/* Where a client's cells are: valid for one request. */
struct throttle_client {
	struct throttle_table *table;
	void *bucket;
	uint64_t hash;
};

/* site: throttle_id(); key: addr_client_key(). Sweeps a little. */
struct throttle_client throttle_client_of(struct throttle_table *table, uint64_t site, uint64_t key,
					  uint64_t now_us);

/* A key for bytes that a client chose, such as a name or a cookie: hashed as keys are, and never 0. What stands in the memory tells
 * nobody who has not its seed what they were. */
uint64_t throttle_key_of(const struct throttle_table *table, const char *bytes, size_t len);

enum throttle_answer {
	THROTTLE_UNSET = 0,
	THROTTLE_PASS,
	THROTTLE_REFUSE,
};

struct throttle_result {
	enum throttle_answer answer;
	bool crowded;     /* judged with others, since its bucket was full */
	uint64_t wait_us; /* REFUSE: after this long it would pass */
};

/* One more request: counted where it passes. */
struct throttle_result throttle_ask(const struct throttle_client *client,
				    const struct throttle_rate *rate, uint64_t now_us);

/* The last one was not to be counted after all; nothing happens where it is forgotten already. */
void throttle_take_back(const struct throttle_client *client, const struct throttle_rate *rate, uint64_t now_us);

/* A cell that only says that there was something, until keep_us (at most the horizon) after it was last said. It gives way as
 * cells do. */
void throttle_remember(const struct throttle_client *client, uint64_t keep_us, uint64_t now_us);
bool throttle_is_remembered(const struct throttle_client *client, uint64_t now_us);

/* Bytes a second: the same cells, whose TAT moves on by what the bytes take at the rate. What has
 * passed is charged whatever it comes to, since it cannot be called back: who asks before he passes
 * goes over the burst by what others of the same client passed meanwhile, and waits longer for it. */
struct throttle_byte_rate {
	uint64_t id;
	uint64_t per_s;
	uint64_t burst_us; /* what the burst takes */
	uint64_t piece_us; /* what is worth waking up for */
};

#define THROTTLE_BYTES_MAX (UINT64_C(1) << 30) /* of a rate, and of a burst */

/* Both up to THROTTLE_BYTES_MAX, and above 0. False where the burst takes longer than the horizon. */
bool throttle_byte_rate_of(uint64_t per_s, uint64_t burst, struct throttle_byte_rate *out);

struct throttle_allowance {
	uint64_t bytes;   /* that may pass now; 0: not even a piece */
	uint64_t wait_us; /* until a piece may, where bytes is 0 */
};

/* These bytes have passed (0: only looks), and what may follow. */
struct throttle_allowance throttle_charge(const struct throttle_client *client,
					  const struct throttle_byte_rate *rate, uint64_t bytes,
					  uint64_t now_us);

/* Strikes are counted in a cell of their own, which becomes the ban where there are too many.
 * The rate `strikes` says how many that is (its burst) and how fast they are forgotten. A cell
 * with strikes is limited, as its client is. */
enum throttle_strike { THROTTLE_STRIKE_UNSET = 0, THROTTLE_STRIKE_COUNTED, THROTTLE_STRIKE_BANNED };

/* How long the client is banned yet, in microseconds; 0: it is not. */
uint64_t throttle_banned(const struct throttle_client *client, uint64_t now_us);
/* One more refusal; bans for ban_us (at most the horizon) where it is the last of the burst.
 * In a bucket full of limited cells there is no room to count: nothing happens, and the client
 * stays throttled. */
enum throttle_strike throttle_strike(const struct throttle_client *client,
				     const struct throttle_rate *strikes, uint64_t ban_us,
				     uint64_t now_us);

/* Ends its ban, and forgets its strikes. True: it was banned. */
bool throttle_lift(const struct throttle_client *client, uint64_t now_us);

#endif
