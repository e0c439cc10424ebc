/* Making processes: what a child inherits, and what is said about its end. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/ipc.h"
#include "proc/spawn.h"

static struct ipc_message message;

static int status_of(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void child_and_parent_share_a_channel(void **state)
{
	(void)state;
	struct err err;
	int channel;
	pid_t pid = spawn_fork(&channel, &err);
	if (pid == 0)
		_exit(ipc_send(channel, 5, "hello", 5, NULL, 0, &err) ? 0 : 1);
	assert_true(pid > 0);
	assert_int_equal(ipc_wait(channel, &message, 5000), IPC_GOT);
	assert_string_equal(message.payload, "hello");
	assert_int_equal(status_of(pid), 0);
	assert_int_equal(ipc_wait(channel, &message, 5000), IPC_EOF);
	close(channel);
}

static void child_blocks_nothing_and_ignores_what_the_master_decides(void **state)
{
	(void)state;
	struct err err;
	int channel;
	sigset_t blocked, before;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	pid_t pid = spawn_fork(&channel, &err);
	if (pid == 0) {
		sigset_t now;
		sigprocmask(SIG_BLOCK, NULL, &now);
		raise(SIGTERM);
		raise(SIGINT);
		raise(SIGHUP);
		raise(SIGPIPE);
		_exit(sigismember(&now, SIGCHLD) ? 1 : 0);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(status_of(pid), 0);
	close(channel);
}

static void only_named_descriptors_are_kept(void **state)
{
	(void)state;
	int fds[6];
	for (size_t i = 0; i < 6; i++)
		fds[i] = fcntl(STDERR_FILENO, F_DUPFD, 20 + (int)i * 3);
	pid_t pid = fork();
	if (pid == 0) {
		int keep[3] = {fds[4], fds[1], -1};
		spawn_keep_fds(keep, 3);
		int wrong = 0;
		for (int i = 0; i < 6; i++)
			wrong += (fcntl(fds[i], F_GETFD) >= 0) != (i == 1 || i == 4);
		wrong += fcntl(STDERR_FILENO, F_GETFD) < 0;
		_exit(wrong);
	}
	assert_int_equal(status_of(pid), 0);
	for (size_t i = 0; i < 6; i++)
		close(fds[i]);
}

static void child_follows_its_parent(void **state)
{
	(void)state;
	struct err err;
	int channel;
	char byte;
	int alive[2];
	assert_int_equal(pipe(alive), 0);
	pid_t pid = spawn_fork(&channel, &err);
	if (pid == 0) {
		pid_t parent = getpid();
		if (fork() == 0) {
			if (spawn_follow_parent(parent) &&
			    ipc_send(channel, 1, NULL, 0, NULL, 0, &err))
				for (;;)
					pause();
			_exit(1);
		}
		pause();
	}
	close(alive[1]);
	/* the grandchild holds the pipe's other end until it dies */
	assert_int_equal(ipc_wait(channel, &message, 5000), IPC_GOT);
	kill(pid, SIGKILL);
	status_of(pid);
	assert_int_equal(read(alive[0], &byte, 1), 0);
	close(alive[0]);
	close(channel);
}

static void ends_are_described(void **state)
{
	(void)state;
	char text[SPAWN_END_SIZE];
	spawn_describe_end(3 << 8, text);
	assert_string_equal(text, "exited with status 3");
	spawn_describe_end(SIGSEGV, text);
	assert_string_equal(text, "was ended by signal 11 (Segmentation fault)");
	spawn_describe_end(SIGSYS, text);
	assert_non_null(strstr(text, "sandbox"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(child_and_parent_share_a_channel),
	    cmocka_unit_test(child_blocks_nothing_and_ignores_what_the_master_decides),
	    cmocka_unit_test(only_named_descriptors_are_kept),
	    cmocka_unit_test(child_follows_its_parent),
	    cmocka_unit_test(ends_are_described),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
