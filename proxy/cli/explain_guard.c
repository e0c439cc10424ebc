/* What the guard does about the answer to a request that is passed on. Which pages are known stands in the vault and
 * changes by the hour; `sallyport vault show` tells that. Here stands what the policy decides. */
#include "cli/explain.h"
#include "sallyport/guard.h"
#include "sallyport/page_key.h"

static void say_page(struct explain *e, const struct guard_policy *policy, const char *mode, bool is_anonymous, const char *page)
{
	const bool is_held = policy->unknown == GUARD_UNKNOWN_HOLD;
	if (policy->mode == GUARD_MONITOR)
		explain_sayf(e, "guard", "sites[].guard.mode", "%s: %s is compared where it is known, and what differs is logged",
			     mode, page);
	else if (!is_anonymous && policy->sessions == GUARD_SESSIONS_PASS)
		explain_sayf(e, "guard", "sites[].guard.sessions",
			     "%s: a visitor in a session, who gets %s as it comes where it is HTML, XML, JSON or plain text", mode, page);
	else if (!is_anonymous)
		explain_sayf(e, "guard", "sites[].guard.session_cookies",
			     "%s: a visitor in a session, who gets 503 for what differs where %s is known, and no copy%s", mode, page,
			     is_held ? "; where it is not, 503" : "");
	else
		explain_sayf(e, "guard", "sites[].guard.unknown", "%s: where %s is known, its copy replaces what differs; where not, %s",
			     mode, page, is_held ? "it is held back with 503" : "it passes");
}

/* Its key as the guard knows it, for a terminal. */
static void write_page(const struct subject *s, char *key, struct strbuf *out)
{
	const size_t len = page_key_write(&s->site->guard.ignore_query, s->forward_path, s->target.query, key);
	explain_add_shown(out, span_of(key, len));
	strbuf_add_str(out, "");
}

bool explain_guard(struct explain *e, const struct http_head *head, const struct subject *s)
{
	static const char *const modes[] = {[GUARD_MONITOR] = "monitor", [GUARD_ENFORCE] = "enforce"};
	const struct guard_policy *policy = &s->site->guard;
	const char *const mode = policy->mode == GUARD_MONITOR || policy->mode == GUARD_ENFORCE ? modes[policy->mode] : NULL;
	if (!mode || !s->forward_path.ptr)
		return true;
	char *key = malloc(s->forward_path.len + 1 + s->target.query.len);
	struct strbuf page;
	if (!key)
		return false;
	strbuf_init(&page, 4 * SHOWN_MAX + 1024);
	write_page(s, key, &page);
	if (guard_is_excluded(policy, s->forward_path))
		explain_sayf(e, "guard", "sites[].guard.exclude", "%s: the path is excluded, only redirects to foreign hosts are held", mode);
	else if (head->method != HTTP_GET && head->method != HTTP_HEAD)
		explain_sayf(e, "guard", "sites[].guard.mode", "%s: pages are asked for by GET and HEAD; of others only redirects to foreign hosts are held",
			     mode);
	else
		say_page(e, policy, mode, guard_is_anonymous(head, &policy->session_cookies), page.data ? page.data : "it");
	strbuf_release(&page);
	free(key);
	return true;
}
