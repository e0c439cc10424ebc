#ifndef SALLYPORT_EXCEPTION_H
#define SALLYPORT_EXCEPTION_H

#include "sallyport/policy.h"
#include "sallyport/rule.h"

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
