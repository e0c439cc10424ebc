#ifndef TESTS_HTTP_VECTORS_H
#define TESTS_HTTP_VECTORS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sallyport/span.h"

/* Tables tests/vectors/http-*.txt: "EXPECTED | BYTES", one row a line; the shorthands
 * are explained at the top of each file. Tests run from the top of the tree. */

enum { HTTP_VECTOR_LINE = 4096, HTTP_VECTOR_BYTES = 32768 };

struct http_vectors {
	FILE *file;
	unsigned line;
	char text[HTTP_VECTOR_LINE];
	const char *expected;
	char bytes[HTTP_VECTOR_BYTES];
	size_t len;
};

static inline struct http_vectors *http_vectors_open(const char *path)
{
	struct http_vectors *v = calloc(1, sizeof(*v));
	if (!v || !(v->file = fopen(path, "r"))) {
		perror(path);
		abort();
	}
	return v;
}

static inline void http_vectors_close(struct http_vectors *v)
{
	fclose(v->file);
	free(v);
}

static inline void http_vector_add(struct http_vectors *v, char byte)
{
	if (v->len == sizeof(v->bytes))
		abort();
	v->bytes[v->len++] = byte;
}

/* One escape, after its backslash; returns what follows it. */
static inline const char *http_vector_escape(struct http_vectors *v, const char *at)
{
	switch (*at) {
	case 'r': http_vector_add(v, '\r'); return at + 1;
	case 'n': http_vector_add(v, '\n'); return at + 1;
	case 't': http_vector_add(v, '\t'); return at + 1;
	case '0': http_vector_add(v, '\0'); return at + 1;
	case 'x':
		http_vector_add(v, (char)(ascii_hex(at[1]) << 4 | ascii_hex(at[2])));
		return at + 3;
	default: http_vector_add(v, *at); return at + 1;
	}
}

/* Text without shorthands in braces. */
static inline void http_vector_plain(struct http_vectors *v, const char *at, const char *end)
{
	while (at < end) {
		if (*at == '\\')
			at = http_vector_escape(v, at + 1);
		else
			http_vector_add(v, *at++);
	}
}

/* The shorthand that starts at the brace at `at`; NULL where it is but a brace. */
static inline const char *http_vector_brace(struct http_vectors *v, const char *at)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n", ok[] = "HTTP/1.1 200 OK\r\n",
			  end[] = "\r\n\r\n";
	struct { const char *name; const char *text; } macros[] = {
	    {"{get}", get}, {"{ok}", ok}, {"{end}", end},
	    {"{part}", "--B\r\nContent-Disposition: form-data; name=\"a\""}, {"{last}", "\r\n--B--\r\n"}};
	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
		if (strncmp(at, macros[i].name, strlen(macros[i].name)) != 0)
			continue;
		for (const char *c = macros[i].text; *c; c++)
			http_vector_add(v, *c);
		return at + strlen(macros[i].name);
	}
	const char *star = strchr(at, '*'), *close = strchr(at, '}');
	if (!star || !close || star > close)
		return NULL;
	char *number_end;
	unsigned long times = strtoul(star + 1, &number_end, 10);
	if (number_end != close)
		return NULL;
	while (times-- > 0)
		http_vector_plain(v, at + 1, star);
	return close + 1;
}

static inline void http_vector_expand(struct http_vectors *v, const char *at)
{
	v->len = 0;
	while (*at) {
		const char *next = *at == '{' ? http_vector_brace(v, at) : NULL;
		if (next) {
			at = next;
		} else if (*at == '\\') {
			at = http_vector_escape(v, at + 1);
		} else {
			http_vector_add(v, *at++);
		}
	}
}

/* The next row; false at the end. */
static inline bool http_vectors_next(struct http_vectors *v)
{
	while (fgets(v->text, sizeof(v->text), v->file)) {
		v->line++;
		v->text[strcspn(v->text, "\n")] = '\0';
		if (v->text[0] == '#' || v->text[0] == '\0')
			continue;
		char *bar = strstr(v->text, " |");
		if (!bar)
			abort();
		*bar = '\0';
		v->expected = v->text;
		http_vector_expand(v, bar[2] == ' ' ? bar + 3 : bar + 2);
		return true;
	}
	return false;
}

#endif
