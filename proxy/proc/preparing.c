/* What a coming generation needs beside what is there: sockets, log files, the vault's directory, keeper
 * and scout, and all of it handed over. Nothing that serves is touched; what fails is taken back by
 * generations.c. */
#include <string.h>

#include "proc/master.h"
#include "proc/sandbox.h"
#include "sallyport/log.h"
#include "sallyport/vault_path.h"

static bool check_sandbox(const struct compiled_report *policy, struct err *err)
{
	struct err missing = {{0}};
	if (policy->sandbox == SANDBOX_OFF || sandbox_is_complete(&missing))
		return true;
	if (policy->sandbox == SANDBOX_REQUIRED)
		return err_set(err, "process.sandbox is \"required\", but this system offers %s",
			       missing.text);
	if (!master.sandbox_warned)
		log_warn("this system offers %s: the processes run with fewer restrictions",
			 missing.text);
	master.sandbox_warned = true;
	return true;
}

static bool open_control(const struct compiled_report *policy, struct err *err)
{
	char path[CONTROL_PATH_SIZE];
	if (!control_socket_path_in(policy->runtime, path, err))
		return false;
	if (master.control_fd >= 0) {
		if (strcmp(path, master.control_path) != 0)
			log_warn("process.runtime has changed: that takes a restart, the control "
				 "socket stays at %s",
				 master.control_path);
		return true;
	}
	master.control_fd = control_socket_listen(path, err);
	if (master.control_fd < 0)
		return false;
	snprintf(master.control_path, sizeof(master.control_path), "%s", path);
	return true;
}

static bool send_prepare(struct gen *gen, const struct prepare_order *prepare, struct err *err)
{
	int fds[PREPARE_FD_LISTENERS + LISTENERS_MAX] = {
	    [PREPARE_FD_STATS] = master.stats_fd,    [PREPARE_FD_RINGS] = master.rings_fd,
	    [PREPARE_FD_CENSUS] = master.census_fd,  [PREPARE_FD_THROTTLE] = master.throttle_fd,
	    [PREPARE_FD_SITES] = master.sites_fd,    [PREPARE_FD_TICKETS] = master.tickets_fd,
	    [PREPARE_FD_ADOPT] = master.idle_fds[0], [PREPARE_FD_HAND_OVER] = master.idle_fds[1],
	    [PREPARE_FD_GATE_ADOPT] = master.gate_idle_fds[0], [PREPARE_FD_GATE_HAND_OVER] = master.gate_idle_fds[1],
	    [PREPARE_FD_LOG_EVENT] = master.event_fd, [PREPARE_FD_EGRESS] = master.egress_fd,
	    [PREPARE_FD_NOMINATIONS] = master.nominations_fd,
	    [PREPARE_FD_NOMINATION_EVENT] = master.nomination_event_fd,
	};
	for (unsigned i = INTERNAL_NONE + 1; i < INTERNAL_COUNT; i++)
		fds[PREPARE_FD_INTERNAL + i - 1] = master.internal_fds[i][1];
	for (unsigned i = 0; i < gen->policy.listens; i++)
		fds[PREPARE_FD_LISTENERS + i] = listeners_fd(
		    gen->policy.is_datagram[i] ? &master.datagram_listeners : &master.listeners, &gen->policy.listen[i]);
	return ipc_send(gen->channel, ORDER_PREPARE, prepare, sizeof(*prepare), fds,
			PREPARE_FD_LISTENERS + gen->policy.listens, err) &&
	       guards_give_baseline(gen->channel, err);
}

/* Those of one kind, by TCP or by UDP. */
static bool prepare_listeners(struct listeners *listeners, const struct compiled_report *policy, struct err *err)
{
	struct addr wanted[LISTENERS_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < policy->listens; i++)
		if ((policy->is_datagram[i] != 0) == listeners->are_datagram)
			wanted[n++] = policy->listen[i];
	return listeners_prepare(listeners, wanted, n, err);
}

bool preparing_all(struct gen *gen, const struct prepare_order *slots, struct err *err)
{
	const struct compiled_report *policy = &gen->policy;
	if (!check_sandbox(policy, err) || !prepare_listeners(&master.listeners, policy, err) ||
	    !prepare_listeners(&master.datagram_listeners, policy, err))
		return false;
	if (!listeners_prepare(&master.console_listeners, &policy->console, policy->has_console,
			       err))
		return err_prefix(err, "console.address");
	if (policy->guarded > 0 && !vault_path_prepare(policy->vault, policy->user, err))
		return false;
	if (!open_control(policy, err) || !helpers_prepare_scribe(policy, err))
		return false;
	guards_prepare(gen);
	if (!wardens_prepare(gen, err))
		return false;
	return send_prepare(gen, slots, err);
}
