#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "sallyport/control_path.h"
#include "sallyport/json.h"
#include "sallyport/strbuf.h"

/* How a command speaks with the running server: over its control socket, by libcurl. */

struct control_options {
	char socket[CONTROL_PATH_SIZE];
	bool as_json;
	const char *given_socket, *policy; /* as on the command line, or NULL */
};

struct control_answer {
	long status;        /* of HTTP */
	struct strbuf body; /* control_answer_release frees it */
};

/* Reads --socket PATH, -c FILE and, where as_json_known, --json. Returns an enum
 * cli_status; what is wrong has been said on standard error. */
int control_read_options(int argc, char **argv, bool as_json_known,
			 struct control_options *options);

/* The same with `n` operands, named in `synopsis`, which must all be there. */
int control_read_operands(int argc, char **argv, const char *synopsis, const char *operands[],
			  int n, struct control_options *options);

/* The same with `least` to `most` operands; *n: how many there are. */
int control_read_some_operands(int argc, char **argv, const char *synopsis, const char *operands[], int least,
			       int most, int *n, struct control_options *options);

/* The same for commands that read their options themselves; socket and policy may be NULL. */
int control_find_server(const char *command, const char *socket, const char *policy,
			struct control_options *options);

/* Asks once. content: sent along, NULL for none. wait_s: how long the answer may take. False: no server answered. The answer
 * is to be released either way. */
MUST_CHECK bool control_ask(const struct control_options *options, const char *method,
			    const char *path, const char *content, unsigned wait_s,
			    struct control_answer *answer, struct err *err);
void control_answer_release(struct control_answer *answer);

/* For orders: asks, prints `done`, or what the server says of it where that is NULL, or its errors. Returns
 * an enum cli_status. */
int control_order(const char *command, const struct control_options *options, const char *path,
		  const char *content, unsigned wait_s, const char *done);

/* The same with the JSON document that was begun as content; it is ended. */
int control_order_json(const char *command, const struct control_options *options, const char *path,
		       struct json_writer *content, unsigned wait_s, const char *done);

/* Prints a server's text for a terminal: control characters but LF become '?'. */
void control_print(FILE *out, struct span text);
/* On standard output: a member that is a text, or "-", in a column so wide. */
void control_print_cell(const struct json_value *object, const char *key, int width);
/* "9 min 40 s" on standard output: the two largest units. */
void control_print_duration(uint64_t seconds);

#endif
