/* The keeper's process: the only writer of the vault and the holder of its key. It decides what is known
 * to be good. It has no network, and reads no policy: the master hands it a plan. It trusts the
 * scout with what that fetched, workers with nothing but that a page may be worth a look. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proc/keeper.h"
#include "sallyport/clock.h"
#include "sallyport/crypto.h"
#include "sallyport/guard_plan.h"
#include "sallyport/log.h"
#include "sallyport/shm.h"

enum { HOUSEKEEPING_MS = 500 };

struct keeper keeper;

uint64_t keeper_now_s(void)
{
	return clock_wall_us() / 1000000;
}

uint64_t keeper_now_ms(void)
{
	return loop_now_ms(keeper.life.loop);
}

/* ---- the plan ---- */

static struct plan *map_plan(int fd, uint64_t bytes, struct err *err)
{
	const char *text = shm_map_constant(fd, bytes, err);
	if (!text)
		return NULL;
	struct plan *plan = plan_read(span_of(text, bytes), err);
	munmap((void *)(uintptr_t)text, bytes);
	return plan;
}

static bool take_plan(int fd, uint64_t bytes, struct err *err)
{
	struct plan *plan = map_plan(fd, bytes, err), *old = keeper.plan;
	if (fd >= 0)
		close(fd);
	if (!plan)
		return err_prefix(err, "keeper");
	if (!ledger_take_plan(&keeper.ledger, plan))
		return err_set(err, "keeper: out of memory");
	keeper.plan = plan;
	plan_free(old);
	return true;
}

static void look_by_new_plan(void)
{
	for (size_t i = 0; i < keeper.ledger.n; i++)
		if (keeper.ledger.sites[i]->is_loaded)
			schedule_new_plan(keeper.ledger.sites[i], keeper_now_ms());
}

static void change_plan(struct ipc_message *message)
{
	struct err err = {{0}};
	const struct plan_order *order = ipc_payload(message, sizeof(*order));
	if (!order || message->n_fds != 1)
		return;
	if (!take_plan(ipc_take_fd(message, 0), order->bytes, &err)) {
		log_error("%s", err.text);
		loop_stop(keeper.life.loop);
		return;
	}
	look_by_new_plan();
	keeper_load_sites();
	keeper_schedule();
}

/* ---- messages of the master ---- */

static void obey_vault(const struct ipc_message *message)
{
	const struct vault_asked *asked = ipc_payload(message, sizeof(*asked));
	if (asked)
		keeper_obey(asked);
}

static void on_message(struct helper_life *self, struct ipc_message *message)
{
	switch (message->type) {
	case ORDER_STOP: loop_stop(self->loop); break;
	case ORDER_PLAN: change_plan(message); break;
	case ORDER_PARTNER: keeper_meet_scout(ipc_take_fd(message, 0)); break;
	case ORDER_VAULT: obey_vault(message); break;
	default: break;
	}
}

static void on_housekeeping(struct timer *timer)
{
	keeper_close_windows();
	keeper_end_overdue_jobs();
	keeper_schedule();
	keeper_show();
	loop_arm(keeper.life.loop, timer, keeper_now_ms() + HOUSEKEEPING_MS);
}

/* ---- life ---- */

static bool map_memory(struct err *err)
{
	struct ipc_message *message = &keeper.life.message;
	int status = ipc_take_fd(message, KEEPER_FD_STATUS);
	int rings = ipc_take_fd(message, KEEPER_FD_NOMINATIONS);
	keeper.nominated.fd = ipc_take_fd(message, KEEPER_FD_NOMINATION_EVENT);
	int plan = ipc_take_fd(message, KEEPER_FD_PLAN);
	keeper.alerts = ipc_take_fd(message, KEEPER_FD_ALERTS);
	if (plan < 0)
		return err_set(err, "keeper: descriptors are missing");
	keeper.status = shm_map(status, sizeof(*keeper.status), true, err);
	keeper.rings = shm_map(rings, sizeof(struct log_ring) * NOMINATION_RINGS, true, err);
	close(status);
	close(rings);
	return keeper.status && keeper.rings && take_plan(plan, keeper.life.order.plan_bytes, err);
}

static bool prepare(struct err *err)
{
	uint64_t seed;
	uint8_t unused[DIGEST_SIZE];
	/* OpenSSL reads its files now */
	digest("", 0, unused);
	keeper.partner.fd = -1;
	strbuf_init(&keeper.baseline_bytes, BASELINE_BYTES_MAX);
	if (!crypto_random(&seed, sizeof(seed), err))
		return false;
	if (!ledger_init(&keeper.ledger, seed))
		return err_set(err, "keeper: out of memory");
	return map_memory(err) && keeper_watch_nominations(err) &&
	       helper_close_store(&keeper.life, keeper.life.order.vault, err);
}

int keeper_role(void)
{
	struct err err = {{0}};
	keeper.life.on_message = on_message;
	if (!helper_begin(&keeper.life, ROLE_KEEPER, &err) || !prepare(&err))
		return helper_fail(&err);
	keeper.housekeeping.on_expiry = on_housekeeping;
	loop_arm(keeper.life.loop, &keeper.housekeeping, keeper_now_ms());
	/* what it says of the vault counts once it is ready */
	helper_ready();
	keeper_open_vault();
	int status = helper_serve(&keeper.life);
	keeper_close_vault();
	ledger_release(&keeper.ledger);
	plan_free(keeper.plan);
	strbuf_release(&keeper.baseline_bytes);
	loop_free(keeper.life.loop);
	return status;
}
