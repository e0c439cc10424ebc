/* Sitemaps and robots.txt: what they name, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>
#include "guard_page.h"
#include "sallyport/sitemap.h"

struct found {
	char text[4096];
	size_t len;
	unsigned n, most;
};

static bool on_url(void *context, enum link_kind kind, struct span url)
{
	struct found *found = context;
	int n = snprintf(found->text + found->len, sizeof(found->text) - found->len, "%s%s%.*s",
			 found->len ? " " : "", kind == LINK_TO_SITEMAP ? "+" : "", (int)url.len, url.ptr);
	found->len += (size_t)n < sizeof(found->text) - found->len ? (size_t)n : 0;
	return ++found->n < found->most;
}

#define URLSET "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">"

static const struct row {
	const char *text, *urls, *error; /* error: part of it; NULL: none */
} rows[] = {
    {URLSET "<url><loc>http://a/</loc></url><url><lastmod>2026</lastmod><loc> http://a/b \n</loc></url></urlset>",
     "http://a/ http://a/b", NULL},
    {"<sitemapindex><sitemap><loc>http://a/1.xml</loc></sitemap></sitemapindex>", "+http://a/1.xml", NULL},
    {"<s:urlset xmlns:s='x'><s:url><s:loc>http://a/</s:loc></s:url></s:urlset>", "http://a/", NULL},
    {URLSET "<url><loc>http://a/?b=1&amp;c=2&#x26;d</loc></url></urlset>", "http://a/?b=1&c=2&d", NULL},
    {URLSET "<url><loc><![CDATA[http://a/?b&c]]></loc></url></urlset>", "http://a/?b&c", NULL},
    {URLSET "<url><loc>http://a/</loc><image:image><image:loc>http://a/x.png</image:loc></image:image></url></urlset>",
     "http://a/ http://a/x.png", NULL},
    {URLSET "</urlset>", "", NULL},
    {URLSET "<url><loc></loc></url></urlset>", "", NULL},
    {"\xef\xbb\xbf" URLSET "<url><loc>http://a/</loc></url></urlset>", "http://a/", NULL},
    {"<rss><loc>http://a/</loc></rss>", "", NULL},
    {"<html><body><loc>http://a/</loc>", "", NULL},
    {"http://a/\r\nhttps://a/b\n# http://a/c\n  http://a/d  ", "http://a/ https://a/b http://a/d", NULL},
    {"\xef\xbb\xbfhttp://a/", "http://a/", NULL},
    {"", "", "line 1"},
    {"plain text", "", "line 1"},
    {URLSET "<url><loc>http://a/</loc>\n<url>", "http://a/", "line 3"},
    {URLSET "<url><loc>http://a/</loc></url></urlset>x", "http://a/", "line 2"},
    {URLSET "<url><loc>&undefined;</loc></url></urlset>", "", "undefined"},
    {"<?xml version=\"1.0\" encoding=\"x-klingon\"?><urlset/>", "", "line 1"},
    {"<!DOCTYPE urlset><urlset><url><loc>http://a/</loc></url></urlset>", "", "document type"},
    {"<!DOCTYPE u [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><urlset><url><loc>http://a/&b;</loc></url></urlset>",
     "", "document type"},
    {"<!DOCTYPE u SYSTEM 'file:///etc/passwd'><urlset/>", "", "document type"},
    {"<urlset><a><b><c><d><e><f><g><loc>http://a/</loc></g></f></e></d></c></b></a></urlset>", "", "nested"},
    {"<urlset><b><c><d><e><f><g><loc>http://a/</loc></g></f></e></d></c></b></urlset>", "http://a/", NULL},
};

static void sitemaps_say_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct found found = {.most = 1000};
		struct err err = {{0}};
		size_t len = strlen(rows[i].text);
		char *copy = guarded_copy(rows[i].text, len);
		bool read = sitemap_read(span_of(copy, len), on_url, &found, &err);
		guarded_free(copy, len);
		if (read != !rows[i].error || strcmp(found.text, rows[i].urls) != 0 ||
		    (!read && !strstr(err.text, rows[i].error)))
			fail_msg("%s gives '%s', error '%s'", rows[i].text, found.text, err.text);
	}
}

static char *urlset_of(size_t n, size_t len, size_t *size)
{
	char *text = malloc(n * (len + 40) + 200);
	assert_non_null(text);
	size_t at = (size_t)snprintf(text, 200, "%s", URLSET);
	for (size_t i = 0; i < n; i++) {
		memcpy(text + at, "<url><loc>http://", 17);
		memset(text + at + 17, 'a', len - 7);
		at += 17 + len - 7;
		memcpy(text + at, "</loc></url>", 12);
		at += 12;
	}
	memcpy(text + at, "</urlset>", 9);
	*size = at + 9;
	return text;
}

static void what_is_too_long_or_too_many_is_left_out(void **state)
{
	(void)state;
	static struct found found;
	struct err err;
	size_t size;
	for (size_t len = SITEMAP_URL_MAX - 1; len <= SITEMAP_URL_MAX + 1; len++) {
		char *text = urlset_of(3, len, &size);
		found = (struct found){.most = 1000};
		assert_true(sitemap_read(span_of(text, size), on_url, &found, &err));
		assert_int_equal(found.n, len <= SITEMAP_URL_MAX ? 3 : 0);
		free(text);
	}
	char *text = urlset_of(SITEMAP_URLS_MAX + 1, 10, &size);
	found = (struct found){.most = UINT32_MAX};
	assert_true(sitemap_read(span_of(text, size), on_url, &found, &err));
	assert_int_equal(found.n, SITEMAP_URLS_MAX);
	found = (struct found){.most = 7};
	assert_true(sitemap_read(span_of(text, size), on_url, &found, &err));
	assert_int_equal(found.n, 7);
	free(text);
}

/* A token of megabytes, and a great many of nothing. */
static void time_grows_with_the_text_and_no_faster(void **state)
{
	(void)state;
	static const char *const parts[] = {"<urlset a='", "<urlset>", "<urlset><!--", "<urlset><![CDATA[",
					    "<urlset>&amp;", "\xff\xfe<", "http://\n"};
	enum { BIG = 8 << 20 };
	struct found found = {.most = UINT32_MAX};
	struct err err;
	char *text = malloc(BIG);
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t n = strlen(parts[i]);
		clock_t start = clock();
		for (size_t at = 0; at < BIG; at++)
			text[at] = at < n ? parts[i][at] : 'x';
		assert_int_equal(sitemap_read(span_of(text, BIG), on_url, &found, &err), i == 6);
		for (size_t at = 0; at < BIG; at++)
			text[at] = parts[i][at % n];
		assert_int_equal(sitemap_read(span_of(text, BIG), on_url, &found, &err), i == 6);
		if (clock() - start > 20 * CLOCKS_PER_SEC)
			fail_msg("too slow: %s", parts[i]);
	}
	free(text);
}

static void robots_name_sitemaps(void **state)
{
	(void)state;
	static const struct row robots[] = {
	    {"User-agent: *\nDisallow: /\nSitemap: http://a/s.xml\n", "+http://a/s.xml", NULL},
	    {"\xef\xbb\xbfSITEMAP : http://a/s.xml\r\nsitemap:/t.xml\rsitemap:\tu.xml.gz", "+http://a/s.xml +/t.xml +u.xml.gz",
	     NULL},
	    {"# Sitemap: http://a/\nSitemaps: x\nSitemap\nSitemap:\n:x\n", "", NULL},
	    {"", "", NULL},
	    {"\n\n\r\n:", "", NULL},
	};
	for (size_t i = 0; i < sizeof(robots) / sizeof(robots[0]); i++) {
		struct found found = {.most = 1000};
		size_t len = strlen(robots[i].text);
		char *copy = guarded_copy(robots[i].text, len);
		robots_read(span_of(copy, len), on_url, &found);
		guarded_free(copy, len);
		assert_string_equal(found.text, robots[i].urls);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sitemaps_say_what_the_table_says),
	    cmocka_unit_test(what_is_too_long_or_too_many_is_left_out),
	    cmocka_unit_test(time_grows_with_the_text_and_no_faster),
	    cmocka_unit_test(robots_name_sitemaps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
