/* What a policy may say about the guard of a site and about the vault, and the checks of it.
 * Opens nothing: whether the vault can be used shows where it is opened. */
#include "sallyport/guard_schema.h"

#include "sallyport/policy_hosts.h"
#include "sallyport/url.h"

#define GUARD(member) offsetof(struct guard_policy, member)
#define VAULT(member) offsetof(struct vault_settings, member)

enum {
	SECOND_MS = 1000,
	HOUR_MS = 3600 * SECOND_MS,
	DAY_MS = 24 * HOUR_MS,
	PATH_MAX_BYTES = 1024,
	COOKIE_NAME_MAX = 128,
	ARGUMENT_NAME_MAX = 128,
};

/* Names that common servers and applications give to sessions. */
#define SESSION_COOKIES                                                                            \
	"PHPSESSID, JSESSIONID, ASP.NET_SessionId, .ASPXAUTH, .AspNetCore.*, ASPSESSIONID*, "      \
	"connect.sid, sessionid, session, session_id, sid, _session_id, laravel_session, "         \
	"wordpress_logged_in_*, wp-postpass_*, SESS*, SSESS*, CFID, CFTOKEN, "                     \
	"fe_typo_user, be_typo_user, frontend, PrestaShop-*, MoodleSession*, remember_token, "     \
	"auth_token, access_token, token, jwt"

/* What mail, advertisements, social networks and counters append to links, to say who comes from where. */
#define IGNORED_QUERY                                                                              \
	"utm_*, mtm_*, pk_campaign, pk_kwd, fbclid, gclid, gclsrc, gbraid, wbraid, gad_source, "    \
	"gad_campaignid, dclid, msclkid, twclid, ttclid, li_fat_id, igshid, igsh, yclid, epik, "   \
	"ScCid, srsltid, mc_cid, mc_eid, mkt_tok, vero_id, _ga, _gl, _hsenc, _hsmi"

static const struct policy_choice modes[] = {
    {"enforce", GUARD_ENFORCE}, {"monitor", GUARD_MONITOR}, {"off", GUARD_OFF}, {NULL, 0}};
static const struct policy_choice unknowns[] = {
    {"pass", GUARD_UNKNOWN_PASS}, {"hold", GUARD_UNKNOWN_HOLD}, {NULL, 0}};
static const struct policy_choice schemes[] = {
    {"auto", GUARD_SCHEME_AUTO}, {"http", GUARD_SCHEME_HTTP}, {"https", GUARD_SCHEME_HTTPS}, {NULL, 0}};
static const struct policy_choice sessions[] = {
    {"hold", GUARD_SESSIONS_HOLD}, {"pass", GUARD_SESSIONS_PASS}, {NULL, 0}};
static const struct policy_choice fails[] = {
    {"open", GUARD_FAIL_OPEN}, {"closed", GUARD_FAIL_CLOSED}, {NULL, 0}};

static const struct setting guard_rows[] = {
    {"mode", SETTING_ENUM, GUARD(mode), .standard = "off", .choices = modes,
     .doc = "`enforce` holds what is not known to be good and serves the known copy instead; "
	    "`monitor` learns, looks and only logs; `off` leaves the site's responses alone."},
    {"seeds", SETTING_STRINGS, GUARD(seeds), .standard = "/", .max = 256,
     .example = "( \"/\", \"/news/\" )",
     .doc = "Where learning begins: paths, with a query where it belongs to the page."},
    {"sitemap", SETTING_BOOL, GUARD(sitemap), .standard = "true",
     .doc = "Reads `/robots.txt` for sitemaps, and `/sitemap.xml`."},
    {"exclude", SETTING_STRINGS, GUARD(exclude), .max = 256, .example = "( \"/search\", \"/api\" )",
     .doc = "Paths, and everything under them, that are neither learned nor judged. Redirects to "
	    "foreign hosts are held there too."},
    {"ignore_query", SETTING_STRINGS, GUARD(ignore_query), .max = 256, .standard = IGNORED_QUERY,
     .doc = "Arguments of queries that say where a visitor comes from and belong to no page: a link "
	    "with them leads to the page without them, and gets its copy. Origins are sent them. "
	    "A `*` at the end stands for anything; capitals do not matter."},
    {"max_pages", SETTING_COUNT, GUARD(max_pages), .standard = "2000", .min = 1, .max = 100000,
     .doc = "How many pages of the site are learned; a page is a path with its query."},
    {"depth", SETTING_COUNT, GUARD(depth), .standard = "5", .min = 0, .max = 64,
     .doc = "How many links away from a seed or the sitemap a page may be. 0: links are not "
	    "followed."},
    {"rate", SETTING_RATE, GUARD(rate), .standard = "5/s", .min = 1, .max = 1000,
     .doc = "How often the scout asks the site's origins, at most, for whatever reason."},
    {"scheme", SETTING_ENUM, GUARD(scheme), .standard = "auto", .choices = schemes,
     .doc = "How visitors come, as the scout tells origins by `X-Forwarded-Proto`: many redirect, or write links, by "
	    "it. `auto` is `https` where a listener has TLS; where somebody before us ends it, say so."},
    {"samples", SETTING_COUNT, GUARD(samples), .standard = "3", .min = 1, .max = 100,
     .doc = "So many equal samples in a row make an image, script, style sheet, font or download "
	    "known."},
    {"sample_interval", SETTING_TIME, GUARD(sample_interval_ms), .standard = "20 s", .min = 100,
     .max = HOUR_MS, .doc = "Time between two samples of a page that is being learned."},
    {"settle", SETTING_TIME, GUARD(settle_ms), .standard = "24 h", .min = 0,
     .max = UINT64_C(90) * DAY_MS,
     .doc = "How long HTML, JSON, XML and plain text have to stay the same until they are known "
	    "without an operator's approval."},
    {"probe_interval", SETTING_TIME, GUARD(probe_interval_ms), .standard = "60 s", .min = 100,
     .max = DAY_MS,
     .doc = "How often a known page is looked at, as far as `rate` allows: at every origin in "
	    "turn, also as a search engine and as a visitor who comes from one."},
    {"confirm", SETTING_BOOL, GUARD(confirm), .standard = "false",
     .doc = "Nothing of a site counts as known before an operator has approved it once "
	    "(`sallyport vault approve SITE --all`)."},
    {"unknown", SETTING_ENUM, GUARD(unknown), .standard = "pass", .choices = unknowns,
     .doc = "What becomes of pages that are not known: `pass` lets them through, `hold` does "
	    "not."},
    {"fail", SETTING_ENUM, GUARD(fail), .standard = "open", .choices = fails,
     .doc = "What pages get while there is no readable vault: `open` passes them, `closed` "
	    "answers 503."},
    {"max_page", SETTING_BYTES, GUARD(max_page), .standard = "2 MiB", .min = 1024, .max = 64 << 20,
     .doc = "Pages up to this size are held whole and judged before the first byte goes out; "
	    "larger ones come from the vault where they are known, else they are judged while "
	    "they pass."},
    {"patience", SETTING_TIME, GUARD(patience_ms), .standard = "10 s", .min = 100, .max = HOUR_MS,
     .doc = "How long a known page is waited for before its copy is served, within `timeouts.first_byte`; 1 s at "
	    "most while the site let a known page wait so long within the last 30 s and none came in time since."},
    {"redirects", SETTING_STRINGS, GUARD(redirects), .max = 256,
     .example = "( \"pay.example\", \"*.login.example\" )",
     .doc = "Hosts that redirects may lead to besides the site's own and those that known pages "
	    "lead to. Others are held on every path."},
    {"session_cookies", SETTING_STRINGS, GUARD(session_cookies), .max = 256,
     .standard = SESSION_COOKIES,
     .doc = "Cookies that mark a visitor in a session, who never gets a copy made for everybody. "
	    "A `*` at the end stands for anything; capitals do not matter."},
    {"sessions", SETTING_ENUM, GUARD(sessions), .standard = "hold", .choices = sessions,
     .doc = "What a visitor in a session gets of known HTML, XML, JSON and plain text: `hold` judges it as "
	    "everybody's, so that a page which greets him is 503; `pass` lets it through, unless it "
	    "redirects to a foreign host or the site is sealed. Images, scripts and style sheets are "
	    "judged either way."},
    {"recover", SETTING_COUNT, GUARD(recover), .standard = "3", .min = 1, .max = 100,
     .doc = "So many rounds of probes must find every origin good until a sealed site is opened "
	    "again."},
    {"banner", SETTING_BOOL, GUARD(banner), .standard = "false",
     .doc = "Adds a sentence to HTML copies that says that this is the last known-good state."},
    {0},
};

static const struct setting vault_rows[] = {
    {"directory", SETTING_STRING, VAULT(directory), .example = "\"/var/lib/sallyport\"",
     .doc = "Where known-good pages and the key that signs them are kept. It is made where it is "
	    "missing. Without it: `/var/lib/sallyport` as root, else `$XDG_STATE_HOME/sallyport` "
	    "or `~/.local/state/sallyport`."},
    {"size", SETTING_BYTES, VAULT(size_bytes), .standard = "2 GiB", .min = 1 << 20,
     .max = UINT64_C(1) << 44,
     .doc = "How large it may grow. The oldest versions go first, never the one that is served."},
    {"versions", SETTING_COUNT, VAULT(versions), .standard = "20", .min = 2, .max = 1000,
     .doc = "How many versions of each page are kept."},
    {0},
};

/* ---- checks ---- */

/* A path in canonical form, with a query where that is allowed. */
static void check_path(const char *setting, const char *text, bool query_allowed,
		       struct policy_where where, struct policy_context *context)
{
	char buf[URL_CANON_ROOM(PATH_MAX_BYTES)];
	struct url_target target;
	struct url_canon canon;
	enum reason reason;

	if (!url_split(span_from_str(text), &target, &reason) || target.form != URL_ORIGIN ||
	    target.path.len > PATH_MAX_BYTES || (target.query.ptr && !query_allowed)) {
		policy_error_in(context, where, setting,
				"\"%.64s\" is not a path%s, such as \"/news\", of at most %d bytes", text,
				query_allowed ? " with an optional query" : "", PATH_MAX_BYTES);
		return;
	}
	url_canon_path(target.path, buf, &canon);
	if (canon.findings != URL_FINDING_NONE)
		policy_error_in(context, where, setting,
				"\"%.64s\" is never met, paths are compared in canonical form: "
				"\"%.*s\"",
				text, SPAN_ARG(canon.path));
}

static void check_paths(const char *setting, const struct policy_strings *paths, bool query_allowed,
			struct policy_context *context)
{
	for (size_t i = 0; i < paths->n; i++)
		check_path(setting, paths->items[i], query_allowed, paths->where, context);
}

static bool is_cookie_pattern(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789!#$%&'+-.^_`|~";
	const size_t len = strlen(name), plain = strspn(name, allowed);

	return plain > 0 && len <= COOKIE_NAME_MAX &&
	       (plain == len || (plain + 1 == len && name[plain] == '*'));
}

static void check_cookies(const struct policy_strings *names, struct policy_context *context)
{
	for (size_t i = 0; i < names->n; i++)
		if (!is_cookie_pattern(names->items[i]))
			policy_error_in(context, names->where, "session_cookies",
					"\"%.64s\" is not the name of a cookie, with an optional "
					"\"*\" at its end",
					names->items[i]);
}

static bool is_argument_pattern(const char *name)
{
	const size_t len = strlen(name), plain = strcspn(name, "*&=?# ");

	return plain > 0 && len <= ARGUMENT_NAME_MAX &&
	       (plain == len || (plain + 1 == len && name[plain] == '*'));
}

static void check_arguments(const struct policy_strings *names, struct policy_context *context)
{
	for (size_t i = 0; i < names->n; i++)
		if (!is_argument_pattern(names->items[i]))
			policy_error_in(context, names->where, "ignore_query",
					"\"%.64s\" is not the name of an argument, with an optional "
					"\"*\" at its end",
					names->items[i]);
}

static void finish_guard(void *structure, struct policy_where where, struct policy_context *context)
{
	struct guard_policy *guard = structure;

	check_paths("seeds", &guard->seeds, true, context);
	check_paths("exclude", &guard->exclude, false, context);
	policy_hosts(&guard->redirects, "redirects", "pay.example", context);
	check_arguments(&guard->ignore_query, context);
	check_cookies(&guard->session_cookies, context);
	if (guard->seeds.items && guard->seeds.n == 0 && !guard->sitemap &&
	    guard->mode != GUARD_OFF)
		policy_warning(context, where,
			       "without seeds and sitemap only what visitors ask for is learned");
}

const struct schema guard_schema = {
    .name = "guard",
    .size = sizeof(struct guard_policy),
    .settings = guard_rows,
    .where_offset = GUARD(where),
    .finish = finish_guard,
};

const struct schema vault_schema = {
    .name = "vault",
    .size = sizeof(struct vault_settings),
    .settings = vault_rows,
    .where_offset = VAULT(where),
};
