/* How egress origins stand: the master's part of struct egress_states. It makes the memory, which
 * outlives generations, gate and warden; claims a slot for each origin of a policy before any of them looks
 * for it; and says there what the policy in force is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "proc/master.h"
#include "sallyport/crypto.h"
#include "sallyport/shm.h"

_Static_assert((int)EGRESS_STATES >= 2 * (int)EGRESS_ORIGINS_MAX, "the serving and the coming policy's origins fit");
_Static_assert((int)PREPARE_FD_LISTENERS + (int)LISTENERS_MAX <= (int)IPC_FDS_MAX, "one message carries them all");

/* Another descriptor of the same memory, by which nobody can write to it. */
static int open_shown(int fd, struct err *err)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int shown = open(path, O_RDONLY | O_CLOEXEC);
	if (shown < 0)
		err_set(err, "cannot open shared memory to be read: %s: %s", path, strerror(errno));
	return shown;
}

static bool make_seed(struct err *err)
{
	uint64_t seed;
	if (!crypto_random(&seed, sizeof(seed), err))
		return false;
	atomic_store(&master.egress->seed, seed | 1);
	return true;
}

bool egress_init(struct err *err)
{
	master.egress_fd = shm_create("sallyport-egress", sizeof(struct egress_states), err);
	if (master.egress_fd < 0)
		return false;
	master.egress_shown_fd = open_shown(master.egress_fd, err);
	master.egress = shm_map(master.egress_fd, sizeof(struct egress_states), true, err);
	return master.egress_shown_fd >= 0 && master.egress && make_seed(err);
}

static bool report_is_sound(const struct egress_report *report)
{
	if (report->mode > EGRESS_ENFORCE || report->kernel > EGRESS_KERNEL_REQUIRED || report->n > EGRESS_ORIGINS_MAX)
		return false;
	for (uint32_t i = 0; i < report->n; i++)
		if (!ORDERS_TEXT_OK(report->names[i]))
			return false;
	return true;
}

static void keep(uint64_t kept[EGRESS_STATES / 64], const struct gen *gen)
{
	for (size_t i = 0; gen && i < EGRESS_STATES / 64; i++)
		kept[i] |= gen->egress_slots[i];
}

/* Gates that drain still count into the slots that they found; where there is no other, one of these goes. */
static bool claim(struct gen *gen, const char *name)
{
	uint64_t needed[EGRESS_STATES / 64] = {0}, all[EGRESS_STATES / 64] = {0};
	keep(needed, gen);
	keep(needed, master.active);
	for (unsigned i = 0; i < GENS_MAX; i++)
		if (master.gens[i].state != GEN_NONE)
			keep(all, &master.gens[i]);
	int slot = egress_states_claim(master.egress, name, all);
	if (slot < 0)
		slot = egress_states_claim(master.egress, name, needed);
	if (slot >= 0)
		gen->egress_slots[slot / 64] |= UINT64_C(1) << slot % 64;
	return slot >= 0;
}

bool egress_note(struct gen *gen, const struct ipc_message *message)
{
	const struct egress_report *report = ipc_payload(message, sizeof(*report));
	if (!report || !report_is_sound(report))
		return false;
	gen->egress = *report;
	for (uint32_t i = 0; i < report->n; i++)
		if (!claim(gen, report->names[i]))
			return false;
	return true;
}

void egress_commit(const struct gen *gen)
{
	for (unsigned i = 0; i < EGRESS_STATES; i++)
		atomic_store_explicit(&master.egress->of[i].in_force, gen->egress_slots[i / 64] >> i % 64 & 1,
				      memory_order_relaxed);
	atomic_store_explicit(&master.egress->mode, gen->egress.mode, memory_order_relaxed);
	atomic_store_explicit(&master.egress->kernel, gen->egress.kernel, memory_order_relaxed);
	atomic_store_explicit(&master.egress->has_gate, gen->egress.has_gate, memory_order_relaxed);
}
