/* rates: what the shield as it comes makes of many requests. Reads them from standard input, one a
 * line, with fields behind tabs:
 *
 *   METHOD SP REQUEST-TARGET [TAB NAME: VALUE] …
 *
 * and prints how many were refused, and for what; with -v each that was refused, with -m each that was not.
 * What is no request for the site at all (framing, host) is counted apart. rates.py makes such lines of
 * logs and lists of payloads. Exit status 1: something could not be measured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/judge.h"

enum { LINE_MAX = 1 << 17, KINDS_MAX = 1024 };

struct count {
	const char *name;
	unsigned long n;
};

static struct settings *settings;
static struct shield_scratch *scratch;
static struct count counts[KINDS_MAX];
static size_t kinds;
static unsigned long total, refused, malformed;
static bool says_refused, says_missed;

static void fail(const char *what)
{
	fprintf(stderr, "rates: %s\n", what);
	exit(1);
}

static void prepare(const char *policy)
{
	struct settings_overrides overrides = {0};
	struct policy_errors *errors = policy_errors_new();
	struct err err;
	setenv("SALLYPORT_DATADIR", ".", 0);
	if (!policy)
		overrides = (struct settings_overrides){.listen = ":8080", .origin = "http://192.0.2.1"};
	settings = settings_load(policy, &overrides, errors);
	if (!settings)
		fail("the policy is refused; start it from the top of the tree");
	policy_errors_free(errors);
	const struct shield *shield = ((const struct site *)settings->sites.items)->shield;
	scratch = shield_scratch_new(&shield, 1, &err);
	if (!scratch)
		fail(err.text);
}

static void count(const char *name)
{
	size_t i = 0;
	while (i < kinds && strcmp(counts[i].name, name) != 0)
		i++;
	if (i == kinds && kinds < KINDS_MAX)
		counts[kinds++].name = name;
	if (i < kinds)
		counts[i].n++;
}

static size_t write_head(char *line, char *text, size_t room)
{
	char *fields = strchr(line, '\t');
	if (fields)
		*fields++ = '\0';
	size_t len = (size_t)snprintf(text, room, "%s HTTP/1.1\r\nHost: shop.example\r\n", line);
	while (fields && len < room) {
		char *next = strchr(fields, '\t');
		if (next)
			*next++ = '\0';
		len += (size_t)snprintf(text + len, room - len, "%s\r\n", fields);
		fields = next;
	}
	if (len + 2 >= room)
		fail("a line is too long");
	memcpy(text + len, "\r\n", 2);
	return len + 2;
}

/* What refuses it; NULL: nothing does; "-": it never came to a site. */
static const char *judge(char *line)
{
	static const struct http_limits limits = {65000, 16384, 100, 16384};
	static char text[LINE_MAX], room[JUDGE_ROOM(16384)], buf[16385];
	static struct http_head head;
	struct subject subject;
	struct verdict verdict;
	struct span evidence;
	enum reason reason = REASON_UNSET;
	size_t len = write_head(line, text, sizeof(text));
	if (http_parse_request(text, len, 0, &limits, &head, &reason, &evidence) != HTTP_PARSE_DONE ||
	    judge_locate(settings, &head, false, room, &subject) != REASON_UNSET)
		return "-";
	judge_verdict(&head, &subject, scratch, buf, &verdict);
	if (verdict.action == VERDICT_ALLOW || !verdict.enforced)
		return NULL;
	return verdict.rule ? verdict.rule : reason_name(verdict.reason);
}

static void take(char *line)
{
	static char copy[LINE_MAX];
	snprintf(copy, sizeof(copy), "%s", line);
	const char *why = judge(line);
	total++;
	if (why && strcmp(why, "-") == 0) {
		malformed++;
	} else if (why) {
		refused++;
		count(why);
	}
	if (says_refused && why)
		printf("%s\t%s\n", why, copy);
	else if (says_missed && !why)
		printf("%s\n", copy);
}

static int by_count(const void *a, const void *b)
{
	const struct count *left = a, *right = b;
	return left->n < right->n ? 1 : left->n > right->n ? -1 : strcmp(left->name, right->name);
}

int main(int argc, char **argv)
{
	static char line[LINE_MAX];
	const char *policy = NULL;
	for (int i = 1; i < argc; i++) {
		says_refused |= strcmp(argv[i], "-v") == 0;
		says_missed |= strcmp(argv[i], "-m") == 0;
		if (argv[i][0] != '-')
			policy = argv[i];
	}
	prepare(policy);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		take(line);
	}
	qsort(counts, kinds, sizeof(counts[0]), by_count);
	fprintf(stderr, "%lu requests, %lu refused (%.3f %%), %lu malformed\n", total, refused,
		total ? 100.0 * (double)refused / (double)total : 0, malformed);
	for (size_t i = 0; i < kinds; i++)
		fprintf(stderr, "%8lu %s\n", counts[i].n, counts[i].name);
	shield_scratch_free(scratch);
	settings_free(settings);
	return 0;
}
