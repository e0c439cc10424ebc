/* The crier's process: runs the operator's program with each alert. It is the only one of ours that may
 * run a program, so it does nothing else: which one was said at its start, and what the program reads is
 * passed on unread, in memory. It has no capability and can gain none, nor can the program. What
 * else the program may do is the operator's affair: it inherits no filter. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/alert.h"
#include "proc/helper_role.h"
#include "proc/spawn.h"
#include "sallyport/log.h"

enum { RUNNING_MAX = 4, RUN_MS = 10000 };

struct run {
	struct watch watch; /* first: on_event gets the run by it; fd: of the process */
	struct timer timer;
	pid_t pid; /* 0: free */
};

static struct {
	struct helper_life life;
	struct watch channel;
	struct ipc_message message;
	struct run runs[RUNNING_MAX];
} crier;

static void hear(void);

/* ---- in the child ---- */

static void execute(int input)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C";
	char *argv[] = {crier.life.order.alerts.program, NULL};
	char *environment[] = {path, lang, NULL};
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int signal_number = 1; signal_number < SIGRTMIN; signal_number++)
		signal(signal_number, SIG_DFL);
	if (chdir("/") != 0 || nothing < 0 || dup2(input, STDIN_FILENO) < 0 ||
	    dup2(nothing, STDOUT_FILENO) < 0)
		_exit(126);
	spawn_keep_fds(NULL, 0);
	execve(argv[0], argv, environment);
	_exit(127);
}

/* ---- runs ---- */

/* It and what it started. */
static void kill_run(const struct run *run)
{
	kill(-run->pid, SIGKILL);
	kill(run->pid, SIGKILL);
}

static void end_run(struct run *run)
{
	int status = 0;
	char how[SPAWN_END_SIZE];
	loop_unwatch(crier.life.loop, &run->watch);
	loop_disarm(crier.life.loop, &run->timer);
	if (run->watch.fd >= 0)
		close(run->watch.fd);
	waitpid(run->pid, &status, 0);
	spawn_describe_end(status, how);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_warn("alerts.program %s %s", crier.life.order.alerts.program, how);
	run->pid = 0;
}

static void on_end(struct watch *watch, unsigned events)
{
	(void)events;
	end_run((struct run *)(void *)watch);
	hear();
}

static void on_time(struct timer *timer)
{
	struct run *run = (struct run *)(void *)((char *)timer - offsetof(struct run, timer));
	log_warn("alerts.program %s does not end and is killed", crier.life.order.alerts.program);
	kill_run(run);
}

static int memory_of(const struct ipc_message *message)
{
	int fd = memfd_create("sallyport-alert", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, message->payload, message->len) == (ssize_t)message->len &&
	    lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool begin_run(struct run *run, const struct ipc_message *message, struct err *err)
{
	int input = memory_of(message);
	pid_t pid = input < 0 ? -1 : fork();
	if (pid == 0)
		execute(input);
	if (input >= 0)
		close(input);
	if (pid < 0)
		return err_set(err, "%s", strerror(errno));
	run->pid = pid;
	run->watch = (struct watch){.on_event = on_end, .fd = pidfd_open(pid, 0)};
	run->timer.on_expiry = on_time;
	if (run->watch.fd < 0 ? err_set(err, "pidfd_open: %s", strerror(errno))
			      : loop_watch_input(crier.life.loop, &run->watch, err)) {
		loop_arm(crier.life.loop, &run->timer, loop_now_ms(crier.life.loop) + RUN_MS);
		return true;
	}
	/* Whose end nobody would see. */
	kill_run(run);
	end_run(run);
	return false;
}

static struct run *free_run(void)
{
	for (unsigned i = 0; i < RUNNING_MAX; i++)
		if (crier.runs[i].pid == 0)
			return &crier.runs[i];
	return NULL;
}

/* As many as may run at once; the rest waits in the channel, and then with the herald. */
static void hear(void)
{
	struct err err = {{0}};
	struct run *run;
	while ((run = free_run()) != NULL && ipc_receive(crier.channel.fd, &crier.message) == IPC_GOT) {
		if (crier.message.type == REPORT_ALERT && !begin_run(run, &crier.message, &err))
			log_error("alerts.program %s is not run: %s", crier.life.order.alerts.program, err.text);
		ipc_release(&crier.message);
	}
}

static void on_alerts(struct watch *watch, unsigned events)
{
	(void)watch;
	(void)events;
	hear();
}

/* ---- life ---- */

int crier_role(void)
{
	struct err err = {{0}};
	if (!helper_begin(&crier.life, ROLE_CRIER, &err))
		return helper_fail(&err);
	crier.channel = (struct watch){.on_event = on_alerts,
				       .fd = ipc_take_fd(&crier.life.message, CRIER_FD_CHANNEL)};
	if (!helper_close_sandbox(&crier.life, NULL, true, &err) ||
	    !loop_watch(crier.life.loop, &crier.channel, &err))
		return helper_fail(&err);
	int status = helper_serve(&crier.life);
	for (unsigned i = 0; i < RUNNING_MAX; i++)
		if (crier.runs[i].pid > 0)
			kill_run(&crier.runs[i]);
	loop_free(crier.life.loop);
	return status;
}
