/* Making processes and reading how they ended. A child by spawn_role starts with a fresh address
 * space and one descriptor, its channel; nothing else of ours is inherited, because
 * every descriptor here is close-on-exec. */
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/ipc.h"
#include "proc/sandbox.h"

enum { STATUS_NOT_EXECUTED = 127 };

static char *arguments;
static size_t arguments_size;

void spawn_remember_arguments(int argc, char **argv)
{
	if (argc < 1)
		return;
	/* The kernel lays them out one after the other, each with its NUL. */
	const char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	arguments = argv[0];
	arguments_size = (size_t)(end - argv[0]);
}

void spawn_set_title(const char *title)
{
	if (!arguments || arguments_size < 2)
		return;
	size_t len = strlen(title);
	if (len >= arguments_size)
		len = arguments_size - 1;
	memset(arguments, 0, arguments_size);
	memcpy(arguments, title, len);
}

void spawn_calm_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &ignore, NULL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

bool spawn_follow_parent(pid_t parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
}

_Noreturn static void execute(const struct role *role, int channel)
{
	char title[64], name[32], option[] = "--role";
	snprintf(title, sizeof(title), "%s", role->title);
	snprintf(name, sizeof(name), "%s", role->name);
	char *argv[] = {title, option, name, NULL};
	if (role->keeps_net_admin)
		sandbox_pass_net_admin();
	/* dup2 onto itself would leave it close-on-exec */
	if (channel == ROLE_CHANNEL_FD)
		fcntl(channel, F_SETFD, 0);
	else
		dup2(channel, ROLE_CHANNEL_FD);
	execv("/proc/self/exe", argv);
	_exit(STATUS_NOT_EXECUTED);
}

pid_t spawn_fork(int *channel, struct err *err)
{
	int ends[2];
	if (!ipc_pair(ends, err))
		return -1;
	pid_t pid = fork();
	if (pid < 0) {
		err_set(err, "cannot start a process: %s", strerror(errno));
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	close(ends[pid == 0 ? 0 : 1]);
	*channel = ends[pid == 0 ? 1 : 0];
	if (pid == 0)
		spawn_calm_signals();
	return pid;
}

pid_t spawn_role(const struct role *role, int *channel, struct err *err)
{
	int end;
	pid_t pid = spawn_fork(&end, err);
	if (pid == 0)
		execute(role, end);
	if (pid > 0)
		*channel = end;
	return pid;
}

static int by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x > y) - (x < y);
}

/* One by one where the kernel, or the filter of a container, knows no close_range(2). */
static void close_fds(unsigned first, unsigned last)
{
	if (close_range(first, last, 0) == 0)
		return;
	long most = sysconf(_SC_OPEN_MAX);
	for (unsigned fd = first; fd <= last && (long)fd < most; fd++)
		close((int)fd);
}

void spawn_keep_fds(int *keep, size_t n)
{
	if (n > 1)
		qsort(keep, n, sizeof(*keep), by_number);
	unsigned from = STDERR_FILENO + 1;
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if ((unsigned)keep[i] > from)
			close_fds(from, (unsigned)keep[i] - 1);
		from = (unsigned)keep[i] + 1;
	}
	close_fds(from, INT_MAX);
}

void spawn_describe_end(int wait_status, char out[SPAWN_END_SIZE])
{
	if (WIFEXITED(wait_status))
		snprintf(out, SPAWN_END_SIZE, "exited with status %d", WEXITSTATUS(wait_status));
	else if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGSYS)
		snprintf(out, SPAWN_END_SIZE,
			 "was ended by signal %d (a system call that its sandbox forbids)",
			 WTERMSIG(wait_status));
	else if (WIFSIGNALED(wait_status))
		snprintf(out, SPAWN_END_SIZE, "was ended by signal %d (%s)", WTERMSIG(wait_status),
			 strsignal(WTERMSIG(wait_status)));
	else
		snprintf(out, SPAWN_END_SIZE, "ended with wait status %d", wait_status);
}
