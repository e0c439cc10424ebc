/* Nominations: from workers, through a ring of each, to the keeper. The keeper trusts nothing that it
 * finds there: a captured worker can nominate what it likes, and gets no more by it than
 * fetches within the site's rate. */
#include "sallyport/nomination.h"

#include <string.h>

bool nomination_put(struct log_ring *ring, const struct nomination *nomination, struct span key,
		    struct span host, bool *wake)
{
	char record[sizeof(struct nomination) + NOMINATION_KEY_MAX + NOMINATION_HOST_MAX];
	struct nomination head = *nomination;
	*wake = false;
	if (key.len == 0 || key.len > NOMINATION_KEY_MAX || host.len > NOMINATION_HOST_MAX)
		return false;
	head.key_len = (uint16_t)key.len;
	head.host_len = (uint16_t)host.len;
	memcpy(record, &head, sizeof(head));
	memcpy(record + sizeof(head), key.ptr, key.len);
	if (host.len > 0)
		memcpy(record + sizeof(head) + key.len, host.ptr, host.len);
	return log_ring_put(ring, record, sizeof(head) + key.len + host.len, wake);
}

static bool is_sound(const struct nomination *n, size_t len, const char *key)
{
	return n->kind > NOMINATION_UNSET && n->kind < NOMINATION_KINDS &&
	       n->severity < SEVERITIES && n->reason < REASON_COUNT && n->key_len > 0 &&
	       n->key_len <= NOMINATION_KEY_MAX && n->host_len <= NOMINATION_HOST_MAX &&
	       len == sizeof(*n) + n->key_len + n->host_len && key[0] == '/';
}

bool nomination_take(struct log_ring *ring, void *buf, struct nomination *out, struct span *key,
		     struct span *host)
{
	bool damaged;
	size_t len;
	while ((len = log_ring_take(ring, buf, &damaged)) > 0) {
		const char *texts = (const char *)buf + sizeof(*out);
		if (len <= sizeof(*out))
			continue;
		memcpy(out, buf, sizeof(*out));
		if (!is_sound(out, len, texts))
			continue;
		*key = span_of(texts, out->key_len);
		*host = span_of(texts + out->key_len, out->host_len);
		return true;
	}
	return false;
}
