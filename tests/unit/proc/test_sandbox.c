/* Each role's sandbox, from inside: a child enters it, tries one thing, and its end tells. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/sandbox.h"
#include "sallyport/addr.h"

enum { KILLED = 1000, NOT_ENTERED = 254, PORT_ALLOWED = 1, PORT_OTHER = 2 };

static pid_t test_pid;

/* ---- what a child tries: 0 where it worked, else errno ---- */

static int outcome(long result)
{
	return result >= 0 ? 0 : errno;
}

static int read_a_file(void)
{
	return outcome(open("/etc/passwd", O_RDONLY));
}

static int write_a_file(void)
{
	return outcome(open("/tmp", O_TMPFILE | O_RDWR, 0600));
}

static int change_a_file(void)
{
	return outcome(truncate("/etc/passwd", 1 << 30));
}

static int list_a_folder(void)
{
	return outcome(open("/etc", O_RDONLY | O_DIRECTORY));
}

static int run_a_program(void)
{
	char *const argv[] = {(char *)(uintptr_t)"true", NULL};
	execv("/bin/true", argv);
	return errno;
}

static int make_a_process(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return outcome(pid);
}

static int trace_the_parent(void)
{
	return outcome(ptrace(PTRACE_ATTACH, test_pid, NULL, NULL));
}

static int read_the_parents_memory(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {&test_pid, 1};
	return outcome(process_vm_readv(test_pid, &here, 1, &there, 1, 0));
}

static int signal_the_parent(void)
{
	return outcome(kill(test_pid, 0));
}

static int become_root(void)
{
	return outcome(setuid(0));
}

static int make_memory_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return 0;
	return outcome(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int map_executable_memory(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? errno : 0;
}

static int leave_the_namespace(void)
{
	return outcome(syscall(SYS_unshare, 0x10000000));
}

static int mount_something(void)
{
	return outcome(mount("none", "/tmp", "tmpfs", 0, NULL));
}

static int open_a_raw_socket(void)
{
	return outcome(socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
}

static int open_a_packet_socket(void)
{
	return outcome(socket(AF_PACKET, SOCK_RAW, 0));
}

static int open_a_netlink_socket(void)
{
	return outcome(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int use_io_uring(void)
{
	char params[256] = {0};
	return outcome(syscall(SYS_io_uring_setup, 1, params));
}

static int load_a_filter_program(void)
{
	return outcome(syscall(SYS_bpf, 0, NULL, 0));
}

static int listen_on_a_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		return errno;
	return outcome(bind(fd, (struct sockaddr *)&in, sizeof(in)));
}

static int dial(uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	int error = outcome(connect(fd, (struct sockaddr *)&in, sizeof(in)));
	/* nobody listens there: that the kernel asked is what counts */
	return error == ECONNREFUSED || error == EINPROGRESS ? 0 : error;
}

static int dial_an_allowed_port(void)
{
	return dial(PORT_ALLOWED);
}

static int dial_another_port(void)
{
	return dial(PORT_OTHER);
}

static int ask_by_udp(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(53),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	return outcome(sendto(fd, "x", 1, 0, (struct sockaddr *)&in, sizeof(in)));
}

static int wait_for_events(void)
{
	struct epoll_event event;
	int fd = epoll_create1(EPOLL_CLOEXEC);
	return outcome(fd < 0 ? fd : epoll_wait(fd, &event, 1, 0));
}

static int make_a_pair_of_sockets(void)
{
	int ends[2];
	return outcome(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
}

static int use_plain_memory(void)
{
	size_t size = 1 << 20;
	char *volatile heap = malloc(size);
	if (!heap)
		return ENOMEM;
	memset(heap, 1, size);
	free(heap);
	return 0;
}

static int look_at_a_descriptor(void)
{
	struct stat info;
	return outcome(fstat(STDERR_FILENO, &info));
}

static int print_a_line(void)
{
	int fds[2] = {-1, STDERR_FILENO};
	return dprintf(fds[1], "%s", "") < 0 ? errno : 0;
}

/* The owner of a descriptor gets a signal when something comes. */
static int own_a_descriptor_for_the_parent(void)
{
	return outcome(fcntl(STDERR_FILENO, F_SETOWN, getppid()));
}

static int choose_a_descriptors_signal(void)
{
	return outcome(fcntl(STDERR_FILENO, F_SETSIG, SIGKILL));
}

static int ask_for_a_descriptors_flags(void)
{
	return outcome(fcntl(STDERR_FILENO, F_GETFL));
}

/* What a sibling shares would make it wait for ever. */
static int make_a_descriptor_block(void)
{
	return outcome(fcntl(epoll_create1(EPOLL_CLOEXEC), F_SETFL, 0));
}

static int keep_a_descriptor_from_blocking(void)
{
	return outcome(fcntl(epoll_create1(EPOLL_CLOEXEC), F_SETFL, O_NONBLOCK));
}

static int abort_itself(void)
{
	abort();
}

/* ---- the table ---- */

struct trial {
	const char *name;
	int (*run)(void);
	unsigned allowed; /* bit per role: works there, is refused elsewhere */
};

#define IN(role) (1U << (role))
#define EVERYWHERE                                                                                 \
	(IN(ROLE_GENERATION) | IN(ROLE_WORKER) | IN(ROLE_SCRIBE) | IN(ROLE_CONSOLE) | IN(ROLE_DEMO) | \
	 IN(ROLE_ACME))

static const struct trial trials[] = {
    {"read a file", read_a_file, IN(ROLE_GENERATION)},
    {"write a file", write_a_file, 0},
    {"change a file", change_a_file, 0},
    {"list a folder", list_a_folder, IN(ROLE_GENERATION)},
    {"run a program", run_a_program, 0},
    {"make a process", make_a_process, IN(ROLE_GENERATION)},
    {"trace the parent", trace_the_parent, 0},
    {"read the parent's memory", read_the_parents_memory, 0},
    {"signal the parent", signal_the_parent, 0},
    {"own a descriptor for the parent", own_a_descriptor_for_the_parent, 0},
    {"choose a descriptor's signal", choose_a_descriptors_signal, 0},
    {"ask for a descriptor's flags", ask_for_a_descriptors_flags, EVERYWHERE},
    {"make a descriptor block", make_a_descriptor_block, 0},
    {"keep a descriptor from blocking", keep_a_descriptor_from_blocking, EVERYWHERE},
    {"become root", become_root, 0},
    {"make memory executable", make_memory_executable, 0},
    {"map executable memory", map_executable_memory, 0},
    {"leave the namespace", leave_the_namespace, 0},
    {"mount something", mount_something, 0},
    {"open a raw socket", open_a_raw_socket, 0},
    {"open a packet socket", open_a_packet_socket, 0},
    {"use io_uring", use_io_uring, 0},
    {"load a filter program", load_a_filter_program, 0},
    {"listen on a port", listen_on_a_port, 0},
    {"dial an allowed port", dial_an_allowed_port, IN(ROLE_GENERATION) | IN(ROLE_WORKER)},
    {"dial another port", dial_another_port, IN(ROLE_GENERATION)},
    {"ask by UDP", ask_by_udp, IN(ROLE_GENERATION) | IN(ROLE_WORKER)},
    {"make a pair of sockets", make_a_pair_of_sockets, IN(ROLE_GENERATION) | IN(ROLE_WORKER)},
    {"wait for events", wait_for_events, EVERYWHERE},
    {"use plain memory", use_plain_memory, EVERYWHERE},
    {"look at a descriptor", look_at_a_descriptor, EVERYWHERE},
    {"print a line", print_a_line, EVERYWHERE},
};

/* ---- running them ---- */

static int try_in(const struct sandbox *sandbox, int (*run)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = {{0}};
		if (!sandbox_enter(sandbox, &err)) {
			fprintf(stderr, "%s\n", err.text);
			_exit(NOT_ENTERED);
		}
		_exit(run());
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : KILLED + WTERMSIG(status);
	return WEXITSTATUS(status);
}

static struct sandbox sandbox_of(enum role_id role)
{
	static const uint16_t ports[] = {PORT_ALLOWED};
	return (struct sandbox){
	    .role = role_get(role), .mode = SANDBOX_REQUIRED, .ports = ports, .port_count = 1};
}

static void skip_without_kernel(void)
{
#ifdef SALLYPORT_SANITIZED
	skip();
#endif
	struct err missing;
	if (!sandbox_is_complete(&missing))
		skip();
}

static void try_all(enum role_id role)
{
	skip_without_kernel();
	const struct sandbox sandbox = sandbox_of(role);
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		int result = try_in(&sandbox, trials[i].run);
		bool should_work = (trials[i].allowed & IN(role)) != 0;
		if (result == NOT_ENTERED || (result == 0) != should_work)
			fail_msg("%s: \"%s\" gave %d", sandbox.role->name, trials[i].name, result);
	}
}

static void generation_may_read_and_fork_and_no_more(void **state)
{
	(void)state;
	try_all(ROLE_GENERATION);
}

static void worker_may_dial_its_ports_and_no_more(void **state)
{
	(void)state;
	try_all(ROLE_WORKER);
}

static void scribe_may_nothing_but_write(void **state)
{
	(void)state;
	try_all(ROLE_SCRIBE);
}

static void console_may_nothing_but_serve(void **state)
{
	(void)state;
	try_all(ROLE_CONSOLE);
}

static void demo_may_nothing_but_serve(void **state)
{
	(void)state;
	try_all(ROLE_DEMO);
}

static void acme_may_nothing_but_serve(void **state)
{
	(void)state;
	try_all(ROLE_ACME);
}

/* Each trial works without a sandbox, where the user may: else its refusal proves nothing. */
static void trials_work_without_a_sandbox(void **state)
{
	(void)state;
	static const struct role everything = {
	    .name = "everything", .files = ROLE_FILES_ALL, .network = ROLE_NETWORK_ALL,
	    .keeps_user = true, .makes_processes = true};
	const struct sandbox sandbox = {.role = &everything, .mode = SANDBOX_OFF};
	static int (*const harmless[])(void) = {
	    read_a_file, write_a_file, list_a_folder, run_a_program, make_a_process, signal_the_parent,
	    listen_on_a_port, dial_another_port, ask_by_udp, make_memory_executable,
	    map_executable_memory, make_a_descriptor_block, keep_a_descriptor_from_blocking,
	};
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		assert_int_equal(try_in(&sandbox, harmless[i]), 0);
}

static void abort_still_says_abort(void **state)
{
	(void)state;
	skip_without_kernel();
	const struct sandbox sandbox = sandbox_of(ROLE_WORKER);
	assert_int_equal(try_in(&sandbox, abort_itself), KILLED + SIGABRT);
}

static void libraries_are_refused_instead_of_killed(void **state)
{
	(void)state;
	skip_without_kernel();
	const struct sandbox sandbox = sandbox_of(ROLE_WORKER);
	assert_int_equal(try_in(&sandbox, read_a_file), EACCES);
	assert_int_equal(try_in(&sandbox, open_a_netlink_socket), EAFNOSUPPORT);
	assert_int_equal(try_in(&sandbox, dial_another_port), EACCES);
	assert_int_equal(try_in(&sandbox, run_a_program), KILLED);
}

static int read_named(void)
{
	return outcome(open("/usr/share/dict", O_RDONLY | O_DIRECTORY)) == EACCES
		   ? EACCES
		   : outcome(open("/usr", O_RDONLY | O_DIRECTORY));
}

static void named_files_can_be_read_and_others_not(void **state)
{
	(void)state;
	skip_without_kernel();
	struct sandbox sandbox = sandbox_of(ROLE_DEMO);
	sandbox.readable[0] = "/usr";
	assert_int_equal(try_in(&sandbox, read_named), 0);
	assert_int_equal(try_in(&sandbox, read_a_file), EACCES);
	sandbox.readable[0] = "/nonexistent/folder";
	assert_int_equal(try_in(&sandbox, read_named), EACCES);
}

static char store[64];

/* Everything that a database does with its files. */
static int keep_things_in_the_store(void)
{
	char a[96], b[96], folder[96];
	snprintf(a, sizeof(a), "%s/a", store);
	snprintf(b, sizeof(b), "%s/folder/b", store);
	snprintf(folder, sizeof(folder), "%s/folder", store);
	int fd = open(a, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || pwrite(fd, "y", 1, 4096) != 1 || fsync(fd) != 0 ||
	    ftruncate(fd, 1) != 0)
		return errno;
	if (mkdir(folder, 0700) != 0 || rename(a, b) != 0 || unlink(b) != 0 || rmdir(folder) != 0)
		return errno;
	return 0;
}

static int write_beside_the_store(void)
{
	char beside[96];
	snprintf(beside, sizeof(beside), "%s-beside", store);
	return outcome(open(beside, O_RDWR | O_CREAT, 0600));
}

static void a_store_is_written_below_and_nowhere_else(void **state)
{
	(void)state;
	skip_without_kernel();
	snprintf(store, sizeof(store), "/tmp/sallyport-store-XXXXXX");
	assert_non_null(mkdtemp(store));
	assert_int_equal(chmod(store, 0777), 0); /* Landlock shall decide, not the user */
	struct sandbox sandbox = sandbox_of(ROLE_KEEPER);
	sandbox.store = store;
	int kept = try_in(&sandbox, keep_things_in_the_store);
	int beside = try_in(&sandbox, write_beside_the_store);
	int read = try_in(&sandbox, read_a_file);
	int dialled = try_in(&sandbox, dial_another_port);
	rmdir(store);
	assert_int_equal(kept, 0);
	assert_int_equal(beside, EACCES);
	assert_int_equal(read, EACCES);
	assert_int_equal(dialled, EACCES);
	assert_int_equal(try_in(&sandbox, read_a_file), NOT_ENTERED); /* the store has to be there */
}

/* As in a checkout below /root: the user that a role becomes may not enter the folder above. */
static void named_files_below_a_closed_folder_can_be_named(void **state)
{
	(void)state;
	skip_without_kernel();
	char closed[] = "/tmp/sallyport-sandbox-XXXXXX", open_one[64];
	assert_non_null(mkdtemp(closed)); /* mode 0700 */
	snprintf(open_one, sizeof(open_one), "%s/www", closed);
	assert_int_equal(mkdir(open_one, 0755), 0);
	struct sandbox sandbox = sandbox_of(ROLE_DEMO);
	sandbox.readable[0] = open_one;
	int result = try_in(&sandbox, read_a_file);
	rmdir(open_one);
	rmdir(closed);
	assert_int_equal(result, EACCES); /* and not NOT_ENTERED */
}

static int has_any_privilege(void)
{
	struct rlimit core;
	if (geteuid() == 0 || getuid() == 0 || getegid() == 0)
		return 1;
	if (getgroups(0, NULL) != 0)
		return 2;
	/* capget(2): header version 3, then two rows of effective, permitted, inheritable */
	struct {
		uint32_t version;
		int pid;
	} header = {0x20080522, 0};
	uint32_t rows[6] = {0};
	if (syscall(SYS_capget, &header, rows) != 0)
		return 3;
	for (size_t i = 0; i < 6; i++)
		if (rows[i] != 0)
			return 4;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0)
		return 5;
	return 0;
}

static void root_becomes_nobody_without_capabilities(void **state)
{
	(void)state;
#ifdef SALLYPORT_SANITIZED
	skip();
#endif
	if (geteuid() != 0)
		skip();
	/* no call filter, so that the child can look at itself */
	static const struct role plain = {
	    .name = "plain", .files = ROLE_FILES_NONE, .network = ROLE_NETWORK_NONE};
	const struct sandbox sandbox = {.role = &plain, .mode = SANDBOX_BEST_EFFORT};
	assert_int_equal(try_in(&sandbox, has_any_privilege), 0);
	assert_int_equal(try_in(&sandbox, become_root), EPERM);
}

static void unknown_user_is_an_error_that_names_it(void **state)
{
	(void)state;
	struct err err = {{0}};
	if (geteuid() != 0)
		skip();
	assert_false(sandbox_change_user("no-such-user-here", false, &err));
	assert_non_null(strstr(err.text, "no-such-user-here"));
}

int main(void)
{
	test_pid = getpid();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(generation_may_read_and_fork_and_no_more),
	    cmocka_unit_test(worker_may_dial_its_ports_and_no_more),
	    cmocka_unit_test(scribe_may_nothing_but_write),
	    cmocka_unit_test(console_may_nothing_but_serve),
	    cmocka_unit_test(demo_may_nothing_but_serve),
	    cmocka_unit_test(acme_may_nothing_but_serve),
	    cmocka_unit_test(trials_work_without_a_sandbox),
	    cmocka_unit_test(abort_still_says_abort),
	    cmocka_unit_test(libraries_are_refused_instead_of_killed),
	    cmocka_unit_test(named_files_can_be_read_and_others_not),
	    cmocka_unit_test(a_store_is_written_below_and_nowhere_else),
	    cmocka_unit_test(named_files_below_a_closed_folder_can_be_named),
	    cmocka_unit_test(root_becomes_nobody_without_capabilities),
	    cmocka_unit_test(unknown_user_is_an_error_that_names_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
