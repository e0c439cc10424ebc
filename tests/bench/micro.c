/* micro: nanoseconds that the pure parts of a request take, without a server: canonicalising a
 * path for each kind of origin, looking at a query, parsing a head, judging all of it.
 *
 * Each work is repeated for some milliseconds a round; the figure is the median of the rounds, with the
 * fastest beside it. It runs on one CPU and measures with everything in the cache, as a busy
 * worker has it. Prints a table in Markdown. Exit status 1: something could not be measured; a budget
 * that is missed is 0, as noise is. */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sallyport/judge.h"

enum { ROUNDS = 15, ROUND_NS = 10 * 1000 * 1000, GATE_NS = 150, AIM_NS = 80, ROOM = 1 << 16 };

static const char clean_path[] = "/catalogue/2026/autumn/shoes-and-boots/winter-boots-for-hiking/"
				 "reviews/page-12-newest-first.html";
static const char named_path[] = "/catalogue/2026/con-artists/prn-codes/auxiliary/commerce/comics/"
				 "nulls/lpt-cables/clocks/conin-x.html";
static const char marked_path[] = "/wiki/Talk:Main~draft/catalogue/2026/autumn/shoes-and-boots/"
				  "reviews;page=12/newest-first/x.html";
static const char encoded_path[] = "/%E3%82%AB%E3%83%86%E3%82%B4%E3%83%AA/%E9%9D%B4/caf%C3%A9/a%20name/"
				   "../reviews/page-12-newest.html";
static const char usual_query[] = "utm_source=news&utm_medium=email&q=winter+boots&redirect="
				  "https%3A%2F%2Fshop.example%2Fcart&n=1";

#define SMALL_HEAD "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
#define BROWSER_HEAD                                                                               \
	"GET /catalogue/2026/autumn/shoes?q=winter+boots&page=2&sort=price HTTP/1.1\r\n"           \
	"Host: shop.example\r\nConnection: keep-alive\r\n"                                         \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "      \
	"Chrome/141.0.0.0 Safari/537.36\r\n"                                                       \
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"   \
	"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"  \
	"Referer: http://shop.example/catalogue/2026/autumn\r\nAccept-Encoding: gzip, br\r\n"      \
	"Accept-Language: de-DE,de;q=0.9,en;q=0.8\r\n"                                             \
	"Cookie: _ga=GA1.1.1234567890.1700000000; session=0123456789abcdef0123456789abcdef\r\n\r\n"

struct work {
	const char *name;
	const char *text;
	const char *kind; /* of origin; NULL: unix */
	void (*run)(const struct work *work);
	bool has_budget;
};

/* Used by one work at a time. */
static struct settings *settings;
static const struct site *site;
static struct shield_scratch *scratch;
static struct http_head head;
static char room[JUDGE_ROOM(ROOM)], buf[ROOM];
static volatile uint64_t sink; /* so that nothing is left out as unused */

static void fail(const char *what)
{
	fprintf(stderr, "micro: %s\n", what);
	exit(1);
}

static void run_canon(const struct work *work)
{
	struct url_canon canon;
	url_canon_path_as(span_from_str(work->text), shield_canon_options(site->shield), room, &canon);
	sink += canon.path.len + canon.findings;
}

static void run_query(const struct work *work)
{
	struct span evidence;
	sink += url_scan_query(span_from_str(work->text), &evidence);
}

static void run_parse(const struct work *work)
{
	static const struct http_limits limits = {16384, 8192, 100, 8192};
	struct span evidence;
	enum reason reason;
	if (http_parse_request(work->text, strlen(work->text), 0, &limits, &head, &reason, &evidence) !=
	    HTTP_PARSE_DONE)
		fail("a head is refused");
	sink += head.field_count;
}

static void run_judge(const struct work *work)
{
	struct subject subject;
	struct verdict verdict;
	run_parse(work);
	if (judge_locate(settings, &head, false, room, &subject) != REASON_UNSET)
		fail("a request has no site");
	judge_verdict(&head, &subject, scratch, buf, &verdict);
	if (verdict.action != VERDICT_ALLOW)
		fail(reason_name(verdict.reason));
	sink += verdict.score;
}

static const struct work works[] = {
    {"canonical path, clean, unix", clean_path, "unix", run_canon, true},
    {"canonical path, clean, iis", clean_path, "iis", run_canon, true},
    {"canonical path, clean, tomcat", clean_path, "tomcat", run_canon, true},
    {"canonical path, clean, php", clean_path, "php", run_canon, true},
    {"canonical path, names like devices, iis", named_path, "iis", run_canon, false},
    {"canonical path with : ~ ;, unix", marked_path, "unix", run_canon, false},
    {"canonical path with : ~ ;, tomcat", marked_path, "tomcat", run_canon, false},
    {"canonical path with escapes and dots, unix", encoded_path, "unix", run_canon, false},
    {"canonical path with escapes and dots, iis", encoded_path, "iis", run_canon, false},
    {"look at a query", usual_query, NULL, run_query, false},
    {"parse a head of 2 lines", SMALL_HEAD, NULL, run_parse, false},
    {"parse a browser's head", BROWSER_HEAD, NULL, run_parse, false},
    {"parse, locate and judge 2 lines", SMALL_HEAD, NULL, run_judge, false},
    {"parse, locate and judge a browser's", BROWSER_HEAD, NULL, run_judge, false},
};

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* not the time that others have the CPU */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double round_of(const struct work *work)
{
	uint64_t begin = now_ns(), end, n = 0;
	do {
		for (int i = 0; i < 1000; i++)
			work->run(work);
		n += 1000;
		end = now_ns();
	} while (end - begin < ROUND_NS);
	return (double)(end - begin) / (double)n;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return left < right ? -1 : left > right;
}

static const char *worth(const struct work *work, double ns)
{
	if (!work->has_budget)
		return "–";
	return ns <= AIM_NS ? "**aim met**" : ns <= GATE_NS ? "**gate met**" : "missed";
}

static void prepare(const char *kind)
{
	char text[512];
	struct settings_overrides none = {0};
	struct policy_errors *errors = policy_errors_new();
	struct err err;
	snprintf(text, sizeof(text),
		 "listen = ( { address = \":8080\"; } ); sites = ( { name = \"shop\"; hosts = ( "
		 "\"shop.example\" ); origins = ( \"http://192.0.2.1\" ); shield = { origin_kind = \"%s\"; }; } );"
		 "\nrule_files = ( \"conf/policy.d\" );\n",
		 kind ? kind : "unix");
	settings = settings_load_text(text, &none, errors);
	policy_errors_free(errors);
	if (!settings)
		fail("the policy is refused; start it from the top of the tree");
	site = settings->sites.items;
	const struct shield *shield = site->shield;
	scratch = shield_scratch_new(&shield, 1, &err);
	if (!scratch)
		fail(err.text);
}

static void measure(const struct work *work)
{
	double rounds[ROUNDS];
	prepare(work->kind);
	round_of(work);
	for (int i = 0; i < ROUNDS; i++)
		rounds[i] = round_of(work);
	qsort(rounds, ROUNDS, sizeof(rounds[0]), by_value);
	printf("| %s | %zu | %.0f | %.0f | %s |\n", work->name, strlen(work->text), rounds[ROUNDS / 2],
	       rounds[0], worth(work, rounds[ROUNDS / 2]));
	shield_scratch_free(scratch);
	settings_free(settings);
}

int main(int argc, char **argv)
{
	cpu_set_t cpu;
	CPU_ZERO(&cpu);
	int here = sched_getcpu();
	CPU_SET(here < 0 ? 0u : (unsigned)here, &cpu);
	(void)sched_setaffinity(0, sizeof(cpu), &cpu); /* moves cost a round or two otherwise */
	printf("| work | bytes | ns | fastest | gate %d ns, aim %d ns |\n|---|---|---|---|---|\n", GATE_NS,
	       AIM_NS);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (argc < 2 || strstr(works[i].name, argv[1]))
			measure(&works[i]);
	}
	return 0;
}
