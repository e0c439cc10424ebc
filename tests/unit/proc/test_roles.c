/* The roles table: complete, and without rights that no role may have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proc/roles.h"

static bool allows(const struct role *role, const char *call)
{
	for (size_t g = 0; g < ROLE_GROUPS_MAX && role->calls[g]; g++)
		for (const char *const *name = role->calls[g]; *name; name++)
			if (strcmp(*name, call) == 0)
				return true;
	return false;
}

static void every_role_has_a_full_row_and_is_found_by_its_name(void **state)
{
	(void)state;
	for (enum role_id id = ROLE_UNSET + 1; id < ROLE_COUNT; id++) {
		const struct role *role = role_get(id);
		assert_non_null(role->name);
		assert_non_null(role->title);
		assert_non_null(role->purpose);
		assert_non_null(role->channels);
		assert_int_not_equal(role->files, ROLE_FILES_UNSET);
		assert_int_not_equal(role->network, ROLE_NETWORK_UNSET);
		assert_ptr_equal(role_find(role->name), role);
	}
	assert_null(role_find(""));
	assert_null(role_find("root"));
}

/* The operator's program inherits what confines the crier, and nobody knows what it needs. */
static bool runs_a_program(enum role_id id)
{
	return id == ROLE_CRIER;
}

static void every_role_but_master_and_crier_is_confined(void **state)
{
	(void)state;
	for (enum role_id id = ROLE_UNSET + 1; id < ROLE_COUNT; id++) {
		const struct role *role = role_get(id);
		if (id == ROLE_MASTER)
			continue;
		if (runs_a_program(id)) {
			assert_false(role->keeps_user);
			continue;
		}
		assert_non_null(role->calls[0]);
		assert_int_not_equal(role->files, ROLE_FILES_ALL);
		assert_int_not_equal(role->network, ROLE_NETWORK_ALL);
		assert_false(role->keeps_user);
	}
}

/* The keeper has folders of its own to change. The warden has no socket to bind but netlink's. */
static bool is_its_own_affair(const struct role *role, const char *call)
{
	if (strcmp(call, "bind") == 0)
		return role->network == ROLE_NETWORK_RULES;
	return role->files == ROLE_FILES_STORE &&
	       (strcmp(call, "unlink") == 0 || strcmp(call, "rename") == 0);
}

static void only_the_keeper_has_a_store(void **state)
{
	(void)state;
	for (enum role_id id = ROLE_GENERATION; id < ROLE_COUNT; id++)
		assert_int_equal(role_get(id)->files == ROLE_FILES_STORE, id == ROLE_KEEPER);
}

static void only_the_warden_keeps_a_capability(void **state)
{
	(void)state;
	for (enum role_id id = ROLE_GENERATION; id < ROLE_COUNT; id++) {
		assert_int_equal(role_get(id)->keeps_net_admin, id == ROLE_WARDEN);
		assert_int_equal(role_get(id)->network == ROLE_NETWORK_RULES, id == ROLE_WARDEN);
	}
}

static void no_role_may_run_programs_or_change_the_system(void **state)
{
	(void)state;
	static const char *const never[] = {
	    "execve",
	    "execveat",
	    "ptrace",
	    "process_vm_readv",
	    "process_vm_writev",
	    "setuid",
	    "setresuid",
	    "setgid",
	    "mount",
	    "umount2",
	    "unshare",
	    "setns",
	    "chroot",
	    "bpf",
	    "io_uring_setup",
	    "perf_event_open",
	    "init_module",
	    "kexec_load",
	    "bind",
	    "listen",
	    "mmap",
	    "mprotect",
	    "pkey_mprotect",
	    "clone3",
	    "userfaultfd",
	    "keyctl",
	    "unlink",
	    "rename",
	    "chmod",
	    "chown",
	    "mknod",
	};
	for (enum role_id id = ROLE_GENERATION; id < ROLE_COUNT; id++)
		for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
			if (allows(role_get(id), never[i]) &&
			    !is_its_own_affair(role_get(id), never[i]))
				fail_msg("%s may %s", role_get(id)->name, never[i]);
}

static void only_the_generation_makes_processes(void **state)
{
	(void)state;
	for (enum role_id id = ROLE_GENERATION; id < ROLE_COUNT; id++) {
		bool expected = id == ROLE_GENERATION;
		assert_int_equal(allows(role_get(id), "clone"), expected);
		assert_int_equal(allows(role_get(id), "kill"), expected);
		assert_int_equal(role_get(id)->makes_processes, expected || runs_a_program(id));
	}
}

/* A filter stays over fork: what the generation may not, its workers could not. */
static void worker_may_nothing_that_its_generation_may_not(void **state)
{
	(void)state;
	const struct role *worker = role_get(ROLE_WORKER), *generation = role_get(ROLE_GENERATION);
	for (size_t g = 0; g < ROLE_GROUPS_MAX && worker->calls[g]; g++)
		for (const char *const *name = worker->calls[g]; *name; name++)
			if (!allows(generation, *name))
				fail_msg("worker may %s, its generation not", *name);
	assert_false(allows(worker, "openat"));
	assert_false(allows(worker, "socket")); /* by its arguments only */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_role_has_a_full_row_and_is_found_by_its_name),
	    cmocka_unit_test(every_role_but_master_and_crier_is_confined),
	    cmocka_unit_test(only_the_keeper_has_a_store),
	    cmocka_unit_test(only_the_warden_keeps_a_capability),
	    cmocka_unit_test(no_role_may_run_programs_or_change_the_system),
	    cmocka_unit_test(only_the_generation_makes_processes),
	    cmocka_unit_test(worker_may_nothing_that_its_generation_may_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
