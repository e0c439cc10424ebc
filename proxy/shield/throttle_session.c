/* Sessions by a cookie, and their rates. Trusts no cookie: that a session is a real one is for the origin to know. */
#include "sallyport/throttle_session.h"

#include <string.h>

#include "sallyport/admission.h"
#include "sallyport/shield.h"
#include "shield/lenient_name.h"
#include "shield/rate_schema.h"

#define SESSIONS(member) offsetof(struct throttle_sessions, member)

#define KEEP_US    (UINT64_C(600) * 1000000) /* a client's session is not new again so long after it was last seen */
#define SESSION_ID UINT64_C(0x73657373696f6e01)
#define SEEN_ID    UINT64_C(0x7365656e00000001)
#define OTHERS_ID  UINT64_C(0x6f74686572730001)

enum {
	RATE_MAX = 100000,
	BURST_MAX = 1000000,
	PIECE = 256,
	NAMED_MAX = 4, /* one is usual: what is more counts as the client's other sessions do */
};

static const struct setting session_rows[] = {
    {"cookie", SETTING_STRING, SESSIONS(cookie), .example = "\"sid\"",
     .doc = "The name of the cookie whose value is the session."},
    {"per_session", SETTING_RATE, SESSIONS(per_session), .min = 1, .max = RATE_MAX, .example = "\"10/s\"",
     .doc = "How often one session may ask, over all clients that have it."},
    {"burst", SETTING_COUNT, SESSIONS(burst), .standard = "50", .min = 1, .max = BURST_MAX, .doc = "How often at once."},
    {"new_per_client", SETTING_RATE, SESSIONS(new_per_client), .standard = "10/min", .min = 1, .max = RATE_MAX,
     .doc = "How many sessions one client may begin that it did not have in the last ten minutes. What is more of them counts as one."},
    {"new_burst", SETTING_COUNT, SESSIONS(new_burst), .standard = "50", .min = 1, .max = BURST_MAX,
     .doc = "How many at once."},
    {0},
};

static void finish_sessions(void *structure, struct policy_where where, struct policy_context *context)
{
	struct throttle_sessions *sessions = structure;
	const struct policy_where nowhere = {0};
	if (sessions->where.line > 0 && !sessions->cookie)
		policy_error_in(context, where, "cookie", "it is not set: there is no session without it");
	if (sessions->where.line > 0 && policy_where_of(context, "per_session", nowhere).line == 0)
		policy_error_in(context, where, "per_session", "it is not set");
	rate_compile(&sessions->per_session, sessions->burst, "burst", SESSION_ID, &sessions->rate, where, context);
	rate_compile(&sessions->new_per_client, sessions->new_burst, "new_burst", SEEN_ID, &sessions->new_rate, where,
		     context);
}

const struct schema throttle_sessions_schema = {
    .name = "sessions",
    .size = sizeof(struct throttle_sessions),
    .settings = session_rows,
    .where_offset = SESSIONS(where),
    .finish = finish_sessions,
};

/* The value without quotes (RFC 6265 section 4.1.1 has them as part of it, readers drop them); empty where it is nobody's:
 * what PHP and others write into a cookie that is to go. */
static struct span value_of(const struct shield_text *cookie)
{
	struct span value = span_trim_ows(span_from(cookie->text, span_find(cookie->text, '=') + 1));
	if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
		value = span_of(value.ptr + 1, value.len - 2);
	return span_eq(value, SPAN("deleted")) ? span_of(value.ptr, 0) : value;
}

/* The byte at *at, and past it: many origins undo escapes in cookies, and each byte may be written as one. */
static char next_byte(struct span value, size_t *at)
{
	const char *s = value.ptr + *at;
	if (s[0] == '%' && value.len - *at >= 3 && ascii_hex(s[1]) >= 0 && ascii_hex(s[2]) >= 0) {
		*at += 3;
		return (char)(ascii_hex(s[1]) << 4 | ascii_hex(s[2]));
	}
	*at += 1;
	return s[0];
}

/* Piece by piece, each with the key of those before it: a value may be as long as a field. */
static uint64_t key_of(const struct throttle_table *table, struct span value)
{
	char piece[sizeof(uint64_t) + PIECE];
	uint64_t key = 0;
	for (size_t at = 0; at < value.len;) {
		size_t n = sizeof(key);
		memcpy(piece, &key, sizeof(key));
		while (at < value.len && n < sizeof(piece))
			piece[n++] = next_byte(value, &at);
		key = throttle_key_of(table, piece, n);
	}
	return key;
}

/* May this client have it as a session of its own? */
static bool is_admitted(const struct throttle_sessions *sessions, const struct throttle_asker *asker, uint64_t key)
{
	const struct throttle_client seen =
	    throttle_client_of(asker->table, asker->site ^ SEEN_ID ^ asker->client_key, key, asker->now_us);
	if (!throttle_is_remembered(&seen, asker->now_us) &&
	    throttle_ask(asker->client, &sessions->new_rate, asker->now_us).answer != THROTTLE_PASS)
		return false;
	throttle_remember(&seen, KEEP_US, asker->now_us);
	return true;
}

static bool passes(const struct throttle_sessions *sessions, const struct throttle_asker *asker, bool is_own,
		   uint64_t key, struct throttle_result *result)
{
	const bool is_admissible = is_own && is_admitted(sessions, asker, key);
	const struct throttle_client session =
	    is_admissible ? throttle_client_of(asker->table, asker->site ^ SESSION_ID, key, asker->now_us)
			  : throttle_client_of(asker->table, asker->site ^ OTHERS_ID, asker->client_key, asker->now_us);
	*result = throttle_ask(&session, &sessions->rate, asker->now_us);
	return result->answer == THROTTLE_PASS;
}

bool throttle_sessions_pass(const struct throttle_sessions *sessions, const struct throttle_asker *asker,
			    const struct http_head *head, struct throttle_result *result)
{
	struct shield_texts texts = {.head = head};
	struct shield_text text;
	unsigned named = 0;
	while (named <= NAMED_MAX && shield_next_text(&texts, &text)) {
		if (text.place != PLACE_COOKIE || !lenient_name_is(text.name, span_from_str(sessions->cookie)))
			continue;
		const struct span value = value_of(&text);
		if (value.len == 0)
			continue;
		named++;
		/* A backslash, which some undo and no session has, is none of its own. */
		const bool is_own = named <= NAMED_MAX && span_find(value, '\\') == value.len;
		if (!passes(sessions, asker, is_own, key_of(asker->table, value), result))
			return false;
	}
	return true;
}
