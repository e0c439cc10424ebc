/* Fetches pages by libcurl's multi interface, in our event loop. libcurl is trusted with connections,
 * TLS and where a message ends; what a message says is read by fetch_reply.c.
 *
 *   fetch_start ─► NAMING ── addresses ──► ASKING ── its end ──► done
 *                     └ none ──► done        ▲   └─ no connection: the next address
 *                                            └──────┘
 *
 * libcurl counts on being told again of what it left unread, and our loop tells once: so its
 * sockets are watched by an epoll descriptor of their own, and the loop watches that one. */
#include "sallyport/fetch.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "guard/fetch_parts.h"

enum {
	SOCKETS_PER_ROUND = 16,
	NAME_WAIT_MS = 20, /* between looks whether a name has addresses by now */
};

static struct fetcher *fetcher_of_timer(struct timer *timer)
{
	return (struct fetcher *)(void *)((char *)timer - offsetof(struct fetcher, timer));
}

/* ---- the end of a fetch ---- */

static void drop_transfer(struct fetch *fetch)
{
	if (!fetch->curl)
		return;
	curl_multi_remove_handle(fetch->fetcher->multi, fetch->curl);
	curl_easy_cleanup(fetch->curl);
	curl_slist_free_all(fetch->fields);
	curl_slist_free_all(fetch->connect_to);
	fetch->curl = NULL;
	fetch->fields = fetch->connect_to = NULL;
}

static void unlink_fetch(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch->fetcher;
	*(fetch->prev ? &fetch->prev->next : &fetcher->oldest) = fetch->next;
	*(fetch->next ? &fetch->next->prev : &fetcher->newest) = fetch->prev;
}

static void free_fetch(struct fetch *fetch)
{
	loop_disarm(fetch->fetcher->setup.loop, &fetch->timer);
	drop_transfer(fetch);
	fetch_reply_release(&fetch->reply);
	free(fetch->origin);
	free(fetch->host);
	free(fetch->target);
	free(fetch->tls_name);
	free(fetch);
}

/* Those that waited for memory may look again. */
static void go_on(struct fetcher *fetcher)
{
	for (struct fetch *fetch = fetcher->oldest; fetch; fetch = fetch->next) {
		if (!fetch->paused)
			continue;
		fetch->paused = false;
		curl_easy_pause(fetch->curl, CURLPAUSE_CONT);
	}
}

static void finish(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch->fetcher;
	struct fetch_reply *reply = &fetch->reply;
	struct fetch_result result = {
	    .outcome = reply->outcome,
	    .error = reply->error,
	    .page = &reply->page,
	    .content = span_of((const char *)reply->content, reply->len),
	    .took_ms = loop_now_ms(fetcher->setup.loop) - fetch->started_ms,
	};
	unlink_fetch(fetch);
	fetch->done(fetch->context, &result);
	bool had_content = reply->room > 0;
	free_fetch(fetch);
	if (had_content)
		go_on(fetcher);
}

void fetch_cancel(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch->fetcher;
	unlink_fetch(fetch);
	free_fetch(fetch);
	go_on(fetcher);
}

/* ---- asking ---- */

/* False: the fetch has its outcome. */
static bool ask_next(struct fetch *fetch)
{
	uint64_t now_ms = loop_now_ms(fetch->fetcher->setup.loop);
	const struct addr *addr = &fetch->addrs[(fetch->first + fetch->tried) % fetch->addr_count];
	bool is_last = ++fetch->tried == fetch->addr_count;
	if (now_ms >= fetch->deadline_ms)
		return fetch_reply_fail(&fetch->reply, SAMPLE_TIMEOUT, "its time is over");
	drop_transfer(fetch);
	fetch->curl = curl_easy_init();
	fetch->error[0] = '\0';
	if (!fetch->curl || !fetch_set_up(fetch, addr, fetch->deadline_ms - now_ms, is_last))
		return fetch_reply_fail(&fetch->reply, SAMPLE_REFUSED, "the request cannot be made");
	CURLMcode code = curl_multi_add_handle(fetch->fetcher->multi, fetch->curl);
	return code == CURLM_OK ||
	       fetch_reply_fail(&fetch->reply, SAMPLE_REFUSED, "%s", curl_multi_strerror(code));
}

static enum sample_outcome outcome_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE: return SAMPLE_UNREACHED;
	case CURLE_OPERATION_TIMEDOUT: return SAMPLE_TIMEOUT;
	default: return SAMPLE_BROKEN;
	}
}

static bool was_connected(const struct fetch *fetch)
{
	curl_off_t us = 0;
	return curl_easy_getinfo(fetch->curl, CURLINFO_CONNECT_TIME_T, &us) == CURLE_OK && us > 0;
}

/* True where another address is being asked. */
static bool tries_again(struct fetch *fetch, CURLcode code)
{
	bool is_unreached = code == CURLE_COULDNT_CONNECT ||
			    (code == CURLE_OPERATION_TIMEDOUT && !was_connected(fetch));
	return is_unreached && fetch->tried < fetch->addr_count && ask_next(fetch);
}

static void transfer_ended(struct fetch *fetch, CURLcode code)
{
	struct fetch_reply *reply = &fetch->reply;
	if (tries_again(fetch, code))
		return;
	if (code == CURLE_OK) {
		if (fetch_reply_end(reply))
			reply->error[0] = '\0';
	} else {
		fetch_reply_fail(reply, outcome_of(code), "%s",
				 fetch->error[0] ? fetch->error : curl_easy_strerror(code));
	}
	finish(fetch);
}

static void harvest(struct fetcher *fetcher)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
		struct fetch *fetch = NULL;
		CURLcode code = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
		transfer_ended(fetch, code);
	}
}

/* ---- libcurl in our loop ---- */

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *context, void *known)
{
	struct fetcher *fetcher = context;
	struct epoll_event event = {
	    .events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U),
	    .data.fd = fd,
	};
	(void)curl;
	(void)known;
	if (what == CURL_POLL_REMOVE)
		epoll_ctl(fetcher->watch.fd, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(fetcher->watch.fd, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
		/* without memory for it the fetch times out, and says so */
		epoll_ctl(fetcher->watch.fd, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *context)
{
	struct fetcher *fetcher = context;
	struct loop *loop = fetcher->setup.loop;
	(void)multi;
	if (timeout_ms < 0)
		loop_disarm(loop, &fetcher->timer);
	else
		loop_arm(loop, &fetcher->timer, loop_now_ms(loop) + (uint64_t)timeout_ms);
	return 0;
}

static void on_timeout(struct timer *timer)
{
	struct fetcher *fetcher = fetcher_of_timer(timer);
	int running;
	curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	harvest(fetcher);
}

static void on_sockets(struct watch *watch, unsigned events)
{
	struct fetcher *fetcher = (struct fetcher *)(void *)watch;
	struct epoll_event ready[SOCKETS_PER_ROUND];
	int running;
	(void)events;
	int n = epoll_wait(watch->fd, ready, SOCKETS_PER_ROUND, 0);
	for (int i = 0; i < n; i++) {
		int what = (ready[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
			   (ready[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (ready[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);
		curl_multi_socket_action(fetcher->multi, ready[i].data.fd, what, &running);
	}
	harvest(fetcher);
}

static bool set_up_multi(struct fetcher *fetcher)
{
	return curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
	       curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher) == CURLM_OK &&
	       curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change) == CURLM_OK &&
	       curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher) == CURLM_OK;
}

struct fetcher *fetcher_new(const struct fetcher_setup *setup, struct err *err)
{
	struct fetcher *fetcher = calloc(1, sizeof(*fetcher));
	if (!fetcher || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_set(err, "libcurl cannot be set up");
		free(fetcher);
		return NULL;
	}
	fetcher->setup = *setup;
	fetcher->timer.on_expiry = on_timeout;
	fetcher->watch = (struct watch){.on_event = on_sockets, .fd = epoll_create1(EPOLL_CLOEXEC)};
	fetcher->multi = curl_multi_init();
	if (fetcher->watch.fd >= 0 && fetcher->multi && set_up_multi(fetcher) &&
	    loop_watch_input(setup->loop, &fetcher->watch, err))
		return fetcher;
	err_set(err, "libcurl cannot be set up: %s", strerror(errno));
	fetcher_free(fetcher);
	return NULL;
}

uint64_t fetcher_memory(const struct fetcher *fetcher)
{
	return fetcher->memory_used;
}

void fetcher_free(struct fetcher *fetcher)
{
	if (!fetcher)
		return;
	while (fetcher->oldest) {
		struct fetch *fetch = fetcher->oldest;
		unlink_fetch(fetch);
		free_fetch(fetch);
	}
	curl_multi_cleanup(fetcher->multi);
	loop_disarm(fetcher->setup.loop, &fetcher->timer);
	if (fetcher->watch.fd >= 0) {
		loop_unwatch(fetcher->setup.loop, &fetcher->watch);
		close(fetcher->watch.fd);
	}
	while (fetcher->names) {
		struct name *name = fetcher->names;
		fetcher->names = name->next;
		free(name);
	}
	curl_global_cleanup();
	free(fetcher);
}

/* ---- naming ---- */

/* Names are kept: their addresses stay fresh, and come from the resolver that keeps them. */
static const struct name *find_name(struct fetcher *fetcher, const char *host, uint16_t port)
{
	for (struct name *name = fetcher->names; name; name = name->next)
		if (name->port == port && strcmp(name->host, host) == 0)
			return name;
	size_t len = strlen(host) + 1;
	struct name *name = fetcher->name_count < FETCH_NAMES_MAX ? malloc(sizeof(*name) + len) : NULL;
	if (!name)
		return NULL;
	*name = (struct name){.addresses = resolver_watch(fetcher->setup.resolver, host, port),
			      .port = port, .next = fetcher->names};
	memcpy(name->host, host, len);
	if (!name->addresses) {
		free(name);
		return NULL;
	}
	fetcher->names = name;
	fetcher->name_count++;
	return name;
}

/* False: it has no address by now; the reply may say why it never will. */
static bool take_addresses(struct fetch *fetch)
{
	const char *problem = resolver_problem(fetch->name->addresses);
	fetch->addr_count = resolver_addrs(fetch->name->addresses, fetch->addrs);
	if (fetch->addr_count > 0)
		return true;
	if (problem[0] != '\0' && strcmp(problem, RESOLVE_NOT_ASKED) != 0)
		return fetch_reply_fail(&fetch->reply, SAMPLE_UNREACHED, "%s: %s", fetch->origin, problem);
	if (loop_now_ms(fetch->fetcher->setup.loop) >= fetch->deadline_ms)
		return fetch_reply_fail(&fetch->reply, SAMPLE_UNREACHED, "%s: no answer from DNS in time",
					fetch->origin);
	return false;
}

static void find_addresses(struct fetch *fetch)
{
	if (!fetch->name) {
		fetch->addr_count = 1;
		if (!addr_parse_ip(span_from_str(fetch->origin), fetch->request.port, &fetch->addrs[0]))
			fetch_reply_fail(&fetch->reply, SAMPLE_REFUSED,
					 "%s: no memory for one more name", fetch->origin);
	} else if (!take_addresses(fetch)) {
		return;
	}
	/* each of a name's addresses in turn, so that one server among several is seen, too */
	fetch->first = fetch->fetcher->turn++ % fetch->addr_count;
}

static void on_fetch_timer(struct timer *timer)
{
	struct fetch *fetch = (struct fetch *)(void *)timer;
	struct loop *loop = fetch->fetcher->setup.loop;
	if (fetch->reply.outcome == SAMPLE_UNSET)
		find_addresses(fetch);
	if (fetch->reply.outcome == SAMPLE_UNSET && fetch->addr_count == 0)
		loop_arm(loop, &fetch->timer, loop_now_ms(loop) + NAME_WAIT_MS);
	else if (fetch->reply.outcome != SAMPLE_UNSET || !ask_next(fetch))
		finish(fetch);
}

static bool copy_texts(struct fetch *fetch, const struct fetch_request *request)
{
	fetch->origin = strdup(request->origin);
	fetch->host = strdup(request->host);
	fetch->target = strdup(request->target);
	if (request->tls_with.name)
		fetch->tls_name = strdup(request->tls_with.name);
	return fetch->origin && fetch->host && fetch->target &&
	       (fetch->tls_name || !request->tls_with.name);
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
			  fetch_done *done, void *context)
{
	struct loop *loop = fetcher->setup.loop;
	struct fetch *fetch = calloc(1, sizeof(*fetch));
	struct addr literal;
	if (!fetch)
		return NULL;
	fetch->fetcher = fetcher;
	fetch->request = *request;
	fetch->done = done;
	fetch->context = context;
	fetch_reply_begin(&fetch->reply, request->max_bytes, &fetcher->memory_used);
	if (!copy_texts(fetch, request)) {
		free_fetch(fetch);
		return NULL;
	}
	fetch->started_ms = loop_now_ms(loop);
	fetch->deadline_ms = fetch->started_ms + request->timeout_ms;
	if (!addr_parse_ip(span_from_str(request->origin), request->port, &literal))
		fetch->name = find_name(fetcher, request->origin, request->port);
	fetch->prev = fetcher->newest;
	*(fetch->prev ? &fetch->prev->next : &fetcher->oldest) = fetch;
	fetcher->newest = fetch;
	fetch->timer.on_expiry = on_fetch_timer;
	loop_arm(loop, &fetch->timer, fetch->started_ms);
	return fetch;
}
