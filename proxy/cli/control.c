/* The client of the control socket. The only user of libcurl among the commands.
 *
 * Trusts whoever listens on the socket as far as its directory is safe
 * (control_path.h); what it says is bounded, and printed without control characters. */
#include "cli/control.h"

#include <curl/curl.h>
#include <getopt.h>
#include <inttypes.h>

#include "sallyport/cli.h"

enum { ANSWER_BYTES = 8 << 20, ORDER_BYTES = 16384, CONNECT_WAIT_S = 5 };

/* ---- options ---- */

enum { OPTION_SOCKET = 256, OPTION_JSON };

static const struct option options_known[] = {
    {"config", required_argument, NULL, 'c'},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"json", no_argument, NULL, OPTION_JSON},
    {NULL, 0, NULL, 0},
};

static void print_policy_errors(const struct policy_errors *errors)
{
	struct strbuf text;
	strbuf_init(&text, ANSWER_BYTES);
	policy_errors_print(errors, &text);
	control_print(stderr, strbuf_span(&text));
	strbuf_release(&text);
}

static bool find_socket_of_policy(const char *path, char out[CONTROL_PATH_SIZE], struct err *err)
{
	struct settings_overrides overrides = {0};
	settings_overrides_from_environment(&overrides);
	overrides.rules_wanted = RULES_LEFT; /* a pack that went bad is no reason not to find the server */
	struct policy_errors *errors = policy_errors_new();
	if (!errors)
		return err_set(err, "out of memory");
	struct settings *settings = settings_load(path, &overrides, errors);
	bool ok = settings ? control_socket_path(settings, out, err)
			   : err_set(err, "the policy %s has errors", path);
	if (!settings)
		print_policy_errors(errors);
	settings_free(settings);
	policy_errors_free(errors);
	return ok;
}

static bool find_socket(const char *given, const char *policy, char out[CONTROL_PATH_SIZE],
			struct err *err)
{
	if (given && strlen(given) >= CONTROL_PATH_SIZE)
		return err_set(err, "the path of a socket has at most %d bytes, this one has %zu",
			       CONTROL_PATH_SIZE - 1, strlen(given));
	if (given) {
		memcpy(out, given, strlen(given) + 1);
		return true;
	}
	if (policy)
		return find_socket_of_policy(policy, out, err);
	return control_socket_path(NULL, out, err);
}

/* Returns an enum cli_status; the operands are what stands from argv[optind] on. */
static int read_options(int argc, char **argv, bool as_json_known, struct control_options *options)
{
	const char *socket = NULL, *policy = NULL;
	int option;
	*options = (struct control_options){.as_json = false};
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":c:", options_known, NULL)) != -1) {
		if (option == 'c')
			policy = optarg;
		else if (option == OPTION_SOCKET)
			socket = optarg;
		else if (option == OPTION_JSON && as_json_known)
			options->as_json = true;
		else
			return cli_refuse_option(argv[0], option, argv[optind - 1], options_known);
	}
	if (socket && policy)
		return cli_wrong_use(argv[0], "--socket and -c exclude each other");
	options->given_socket = socket;
	options->policy = policy;
	return CLI_DONE;
}

static int find_server(const char *command, struct control_options *options)
{
	struct err err;
	if (find_socket(options->given_socket, options->policy, options->socket, &err))
		return CLI_DONE;
	fprintf(stderr, "sallyport %s: %s\n", command, err.text);
	return CLI_NO;
}

int control_find_server(const char *command, const char *socket, const char *policy,
			struct control_options *options)
{
	*options = (struct control_options){.given_socket = socket, .policy = policy};
	return find_server(command, options);
}

int control_read_options(int argc, char **argv, bool as_json_known, struct control_options *options)
{
	int status = read_options(argc, argv, as_json_known, options);
	if (status != CLI_DONE)
		return status;
	if (optind < argc)
		return cli_wrong_use(argv[0], "\"%s\" is no option", argv[optind]);
	return find_server(argv[0], options);
}

int control_read_some_operands(int argc, char **argv, const char *synopsis, const char *operands[], int least,
			       int most, int *n, struct control_options *options)
{
	int status = read_options(argc, argv, false, options);
	if (status != CLI_DONE)
		return status;
	*n = argc - optind;
	if (*n < least || *n > most)
		return cli_wrong_use(argv[0], "it takes %s, and nothing else", synopsis);
	for (int i = 0; i < *n; i++)
		operands[i] = argv[optind + i];
	return find_server(argv[0], options);
}

int control_read_operands(int argc, char **argv, const char *synopsis, const char *operands[],
			  int n, struct control_options *options)
{
	int unused;
	return control_read_some_operands(argc, argv, synopsis, operands, n, n, &unused, options);
}

/* ---- the call ---- */

static size_t take_content(char *data, size_t size, size_t n, void *context)
{
	struct strbuf *body = context;
	strbuf_add(body, data, size * n);
	return body->truncated ? 0 : size * n;
}

static bool prepare(CURL *curl, const struct control_options *options, const char *method,
		    const char *url, const char *content, unsigned wait_s, struct strbuf *body)
{
	if (content && curl_easy_setopt(curl, CURLOPT_POSTFIELDS, content) != CURLE_OK)
		return false;
	return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, options->socket) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_WAIT_S) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)wait_s) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_content) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK;
}

static bool explain(CURL *curl, CURLcode code, const char *socket, struct err *err)
{
	long os_error = 0;
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT)
		return err_set(
		    err, "no server answers at %s%s%s: is it running, and may you speak with it?",
		    socket, os_error ? ": " : "", os_error ? strerror((int)os_error) : "");
	return err_set(err, "the server at %s gave no answer: %s", socket,
		       curl_easy_strerror(code));
}

bool control_ask(const struct control_options *options, const char *method, const char *path,
		 const char *content, unsigned wait_s, struct control_answer *answer,
		 struct err *err)
{
	char url[128];
	*answer = (struct control_answer){0};
	strbuf_init(&answer->body, ANSWER_BYTES);
	if (!control_socket_is_trusted(options->socket, err))
		return false;
	snprintf(url, sizeof(url), "http://sallyport%s", path);
	CURL *curl = curl_easy_init();
	if (!curl || !prepare(curl, options, method, url, content, wait_s, &answer->body)) {
		curl_easy_cleanup(curl);
		return err_set(err, "libcurl did not start, or has no Unix sockets");
	}
	CURLcode code = curl_easy_perform(curl);
	bool ok = code == CURLE_OK || explain(curl, code, options->socket, err);
	if (ok)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_cleanup(curl);
	return ok;
}

void control_answer_release(struct control_answer *answer)
{
	strbuf_release(&answer->body);
}

/* ---- what is said ---- */

void control_print(FILE *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		/* U+0080 to U+009F are controls too, and stand as two bytes */
		bool is_c1 = c == 0xc2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xa0;
		if (is_c1)
			i++;
		fputc(is_c1 || (c < 0x20 && c != '\n') || c == 0x7f ? '?' : c, out);
	}
}

void control_print_cell(const struct json_value *object, const char *key, int width)
{
	struct span text = json_text(object, key, "-");
	control_print(stdout, text);
	printf("%*s", text.len < (size_t)width ? width - (int)text.len : 1, "");
}

void control_print_duration(uint64_t seconds)
{
	if (seconds >= 86400)
		printf("%" PRIu64 " d %" PRIu64 " h", seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		printf("%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		printf("%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
	else
		printf("%" PRIu64 " s", seconds);
}

static void print_errors(const char *command, const struct json_value *said, long status)
{
	struct span errors = json_text(said, "errors", "");
	if (errors.len == 0) {
		fprintf(stderr, "sallyport %s: the server answered with status %ld\n", command,
			status);
		return;
	}
	control_print(stderr, errors);
	if (!span_ends(errors, SPAN("\n")))
		fputc('\n', stderr);
}

int control_order(const char *command, const struct control_options *options, const char *path,
		  const char *content, unsigned wait_s, const char *done)
{
	struct control_answer answer;
	struct err err;
	bool ok = control_ask(options, "POST", path, content, wait_s, &answer, &err);
	if (!ok) {
		fprintf(stderr, "sallyport %s: %s\n", command, err.text);
		control_answer_release(&answer);
		return CLI_NO;
	}
	struct json_value *said = json_read(strbuf_span(&answer.body), NULL);
	ok = answer.status / 100 == 2 && json_bool(said, "ok");
	if (ok) {
		control_print(stderr, json_text(said, "warnings", ""));
		if (done) {
			puts(done);
		} else {
			control_print(stdout, json_text(said, "said", ""));
			puts("");
		}
	} else {
		print_errors(command, said, answer.status);
	}
	json_free(said);
	control_answer_release(&answer);
	return ok ? CLI_DONE : CLI_NO;
}

int control_order_json(const char *command, const struct control_options *options, const char *path,
		       struct json_writer *content, unsigned wait_s, const char *done)
{
	struct strbuf text;
	int status = CLI_NO;
	strbuf_init(&text, ORDER_BYTES);
	if (json_end(content, &text))
		status = control_order(command, options, path, text.data, wait_s, done);
	else
		fprintf(stderr, "sallyport %s: the order is too long\n", command);
	strbuf_release(&text);
	return status;
}
