/* Where the control socket is, and that nobody else can have put it there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "sallyport/control_path.h"

static char base[] = "/tmp/sallyport-test-XXXXXX";
static char dir[64], path[CONTROL_PATH_SIZE];

static int make_base(void **state)
{
	(void)state;
	return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
	(void)state;
	return rmdir(base);
}

static int set_up(void **state)
{
	(void)state;
	struct err err;
	snprintf(dir, sizeof(dir), "%s/run", base);
	return control_socket_path_in(dir, path, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(dir);
	rmdir(dir);
	return 0;
}

static int dial(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = connect(fd, (struct sockaddr *)&un, sizeof(un));
	close(fd);
	return result;
}

static void path_follows_setting_user_and_environment(void **state)
{
	(void)state;
	struct err err = {{0}};
	char out[CONTROL_PATH_SIZE], expected[CONTROL_PATH_SIZE];
	struct settings settings = {.process.runtime = "/srv/x"};
	assert_true(control_socket_path(&settings, out, &err));
	assert_string_equal(out, "/srv/x/console.sock");
	assert_true(control_socket_path(NULL, out, &err));
	if (geteuid() == 0) {
		assert_string_equal(out, "/run/sallyport/console.sock");
		return;
	}
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	assert_true(control_socket_path(NULL, out, &err));
	assert_string_equal(out, "/run/user/7/sallyport/console.sock");
	unsetenv("XDG_RUNTIME_DIR");
	assert_true(control_socket_path(NULL, out, &err));
	snprintf(expected, sizeof(expected), "/tmp/sallyport-%u/console.sock", geteuid());
	assert_string_equal(out, expected);
}

static void path_that_no_socket_can_have_is_an_error(void **state)
{
	(void)state;
	char runtime[200], out[CONTROL_PATH_SIZE];
	struct err err = {{0}};
	memset(runtime, 'x', sizeof(runtime) - 1);
	runtime[0] = '/';
	runtime[sizeof(runtime) - 1] = '\0';
	assert_false(control_socket_path_in(runtime, out, &err));
	assert_non_null(strstr(err.text, "process.runtime"));
}

static void socket_and_directory_are_for_their_owner_only(void **state)
{
	(void)state;
	struct err err;
	struct stat info;
	int fd = control_socket_listen(path, &err);
	assert_true(fd >= 0);
	assert_int_equal(stat(dir, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0700);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(dial(), 0);
	close(fd);
}

static void nobody_is_asked_where_others_could_answer(void **state)
{
	(void)state;
	struct err err;
	assert_true(control_socket_is_trusted(path, &err)); /* nobody is there */
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_true(control_socket_is_trusted(path, &err));
	assert_int_equal(chmod(dir, 0770), 0);
	assert_false(control_socket_is_trusted(path, &err));
	assert_non_null(strstr(err.text, "written by others"));
	assert_int_equal(chmod(dir, 01777), 0);
	assert_false(control_socket_is_trusted(path, &err));
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(symlink("/", dir), 0);
	assert_false(control_socket_is_trusted(path, &err));
}

static void another_user_is_not_asked_but_root_asks_any(void **state)
{
	(void)state;
	struct err err;
	if (geteuid() != 0)
		skip(); /* directories of others are only root's to make */
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(base, 0755), 0);
	assert_int_equal(chown(dir, 4711, 4711), 0);
	assert_true(control_socket_is_trusted(path, &err));
	assert_int_equal(seteuid(4712), 0);
	bool by_another = control_socket_is_trusted(path, &err);
	assert_int_equal(seteuid(0), 0);
	assert_false(by_another);
	assert_non_null(strstr(err.text, "another user"));
	assert_int_equal(seteuid(4711), 0);
	bool by_its_own = control_socket_is_trusted(path, &err);
	assert_int_equal(seteuid(0), 0);
	assert_true(by_its_own);
}

static void stale_socket_is_replaced_and_live_one_is_not(void **state)
{
	(void)state;
	struct err err = {{0}};
	int first = control_socket_listen(path, &err);
	assert_true(first >= 0);
	assert_int_equal(control_socket_listen(path, &err), -1);
	assert_non_null(strstr(err.text, "another sallyport is running"));
	assert_int_equal(dial(), 0);
	close(first);
	int second = control_socket_listen(path, &err);
	assert_true(second >= 0);
	assert_int_equal(dial(), 0);
	close(second);
}

static void directory_that_others_can_write_is_refused(void **state)
{
	(void)state;
	struct err err = {{0}};
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(control_socket_listen(path, &err), -1);
	assert_non_null(strstr(err.text, dir));
}

static void link_in_place_of_the_directory_is_refused(void **state)
{
	(void)state;
	struct err err = {{0}};
	assert_int_equal(symlink(base, dir), 0);
	assert_int_equal(control_socket_listen(path, &err), -1);
	assert_non_null(strstr(err.text, "not a directory"));
}

static void directory_of_another_user_is_refused(void **state)
{
	(void)state;
	struct err err = {{0}};
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chown(dir, 65534, 65534), 0);
	assert_int_equal(control_socket_listen(path, &err), -1);
	assert_non_null(strstr(err.text, "another user"));
}

static void file_in_the_way_is_left_alone(void **state)
{
	(void)state;
	struct err err = {{0}};
	assert_int_equal(mkdir(dir, 0700), 0);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(control_socket_listen(path, &err), -1);
	assert_non_null(strstr(err.text, "in the way"));
	assert_int_equal(access(path, F_OK), 0);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_DIR(path_follows_setting_user_and_environment),
	    WITH_DIR(path_that_no_socket_can_have_is_an_error),
	    WITH_DIR(socket_and_directory_are_for_their_owner_only),
	    WITH_DIR(nobody_is_asked_where_others_could_answer),
	    WITH_DIR(another_user_is_not_asked_but_root_asks_any),
	    WITH_DIR(stale_socket_is_replaced_and_live_one_is_not),
	    WITH_DIR(directory_that_others_can_write_is_refused),
	    WITH_DIR(link_in_place_of_the_directory_is_refused),
	    WITH_DIR(directory_of_another_user_is_refused),
	    WITH_DIR(file_in_the_way_is_left_alone),
	};
	return cmocka_run_group_tests(tests, make_base, remove_base);
}
