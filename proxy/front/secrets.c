/* What of a request is nobody's business: passwords, tokens, cookies. Masked is rather too much than too
 * little, and by names alone: nothing here knows what a secret looks like. Time grows with the bytes.
 *
 * A text is read for assignments: a name, perhaps quoted, then "=" or ":", plain or escaped. Where the name is
 * a secret's, everything up to the next "&" is masked; behind ":", as in JSON, everything. So an
 * origin that reads ";" as "&", or the other way round, makes no difference. */
#include "front/evidence.h"

#include <stdio.h>

enum {
	NAME_MAX_BYTES = 256,
	TEXT_MAX_BYTES = 16 << 10, /* behind them all is masked: nobody waits for the rest */
};

#define WORD(text) {text, sizeof(text) - 1}

/* Anywhere in a name that was reduced to its letters and digits. */
static const struct span parts[] = {
    WORD("password"), WORD("passwd"), WORD("passphrase"), WORD("passcode"), WORD("pwd"), WORD("secret"),
    WORD("token"), WORD("apikey"), WORD("accesskey"), WORD("privatekey"), WORD("credential"), WORD("authoriz"),
    WORD("authent"), WORD("session"), WORD("sessid"), WORD("signature"), WORD("csrf"), WORD("xsrf"), WORD("jwt"),
    WORD("bearer"), WORD("nonce"),
};
/* A word of it: between punctuation, or before a capital letter. */
static const struct span words[] = {
    WORD("pass"), WORD("pw"), WORD("psw"), WORD("pin"), WORD("otp"), WORD("totp"), WORD("mfa"), WORD("code"),
    WORD("auth"), WORD("key"), WORD("sid"), WORD("sig"), WORD("cvv"), WORD("cvc"), WORD("iban"), WORD("ssn"),
};
/* Fields that say nothing in their names. */
static const struct span fields[] = {WORD("Cookie2"), WORD("Set-Cookie"), WORD("X-Vault"), WORD("DPoP")};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
	return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* Escapes are decoded as often as there are any: "%2570" is a "p" to somebody. False: too long. */
static bool decode_name(struct span name, char out[NAME_MAX_BYTES], size_t *len)
{
	*len = 0;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		while (c == '%' && i + 2 < name.len && ascii_hex(name.ptr[i + 1]) >= 0 &&
		       ascii_hex(name.ptr[i + 2]) >= 0) {
			c = (char)(ascii_hex(name.ptr[i + 1]) << 4 | ascii_hex(name.ptr[i + 2]));
			i += 2;
		}
		if (*len == NAME_MAX_BYTES)
			return false;
		out[(*len)++] = c;
	}
	return true;
}

static size_t reduce(const char *name, size_t len, char out[NAME_MAX_BYTES])
{
	size_t n = 0;
	for (size_t i = 0; i < len && n < NAME_MAX_BYTES; i++)
		if (is_alnum(name[i]))
			out[n++] = ascii_lower(name[i]);
	return n;
}

static bool has_part(struct span reduced)
{
	for (size_t i = 0; i + 2 < reduced.len; i++)
		for (size_t j = 0; j < COUNT(parts); j++)
			if (reduced.ptr[i] == parts[j].ptr[0] && span_starts(span_from(reduced, i), parts[j]))
				return true;
	return false;
}

/* An operator writes names as they are. */
static bool has_any(struct span reduced, const struct policy_strings *more)
{
	char own[NAME_MAX_BYTES];
	for (size_t i = 0; more && i < more->n; i++) {
		size_t n = reduce(more->items[i], strlen(more->items[i]), own);
		if (n > 0 && memmem(reduced.ptr, reduced.len, own, n))
			return true;
	}
	return false;
}

static bool is_word(struct span word)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (word.len == words[i].len && span_ieq(word, words[i]))
			return true;
	return false;
}

/* "userPin", "user-pin" and "PIN2" have the word "pin". */
static bool has_word(const char *name, size_t len)
{
	for (size_t from = 0, to; from < len; from = to > from ? to : from + 1) {
		to = from;
		while (to < len && is_alnum(name[to]) && !ascii_is_digit(name[to]) &&
		       (to == from || !is_upper(name[to]) || is_upper(name[to - 1])))
			to++;
		if (is_word(span_of(name + from, to - from)))
			return true;
	}
	return false;
}

bool secret_is_named(const struct policy_strings *more, struct span name)
{
	char decoded[NAME_MAX_BYTES], reduced[NAME_MAX_BYTES];
	size_t len;
	if (!decode_name(name, decoded, &len))
		return true; /* nobody has such a name for what may be shown */
	struct span plain = span_of(reduced, reduce(decoded, len, reduced));
	return has_part(plain) || has_any(plain, more) || has_word(decoded, len);
}

bool secret_is_field(const struct policy_strings *more, struct span name)
{
	for (size_t i = 0; i < COUNT(fields); i++)
		if (span_istarts(name, fields[i]))
			return true;
	if (span_ieq(name, SPAN("Sec-WebSocket-Key")))
		return has_any(SPAN("secwebsocketkey"), more); /* drawn for one handshake, it opens nothing */
	return span_ieq(name, SPAN("Cookie")) || secret_is_named(more, name);
}

/* ---- where they stand in a text ---- */

struct finder {
	const struct policy_strings *more;
	enum secret_form form;
	struct span text;
	size_t at;
	size_t name_from; /* behind the last assignment */
};

/* The bytes of "=", ":" or one of their escapes ("%3D", "%253d") at that place; 0: it is none. */
static size_t sign_at(struct span text, size_t at, char *sign)
{
	size_t i = at;
	*sign = text.ptr[at];
	if (*sign == '=' || *sign == ':')
		return 1;
	if (*sign != '%')
		return 0;
	for (i++; i + 1 < text.len && text.ptr[i] == '2' && text.ptr[i + 1] == '5'; i += 2)
		;
	if (i + 1 >= text.len || text.ptr[i] != '3')
		return 0;
	*sign = ascii_lower(text.ptr[i + 1]) == 'd' ? '=' : ascii_lower(text.ptr[i + 1]) == 'a' ? ':' : 0;
	return *sign ? i + 2 - at : 0;
}

static bool is_of_name(char c)
{
	return is_alnum(c) || strchr("_-.[]%$~*", c) != NULL;
}

/* What stands before an assignment: the last word of it, without quotes and space behind it. */
static struct span name_before(const struct finder *f, size_t sign)
{
	size_t to = sign, from;
	while (to > f->name_from && strchr(" \t+\"'\\", f->text.ptr[to - 1]) != NULL)
		to--;
	for (from = to; from > f->name_from && to - from < NAME_MAX_BYTES && is_of_name(f->text.ptr[from - 1]);)
		from--;
	return span_of(f->text.ptr + from, to - from);
}

/* "//user:password@host": what stands before "@". */
static struct span login_at(struct span text, size_t at)
{
	struct span rest = span_from(text, at);
	if (!span_starts(rest, SPAN("//")))
		return (struct span){0};
	for (size_t i = 2; i < rest.len && !memchr("/?#& ", rest.ptr[i], 5); i++)
		if (rest.ptr[i] == '@')
			return span_of(rest.ptr + 2, i - 2);
	return (struct span){0};
}

/* What is assigned to a secret's name by the sign there; empty: nothing. */
static struct span value_at(const struct finder *f, size_t at, size_t sign_len, char sign)
{
	struct span value = span_from(f->text, at + sign_len);
	if (!secret_is_named(f->more, name_before(f, at)))
		return (struct span){0};
	return span_of(value.ptr, sign == '=' ? span_find(value, '&') : value.len);
}

static bool next_assigned(struct finder *f, struct span *secret)
{
	while (f->at < f->text.len && f->at < TEXT_MAX_BYTES) {
		char sign;
		size_t sign_len = sign_at(f->text, f->at, &sign);
		*secret = sign_len > 0 ? value_at(f, f->at, sign_len, sign) : login_at(f->text, f->at);
		f->at += sign_len > 0 ? sign_len : 1;
		if (sign_len > 0)
			f->name_from = f->at;
		if (secret->len == 0)
			continue;
		f->at = f->name_from = (size_t)(secret->ptr - f->text.ptr) + secret->len;
		return true;
	}
	*secret = span_from(f->text, f->at);
	f->at = f->text.len;
	return secret->len > 0;
}

/* A cookie without "=" is a value without a name. */
static bool next_cookie(struct finder *f, struct span *secret)
{
	while (f->at < f->text.len) {
		struct span rest = span_from(f->text, f->at);
		struct span pair = span_of(rest.ptr, span_find(rest, ';'));
		size_t equals = span_find(pair, '=');
		f->at += pair.len + 1;
		*secret = span_trim_ows(equals < pair.len ? span_from(pair, equals + 1) : pair);
		if (secret->len > 0)
			return true;
	}
	return false;
}

static bool next_secret(struct finder *f, struct span *secret)
{
	if (f->form == SECRET_TEXT)
		return next_assigned(f, secret);
	if (f->form == SECRET_COOKIES)
		return next_cookie(f, secret);
	*secret = f->text;
	return f->at++ == 0 && f->text.len > 0;
}

/* ---- masking ---- */

/* More than there is room for is cut from the middle when all of it is known: head and tail are kept. */
struct writer {
	struct masked *out;
	size_t head; /* room for its beginning; the rest is a ring for its end */
	size_t total;
};

enum { CUT_MARK_BYTES = 48 };

static void put(struct writer *w, struct span s)
{
	size_t ring = w->out->room - CUT_MARK_BYTES - w->head;
	for (size_t i = 0; i < s.len; i++, w->total++) {
		size_t at = w->total < w->head ? w->total : w->head + (w->total - w->head) % ring;
		w->out->text[at] = s.ptr[i];
	}
}

static void reverse(char *text, size_t len)
{
	for (size_t i = 0; i < len / 2; i++) {
		char c = text[i];
		text[i] = text[len - 1 - i];
		text[len - 1 - i] = c;
	}
}

static void finish(struct writer *w)
{
	struct masked *out = w->out;
	size_t ring = out->room - CUT_MARK_BYTES - w->head, kept = w->head + ring;
	out->len = w->total;
	if (w->total <= kept)
		return;
	/* Turned so that the oldest byte comes first. */
	size_t oldest = (w->total - w->head) % ring;
	char *tail = out->text + w->head, mark[CUT_MARK_BYTES];
	reverse(tail, oldest);
	reverse(tail + oldest, ring - oldest);
	reverse(tail, ring);
	size_t n = (size_t)snprintf(mark, sizeof(mark), "...(%zu bytes)...", w->total - kept);
	memmove(tail + n, tail, ring);
	memcpy(tail, mark, n);
	out->len = kept + n;
	out->is_cut = true;
}

/* What of `s` lies in the part. */
static struct span within(struct span s, struct span part)
{
	const char *from = s.ptr > part.ptr ? s.ptr : part.ptr;
	const char *s_end = s.ptr + s.len, *part_end = part.ptr + part.len;
	const char *to = s_end < part_end ? s_end : part_end;
	return span_of(from, to > from ? (size_t)(to - from) : 0);
}

void secret_mask(const struct policy_strings *more, enum secret_form form, struct span whole, struct span part,
		 struct masked *out)
{
	struct finder finder = {.more = more, .form = form, .text = whole};
	struct writer w = {.out = out, .head = (out->room - CUT_MARK_BYTES) / 2};
	const char *done = part.ptr;
	struct span secret;
	char mask[CUT_MARK_BYTES];
	out->len = 0;
	out->is_masked = out->is_cut = false;
	while (next_secret(&finder, &secret)) {
		struct span covered = within(secret, part);
		if (covered.len == 0)
			continue;
		put(&w, span_of(done, (size_t)(covered.ptr - done)));
		int n = snprintf(mask, sizeof(mask), "[%zu byte%s]", covered.len, covered.len == 1 ? "" : "s");
		put(&w, span_of(mask, (size_t)n));
		done = covered.ptr + covered.len;
		out->is_masked = true;
	}
	put(&w, span_of(done, part.len - (size_t)(done - part.ptr)));
	finish(&w);
}
