/* The commands that speak with a running server, against a console in a thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>

#include "cli/control.h"
#include "sallyport/cli.h"
#include "sallyport/console.h"
#include "sallyport/log.h"
#include "serve/daemon.h"

static struct {
	char dir[64], socket[96];
	struct loop *loop;
	struct stats *stats;
	struct console *console;
	struct daemon_thread daemon;
	bool ok;
	const char *text;
	struct pause_request paused;
} world;

static void take_order(void *context, enum console_order order, uint64_t ticket,
		       const struct pause_request *pause)
{
	(void)context;
	if (pause)
		world.paused = *pause;
	(void)order;
	console_answer(world.console, ticket, world.ok, span_from_str(world.text));
}

static void start(bool ok, const char *text)
{
	struct err err;
	world.ok = ok;
	world.text = text;
	struct console_setup s = {.stats = world.stats,
				  .unix_fd = daemon_listen_unix(world.socket),
				  .tcp_fd = -1,
				  .order = take_order};
	world.console = console_new(world.loop, &s, &err);
	assert_non_null(world.console);
	daemon_start(&world.daemon, world.loop);
}

static int setup(void **state)
{
	struct err err;
	(void)state;
	memset(&world, 0, sizeof(world));
	snprintf(world.dir, sizeof(world.dir), "/tmp/sallyport-control-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	snprintf(world.socket, sizeof(world.socket), "%s/c.sock", world.dir);
	world.loop = loop_new(&err);
	world.stats = calloc(1, sizeof(*world.stats));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (world.console) {
		daemon_stop(&world.daemon);
		console_free(world.console);
	}
	loop_free(world.loop);
	free(world.stats);
	unlink(world.socket);
	return rmdir(world.dir);
}

struct result {
	int status;
	char out[16384], err[16384];
};

static void redirect(int fd, const char *path, int *saved)
{
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	*saved = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	dup2(file, fd);
	close(file);
}

static void restore(int fd, int saved, const char *path, char *text, size_t room)
{
	lseek(fd, 0, SEEK_SET);
	ssize_t n = read(fd, text, room - 1);
	text[n > 0 ? n : 0] = '\0';
	dup2(saved, fd);
	close(saved);
	unlink(path);
}

static void run(struct result *result, int (*command)(int, char **), const char *name,
		const char *first, const char *second)
{
	char out_path[96], err_path[96], socket_option[] = "--socket";
	int out, err, argc = 1;
	char *argv[6] = {(char *)(uintptr_t)name, NULL};
	snprintf(out_path, sizeof(out_path), "%s/out", world.dir);
	snprintf(err_path, sizeof(err_path), "%s/err", world.dir);
	if (first)
		argv[argc++] = (char *)(uintptr_t)first;
	if (second)
		argv[argc++] = (char *)(uintptr_t)second;
	if (!second) {
		argv[argc++] = socket_option;
		argv[argc++] = world.socket;
	}
	fflush(NULL);
	redirect(STDOUT_FILENO, out_path, &out);
	redirect(STDERR_FILENO, err_path, &err);
	result->status = command(argc, argv);
	fflush(NULL);
	restore(STDOUT_FILENO, out, out_path, result->out, sizeof(result->out));
	restore(STDERR_FILENO, err, err_path, result->err, sizeof(result->err));
}

#define STATUS_TEXT(ready)                                                                         \
	"{\"generation\":3,\"ready\":" ready ",\"uptime_s\":93784,\"policy\":\"a\\u001b.cfg\","    \
	"\"processes\":[{\"role\":\"worker\",\"pid\":7,\"slot\":2,\"restarts\":1,\"state\":"       \
	"\"serving\"}]}"

static void status_is_a_table(void **state)
{
	struct result result;
	(void)state;
	atomic_store(&world.stats->slots[0].requests, 42);
	atomic_store(&world.stats->slots[0].reasons[REASON_RULE], 5);
	start(true, STATUS_TEXT("true"));
	run(&result, cli_status, "status", NULL, NULL);
	assert_int_equal(result.status, CLI_DONE);
	assert_string_equal(result.err, "");
	assert_non_null(strstr(result.out, "sallyport " SALLYPORT_VERSION ": ready\n"));
	assert_non_null(strstr(result.out, "  policy        a?.cfg\n"));
	assert_non_null(strstr(result.out, "generation    3, up for 1 d 2 h\n"));
	assert_non_null(strstr(result.out, "requests      42, "));
	assert_non_null(strstr(result.out, "worker             7     2         1  serving\n"));
	assert_non_null(strstr(
	    result.out, "         5  rule                     a rule matched: see its id\n"));
}

static void status_tells_what_is_paused(void **state)
{
	struct result result;
	(void)state;
	start(true, "{\"ready\":true,\"paused\":[{\"leg\":\"shield\",\"site\":\"shop\",\"left_s\":1795,"
		    "\"until\":\"2026-11-23T21:08:24.123Z\"}],\"paused_count\":3}");
	run(&result, cli_status, "status", NULL, NULL);
	assert_int_equal(result.status, CLI_DONE);
	assert_non_null(strstr(result.out, "  paused        shield of shop for another 29 min 55 s, "
					   "until 2026-11-23T21:08:24.123Z\n"));
	assert_non_null(strstr(result.out, "  paused        2 others\n"));
}

static void status_for_programs_is_one_json_object(void **state)
{
	struct result result;
	(void)state;
	start(true, STATUS_TEXT("true"));
	run(&result, cli_status, "status", "--json", NULL);
	assert_int_equal(result.status, CLI_DONE);
	struct json_value *said = json_read(span_from_str(result.out), NULL);
	assert_non_null(said);
	assert_int_equal(json_number(said, "generation"), 3);
	json_free(said);
}

static void status_of_a_server_not_ready_is_a_no(void **state)
{
	struct result result;
	(void)state;
	start(true, STATUS_TEXT("false"));
	run(&result, cli_status, "status", NULL, NULL);
	assert_int_equal(result.status, CLI_NO);
	assert_non_null(strstr(result.out, ": not ready\n"));
	run(&result, cli_status, "status", "--json", NULL);
	assert_int_equal(result.status, CLI_NO);
}

static void a_console_without_its_master_is_a_no(void **state)
{
	struct result result;
	(void)state;
	start(false, "");
	run(&result, cli_status, "status", NULL, NULL);
	assert_int_equal(result.status, CLI_NO);
	assert_non_null(strstr(result.err, "status 503: the master does not know its status\n"));
}

static void without_a_server_every_command_says_where_it_looked(void **state)
{
	static int (*const commands[])(int, char **) = {cli_status, cli_reload, cli_stop};
	struct result result;
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		run(&result, commands[i], "command", NULL, NULL);
		assert_int_equal(result.status, CLI_NO);
		assert_non_null(strstr(result.err, "no server answers at "));
		assert_non_null(strstr(result.err, world.socket));
	}
}

static void reload_and_stop_say_what_they_did(void **state)
{
	struct result result;
	(void)state;
	start(true, "");
	run(&result, cli_reload, "reload", NULL, NULL);
	assert_int_equal(result.status, CLI_DONE);
	assert_string_equal(result.out, "The policy was loaded.\n");
	run(&result, cli_stop, "stop", NULL, NULL);
	assert_int_equal(result.status, CLI_DONE);
	assert_string_equal(result.out, "The server is finishing.\n");
}

static void reload_prints_the_errors_of_a_policy(void **state)
{
	struct result result;
	(void)state;
	start(false, "a.cfg:1: error: one\x1b\na.cfg:2: error: two\n");
	run(&result, cli_reload, "reload", NULL, NULL);
	assert_int_equal(result.status, CLI_NO);
	assert_string_equal(result.out, "");
	assert_string_equal(result.err, "a.cfg:1: error: one?\na.cfg:2: error: two\n");
}

static void wrong_use_is_told_from_a_no(void **state)
{
	static const char *const options[3][2] = {
	    {"--unknown", "x"},
	    {"extra", "x"},
	    {"--json", "x"},
	};
	struct result result;
	char path[200];
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		run(&result, cli_reload, "reload", options[i][0], options[i][1]);
		assert_int_equal(result.status, CLI_WRONG_USE);
		assert_int_not_equal(strlen(result.err), 0);
	}
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	run(&result, cli_status, "status", "--socket", path);
	assert_int_equal(result.status, CLI_NO);
	assert_non_null(strstr(result.err, "at most 107 bytes, this one has 199"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LEVEL_ERROR);
	curl_global_init(CURL_GLOBAL_ALL);
	const struct CMUnitTest tests[] = {
	    TEST(status_is_a_table),
	    TEST(status_tells_what_is_paused),
	    TEST(status_for_programs_is_one_json_object),
	    TEST(status_of_a_server_not_ready_is_a_no),
	    TEST(a_console_without_its_master_is_a_no),
	    TEST(without_a_server_every_command_says_where_it_looked),
	    TEST(reload_and_stop_say_what_they_did),
	    TEST(reload_prints_the_errors_of_a_policy),
	    TEST(wrong_use_is_told_from_a_no),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
