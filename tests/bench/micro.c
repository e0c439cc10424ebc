/* micro: nanoseconds that the pure parts of a request take, without a server: canonicalising a
 * path for each kind of origin, looking at a query, parsing a head, judging all of it; a destination of an egress
 * origin, by lists of ten thousand entries; taking contents apart.
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

enum { ROUNDS = 15, ROUND_NS = 10 * 1000 * 1000, ROOM = 1 << 16, LISTED = 5000, LISTS_ROOM = 1 << 20 };

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

struct budget {
	unsigned gate_ns, aim_ns;
};
static const struct budget no_budget, path_budget = {150, 80}, egress_budget = {300, 200};

struct work {
	const char *name;
	const char *text;
	const char *kind; /* of origin; NULL: unix */
	void (*run)(const struct work *work);
	const struct budget *budget;
};

/* Used by one work at a time. */
static struct settings *settings;
static const struct site *site;
static struct shield_scratch *scratch;
static struct http_head head;
static struct addr elsewhere;
static struct egress_destination asked;
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
	sink += url_scan_query(span_from_str(work->text), URL_FINDINGS_SPELLING, &evidence);
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

/* From the name to the verdict on its address; an address is its own. */
static void run_destination(const struct work *work)
{
	const struct egress_verdict named = egress_judge(&settings->egress, &asked, EGRESS_FREE);
	(void)work;
	sink += asked.is_literal ? named.kind
				 : egress_judge_address(&settings->egress, &named, &elsewhere, EGRESS_FREE).kind;
}

/* ---- contents of some 4 KiB and 64 KiB ---- */

enum { CONTENT_BYTES = 4096, FILE_BYTES = 65536 };

static char form[CONTENT_BYTES], coded_form[CONTENT_BYTES], worded_form[CONTENT_BYTES], json[CONTENT_BYTES], xml[CONTENT_BYTES], parts[CONTENT_BYTES],
    upload[FILE_BYTES];

static void fill(char *out, size_t room_left, const char *start, const char *middle, const char *end)
{
	size_t at = (size_t)snprintf(out, room_left, "%s", start), width = strlen(middle), last = strlen(end);
	for (; at + width + last < room_left; at += width)
		memcpy(out + at, middle, width);
	memcpy(out + at, end, last + 1);
}

#define PART(name, value) "--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static void fill_contents(void)
{
	fill(form, sizeof(form), "", "field=some-value-of-a-field&", "last=1");
	fill(coded_form, sizeof(coded_form), "", "text=Gr%C3%B6%C3%9Fe+%26+mehr%0D%0A&", "last=1");
	fill(worded_form, sizeof(worded_form), "", "text=Gr%C3%B6%C3%9Fe+of+a+field+with+some+words&", "last=1");
	fill(json, sizeof(json), "[{}", ",{\"id\":1234,\"name\":\"some value\",\"tags\":[\"a\",null]}", "]");
	fill(xml, sizeof(xml), "<items>", "<item id=\"1234\"><name>some value</name></item>", "</items>");
	fill(parts, sizeof(parts), "", PART("field", "some value of a field"), "--B--\r\n");
	fill(upload, sizeof(upload), "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n",
	     "\x89PNG\r\n\x1a\n\xff\xfe-\x01", "\r\n--B--\r\n");
}

static bool count_value(void *context, const struct body_value *value)
{
	(void)context;
	sink += value->name.len + value->value.len;
	return true;
}

/* What the rules look into, as the front has it. */
static struct shield_content judged;
static struct rule_scan *scan; /* NULL: no rule is asked */

static bool ask_rules(void *context, const struct body_value *value)
{
	(void)context;
	return shield_content_add(&judged, scan, value);
}

static void take_apart(const char *content_type, struct span bytes)
{
	struct body_type type;
	struct body_fault fault;
	if (!body_type_read(span_from_str(content_type), &type, &fault))
		fail("a Content-Type is refused");
	const struct body_setup setup = {.type = &type,
					 .limits = &site->shield_settings.bodies.limits,
					 .max = site->shield_settings.bodies.max,
					 .findings = UINT32_MAX,
					 .sink = {scan ? ask_rules : count_value, NULL},
					 .memory = coding_heap,
					 .seed = 1};
	struct body *body = body_new(&setup);
	if (!body)
		fail("no memory");
	body_feed(body, bytes.ptr, bytes.len);
	if (body_end(body) != BODY_DONE)
		fail(reason_name(body_fault(body)->reason));
	body_free(body);
}

static void judge_content(void (*run)(const struct work *work), const struct work *work)
{
	struct rule_scan one;
	struct verdict verdict;
	shield_content_begin(&judged, site->shield, scratch, SHIELD_ENFORCE, 0);
	shield_content_scan(&judged, scratch, &one);
	scan = &one;
	run(work);
	scan = NULL;
	rule_scan_run(&one);
	if (shield_content_judge(&judged, &verdict))
		fail(verdict.rule ? verdict.rule : reason_name(verdict.reason));
	sink += verdict.score;
}

static void run_form(const struct work *work)
{
	take_apart("application/x-www-form-urlencoded", span_from_str(work->text));
}

static void run_json(const struct work *work)
{
	take_apart("application/json", span_from_str(work->text));
}

static void run_xml(const struct work *work)
{
	take_apart("text/xml", span_from_str(work->text));
}

static void run_parts(const struct work *work)
{
	take_apart("multipart/form-data; boundary=B", span_from_str(work->text));
}

static void judge_form(const struct work *work)
{
	judge_content(run_form, work);
}

static void judge_json(const struct work *work)
{
	judge_content(run_json, work);
}

static void judge_xml(const struct work *work)
{
	judge_content(run_xml, work);
}

static void judge_parts(const struct work *work)
{
	judge_content(run_parts, work);
}

static const struct work works[] = {
    {"canonical path, clean, unix", clean_path, "unix", run_canon, &path_budget},
    {"canonical path, clean, iis", clean_path, "iis", run_canon, &path_budget},
    {"canonical path, clean, tomcat", clean_path, "tomcat", run_canon, &path_budget},
    {"canonical path, clean, php", clean_path, "php", run_canon, &path_budget},
    {"canonical path, names like devices, iis", named_path, "iis", run_canon, &no_budget},
    {"canonical path with : ~ ;, unix", marked_path, "unix", run_canon, &no_budget},
    {"canonical path with : ~ ;, tomcat", marked_path, "tomcat", run_canon, &no_budget},
    {"canonical path with escapes and dots, unix", encoded_path, "unix", run_canon, &no_budget},
    {"canonical path with escapes and dots, iis", encoded_path, "iis", run_canon, &no_budget},
    {"look at a query", usual_query, NULL, run_query, &no_budget},
    {"parse a head of 2 lines", SMALL_HEAD, NULL, run_parse, &no_budget},
    {"parse a browser's head", BROWSER_HEAD, NULL, run_parse, &no_budget},
    {"parse, locate and judge 2 lines", SMALL_HEAD, NULL, run_judge, &no_budget},
    {"parse, locate and judge a browser's", BROWSER_HEAD, NULL, run_judge, &no_budget},
    {"judge a listed host, egress", "h4711.packages.example", NULL, run_destination, &egress_budget},
    {"judge a host below a wildcard, egress", "a.b.c.w4711.example", NULL, run_destination, &egress_budget},
    {"judge a host in no list, egress", "www.some-other-host.example", NULL, run_destination, &egress_budget},
    {"judge a listed address, egress", "11.18.103.7", NULL, run_destination, &egress_budget},
    {"judge an address in no list, egress", "93.184.216.34", NULL, run_destination, &egress_budget},
    {"judge an IPv6 address in no list, egress", "2606:2800:220:1::1", NULL, run_destination, &egress_budget},
    {"content: a form", form, NULL, run_form, &no_budget},
    {"content: a form with escapes", coded_form, NULL, run_form, &no_budget},
    {"content: JSON", json, NULL, run_json, &no_budget},
    {"content: XML", xml, NULL, run_xml, &no_budget},
    {"content: parts", parts, NULL, run_parts, &no_budget},
    {"content: an upload", upload, NULL, run_parts, &no_budget},
    {"content judged: a form", form, NULL, judge_form, &no_budget},
    {"content judged: a form with escapes", coded_form, NULL, judge_form, &no_budget},
    {"content judged: a form with words", worded_form, NULL, judge_form, &no_budget},
    {"content judged: JSON", json, NULL, judge_json, &no_budget},
    {"content judged: XML", xml, NULL, judge_xml, &no_budget},
    {"content judged: parts", parts, NULL, judge_parts, &no_budget},
    {"content judged: an upload", upload, NULL, judge_parts, &no_budget},
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
	static char text[64];
	const struct budget *budget = work->budget;
	if (budget->gate_ns == 0)
		return "–";
	snprintf(text, sizeof(text), "%u / %u: %s", budget->gate_ns, budget->aim_ns,
		 ns <= budget->aim_ns    ? "**aim met**"
		 : ns <= budget->gate_ns ? "**gate met**"
					 : "missed");
	return text;
}

/* Ten thousand entries: as many hosts and wildcards as networks. */
static void write_egress(struct strbuf *out)
{
	strbuf_add_str(out, "egress = { proxy = \"127.0.0.1:3128\"; origins = ( \"10.0.0.5\" ); allow = ( \"first.example\"");
	for (unsigned i = 0; i < LISTED; i++) {
		strbuf_addf(out, i % 2 ? ", \"h%u.packages.example\"" : ", \"*.w%u.example\"", i);
		strbuf_addf(out, ", \"11.%u.%u.0/%u\"", i >> 8, i & 0xff, 24 + i % 8);
	}
	strbuf_add_str(out, " ); deny = ( \"*.denied.example\", \"12.0.0.0/8\" ); };\n");
}

static void prepare(const char *kind)
{
	struct strbuf text;
	struct settings_overrides none = {0};
	struct policy_errors *errors = policy_errors_new();
	struct err err;
	strbuf_init(&text, LISTS_ROOM);
	write_egress(&text);
	strbuf_addf(&text,
		    "listen = ( { address = \":8080\"; } ); sites = ( { name = \"shop\"; hosts = ( "
		 "\"shop.example\" ); origins = ( \"http://192.0.2.1\" ); shield = { origin_kind = \"%s\"; }; } );"
		    "\nrule_files = ( \"conf/policy.d\" );\n",
		    kind ? kind : "unix");
	settings = settings_load_text(text.data, &none, errors);
	policy_errors_free(errors);
	strbuf_release(&text);
	if (!settings)
		fail("the policy is refused; start it from the top of the tree");
	site = settings->sites.items;
	if (!addr_parse_ip(SPAN("93.184.216.34"), 8443, &elsewhere))
		fail("no address");
	const struct shield *shield = site->shield;
	scratch = shield_scratch_new(&shield, 1, &err);
	if (!scratch)
		fail(err.text);
}

static void measure(const struct work *work)
{
	double rounds[ROUNDS];
	prepare(work->kind);
	asked = (struct egress_destination){.host = span_from_str(work->text), .port = 8443};
	asked.is_literal = addr_parse_ip(asked.host, asked.port, &asked.addr);
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
	fill_contents();
	printf("| work | bytes | ns | fastest | gate / aim, ns |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (argc < 2 || strstr(works[i].name, argv[1]))
			measure(&works[i]);
	}
	return 0;
}
