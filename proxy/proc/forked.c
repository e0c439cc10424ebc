/* What a forked process does not take along. A worker speaks with visitors and has nothing to do with egress
 * origins; the gate speaks with machines that may be infected, and with any server in the world, and has nothing
 * of visitors and their sites: neither keys nor tickets, nor what is counted of them, nor a way to processes of ours. */
#include "proc/forked.h"

#include <sys/mman.h>

#include "proc/orders.h"
#include "sallyport/tls_tickets.h"

static void leave_egress(struct worker_memory *memory)
{
	munmap(memory->egress, sizeof(*memory->egress));
	memory->egress = NULL;
}

static void leave_sites(struct worker_memory *memory, unsigned slot)
{
	munmap(memory->tickets, tls_tickets_bytes());
	munmap(memory->throttle, throttle_bytes());
	munmap((void *)memory->sites, sizeof(struct site_states));
	munmap(memory->nominations - slot, sizeof(struct log_ring) * STATS_SLOTS);
	munmap(memory->health, sizeof(struct origin_health) * ORIGIN_SLOTS);
	memory->tickets = memory->throttle = NULL;
	memory->sites = NULL;
	memory->nominations = NULL;
	memory->health = NULL;
}

static void become_gate(struct worker_setup *setup, struct settings *settings, const int *fds)
{
	settings_forget_keys(settings);
	leave_sites(&setup->memory, setup->slot);
	setup->adopt_fd = fds[PREPARE_FD_GATE_ADOPT];
	setup->hand_over_fd = fds[PREPARE_FD_GATE_HAND_OVER];
	setup->nomination_event_fd = -1;
	for (unsigned i = 0; i < INTERNAL_COUNT; i++)
		setup->internal_fds[i] = -1;
}

void forked_leave(struct worker_start *start, struct settings *settings, int *fds)
{
	const struct listen_settings *listens = settings->listens.items;
	if (start->setup.is_gate)
		become_gate(&start->setup, settings, fds);
	else
		leave_egress(&start->setup.memory);
	for (size_t i = 0; i < settings->listens.n; i++) {
		if (listens[i].gate != start->setup.is_gate)
			fds[PREPARE_FD_LISTENERS + i] = -1;
	}
}
