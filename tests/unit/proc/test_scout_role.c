/* The scout's process in its real sandbox: it fetches for a keeper, and for the next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include "guard/fetch_server.h"
#include "proc/helper_role.h"
#include "proc/scout_orders.h"
#include "sallyport/settings.h"

static struct {
	struct loop *loop;
	struct server server;
	struct ipc_message message;
	int channel;
	pid_t pid;
} world;

static void start_scout(void)
{
	struct err err;
	int pair[2];
	assert_true(ipc_pair(pair, &err));
	world.pid = fork();
	if (world.pid == 0) {
		dup2(pair[1], ROLE_CHANNEL_FD);
		_exit(scout_role());
	}
	close(pair[1]);
	world.channel = pair[0];
	struct helper_order order = {.sandbox = SANDBOX_BEST_EFFORT, .scout_ports = 1,
				     .scout_port = {world.server.port}};
	assert_true(ipc_send(world.channel, ORDER_HELP, &order, sizeof(order), NULL, 0, &err));
	assert_int_equal(ipc_wait(world.channel, &world.message, 10000), IPC_GOT);
	if (world.message.type != REPORT_READY)
		fail_msg("not ready: %s", world.message.payload);
}

static int meet_scout(void)
{
	struct err err;
	int pair[2];
	assert_true(ipc_pair(pair, &err));
	assert_true(ipc_send(world.channel, ORDER_PARTNER, NULL, 0, &pair[1], 1, &err));
	close(pair[1]);
	return pair[0];
}

static void send_job(int partner, uint64_t id, const char *origin, uint16_t port, const char *target)
{
	struct err err;
	struct scout_job job = {.id = id, .timeout_ms = 3000, .max_bytes = 1000, .agent = JOB_AGENT_OWN,
				.referer = JOB_REFERER_NONE, .links = JOB_LINKS_NONE, .port = port};
	snprintf(job.origin, sizeof(job.origin), "%s", origin);
	snprintf(job.host, sizeof(job.host), "shop.example");
	snprintf(job.target, sizeof(job.target), "%s", target);
	assert_true(ipc_send(partner, ORDER_JOB, &job, sizeof(job), NULL, 0, &err));
}

static struct scout_sample wait_for(int partner)
{
	struct err err;
	struct scout_sample sample = {0};
	enum ipc_result got = IPC_NONE;
	for (int i = 0; i < 2000 && got == IPC_NONE; i++) {
		assert_true(loop_once(world.loop, 5, &err));
		got = ipc_receive(partner, &world.message);
	}
	assert_int_equal(got, IPC_GOT);
	assert_int_equal(world.message.type, REPORT_SAMPLE);
	memcpy(&sample, world.message.payload, sizeof(sample));
	ipc_release(&world.message);
	return sample;
}

static void the_scout_fetches_from_within_its_sandbox(void **state)
{
	struct err err;
	int status;
	(void)state;
	world.loop = loop_new(&err);
	server_start(&world.server, world.loop);
	world.server.answers[0] = SERVER_ANSWER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	start_scout();
	int keeper = meet_scout();
	send_job(keeper, 1, "127.0.0.1", world.server.port, "/0");
	struct scout_sample sample = wait_for(keeper);
	assert_int_equal(sample.outcome, SAMPLE_WHOLE);
	assert_int_equal(sample.content_bytes, 5);
	send_job(keeper, 2, "localhost", world.server.port, "/0");
	assert_int_equal(wait_for(keeper).outcome, SAMPLE_WHOLE);
	send_job(keeper, 3, "127.0.0.1", 1, "/0"); /* a port that is no origin's */
	assert_int_equal(wait_for(keeper).outcome, SAMPLE_UNREACHED);
	/* the keeper dies in the middle of a job, and another one comes */
	send_job(keeper, 4, "127.0.0.1", world.server.port, "/silence");
	close(keeper);
	keeper = meet_scout();
	send_job(keeper, 5, "127.0.0.1", world.server.port, "/0");
	sample = wait_for(keeper);
	assert_int_equal(sample.id, 5);
	assert_int_equal(sample.outcome, SAMPLE_WHOLE);
	assert_true(ipc_send(world.channel, ORDER_STOP, NULL, 0, NULL, 0, &err));
	assert_int_equal(waitpid(world.pid, &status, 0), world.pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("it ended by %#x", (unsigned)status);
	close(keeper);
	close(world.channel);
	server_stop(&world.server);
	loop_free(world.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_scout_fetches_from_within_its_sandbox),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
