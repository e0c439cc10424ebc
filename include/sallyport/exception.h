#ifndef SALLYPORT_EXCEPTION_H
#define SALLYPORT_EXCEPTION_H

#include "sallyport/policy.h"
#include "sallyport/rule.h"
#include "sallyport/strbuf.h"

/* Exceptions: values of a site in which a rule, the rules of a tag, or a finding may be met. Each says
 * who answers for it, why, and until when. What an exception names is left out there alone: the
 * same bytes anywhere else are refused as before.
 *
 * Names of values are compared as the rules see them, decoded; in a policy "%HH" stands for a byte
 * that can't be written there, and for "%" itself. */

/* One of `exceptions` of a site. */
struct exception {
	const char *rule, *tag, *finding; /* one of them is not NULL; a rule may end in "*" */
	const char *path;   /* canonical; NULL: any */
	bool exact;         /* nothing below the path */
	const char *method; /* NULL: any */
	const char *names[TARGET_COUNT]; /* at most one; as the policy writes it */
	const char *where;  /* the word of a target, of values without a name */
	const char *owner, *reason, *expires;
	/* The same, compiled. */
	enum rule_target target; /* UNSET: any, and `name` means nothing */
	struct span name;        /* empty: only values without one */
	unsigned found;          /* enum url_finding: the bit of `finding` */
	uint64_t ends_s;         /* since 1970: from then on it counts no more; UINT64_MAX: never */
	struct policy_where place;
};

extern const struct schema exception_schema;

enum { EXCEPTIONS_MAX = 256 }; /* of a site */

/* Those of a site, by what they are for. */
struct exception_set;

/* A request, as exceptions are asked about it; lives as long as the request's bytes. Zeroed: nothing is
 * excepted. What an exception says of the request as a whole is compared once, at the first match, so
 * that a request in which nothing matches costs nothing. */
struct exception_asked {
	const struct exception_set *set; /* NULL: there are none */
	struct span method;
	bool is_overridden;             /* a field names another method, which some frameworks take */
	struct span path, forward_path; /* canonical, empty segments merged or kept */
	bool is_clear;                  /* the path has one reading, whoever reads it */
	bool is_known;                  /* `applies` was found out */
	uint8_t origin_kind;            /* enum origin_kind */
	uint64_t now_s;                 /* since 1970 */
	uint64_t applies[EXCEPTIONS_MAX / 64];
};

/* The first that lets this rule match this value; NULL: none does. */
const struct exception *exception_for_rule(struct exception_asked *asked, uint32_t rule,
					   const struct rule_value *value);
/* May an exception be for a value like this at all? Not where some origins take it for several. */
bool exception_is_possible(const struct exception_asked *asked, const struct rule_value *value);
/* Those of `found` (enum url_finding bits) that may be met in the value of this name; *by is set to the
 * first exception that says so. */
unsigned exception_findings(struct exception_asked *asked, unsigned found, enum rule_target target,
			    struct span name, const struct exception **by);

/* "sql.*", "sql.union" and "tag:sql" name rules so. */
bool rule_is_named(const struct rule_spec *rule, struct span name);

/* Tells, as warnings, of exceptions that have ended or soon will, and, with a suggestion, of such as name no
 * rule. NULL: there are none, or memory was short, which was reported as an error. Borrows the list. */
const struct exception_set *exception_set_new(const struct policy_list *list, const struct rule_set *rules,
					      uint64_t now_s, struct policy_context *context);
bool exceptions_eq(const struct policy_list *a, const struct policy_list *b);

/* A match, as far as an exception can be told from it. */
struct exception_place {
	const char *rule;    /* its id; NULL: `finding` says what */
	const char *finding; /* "escape-invalid" */
	struct span path;    /* canonical; ptr NULL: any */
	struct span method;  /* ptr NULL: any */
	enum rule_target target;
	struct span name;    /* of the value, as rules see it: rule_value.name; ptr NULL: it has none */
	uint64_t now_us;     /* since 1970: the exception ends EXCEPTION_DAYS later; 0: never */
};

enum { EXCEPTION_DAYS = 90 };

/* Stand where only a person knows what to say; `check` asks for them. */
#define EXCEPTION_OWNER_UNSAID "NAME WHO ANSWERS FOR IT"
#define EXCEPTION_REASON_UNSAID "SAY WHY"

/* Appends the narrowest exception that lets this match pass, as it stands in a list of `exceptions`: one
 * line of printable ASCII, without a line end. */
void exception_suggest(const struct exception_place *place, struct strbuf *out);

#endif
