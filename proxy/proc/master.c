/* The master: starts the others, hears signals and orders, and outlives everything. It
 * parses nothing from the network, and from its children only messages of known form. */
#include "proc/master.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/sandbox.h"
#include "proc/spawn.h"
#include "sallyport/census.h"
#include "sallyport/clock.h"
#include "sallyport/crypto.h"
#include "sallyport/log.h"
#include "sallyport/log_ring.h"
#include "sallyport/shm.h"
#include "sallyport/throttle.h"
#include "sallyport/tls_tickets.h"

enum {
	DEMO_PORT = 8088,
	/* Tools that signal a process and its group reach us twice: that is one order. */
	SECOND_ORDER_MS = 250,
};

struct master master;

void master_log_lines(bool is_error, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		if (len > 0 && is_error)
			log_error("%.*s", (int)len, text);
		else if (len > 0)
			log_warn("%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

/* ---- stopping ---- */

/* As the policy's author sees it: file:line: sentence. */
static void print_reason(const char *text)
{
	const char *end = text[0] && text[strlen(text) - 1] == '\n' ? "" : "\n";
	fprintf(stderr, "%s%s", text, end);
}

void master_fail_start(const char *text)
{
	print_reason(text);
	master.exit_status = 1;
	loop_stop(master.loop);
}

void master_stop(void)
{
	if (master.is_stopping)
		return;
	master.is_stopping = true;
	master.stopping_since_ms = loop_now_ms(master.loop);
	/* Workers close theirs: whoever comes now is refused, and need not wait for nobody. */
	listeners_release(&master.listeners);
	listeners_release(&master.datagram_listeners);
	generations_stop();
	master_step();
}

static void stop_at_once(void)
{
	log_info("ending at once");
	generations_kill();
	helpers_kill();
	loop_stop(master.loop);
}

void master_step(void)
{
	loop_defer(master.loop, &master.step);
}

static void on_step(struct task *task)
{
	(void)task;
	generations_step();
	helpers_step();
	if (!master.is_stopping || !generations_all_gone())
		return;
	helpers_stop();
	if (helpers_all_gone())
		loop_stop(master.loop);
}

/* ---- signals ---- */

static void reap(void)
{
	pid_t pid;
	int wait_status;
	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0)
		/* else a worker whose generation died before it */
		if (!generations_reap(pid, wait_status))
			(void)helpers_reap(pid, wait_status);
}

static void on_stop_signal(int signal)
{
	if (!master.has_policy) {
		stop_at_once();
	} else if (!master.is_stopping) {
		log_info("told to stop by signal %d: finishing what runs", signal);
		master_stop();
	} else if (loop_now_ms(master.loop) - master.stopping_since_ms >= SECOND_ORDER_MS) {
		stop_at_once();
	}
}

static void on_one_signal(int signal)
{
	switch (signal) {
	case SIGCHLD: reap(); break;
	case SIGHUP:
		log_info("SIGHUP: reloading the policy");
		generations_reload();
		break;
	case SIGUSR1:
		log_info("SIGUSR1: opening the log files anew");
		helpers_reopen_logs();
		break;
	case SIGTERM:
	case SIGINT: on_stop_signal(signal); break;
	default: break;
	}
}

static void on_signals(struct watch *watch, unsigned events)
{
	struct signalfd_siginfo info;
	(void)events;
	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_one_signal((int)info.ssi_signo);
}

static bool watch_signals(struct err *err)
{
	static const int watched[] = {SIGCHLD, SIGHUP, SIGUSR1, SIGTERM, SIGINT};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		sigaddset(&set, watched[i]);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return err_set(err, "cannot block signals: %s", strerror(errno));
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return err_set(err, "cannot watch signals: %s", strerror(errno));
	master.signals = (struct watch){.on_event = on_signals, .fd = fd};
	return loop_watch_input(master.loop, &master.signals, err);
}

/* ---- starting ---- */

/* The master writes its seed and has no more to do with it. */
static bool make_throttle(struct err *err)
{
	uint64_t seed[2];
	master.throttle_fd = shm_create("sallyport-throttle", throttle_bytes(), err);
	if (master.throttle_fd < 0 || !crypto_random(seed, sizeof(seed), err))
		return false;
	void *memory = shm_map(master.throttle_fd, throttle_bytes(), true, err);
	if (!memory)
		return false;
	throttle_init(memory, seed, clock_mono_us());
	munmap(memory, throttle_bytes());
	return true;
}

static bool make_shared(struct err *err)
{
	master.stats_fd = shm_create("sallyport-stats", sizeof(struct stats), err);
	master.rings_fd =
	    shm_create("sallyport-log-rings", sizeof(struct log_ring) * LOG_RINGS, err);
	master.census_fd = shm_create("sallyport-census", census_bytes(), err);
	if (master.stats_fd < 0 || master.rings_fd < 0 || master.census_fd < 0)
		return false;
	master.stats = shm_map(master.stats_fd, sizeof(struct stats), true, err);
	master.census = shm_map(master.census_fd, census_bytes(), true, err);
	if (!master.stats || !master.census)
		return false;
	/* Never mapped here: its keys are made, and seen, by those who speak TLS. */
	master.tickets_fd = shm_create("sallyport-tickets", tls_tickets_bytes(), err);
	if (master.tickets_fd < 0 || !make_throttle(err))
		return false;
	master.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (master.event_fd < 0)
		return err_set(err, "cannot make an event descriptor: %s", strerror(errno));
	for (unsigned i = INTERNAL_NONE + 1; i < INTERNAL_COUNT; i++)
		if (!ipc_pair(master.internal_fds[i], err))
			return false;
	return pauses_init(err) && egress_init(err) && guards_init(err) && heralds_init(err) && ipc_pair(master.idle_fds, err) &&
	       ipc_pair(master.gate_idle_fds, err);
}

static bool copy_option(char *out, size_t room, const char *value, const char *name,
			struct err *err)
{
	int len = snprintf(out, room, "%s", value ? value : "");
	return (len >= 0 && (size_t)len < room) ||
	       err_set(err, "%s is longer than %zu bytes", name, room - 1);
}

static bool take_options(const struct master_options *options, struct err *err)
{
	struct compile_order *order = &master.compile;
	master.options = *options;
	return copy_option(order->policy, sizeof(order->policy), options->policy,
			   "the policy's path", err) &&
	       copy_option(order->listen, sizeof(order->listen), options->listen, "--listen",
			   err) &&
	       copy_option(order->origin, sizeof(order->origin), options->origin, "--origin",
			   err) &&
	       copy_option(order->console, sizeof(order->console), options->console,
			   "SALLYPORT_CONSOLE", err) &&
	       copy_option(order->log, sizeof(order->log), options->log, "SALLYPORT_LOG", err);
}

static struct addr loopback(uint16_t port)
{
	struct addr addr = {.u.in4 = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	return addr;
}

/* Without a policy, nobody has said where pages of value are kept: these are of none. Where only a folder for
 * state can be written to, as in a container, they lie in there. */
static bool name_demo_vault(unsigned port, struct err *err)
{
	const char *state = getenv("XDG_STATE_HOME");
	char *out = master.compile.demo_vault;
	size_t room = sizeof(master.compile.demo_vault);
	int len;
	if (geteuid() != 0 && state && state[0] == '/')
		len = snprintf(out, room, "%s/sallyport/demo-%u", state, port);
	else
		len = snprintf(out, room, "/tmp/sallyport-demo-%u-%u", geteuid(), port);
	return (len > 0 && (size_t)len < room) || err_set(err, "XDG_STATE_HOME: the path is too long");
}

/* The demo's port is a habit, not a promise: another one does as well. */
static bool open_demo(struct err *err)
{
	struct addr wanted = loopback(DEMO_PORT), bound;
	if (!master.options.demo)
		return true;
	master.demo_fd = listener_open(&wanted, err);
	if (master.demo_fd < 0) {
		wanted = loopback(0);
		master.demo_fd = listener_open(&wanted, err);
	}
	if (master.demo_fd < 0)
		return false;
	if (!listener_address(master.demo_fd, &bound))
		return err_set(err, "cannot read the demo's port: %s", strerror(errno));
	snprintf(master.compile.origin, sizeof(master.compile.origin), "http://127.0.0.1:%u",
		 addr_port(&bound));
	master.compile.is_demo = 1;
	return master.options.policy || name_demo_vault(addr_port(&bound), err);
}

static void print_demo(void)
{
	char host[ADDR_TEXT_SIZE];
	const char *us = program_invocation_name; /* as it was typed: it need not be installed */
	struct addr bound;
	if (master.listeners.n == 0 || !listener_address(master.listeners.items[0].fd, &bound))
		return;
	addr_format(&bound, host);
	/* "any address" is no address to go to */
	if (strncmp(host, "0.0.0.0:", 8) == 0 || strncmp(host, "[::]:", 5) == 0)
		snprintf(host, sizeof(host), "127.0.0.1:%u", addr_port(&bound));
	printf(
	    "\nTry, in another terminal:\n"
	    "  a page                       curl -i http://%s/\n"
	    "  the Code Red worm            curl -i --path-as-is \"http://%s/default.ida?"
	    "$(printf '%%0224d' 0 | tr 0 N)"
	    "%%u9090%%u6858%%ucbd3%%u7801%%u9090%%u9090%%u8190%%u00c3%%u0003%%u8b00%%u531b%%u53ff"
	    "%%u0078%%u0000%%u00=a\"\n"
	    "  a double-encoded traversal   curl -i --path-as-is "
	    "'http://%s/%%252e%%252e/%%252e%%252e/etc/passwd'\n"
	    "  an oversize URL              curl -i \"http://%s/?q=$(printf '%%09000d' 0)\"\n"
	    "\nIn a few seconds the site is known. Then break into its server, ask for the page again, and ask why:\n"
	    "  deface it                    %s demo deface\n"
	    "  send visitors elsewhere      %s demo redirect\n"
	    "  stop it                      %s demo stop\n"
	    "  mend it                      %s demo restore\n"
	    "  scan the internet from it    %s demo scan\n"
	    "  what is going on             %s status\n\n",
	    host, host, host, host, us, us, us, us, us, us);
	fflush(stdout);
}

void master_started(void)
{
	if (master.options.demo)
		print_demo();
}

static bool set_up(const struct master_options *options, struct err *err)
{
	/* Touches every page now, so that memory which grows later is memory that leaks. */
	memset(&master, 0, sizeof(master));
	master.stats_fd = master.rings_fd = master.census_fd = -1;
	master.datagram_listeners.are_datagram = true;
	master.throttle_fd = master.sites_fd = master.tickets_fd = master.event_fd = -1;
	master.guard_fd = master.nominations_fd = master.nomination_event_fd = -1;
	master.alert_fds[0] = master.alert_fds[1] = -1;
	master.crier_fds[0] = master.crier_fds[1] = -1;
	master.plan_fd = master.rules_fd = master.baseline_fd = -1;
	master.egress_fd = master.egress_shown_fd = -1;
	master.gate_idle_fds[0] = master.gate_idle_fds[1] = -1;
	master.idle_fds[0] = master.idle_fds[1] = master.control_fd = master.demo_fd = -1;
	master.step.run = on_step;
	master.loop = loop_new(err);
	if (!master.loop)
		return false;
	master.started_ms = loop_now_ms(master.loop);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	generations_init();
	wardens_init();
	return take_options(options, err) && sandbox_prepare_master(err) && watch_signals(err) &&
	       make_shared(err) && open_demo(err) && generations_begin(err);
}

/* Children see the end of their channels and follow. */
static void take_down(void)
{
	if (master.control_fd >= 0)
		unlink(master.control_path);
	listeners_release(&master.listeners);
	listeners_release(&master.datagram_listeners);
	listeners_release(&master.console_listeners);
	loop_free(master.loop);
}

int master_run(const struct master_options *options)
{
	struct err err = {{0}};
	log_init(role_get(ROLE_MASTER)->name, LOG_LEVEL_INFO);
	/* Whatever a careless parent left open is not for us, nor for a process of ours. */
	spawn_keep_fds(NULL, 0);
	if (!set_up(options, &err)) {
		print_reason(err.text);
		return 1;
	}
	if (!loop_run(master.loop, &err)) {
		log_error("%s", err.text);
		master.exit_status = 1;
	}
	take_down();
	return master.exit_status;
}
