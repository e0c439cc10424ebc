/* What a page leads to, from tables: HTML and CSS as they are written, and as they are bent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>
#include "guard_page.h"
#include "sallyport/links.h"

struct found {
	char text[8192];
	size_t len;
	unsigned links, most;
};

static bool is_own(void *context, struct span host)
{
	(void)context;
	return span_eq(host, SPAN("www.shop.example"));
}

static void add(struct found *found, const char *before, struct span s)
{
	int n = snprintf(found->text + found->len, sizeof(found->text) - found->len, "%s%s%.*s",
			 found->len ? " " : "", before, (int)s.len, s.ptr);
	found->len += (size_t)n < sizeof(found->text) - found->len ? (size_t)n : 0;
}

static bool on_link(void *context, struct span key)
{
	struct found *found = context;
	add(found, "", key);
	return ++found->links < found->most;
}

static bool on_host(void *context, enum link_place place, struct span host)
{
	char before[32];
	snprintf(before, sizeof(before), "%s:", link_place_name(place));
	add(context, before, host);
	return true;
}

static struct link_finder *finder(struct found *found)
{
	static struct link_finder f;
	*found = (struct found){.most = 100000};
	f.page = (struct url_place){.port = 80, .host = SPAN("shop.example"),
				    .path = SPAN("/dir/page.html"), .query = SPAN("q=1")};
	f.sink = (struct link_sink){is_own, on_link, on_host, found};
	return &f;
}

typedef void find_function(struct link_finder *f, struct span text);

struct row {
	const char *text, *expected;
};

static void check(find_function *find, const struct row *rows, size_t n)
{
	static struct found found;
	unsigned wrong = 0;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(rows[i].text);
		char *copy = guarded_copy(rows[i].text, len);
		find(finder(&found), span_of(copy, len));
		guarded_free(copy, len);
		if (strcmp(found.text, rows[i].expected) == 0)
			continue;
		print_message("%s\n  gives    %s\n  expected %s\n", rows[i].text, found.text,
			      rows[i].expected);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}
#define CHECK(find, rows) check(find, rows, sizeof(rows) / sizeof((rows)[0]))

static void references_resolve_as_browsers_do(void **state)
{
	(void)state;
	/* RFC 3986 section 5.4 among them, for this page */
	static const struct row rows[] = {
	    {"<a href=g>", "/dir/g"},
	    {"<a href=./g>", "/dir/g"},
	    {"<a href='g/'>", "/dir/g/"},
	    {"<a href=/g>", "/g"},
	    {"<a href='?y'>", "/dir/page.html?y"},
	    {"<a href='g?y'>", "/dir/g?y"},
	    {"<a href='#s'>", "/dir/page.html?q=1"},
	    {"<a href='g#s'>", "/dir/g"},
	    {"<a href='g?y#s'>", "/dir/g?y"},
	    {"<a href=';x'>", "/dir/;x"},
	    {"<a href=''>", "/dir/page.html?q=1"},
	    {"<a href='.'>", "/dir/"},
	    {"<a href='./'>", "/dir/"},
	    {"<a href='..'>", "/"},
	    {"<a href='../g'>", "/g"},
	    {"<a href='../../g'>", "/g"},
	    {"<a href='/./g'>", "/g"},
	    {"<a href='g.'>", "/dir/g."},
	    {"<a href='g?y/../x'>", "/dir/g?y/../x"},
	    {"<a href='http:g'>", "/dir/g"},
	    {"<a href='http:/g'>", "/g"},
	    {"<a href='http://shop.example'>", "/"},
	    {"<a href='http://SHOP.example?x'>", "/?x"},
	    {"<a href='http://shop.example/a/../b'>", "/b"},
	    {"<a href='http://shop.example:80/a'>", "/a"},
	    {"<a href='https://shop.example/a'>", "/a"},
	    {"<a href='https://shop.example:443/a'>", "/a"},
	    {"<a href='http://shop.example:8080/a'>", ""},
	    {"<a href='http://www.shop.example./a'>", "/a"},
	    {"<a href='//shop.example/a'>", "/a"},
	    {"<a href='//user:80@shop.example:80/a'>", "/a"},
	    {"<a href='\\\\shop.example\\a\\b'>", "/a/b"},
	    {"<a href='a\\b'>", "/dir/a/b"},
	    {"<a href='http://other.example/'>", ""},
	    {"<a href=' \n g\t '>", "/dir/g"},
	    {"<a href='a\nb\tc'>", "/dir/abc"},
	    {"<a href='a b'>", "/dir/a%20b"},
	    {"<a href='\xc3\xa9?\xc3\xa9'>", "/dir/%C3%A9?%C3%A9"},
	    {"<a href='x?a=\"<b c>'>", "/dir/x?a=%22%3Cb%20c%3E"},
	    {"<a href='%41%7e'>", "/dir/A~"},
	    {"<a href='a%2fb'>", "/dir/a%2Fb"},
	    {"<a href='%2e%2e/x'>", "/x"},
	    {"<a href='x%00y'>", ""},
	    {"<a href='mailto:a@shop.example'>", ""},
	    {"<a href='javascript:x()'>", ""},
	    {"<a href='data:text/html,x'>", ""},
	    {"<a href='//'>", ""},
	    {"<a href='http://[::1]/'>", ""},
	};
	CHECK(links_in_html, rows);
}

static void elements_that_lead_somewhere_are_known(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"<A HREF=/a>", "/a"},
	    {"<map><area shape=x href=/b></map>", "/b"},
	    {"<link rel=stylesheet href=/c.css>", "/c.css"},
	    {"<link rel=Preconnect href=/c>", ""},
	    {"<script src=/d.js></script>", "/d.js"},
	    {"<img src=/e.png srcset='/f.png 2x, /g.png 300w'>", "/e.png /f.png /g.png"},
	    {"<img srcset=' ,/f.png,, /g,h.png,'>", "/f.png /g,h.png"},
	    {"<img srcset='/f.png (a,b) 1x, /g.png'>", "/f.png /g.png"},
	    {"<picture><source srcset='/h.webp'><img src=/h.png></picture>", "/h.webp /h.png"},
	    {"<video src=/i.mp4 poster=/i.jpg><track src=/i.vtt></video>", "/i.mp4 /i.jpg /i.vtt"},
	    {"<audio src=/j.mp3></audio>", "/j.mp3"},
	    {"<iframe src=/k></iframe><frame src=/l>", "/k /l"},
	    {"<object data=/m></object><embed src=/n>", "/m /n"},
	    {"<input type=image src=/o.png>", "/o.png"},
	    {"<body background=/p.png><table background=/q.png>", "/p.png /q.png"},
	    {"<svg><use xlink:href='/r.svg#x'></use><image href=/s.png></svg>", "/r.svg /s.png"},
	    {"<form action=/t>", "/t"},
	    {"<form method=GET action=/t>", "/t"},
	    {"<form method=post action=/t>", ""},
	    {"<form method=dialog action=/t>", ""},
	    {"<form>", ""},
	    {"<button formaction=/u>", ""},
	    {"<meta http-equiv=Refresh content='5; url=/v'>", "/v"},
	    {"<meta http-equiv=refresh content='0;URL=\"/w\"'>", "/w"},
	    {"<meta http-equiv=refresh content=5>", ""},
	    {"<meta name=refresh content='5; url=/v'>", ""},
	    {"<style>@import '/x.css'; a { background: url( /y.png ) } </style>", "/x.css /y.png"},
	    {"<p style='background:url(&quot;/z.png&quot;)'>", "/z.png"},
	    {"<noscript><img src=/aa.png></noscript>", "/aa.png"},
	    {"<a data-href=/b name=/c>", ""},
	    {"<b href=/x>", ""},
	};
	CHECK(links_in_html, rows);
}

static void markup_is_cut_as_browsers_cut_it(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"<a\nhref\n=\n'/a'>", "/a"},
	    {"<a/href=/a>", "/a"},
	    {"<a b='>' href=/a>", "/a"},
	    {"<a b=\"'>\" href='/a\"b'>", "/a%22b"},
	    {"<a href=/a/>", "/a/"},
	    {"<a href=/a href=/b>", "/a"},
	    {"<a href='/a'HREF=/b>", "/a"},
	    {"<a =href=/b>", ""},
	    {"<a href>", "/dir/page.html?q=1"},
	    {"<a href=>", "/dir/page.html?q=1"},
	    {"<a href='/a", ""},
	    {"<a href='/a'", ""},
	    {"<a href=/a", ""},
	    {"< a href=/a>", ""},
	    {"<<a href=/a>", "/a"},
	    {"</a href=/a>", ""},
	    {"</ <a href=/a>", ""},
	    {"<!-- <a href=/a> --><a href=/b>", "/b"},
	    {"<!--><a href=/b>", "/b"},
	    {"<!---><a href=/b>", "/b"},
	    {"<!--x--!><a href=/b>", "/b"},
	    {"<!--x-- ><a href=/b>-->", ""},
	    {"<!-- <a href=/a>", ""},
	    {"<!doctype html><a href=/b>", "/b"},
	    {"<!x '><a href=/b>", "/b"},
	    {"<?php '<a href=/a>' ?><a href=/b>", "/b"},
	    {"<script>'<a href=/a>'</script><a href=/b>", "/b"},
	    {"<script>'</scripts><a href=/a>'</SCRIPT ><a href=/b>", "/b"},
	    {"<script><a href=/a>", ""},
	    {"<title><a href=/a></title><a href=/b>", "/b"},
	    {"<textarea><a href=/a></textarea/><a href=/b>", "/b"},
	    {"<scripty><a href=/a>", "/a"},
	    {"<a href='/a?b&amp;c&#61;d&#x26;e&ampf&amp=g'>", "/a?b&c=d&e&ampf&amp=g"},
	    {"<a href='&sol;a&#47&#x2Fg&quot'>", "/a//g%22"},
	    {"<a href='/&#233;&#x20ac;&#x1f600;&#xd800;&#0;'>", "/%C3%A9%E2%82%AC%F0%9F%98%80%EF%BF%BD%EF%BF%BD"},
	    {"<a href='/&nothing;&#;&#x;&'>", "/&nothing;&"},
	    {"<a href='java&Tab;script&colon;x'>", ""},
	};
	CHECK(links_in_html, rows);
}

static void foreign_hosts_are_told_where_they_take_over(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"<a href=//evil.example/><img src=//evil.example/x.png>", ""},
	    {"<script src='https://CDN.example/x.js'></script>", "script:cdn.example"},
	    {"<iframe src='//evil.example'></iframe>", "frame:evil.example"},
	    {"<embed src=//evil.example/><object data=//evil2.example/>", "frame:evil.example frame:evil2.example"},
	    {"<form method=post action='//evil.example/login'>", "form:evil.example"},
	    {"<button formaction='//evil.example/'>", "form:evil.example"},
	    {"<meta http-equiv=refresh content='0;//evil.example'>", "refresh:evil.example"},
	    {"<script src='//shop.example:81/x.js'>", "script:shop.example"},
	    {"<base href='//evil.example/d/'><a href=x><script src=y></script>",
	     "base:evil.example script:evil.example"},
	    {"<base href='/other/'><a href=x>", "/other/x"},
	    {"<base href='/other/'><base href='//evil.example/'><a href=x>", "/other/x"},
	    {"<base target=_top><base href='/other/x?y'><a href='?z'><a href=''>", "/other/x?z /other/x?y"},
	    {"<base href='data:x'><a href=x>", "/dir/x"},
	};
	CHECK(links_in_html, rows);
}

static void style_sheets_lead_on(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"a{background:url(b.png)}", "/dir/b.png"},
	    {"a{background:URL( 'b.png' )}", "/dir/b.png"},
	    {"@import \"c.css\"; @IMPORT url(d.css) screen;", "/dir/c.css /dir/d.css"},
	    {"/* url(no.png) */ a{src:url(\"e.woff\")format('x')}", "/dir/e.woff"},
	    {"a{content:'url(no.png)';background:url(f.png)}", "/dir/f.png"},
	    {"a{content:'\\'url(no.png)'}", ""},
	    {"a{content:'open\n;background:url(g.png)}", "/dir/g.png"},
	    {"a{background:url(//evil.example/x)}", ""},
	    {"a{background:url(data:image/png;base64,x)}", ""},
	    {"url(", ""},
	    {"@import", ""},
	    {"@import '", ""},
	    {"/*", ""},
	    {"'\\", ""},
	    {"url('x", "/dir/x"},
	};
	CHECK(links_in_css, rows);
}

static void one_reference_is_read_alone(void **state)
{
	(void)state;
	static struct found found;
	links_in_reference(finder(&found), LINK_REFRESH, SPAN("/sitemap.xml"));
	assert_string_equal(found.text, "/sitemap.xml");
	links_in_reference(finder(&found), LINK_REFRESH, SPAN("//evil.example/"));
	assert_string_equal(found.text, "refresh:evil.example");
	links_in_reference(finder(&found), LINK_ELSEWHERE, SPAN("//evil.example/"));
	assert_string_equal(found.text, "");
}

/* Pages of another port, by https, by an address. */
static void own_is_what_the_page_itself_came_from(void **state)
{
	(void)state;
	static struct found found;
	static const char text[] = "<a href=http://[2001:DB8::1]:8443/a><a href=https://[2001:db8::1]:8443/b>"
				   "<a href=https://[2001:db8::1]/c><a href=https:/d>"
				   "<script src=http:/e></script>";
	struct link_finder *f = finder(&found);
	f->page.tls = true;
	f->page.port = 8443;
	f->page.host = SPAN("[2001:db8::1]");
	links_in_html(f, SPAN(text));
	assert_string_equal(found.text, "/a /b /c /d script:e");
}

static void what_is_too_long_leads_nowhere(void **state)
{
	(void)state;
	static struct found found;
	static char text[3 * REFERENCE_MAX];
	for (size_t len = REFERENCE_MAX - 8; len < REFERENCE_MAX + 8; len++) {
		char *at = text + snprintf(text, sizeof(text), "<a href='/");
		memset(at, 'a', len - 1);
		memcpy(at + len - 1, "'><a href=/b>", 14);
		links_in_html(finder(&found), span_from_str(text));
		assert_int_equal(found.links, len <= REFERENCE_MAX ? 2 : 1);
	}
	/* short as it is written, too long as a key */
	char *at = text + snprintf(text, sizeof(text), "<a href='/?");
	memset(at, '"', PAGE_KEY_MAX / 3);
	memcpy(at + PAGE_KEY_MAX / 3, "'><a href=/b>", 14);
	links_in_html(finder(&found), span_from_str(text));
	assert_string_equal(found.text, "/b");
}

static void who_has_enough_is_told_no_more(void **state)
{
	(void)state;
	static struct found found;
	struct link_finder *f = finder(&found);
	found.most = 2;
	links_in_html(f, SPAN("<img src=/a srcset='/b, /c'><a href=/d>"));
	assert_string_equal(found.text, "/a /b");
}

/* Texts that make a careless tokeniser look again and again. */
static void time_grows_with_the_text_and_no_faster(void **state)
{
	(void)state;
	static const char *const parts[] = {"<",      "<!--",  "<a",    "<a b='", "<a b=", "&",     "<script></",
					    "</",     "url(",  "/*",    "'",      "<a href=&amp",   "<img srcset='a,,,(",
					    "<style>", "<base href='", "-->", "<script><"};
	enum { BIG = 4 << 20 };
	static struct found found;
	char *text = malloc(BIG);
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t n = strlen(parts[i]);
		for (size_t at = 0; at < BIG; at++)
			text[at] = parts[i][at % n];
		clock_t start = clock();
		links_in_html(finder(&found), span_of(text, BIG));
		links_in_css(finder(&found), span_of(text, BIG));
		/* a quadratic walk would take hours; this is a hundredth of a second, more with sanitizers */
		if (clock() - start > 20 * CLOCKS_PER_SEC)
			fail_msg("too slow: %s", parts[i]);
	}
	free(text);
}

static void places_have_names(void **state)
{
	(void)state;
	assert_string_equal(link_place_name(LINK_BASE), "base");
	assert_string_equal(link_place_name(LINK_PLACE_UNSET), "-");
	assert_string_equal(link_place_name(LINK_PLACES), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(references_resolve_as_browsers_do),
	    cmocka_unit_test(elements_that_lead_somewhere_are_known),
	    cmocka_unit_test(markup_is_cut_as_browsers_cut_it),
	    cmocka_unit_test(foreign_hosts_are_told_where_they_take_over),
	    cmocka_unit_test(style_sheets_lead_on),
	    cmocka_unit_test(one_reference_is_read_alone),
	    cmocka_unit_test(own_is_what_the_page_itself_came_from),
	    cmocka_unit_test(what_is_too_long_leads_nowhere),
	    cmocka_unit_test(who_has_enough_is_told_no_more),
	    cmocka_unit_test(time_grows_with_the_text_and_no_faster),
	    cmocka_unit_test(places_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
