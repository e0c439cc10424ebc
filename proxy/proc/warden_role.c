/* The kernel leg's process: keeps a table of the kernel that decides by itself, and tells what it decides. It has
 * CAP_NET_ADMIN, netlink and memory shared with the gate; no file, no other socket. Of what origins send it sees
 * addresses and numbers, as the kernel has read them.
 *
 *   master ── CHECK + plan ──► warden   the kernel looks at the rules; its words come back
 *          ── ENFORCE ───────► warden   they take the place of the older ones, in one transaction
 *          ── STOP ──────────► warden   the table is taken away
 *
 * The table stays where the process ends otherwise, and decides on: whoever comes next finds it, and
 * whom it has in quarantine. */
#include "proc/warden.h"

#include <sys/mman.h>
#include <unistd.h>

#include "proc/sandbox.h"
#include "sallyport/kernel_route.h"
#include "sallyport/log.h"
#include "sallyport/shm.h"

struct warden warden = {.counters_fd = -1, .routes_fd = -1, .changes_fd = -1};

/* ---- plans ---- */

static void answer(enum order order, bool ok, const char *text)
{
	struct rules_report report = {.ok = ok};
	snprintf(report.text, sizeof(report.text), "%s", text);
	helper_report(order, &report, sizeof(report));
}

static void drop_plan(const struct warden_plan **plan, size_t bytes)
{
	if (*plan)
		munmap((void *)(uintptr_t)*plan, bytes);
	*plan = NULL;
}

static bool map_plan(struct ipc_message *message, struct err *err)
{
	const struct plan_order *order = ipc_payload(message, sizeof(*order));
	int fd = ipc_take_fd(message, 0);
	const void *bytes = NULL;
	if (order && fd >= 0 && order->bytes <= WARDEN_PLAN_BYTES_MAX)
		bytes = shm_map_constant(fd, order->bytes, err);
	if (fd >= 0)
		close(fd);
	warden.coming_bytes = bytes ? order->bytes : 0;
	warden.coming = warden_plan_read(bytes, warden.coming_bytes);
	if (!warden.coming && bytes)
		munmap((void *)(uintptr_t)bytes, warden.coming_bytes);
	return warden.coming || err_set(err, "warden: what came is no plan");
}

static void check(struct ipc_message *message)
{
	struct err err = {{0}};
	drop_plan(&warden.coming, warden.coming_bytes);
	bool is_good = map_plan(message, &err) && rules_check(warden.coming, &err);
	if (!is_good)
		drop_plan(&warden.coming, warden.coming_bytes);
	answer(REPORT_RULES, is_good, err.text);
}

/* False: the older plan stays in force. */
static bool take_over(struct err *err)
{
	const struct warden_plan *old = warden.plan;
	size_t old_bytes = warden.plan_bytes;
	if (!warden.coming)
		return err_set(err, "there are no rules that were looked at");
	warden.plan = warden.coming;
	warden.plan_bytes = warden.coming_bytes;
	warden.coming = NULL;
	if (!rules_load(err)) {
		drop_plan(&warden.plan, warden.plan_bytes);
		warden.plan = old;
		warden.plan_bytes = old_bytes;
		return false;
	}
	drop_plan(&old, old_bytes);
	warden.flow_count = 0;
	stages_begin();
	names_begin();
	return true;
}

static void enforce(void)
{
	struct err err = {{0}};
	bool is_in_force = take_over(&err);
	answer(REPORT_RULES_SET, is_in_force, err.text);
}

/* ---- life ---- */

static void on_message(struct helper_life *self, struct ipc_message *message)
{
	switch (message->type) {
	case ORDER_RULES_CHECK: check(message); break;
	case ORDER_RULES: enforce(); break;
	case ORDER_STOP:
		rules_remove();
		loop_stop(self->loop);
		break;
	case ORDER_LEAVE: loop_stop(self->loop); break;
	default: break;
	}
}

static bool map_memory(struct err *err)
{
	struct ipc_message *message = &warden.life.message;
	int states = ipc_take_fd(message, WARDEN_FD_STATES), rings = ipc_take_fd(message, WARDEN_FD_RINGS);
	int event = ipc_take_fd(message, WARDEN_FD_EVENT);
	if (states < 0 || rings < 0 || event < 0)
		return err_set(err, "warden: memory is missing");
	warden.states = shm_map(states, sizeof(*warden.states), true, err);
	struct log_ring *ring = shm_map(rings, sizeof(struct log_ring) * LOG_RINGS, true, err);
	close(states);
	close(rings);
	return warden.states && ring &&
	       egress_teller_init(&warden.teller, &ring[LOG_RING_WARDEN], event, LOG_RING_WARDEN, err);
}

static bool open_kernel(struct err *err)
{
	warden.counters_fd = kernel_counters_open(err);
	warden.routes_fd = warden.counters_fd < 0 ? -1 : kernel_route_open(err);
	warden.changes_fd = warden.routes_fd < 0 ? -1 : kernel_route_watch(err);
	if (warden.changes_fd < 0)
		return false;
	warden.nft = kernel_nft_new(err);
	return warden.nft != NULL;
}

int warden_role(void)
{
	struct err err = {{0}};
	warden.life.on_message = on_message;
	if (!helper_begin(&warden.life, ROLE_WARDEN, &err) || !map_memory(&err) || !sandbox_raise_net_admin(&err) ||
	    !open_kernel(&err) ||
	    !watch_begin(&err) || !helper_close_sandbox(&warden.life, NULL, true, &err))
		return helper_fail(&err);
	rules_probe();
	int status = helper_serve(&warden.life);
	watch_end();
	kernel_nft_free(warden.nft);
	egress_teller_release(&warden.teller);
	loop_free(warden.life.loop);
	return status;
}
