/* What the scout asks, and by which rules libcurl is to ask it: who it claims to be, what it accepts, and
 * everything that libcurl would do of its own accord (proxies, cookies, redirects, reuse) switched
 * off. */
#include "guard/fetch_parts.h"

#include "sallyport/small_file.h"

enum {
	CONNECT_MS = 5000, /* to one address, where there are others */
	SLOW_BYTES_PER_S = 64, SLOW_S = 20, /* who sends less for so long is as good as silent */
	BUFFER_BYTES = 16384,
	AUTHORITIES_MAX = 4 << 20,
	TEXT_SIZE = 512,
};

/* ---- what comes ---- */

static size_t on_head_line(char *line, size_t size, size_t n, void *context)
{
	struct fetch *fetch = context;
	return fetch_reply_line(&fetch->reply, span_of(line, size * n)) ? size * n : 0;
}

/* The limit is reached, and an older one has content. */
static bool must_wait(const struct fetch *fetch)
{
	const struct fetcher *fetcher = fetch->fetcher;
	if (fetcher->memory_used < fetcher->setup.memory_bytes)
		return false;
	const struct fetch *first = fetcher->oldest;
	while (first != fetch && first->reply.room == 0)
		first = first->next;
	return first != fetch;
}

static size_t on_content(char *bytes, size_t size, size_t n, void *context)
{
	struct fetch *fetch = context;
	if (must_wait(fetch)) {
		fetch->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	return fetch_reply_content(&fetch->reply, span_of(bytes, size * n)) ? size * n : 0;
}

/* ---- what is asked ---- */

static const char *const agents[JOB_AGENT_COUNT] = {
    [JOB_AGENT_OWN] = "sallyport-scout/" SALLYPORT_VERSION,
    [JOB_AGENT_BROWSER] = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
			  "Chrome/130.0.0.0 Safari/537.36",
    [JOB_AGENT_SEARCH_BOT] =
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    [JOB_AGENT_MOBILE] = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 "
			 "(KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
};

static bool add_line(struct fetch *fetch, const char *line)
{
	struct curl_slist *longer = curl_slist_append(fetch->fields, line);
	if (!longer)
		return false;
	fetch->fields = longer;
	return true;
}

static bool add_field(struct fetch *fetch, const char *name, const char *value)
{
	char line[TEXT_SIZE];
	int n = snprintf(line, sizeof(line), "%s: %s", name, value);
	return n > 0 && (size_t)n < sizeof(line) && add_line(fetch, line);
}

/* What browsers accept, since what they get is what is to be judged; of codings, those that workers ask for. */
static bool add_fields(struct fetch *fetch)
{
	return add_field(fetch, "Host", fetch->host) &&
	       add_field(fetch, "User-Agent", agents[fetch->request.agent]) &&
	       add_field(fetch, "Accept",
			 "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8") &&
	       add_field(fetch, "Accept-Encoding", "gzip, br, zstd") &&
	       (fetch->request.referer != JOB_REFERER_SEARCH ||
		add_field(fetch, "Referer", "https://www.google.com/"));
}

/* libcurl would wait for leave to send it (Expect). */
static bool set_content(struct fetch *fetch)
{
	CURL *curl = fetch->curl;
	struct span content = fetch->request.content;
	if (!content.ptr)
		return true;
	return add_line(fetch, "Content-Type: application/json") && add_line(fetch, "Expect:") &&
	       curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)content.len) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_POSTFIELDS, content.ptr) == CURLE_OK;
}

static bool add_further(struct fetch *fetch)
{
	for (const char *const *field = fetch->request.fields; field && *field; field++)
		if (!add_line(fetch, *field))
			return false;
	return true;
}

static bool set_tls(struct fetch *fetch)
{
	CURL *curl = fetch->curl;
	struct span ca = fetch->request.tls_with.ca;
	long verify = fetch->request.tls_with.verify;
	if (ca.len == 0)
		ca = fetch->fetcher->setup.ca;
	struct curl_blob blob = {(void *)(uintptr_t)ca.ptr, ca.len, CURL_BLOB_NOCOPY};
	return curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, verify) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK &&
	       (ca.len == 0 || curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK);
}

/* The URL names whom a certificate has to name; where it is connected to is said apart. */
static bool set_where(struct fetch *fetch, const struct addr *addr)
{
	char url[TEXT_SIZE], to[ADDR_TEXT_SIZE + 2], address[ADDR_TEXT_SIZE];
	const char *name = fetch->tls_name ? fetch->tls_name : fetch->origin;
	bool is_v6 = strchr(name, ':') != NULL;
	int n = snprintf(url, sizeof(url), "%s://%s%s%s:%u/", fetch->request.tls ? "https" : "http",
			 is_v6 ? "[" : "", name, is_v6 ? "]" : "", fetch->request.port);
	addr_format(addr, address);
	snprintf(to, sizeof(to), "::%s", address);
	fetch->connect_to = curl_slist_append(NULL, to);
	return n > 0 && (size_t)n < sizeof(url) && fetch->connect_to &&
	       curl_easy_setopt(fetch->curl, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(fetch->curl, CURLOPT_CONNECT_TO, fetch->connect_to) == CURLE_OK &&
	       curl_easy_setopt(fetch->curl, CURLOPT_REQUEST_TARGET, fetch->target) == CURLE_OK;
}

static bool set_numbers(CURL *curl, uint64_t left_ms, bool is_last_address)
{
	uint64_t connect_ms = is_last_address || left_ms < CONNECT_MS ? left_ms : CONNECT_MS;
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
	    {CURLOPT_NOSIGNAL, 1},
	    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
	    {CURLOPT_HTTP09_ALLOWED, 0},
	    {CURLOPT_HTTP_TRANSFER_DECODING, 0}, /* fetch_reply.c does it */
	    {CURLOPT_FOLLOWLOCATION, 0},
	    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
	    {CURLOPT_FRESH_CONNECT, 1}, /* nobody's rest is the next one's beginning */
	    {CURLOPT_FORBID_REUSE, 1},
	    {CURLOPT_BUFFERSIZE, BUFFER_BYTES},
	    {CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES_PER_S},
	    {CURLOPT_LOW_SPEED_TIME, SLOW_S},
	    {CURLOPT_TIMEOUT_MS, (long)left_ms},
	    {CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms},
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (curl_easy_setopt(curl, numbers[i].option, numbers[i].value) != CURLE_OK)
			return false;
	return true;
}

static bool set_callbacks(struct fetch *fetch)
{
	CURL *curl = fetch->curl;
	return curl_easy_setopt(curl, CURLOPT_PRIVATE, fetch) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head_line) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERDATA, fetch) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_content) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, fetch->error) == CURLE_OK;
}

/* An empty proxy is none, whatever the environment says. */
bool fetch_set_up(struct fetch *fetch, const struct addr *addr, uint64_t left_ms, bool is_last)
{
	CURL *curl = fetch->curl;
	return set_numbers(curl, left_ms, is_last) && set_callbacks(fetch) && set_where(fetch, addr) &&
	       add_fields(fetch) && add_further(fetch) && set_content(fetch) &&
	       curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fetch->fields) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK && set_tls(fetch);
}

/* ---- certificate authorities ---- */

char *fetch_read_authorities_of(const char *path, size_t *len)
{
	return small_file_read(path, AUTHORITIES_MAX, len);
}

char *fetch_read_authorities(size_t *len)
{
	static const char *const paths[] = {
	    "/etc/ssl/certs/ca-certificates.crt",                /* Debian */
	    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Red Hat */
	    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
	    "/etc/ssl/cert.pem",                                 /* Alpine, BSD */
	};
	*len = 0;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char *text = fetch_read_authorities_of(paths[i], len);
		if (text)
			return text;
	}
	return NULL;
}
