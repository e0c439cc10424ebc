/* The demo origin: files below its folder and nothing else, and a form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "sallyport/console.h"
#include "serve/daemon.h"
#include "serve/demo_file.h"

static struct {
	char dir[96], base[64];
	unsigned port;
	struct loop *loop;
	struct demo *demo;
	struct daemon_thread daemon;
} world;

static void write_file(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", world.dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void in_dir(const char *name, char path[256])
{
	snprintf(path, 256, "%s/%s", world.dir, name);
}

static int setup(void **state)
{
	struct err err;
	char path[256], outside[256];
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	snprintf(world.base, sizeof(world.base), "/tmp/sallyport-demo-XXXXXX");
	assert_non_null(mkdtemp(world.base));
	snprintf(world.dir, sizeof(world.dir), "%s/site", world.base);
	snprintf(outside, sizeof(outside), "%s/secret.html", world.base);
	assert_int_equal(mkdir(world.dir, 0700), 0);
	in_dir("folder", path);
	assert_int_equal(mkdir(path, 0700), 0);
	in_dir("link.html", path);
	assert_int_equal(symlink("../secret.html", path), 0);
	in_dir("linked", path);
	assert_int_equal(symlink("..", path), 0);
	in_dir("pipe.html", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	in_dir(".defaced", path);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(".defaced/index.html", "<p>taken over</p>");
	write_file("../secret.html", "secret");
	write_file("index.html", "<p>home</p>");
	write_file("folder/index.html", "<p>folder</p>");
	write_file("folder/list.csv", "a,b\n");
	write_file(".hidden", "secret");
	write_file("thanks.html", "<p>Thanks, {{name}}!</p>");
	write_file("404.html", "<p>nowhere</p>");
	world.loop = loop_new(&err);
	world.demo = demo_new(world.loop, daemon_listen_tcp(&world.port), world.dir, &err);
	assert_non_null(world.demo);
	daemon_start(&world.daemon, world.loop);
	return 0;
}

static int teardown(void **state)
{
	char command[128];
	(void)state;
	daemon_stop(&world.daemon);
	demo_free(world.demo);
	loop_free(world.loop);
	snprintf(command, sizeof(command), "rm -r %s", world.base);
	return system(command);
}

static void get(struct fetch *fetch, const char *path)
{
	char url[2048];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", world.port, path);
	fetch_run(fetch, url);
}

static void files_are_served_with_their_type(void **state)
{
	static const struct {
		const char *path, *type, *body;
	} cases[] = {
	    {"/", "Content-Type: text/html; charset=utf-8", "home"},
	    {"/index.html", "Content-Type: text/html; charset=utf-8", "home"},
	    {"/?a=b", "Content-Type: text/html; charset=utf-8", "home"},
	    {"/folder/", "Content-Type: text/html; charset=utf-8", "folder"},
	    {"/folder/list.csv", "Content-Type: text/csv; charset=utf-8", "a,b"},
	    {"/folder/../index.html", "Content-Type: text/html; charset=utf-8", "home"},
	    {"/%69ndex.html", "Content-Type: text/html; charset=utf-8", "home"},
	};
	struct fetch fetch = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		get(&fetch, cases[i].path);
		assert_int_equal(fetch.status, 200);
		assert_true(fetch_head_has(&fetch, cases[i].type));
		assert_true(fetch_head_has(&fetch, "X-Content-Type-Options: nosniff"));
		assert_true(fetch_body_has(&fetch, cases[i].body));
	}
	fetch_release(&fetch);
}

static void no_path_leads_out_of_the_folder(void **state)
{
	static const char *const paths[] = {
	    "/../secret.html",
	    "/folder/../../secret.html",
	    "/%2e%2e/secret.html",
	    "/..%2fsecret.html",
	    "/..%5csecret.html",
	    "/%252e%252e/secret.html",
	    "/%c0%ae%c0%ae/secret.html",
	    "/link.html",
	    "/linked/secret.html",
	    "/.hidden",
	    "/pipe.html",
	    "//secret.html",
	    "/index.html%00.csv",
	    "/index.html/",
	    "/folder//list.csv",
	    "/missing",
	    "/./../secret.html",
	};
	struct fetch fetch = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		get(&fetch, paths[i]);
		assert_int_equal(fetch.status, 404);
		assert_string_equal(fetch.body.data, "<p>nowhere</p>");
	}
	fetch_release(&fetch);
}

static void overlong_paths_are_not_found(void **state)
{
	struct fetch fetch = {0};
	char path[1500];
	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	get(&fetch, path);
	assert_int_equal(fetch.status, 404);
	path[300] = '\0';
	get(&fetch, path);
	assert_int_equal(fetch.status, 404);
	fetch_release(&fetch);
}

static void a_folder_without_slash_is_redirected(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	get(&fetch, "/folder");
	assert_int_equal(fetch.status, 301);
	assert_true(fetch_head_has(&fetch, "Location: /folder/\r\n"));
	fetch_release(&fetch);
}

/* Appends a response field's value. */
static void append_field(char *out, size_t room, const struct fetch *fetch, const char *name)
{
	const char *start = strstr(fetch->head.data, name);
	assert_non_null(start);
	start += strlen(name);
	size_t len = strlen(out);
	snprintf(out + len, room - len, "%.*s", (int)strcspn(start, "\r"), start);
}

static void an_unchanged_file_is_not_sent_again(void **state)
{
	struct fetch fetch = {0};
	char etag[128] = "If-None-Match: W/\"other\", ", changed[128] = "If-Modified-Since: ";
	(void)state;
	get(&fetch, "/");
	append_field(etag, sizeof(etag), &fetch, "ETag: ");
	append_field(changed, sizeof(changed), &fetch, "Last-Modified: ");
	fetch.fields[0] = etag;
	get(&fetch, "/");
	assert_int_equal(fetch.status, 304);
	assert_int_equal(fetch.body.len, 0);
	fetch.fields[0] = changed;
	get(&fetch, "/");
	assert_int_equal(fetch.status, 304);
	fetch.fields[0] = "If-None-Match: \"other\"";
	fetch.fields[1] = changed;
	get(&fetch, "/");
	assert_int_equal(fetch.status, 200);
	fetch_release(&fetch);
}

static void head_is_get_without_content(void **state)
{
	struct fetch fetch = {.method = "HEAD"};
	(void)state;
	get(&fetch, "/");
	assert_int_equal(fetch.status, 200);
	assert_true(fetch_head_has(&fetch, "Content-Length: 11\r\n"));
	assert_int_equal(fetch.body.len, 0);
	fetch_release(&fetch);
}

static void other_methods_are_told_what_is_allowed(void **state)
{
	struct fetch fetch = {.method = "DELETE"};
	(void)state;
	get(&fetch, "/");
	assert_int_equal(fetch.status, 405);
	assert_true(fetch_head_has(&fetch, "Allow: GET, HEAD, OPTIONS"));
	fetch.method = NULL;
	get(&fetch, "/contact");
	assert_int_equal(fetch.status, 405);
	assert_true(fetch_head_has(&fetch, "Allow: POST, OPTIONS"));
	fetch.method = "OPTIONS";
	get(&fetch, "/");
	assert_int_equal(fetch.status, 204);
	fetch_release(&fetch);
}

static void the_form_thanks_by_name_and_escapes_it(void **state)
{
	static const struct {
		const char *content, *body;
	} cases[] = {
	    {"name=Ada", "<p>Thanks, Ada!</p>"},
	    {"name=<b>&x=1", "<p>Thanks, &#60;b&#62;!</p>"},
	    {"name=%22%26%27", "<p>Thanks, &#34;&#38;&#39;!</p>"},
	    {"name=Zo%C3%AB", "<p>Thanks, Zo\xc3\xab!</p>"},
	    {"name=A%FFB", "<p>Thanks, A!</p>"},
	    {"name=A%00%0d%0aB", "<p>Thanks, AB!</p>"},
	    {"name=", "<p>Thanks, friend!</p>"},
	    {"other=1", "<p>Thanks, friend!</p>"},
	};
	struct fetch fetch = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fetch.content = cases[i].content;
		get(&fetch, "/contact");
		assert_int_equal(fetch.status, 200);
		assert_string_equal(fetch.body.data, cases[i].body);
	}
	fetch_release(&fetch);
}

static void an_endless_form_is_taken_and_dropped(void **state)
{
	enum { BYTES = 4 << 20 };
	struct fetch fetch = {.fields = {"Expect:"}};
	char *content = malloc(BYTES + 1);
	(void)state;
	assert_non_null(content);
	memset(content, 'a', BYTES);
	memcpy(content, "name=", 5);
	content[BYTES] = '\0';
	fetch.content = content;
	get(&fetch, "/contact");
	assert_int_equal(fetch.status, 200);
	assert_int_equal(fetch.body.len, strlen("<p>Thanks, !</p>") + 60);
	free(content);
	fetch_release(&fetch);
}

static void types_go_by_the_end_of_the_name(void **state)
{
	(void)state;
	assert_string_equal(demo_content_type(SPAN("a.SVG")), "image/svg+xml");
	assert_string_equal(demo_content_type(SPAN("a.html.bak")), "application/octet-stream");
	assert_string_equal(demo_content_type(SPAN("")), "application/octet-stream");
}

static void a_site_that_was_taken_over_shows_it_until_it_is_restored(void **state)
{
	struct fetch fetch = {0};
	(void)state;
	demo_become(world.demo, DEMO_DEFACED);
	get(&fetch, "/");
	assert_int_equal(fetch.status, 200);
	assert_true(fetch_body_has(&fetch, "taken over"));
	get(&fetch, "/folder/");
	assert_true(fetch_body_has(&fetch, "taken over"));
	get(&fetch, "/folder/list.csv");
	assert_true(fetch_body_has(&fetch, "a,b"));
	get(&fetch, "/nothing.html");
	assert_int_equal(fetch.status, 404);
	demo_become(world.demo, DEMO_REDIRECTED);
	get(&fetch, "/");
	assert_int_equal(fetch.status, 302);
	assert_true(fetch_head_has(&fetch, "Location: http://www.worm.example/"));
	demo_become(world.demo, DEMO_STOPPED);
	get(&fetch, "/");
	assert_int_equal(fetch.status, 0);
	demo_become(world.demo, DEMO_CLEAN);
	get(&fetch, "/");
	assert_int_equal(fetch.status, 200);
	assert_true(fetch_body_has(&fetch, "home"));
	get(&fetch, "/.defaced/index.html");
	assert_int_equal(fetch.status, 404);
	fetch_release(&fetch);
}

static void a_missing_folder_is_an_error_that_names_it(void **state)
{
	struct err err;
	unsigned port;
	(void)state;
	struct loop *loop = loop_new(&err);
	assert_null(demo_new(loop, daemon_listen_tcp(&port), "/nonexistent/site", &err));
	assert_non_null(strstr(err.text, "/nonexistent/site: No such file"));
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_are_served_with_their_type),
	    cmocka_unit_test(no_path_leads_out_of_the_folder),
	    cmocka_unit_test(overlong_paths_are_not_found),
	    cmocka_unit_test(a_folder_without_slash_is_redirected),
	    cmocka_unit_test(an_unchanged_file_is_not_sent_again),
	    cmocka_unit_test(head_is_get_without_content),
	    cmocka_unit_test(other_methods_are_told_what_is_allowed),
	    cmocka_unit_test(the_form_thanks_by_name_and_escapes_it),
	    cmocka_unit_test(an_endless_form_is_taken_and_dropped),
	    cmocka_unit_test(types_go_by_the_end_of_the_name),
	    cmocka_unit_test(a_site_that_was_taken_over_shows_it_until_it_is_restored),
	    cmocka_unit_test(a_missing_folder_is_an_error_that_names_it),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
