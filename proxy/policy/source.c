/* Reads the files of a policy into one text for libconfig, and guards it.
 *
 * libconfig trusts its input: its scanner ends the process when a read fails (a
 * directory will do), its search for repeated settings takes quadratic time, it cuts
 * strings at a NUL, wraps numbers that are too large, and stops at the first repeated
 * setting. So @include is followed here, where a file can be looked at before it is
 * read, and a small scanner refuses what libconfig would not survive or would misread.
 * Grammar is libconfig's affair: whatever looks odd here and is harmless goes through. */

#include "policy/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* Lines from `flat` on are lines from `line` on of the file. */
struct segment {
	unsigned flat;
	const char *file;
	unsigned line;
};

/* A setting's name in a group that is still open. */
struct member {
	size_t offset, len; /* in the text */
	const char *file;
	unsigned line;
};

struct source {
	struct policy_context *context;
	struct strbuf text;
	unsigned flat_line;
	struct segment segments[2 * SOURCE_INCLUDES_MAX + 1];
	size_t segment_count;
	size_t includes;
	size_t values;
	size_t depth;
	size_t frames[SOURCE_DEPTH_MAX + 1]; /* where the members of each open group start */
	size_t member_count;
	struct member members[(SOURCE_DEPTH_MAX + 1) * SOURCE_MEMBERS_MAX];
	bool failed;
};

/* The scan of one file. */
struct scan {
	struct source *source;
	const char *file;
	const char *p, *end;
	unsigned line;
	unsigned depth;
	const struct scan *parent; /* the file that includes this one; NULL: none */
	dev_t device;
	ino_t inode;
	bool line_start;
	struct member name; /* the last name seen, until something else than '=' follows */
};

__attribute__((format(printf, 2, 3))) static void fail(struct scan *scan, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	policy_error(scan->source->context, (struct policy_where){scan->file, scan->line}, "%s",
		     text);
	scan->source->failed = true;
}

/* For what leaves the scanner in the dark about all that follows. */
static void give_up(struct scan *scan)
{
	scan->p = scan->end;
}

static void add_segment(struct source *source, const char *file, unsigned line)
{
	const size_t room = sizeof(source->segments) / sizeof(source->segments[0]);

	if (source->segment_count < room) {
		source->segments[source->segment_count++] =
		    (struct segment){source->flat_line, file, line};
	}
}

/* Passes bytes on to the text, counting lines. */
static void emit(struct scan *scan, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (scan->p[i] == '\n') {
			scan->line++;
			scan->source->flat_line++;
		}
	}
	strbuf_add(&scan->source->text, scan->p, len);
	scan->p += len;
}

static size_t left(const struct scan *scan)
{
	return (size_t)(scan->end - scan->p);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*';
}

static bool is_name_byte(char c)
{
	return is_name_start(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

static void count_value(struct scan *scan)
{
	if (++scan->source->values == SOURCE_VALUES_MAX)
		fail(scan, "more than %d settings and list items", SOURCE_VALUES_MAX);
}

static void report_repeated(struct scan *scan, const struct member *name,
			    const struct member *first)
{
	const char *text = scan->source->text.data + name->offset;

	if (first->file == name->file) {
		fail(scan, "setting '%.*s' is repeated, it stands on line %u already",
		     (int)name->len, text, first->line);
	} else {
		fail(scan, "setting '%.*s' is repeated, it stands in %s:%u already", (int)name->len,
		     text, first->file, first->line);
	}
}

/* Notes a setting of the innermost group. */
static void add_member(struct scan *scan, const struct member *name)
{
	struct source *source = scan->source;
	const char *text = source->text.data;
	const size_t start = source->frames[source->depth];

	count_value(scan);
	for (size_t i = start; i < source->member_count; i++) {
		const struct member *other = &source->members[i];

		if (other->len == name->len &&
		    memcmp(text + other->offset, text + name->offset, name->len) == 0) {
			report_repeated(scan, name, other);
			return;
		}
	}
	if (source->member_count - start == SOURCE_MEMBERS_MAX)
		fail(scan, "more than %d settings in one group", SOURCE_MEMBERS_MAX);
	else
		source->members[source->member_count++] = *name;
}

static void scan_open(struct scan *scan)
{
	struct source *source = scan->source;

	if (source->depth == SOURCE_DEPTH_MAX) {
		fail(scan, "groups and lists are nested more than %d deep", SOURCE_DEPTH_MAX);
		give_up(scan);
		return;
	}
	source->depth++;
	source->frames[source->depth] = source->member_count;
	emit(scan, 1);
}

static void scan_close(struct scan *scan)
{
	struct source *source = scan->source;

	if (source->depth > 0) {
		source->member_count = source->frames[source->depth];
		source->depth--;
	}
	emit(scan, 1);
}

static bool is_nul_escape(const char *p, size_t len)
{
	return len >= 4 && (p[1] == 'x' || p[1] == 'X') && p[2] == '0' && p[3] == '0';
}

static void scan_string(struct scan *scan)
{
	size_t n = 1;

	while (n < left(scan) && scan->p[n] != '"' && scan->p[n] != '\0') {
		if (scan->p[n] == '\\') {
			if (is_nul_escape(scan->p + n, left(scan) - n)) {
				fail(scan, "a string holds a NUL byte (\\x00)");
				give_up(scan);
				return;
			}
			n++;
		}
		n++;
	}
	if (n >= left(scan)) {
		fail(scan, "this string is never closed");
		give_up(scan);
		return;
	}
	/* A raw NUL is refused by the main loop. */
	emit(scan, scan->p[n] == '"' ? n + 1 : n);
}

static void scan_comment(struct scan *scan)
{
	const char *close = memmem(scan->p + 2, left(scan) - 2, "*/", 2);

	if (close) {
		emit(scan, (size_t)(close + 2 - scan->p));
		return;
	}
	fail(scan, "this comment is never closed");
	give_up(scan);
}

static void scan_line_comment(struct scan *scan)
{
	const char *newline = memchr(scan->p, '\n', left(scan));

	emit(scan, newline ? (size_t)(newline - scan->p) : left(scan));
}

static void scan_name(struct scan *scan)
{
	size_t n = 1;

	while (n < left(scan) && is_name_byte(scan->p[n]))
		n++;
	scan->name = (struct member){scan->source->text.len, n, scan->file, scan->line};
	emit(scan, n);
}

/* libconfig wraps what does not fit an int, unless it ends in L. Longer than that is out of every
 * setting's range. */
static void scan_number(struct scan *scan)
{
	size_t n = 1;
	bool is_integer = true;

	while (n < left(scan) && (is_name_byte(scan->p[n]) || scan->p[n] == '.')) {
		is_integer = is_integer && ascii_is_digit(scan->p[n]);
		n++;
	}
	if (n > 18)
		fail(scan, "the number %.*s… is too long", 9, scan->p);
	emit(scan, n);
	if (is_integer && n > 9)
		strbuf_add_char(&scan->source->text, 'L');
}

static void scan_token(struct scan *scan)
{
	const char c = scan->p[0];
	const char next = left(scan) > 1 ? scan->p[1] : '\0';
	const struct member name = scan->name;

	if (c == '#' || (c == '/' && next == '/')) {
		scan_line_comment(scan);
		return;
	}
	if (c == '/' && next == '*') {
		scan_comment(scan);
		return;
	}
	if (is_blank(c) || c == '\n' || c == '\r' || c == '\f') {
		scan->line_start = c == '\n' || (scan->line_start && is_blank(c));
		emit(scan, 1);
		return;
	}

	scan->line_start = false;
	scan->name.len = 0;
	if (c == '"') {
		scan_string(scan);
	} else if (is_name_start(c)) {
		scan_name(scan);
	} else if (ascii_is_digit(c) || c == '+' || c == '-') {
		scan_number(scan);
	} else if (c == '{' || c == '(' || c == '[') {
		scan_open(scan);
	} else if (c == '}' || c == ')' || c == ']') {
		scan_close(scan);
	} else if (c == '\0') {
		fail(scan, "a NUL byte: this is no text file");
		give_up(scan);
	} else {
		if ((c == '=' || c == ':') && name.len > 0)
			add_member(scan, &name);
		else if (c == ',')
			count_value(scan);
		emit(scan, 1);
	}
}

static void read_included(struct scan *scan, struct span name);

/* @include "name": the same form that libconfig's scanner would act upon. False: it is none. */
static bool scan_include(struct scan *scan)
{
	static const char word[] = "@include";
	struct span rest = span_of(scan->p, left(scan));
	const char *quote;
	size_t n = sizeof(word) - 1;

	if (!span_starts(rest, SPAN(word)))
		return false;
	while (n < rest.len && is_blank(rest.ptr[n]))
		n++;
	if (n == sizeof(word) - 1 || n == rest.len || rest.ptr[n] != '"')
		return false;

	rest = span_from(rest, n + 1);
	rest.len = span_find(rest, '\n');
	quote = rest.len ? memchr(rest.ptr, '"', rest.len) : NULL;
	if (!quote) {
		fail(scan, "the file name of this @include has no closing quote");
		give_up(scan);
		return true;
	}
	rest.len = (size_t)(quote - rest.ptr);
	scan->p = quote + 1;
	read_included(scan, rest);
	add_segment(scan->source, scan->file, scan->line);
	return true;
}

static void scan_text(struct scan *scan)
{
	scan->line_start = true;
	while (scan->p < scan->end && !scan->source->text.truncated) {
		if (scan->line_start && *scan->p == '@' && scan_include(scan))
			continue;
		scan_token(scan);
	}
	/* So that a file without a newline at its end doesn't run into what follows. */
	strbuf_add_char(&scan->source->text, '\n');
	scan->source->flat_line++;
	if (scan->source->text.truncated && scan->depth <= 1)
		fail(scan, "the policy is larger than %d MiB", POLICY_FILE_MAX >> 20);
}

/* Only regular files: a pipe may never end, a device neither. Notes in scan which file it is. */
static int open_regular(const char *path, struct scan *scan, struct scan *from)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		fail(from, "cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		scan->device = st.st_dev;
		scan->inode = st.st_ino;
		return fd;
	}
	fail(from, "%s is %s, not a file", path,
	     S_ISDIR(st.st_mode) ? "a directory" : "a device or pipe");
	close(fd);
	return -1;
}

static bool read_all(int fd, const char *path, struct strbuf *out, struct scan *from)
{
	char buf[16384];

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n == 0)
			return true;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fail(from, "cannot read %s: %s", path, strerror(errno));
			return false;
		}
		strbuf_add(out, buf, (size_t)n);
		if (out->truncated) {
			fail(from, "%s is larger than %d MiB", path, POLICY_FILE_MAX >> 20);
			return false;
		}
	}
}

static bool is_open_already(const struct scan *scan)
{
	for (const struct scan *outer = scan->parent; outer; outer = outer->parent) {
		if (outer->device == scan->device && outer->inode == scan->inode)
			return true;
	}
	return false;
}

/* A policy has secrets, and processes that are forked later take along what was freed. */
static void wipe(struct strbuf *text)
{
	if (text->data)
		explicit_bzero(text->data, text->len);
	strbuf_release(text);
}

/* from: where the file is named, for errors. */
static void read_file(const char *path, struct scan *from)
{
	struct strbuf bytes;
	struct scan scan = {
	    .source = from->source, .line = 1, .depth = from->depth + 1, .parent = from};
	int fd = open_regular(path, &scan, from);

	if (fd < 0)
		return;
	strbuf_init(&bytes, POLICY_FILE_MAX);
	if (is_open_already(&scan)) {
		fail(from, "%s includes itself", path);
	} else if (read_all(fd, path, &bytes, from)) {
		scan.file = arena_strdup(from->source->context->arena, path);
		scan.p = bytes.data ? bytes.data : "";
		scan.end = scan.p + bytes.len;
		add_segment(scan.source, scan.file, 1);
		scan_text(&scan);
	}
	wipe(&bytes);
	close(fd);
}

static void read_included(struct scan *scan, struct span name)
{
	const char *dir = scan->source->context->dir;
	char path[PATH_MAX];
	int n;

	if (scan->source->context->includes_nothing) {
		fail(scan, "this text may not include files");
		return;
	}
	if (scan->depth == SOURCE_INCLUDE_DEPTH) {
		fail(scan, "files include one another more than %d deep", SOURCE_INCLUDE_DEPTH);
		return;
	}
	if (++scan->source->includes > SOURCE_INCLUDES_MAX) {
		fail(scan, "more than %d files are included", SOURCE_INCLUDES_MAX);
		return;
	}
	if (memchr(name.ptr, '\0', name.len) || memchr(name.ptr, '\\', name.len)) {
		fail(scan, "a file name with a backslash or a NUL byte");
		return;
	}
	if (name.len > 0 && name.ptr[0] == '/')
		n = snprintf(path, sizeof(path), "%.*s", SPAN_ARG(name));
	else
		n = snprintf(path, sizeof(path), "%s/%.*s", dir, SPAN_ARG(name));
	if (n < 0 || (size_t)n >= sizeof(path))
		fail(scan, "the file name is too long");
	else
		read_file(path, scan);
}

struct source *source_read(const char *path, const char *text, const char *name,
			   struct policy_context *context)
{
	struct source *source = calloc(1, sizeof(*source));
	struct scan scan = {.source = source, .file = name, .line = 1};

	if (!source) {
		policy_error(context, (struct policy_where){path, 0}, "out of memory");
		return NULL;
	}
	source->context = context;
	source->flat_line = 1;
	strbuf_init(&source->text, POLICY_FILE_MAX);
	if (path) {
		scan.file = path;
		scan.line = 0;
		read_file(path, &scan);
	} else {
		scan.p = text;
		scan.end = text + strlen(text);
		add_segment(source, name, 1);
		scan_text(&scan);
	}
	if (source->failed) {
		source_free(source);
		return NULL;
	}
	return source;
}

void source_free(struct source *source)
{
	if (!source)
		return;
	wipe(&source->text);
	free(source);
}

const char *source_text(const struct source *source)
{
	return source->text.data;
}

struct policy_where source_where(const struct source *source, unsigned line)
{
	size_t i = source->segment_count;

	while (i > 1 && source->segments[i - 1].flat > line)
		i--;
	if (i == 0)
		return (struct policy_where){NULL, 0};
	return (struct policy_where){source->segments[i - 1].file,
				     source->segments[i - 1].line + line -
					 source->segments[i - 1].flat};
}

struct span source_line(const struct source *source, unsigned line)
{
	struct span rest = strbuf_span(&source->text);

	for (unsigned i = 1; i < line && rest.len > 0; i++)
		rest = span_from(rest, span_find(rest, '\n') + 1);
	rest.len = span_find(rest, '\n');
	while (rest.len > 0 && rest.ptr[rest.len - 1] == '\r')
		rest.len--;
	return span_trim_ows(rest);
}
