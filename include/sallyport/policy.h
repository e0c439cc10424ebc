#ifndef SALLYPORT_POLICY_H
#define SALLYPORT_POLICY_H

#include <stddef.h>
#include <stdint.h>
#include "sallyport/arena.h"
#include "sallyport/err.h"
#include "sallyport/strbuf.h"

/* From libconfig text to plain C structures, by tables. Each layer describes its
 * own part of the policy in a `struct schema` whose rows say name, type, range, default,
 * meaning, and where in a structure the value goes. The engine knows no
 * setting by itself. It reports every error of a policy at once, each with file and line. */

enum setting_type {
	SETTING_UNSET = 0,
	SETTING_BOOL,     /* bool */
	SETTING_COUNT,    /* uint64_t, a plain number */
	SETTING_BYTES,    /* uint64_t, "10 MiB", "64 KiB", "512 B" or a plain number */
	SETTING_TIME,     /* uint64_t in milliseconds: "500 ms", "10 s", "5 min", "1 h", "2 d" */
	SETTING_RATE,     /* struct policy_rate: "50/s", "100/min" */
	SETTING_BYTE_RATE, /* uint64_t in bytes a second: "500 B/s", "1 KiB/s" */
	SETTING_STRING,   /* const char * in the arena, no control bytes */
	SETTING_ENUM,     /* int: value of the matching row of choices */
	SETTING_STRINGS,  /* struct policy_strings */
	SETTING_GROUP,    /* a nested structure, embedded at offset, by sub */
	SETTING_LIST,     /* struct policy_list of structures, by sub */
};

struct policy_rate {
	uint64_t count;
	uint64_t per_ms;
};

/* Where something stands in the policy. file: NULL for the command line and the environment.
 * line 0: it stands nowhere (a group that was left out). */
struct policy_where {
	const char *file;
	unsigned line;
};

struct policy_strings {
	const char **items; /* NULL-terminated */
	size_t n;
	struct policy_where where;
};

struct policy_list {
	void *items; /* array of sub->size each */
	size_t n;
	struct policy_where where;
};

struct policy_choice {
	const char *name;
	int value;
};

struct setting {
	const char *name;
	enum setting_type type;
	size_t offset;
	/* The default as it would be written, without the quotes; SETTING_STRINGS: comma-separated.
	 * NULL: none (pointer NULL, list empty, number 0). A wrong value is replaced by it too. */
	const char *standard;
	bool required;
	uint64_t min, max;      /* numbers: both 0: any. Lists: how many items; max 0: POLICY_ITEMS_MAX */
	const struct policy_choice *choices; /* SETTING_ENUM; ends with name NULL */
	const struct schema *sub;            /* SETTING_GROUP, SETTING_LIST */
	const char *example;
	bool or_one; /* SETTING_STRINGS: one string stands for a list of it */
	const char *doc;        /* one or two sentences, for conf/README.md */
};

struct policy_errors;
struct node;
struct policy_context {
	struct arena *arena;           /* what lives as long as the policy */
	struct policy_errors *errors;
	const char *dir;               /* set by policy_read: the main file's directory; "." without one */
	/* Set by policy_read: what is being read, "sites[0].shield", "" at the top; and the group
	 * that is being finished, NULL where it was left out. */
	const char *path;
	const struct node *group;
	/* Files that settings name (certificates, keys) are not read: for those who only ask what would become
	 * of a request, and may not be allowed to. */
	bool leaves_files;
	/* Warnings of what this machine lacks, for those who only check: whoever starts fails of it anyway. */
	bool asks_machine;
	/* What is read is a stranger's text: @include in it is an error. */
	bool includes_nothing;
};

struct schema {
	const char *name;
	size_t size;                    /* of the structure */
	const struct setting *settings; /* ends with name NULL */
	/* Of a struct policy_where in the structure, zeroed where the group was left out; SIZE_MAX: none. */
	size_t where_offset;
	/* Checks that no row can say, and compiles; called once its settings are read, also
	 * where some had errors. Reports by policy_error. May be NULL. */
	void (*finish)(void *structure, struct policy_where where, struct policy_context *context);
};

/* Errors and warnings. Texts are copied; those past the 200th are counted only. */
struct policy_errors *policy_errors_new(void); /* NULL without memory */
void policy_errors_free(struct policy_errors *errors);
size_t policy_errors_count(const struct policy_errors *errors);   /* errors only */
size_t policy_warnings_count(const struct policy_errors *errors);
/* Where a setting of the group that is being finished stands; `otherwise` if it was left out. */
struct policy_where policy_where_of(const struct policy_context *context, const char *setting,
				    struct policy_where otherwise);
/* The text is put behind context->path where that is not "". Control bytes are replaced by '?'. */
void policy_error(struct policy_context *context, struct policy_where where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void policy_warning(struct policy_context *context, struct policy_where where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same about one setting of the group that is being finished: "sites[0].hosts: …", placed
 * where that setting stands, or at `where` if it was left out. */
void policy_error_in(struct policy_context *context, struct policy_where where, const char *setting,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A relative path in a file counts from the policy's directory, so that it means the same wherever
 * the server is started from; one on the command line counts from where it was typed. */
void policy_resolve_path(const char **path, const char *setting, struct policy_where where,
			 struct policy_context *context);
/* "conf/x.cfg:12: error: sites[0].shield: unknown setting 'limit', did you mean 'limits'?\n" each,
 * ordered by file and line. */
void policy_errors_print(const struct policy_errors *errors, struct strbuf *out);
/* The same one by one, for programs. */
struct policy_problem {
	bool is_warning;
	const char *file; /* NULL: the command line or the environment */
	unsigned line;    /* 0: the whole file */
	const char *text;
};
MUST_CHECK bool policy_errors_get(const struct policy_errors *errors, size_t index,
				  struct policy_problem *out);

enum {
	POLICY_FILE_MAX = 4 << 20,  /* bytes of all files of a policy together */
	POLICY_ITEMS_MAX = 1024,    /* of a list, where its row does not say otherwise */
	POLICY_ARENA_MAX = 64 << 20, /* bytes of memory for one compiled policy */
};

/* What a policy is read from. All may be NULL: defaults only. */
struct policy_source {
	const char *path;     /* a file */
	const char *text;     /* the same as text, where path is NULL */
	const char *name;     /* what errors call it, for as long as the policy lives; NULL: "policy" */
	const char *overlay;  /* settings in the same syntax that win over the file's */
	const char *fallback; /* a file whose settings count where nothing else has them */
};

/* Fills *structure (zeroed by the caller, schema->size bytes). True where no error was reported. */
MUST_CHECK bool policy_read(const struct policy_source *source, const struct schema *schema,
			    void *structure, struct policy_context *context);

/* The reference table of all settings as Markdown, for conf/README.md. */
void policy_document(const struct schema *schema, struct strbuf *out);

#endif
