/* What is told of a page: an event for the operator, a nomination for the keeper. A page that is held a
 * thousand times a second is told of once a minute; the keeper finds out for itself how it is. */
#include <stdio.h>
#include <unistd.h>

#include "front/guard.h"
#include "sallyport/hash.h"
#include "sallyport/nomination.h"

enum { TELL_EVERY_MS = 60000, NOMINATE_EVERY_MS = 600000, EVIDENCE_MAX = 256, KEY_TOLD_MAX = 1024 };

void guard_keep_evidence(struct exchange *x, struct span evidence)
{
	size_t len = evidence.len < EVIDENCE_MAX ? evidence.len : EVIDENCE_MAX;
	hold_release(&x->evidence, &x->front->memory);
	if (hold_add(&x->evidence, &x->front->memory, evidence.ptr, len) && len > 0)
		x->verdict.evidence = span_of(hold_ptr(&x->evidence), len);
}

static uint64_t hash_of(const struct page *page, unsigned what)
{
	return hash_add_span(HASH_START ^ page->site ^ what, span_of(page->key, page->key_len));
}

/* True where it was not told lately; *folded: how often it was not since. */
static bool is_due(struct exchange *x, unsigned what, uint64_t every_ms, uint32_t *folded)
{
	uint64_t hash = hash_of(x->page, what), now_ms = loop_now_ms(x->front->loop);
	struct told *told = &x->front->guard->told[(hash ^ hash >> 32) % TOLD_SLOTS];
	if (told->hash == hash && now_ms < told->until_ms) {
		told->folded++;
		return false;
	}
	*folded = told->hash == hash ? told->folded : 0;
	*told = (struct told){.hash = hash, .until_ms = now_ms + every_ms};
	return true;
}

static void nominate(struct exchange *x, enum nomination_kind kind, enum reason reason, struct span host)
{
	struct front *f = x->front;
	bool wake = false;
	struct nomination nomination = {
	    .site = x->page->site,
	    .kind = (uint8_t)kind,
	    .severity = guard_is_severe(reason)     ? SEVERITY_SEVERE
			: guard_is_verdict(reason)   ? SEVERITY_CHANGED
						    : SEVERITY_NOTE,
	    .reason = (uint16_t)reason,
	    .status = x->status,
	};
	if (!f->setup.memory.nominations || x->page->key_len > NOMINATION_KEY_MAX)
		return;
	if (host.len > NOMINATION_HOST_MAX)
		host.len = NOMINATION_HOST_MAX;
	if (!nomination_put(f->setup.memory.nominations, &nomination,
			    span_of(x->page->key, x->page->key_len), host, &wake))
		stat_add(&f->stats->nominations_dropped, 1);
	if (wake) {
		uint64_t one = 1;
		/* Full means that it is awake already. */
		ssize_t n = write(f->setup.nomination_event_fd, &one, sizeof(one));
		(void)n;
	}
}

static bool is_held(const struct exchange *x)
{
	return x->guard_enforces && x->page->plan.action != GUARD_WATCH;
}

/* A page that is known has a copy, but for who is in a session: perhaps it is his own. */
static const char *outcome(const struct exchange *x)
{
	bool is_known = x->page->plan.page.policy == BASELINE_EXACT;
	if (!is_held(x))
		return "passed";
	if (x->page->plan.has_copy)
		return "is answered by its copy";
	return is_known ? "is answered by 503 in a session (guard.sessions)" : "is answered by 503";
}

static void tell(struct exchange *x, enum reason reason, uint32_t folded)
{
	char text[KEY_TOLD_MAX + 256];
	size_t len = x->page->key_len < KEY_TOLD_MAX ? x->page->key_len : KEY_TOLD_MAX;
	int n = snprintf(text, sizeof(text), "%.*s %s: %s", (int)len, x->page->key, outcome(x),
			 reason_text(reason));
	struct guard_event event = {
	    .site = x->subject.site,
	    .reason = reason,
	    .sentence = span_of(text, n > 0 && (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1),
	    .evidence = x->verdict.evidence,
	    .folded = folded,
	};
	record_guard(x->front, &event);
}

void guard_note(struct exchange *x, enum reason reason)
{
	uint32_t folded;
	bool enforced = is_held(x);
	struct redirect to = {0};
	if (!enforced) {
		/* It went out: the log line says what it was. */
		stat_add(&x->front->stats->reasons[reason], 1);
		x->verdict.action = VERDICT_COPY;
		x->verdict.reason = reason;
		x->verdict.enforced = false;
	}
	/* That one went out is news, though others were held. */
	if (!is_due(x, reason + (enforced ? 0 : (unsigned)REASON_COUNT), TELL_EVERY_MS, &folded))
		return;
	if (reason == REASON_GUARD_REDIRECT)
		redirect_read(x->verdict.evidence, true, &to);
	tell(x, reason, folded);
	nominate(x, guard_is_verdict(reason) ? NOMINATION_HELD : NOMINATION_FAILED, reason,
		 span_of(to.host, to.kind == REDIRECT_HOST ? to.host_len : 0));
}

void guard_nominate(struct exchange *x)
{
	uint32_t folded;
	if (x->status == 200 && is_due(x, REASON_UNSET, NOMINATE_EVERY_MS, &folded))
		nominate(x, NOMINATION_SEEN, REASON_UNSET, span_of(NULL, 0));
}
