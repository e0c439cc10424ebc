#ifndef SALLYPORT_URL_H
#define SALLYPORT_URL_H

#include "sallyport/addr.h"
#include "sallyport/reason.h"
#include "sallyport/span.h"

/* The request-target (RFC 9112 section 3.2) and its canonical form (RFC 3986
 * section 6). Pure: bytes go in, spans and findings come out; nothing is
 * allocated and nothing is read past the end. */

enum url_form { URL_FORM_UNSET = 0, URL_ORIGIN, URL_ABSOLUTE, URL_ASTERISK };

struct url_target {
	enum url_form form;
	struct span authority; /* absolute-form only, raw */
	struct span path;      /* raw; "/" for an absolute-form without one; "*" in asterisk-form */
	struct span query;     /* raw, without "?"; ptr NULL where there is no "?" */
};

/* Splits. False: *reason says why. TARGET_BYTE: a control byte or a space.
 * FRAGMENT: a "#". TARGET_INVALID: anything that is not "/…", "*" or an http or
 * https URL with an authority. */
bool url_split(struct span target, struct url_target *out, enum reason *reason);

/* What can be found in a path or a query, the most severe first: where there
 * are several, evidence and verdict name the first in this order. What is refused stands
 * before what is not, in the path as in the query.
 *
 * In the path, everything that a back end may read otherwise than we do is refused
 * by the shield (shield.h); what is left is rewritten to the one spelling that
 * RFC 3986 calls canonical. The query is forwarded as it came, because forms
 * and nested URLs put anything into it: only what no form and no script of a page
 * produces is refused.
 *
 *   finding          what                                      in the path          in the query
 *   escape-nul       %00: cuts C strings short                 refused              refused
 *   utf8-overlong    %c0%ae, %e0%80%af, %c1%1c: another        refused              refused (a)
 *                    character in disguise (RFC 3629 sec. 3)
 *   escape-unicode   %u002e: decoded by IIS, unknown to        refused              refused below
 *                    RFC 3986                                                       %u0100 only (b)
 *   raw-unsafe       control, space, DEL, # and ? where none   refused              refused
 *                    can be; in a path also " < >
 *   above-root       /../x: climbs above the root              refused              -
 *   escape-double    %252e, %%32e: decoding once leaves an     refused; 100%25 is   forwarded: a URL
 *                    escape                                    no finding           within a URL
 *   escape-control   %01 to %1f, %7f: also CR and LF           refused              forwarded: text of
 *                                                                                   several lines
 *   escape-invalid   % without two hexadecimal digits          refused              forwarded: 100%
 *   backslash        \ or %5c: a separator on Windows          refused              -
 *   encoded-slash    %2f: a separator to some, data to others  refused              -
 *   utf8-invalid     not UTF-8: Latin-1, surrogates, above     refused              forwarded: older
 *                    U+10FFFF, forms of 5 and 6 bytes                               encodings
 *   raw-byte         [ ] ^ ` { | } and bytes from 0x80 on as   encoded              forwarded
 *                    they are; in a query also " < > and \
 *   dot-segment      . or .. in any spelling                   removed              -
 *   empty-segment    //                                        kept                 -
 *   escape-needless  %41: an unreserved character              decoded              -
 *
 * raw-byte: what browsers leave raw (the percent-encode sets of the WHATWG URL standard leave
 * [ ] | and until lately ^ in paths, and also ` { } \ in queries), and what command-line
 * clients and feed readers pass on as they found it. None sends " < > raw in a path.
 * (a) C0 BA is overlong for ":" and a very common syllable in EUC-KR and character in
 *     GBK. So in a query it counts only where the whole run of bytes from 0x80 on is a
 *     sequence of UTF-8 forms; next to a byte that can't be UTF-8 it is taken for an older
 *     encoding.
 * (b) JavaScript's escape() writes %uXXXX for what is above U+00FF, and only that;
 *     there it counts as escape-invalid. */
#define URL_FINDINGS(FINDING)                                                                      \
	FINDING(ESCAPE_NUL, "escape-nul")                                                          \
	FINDING(UTF8_OVERLONG, "utf8-overlong")                                                    \
	FINDING(ESCAPE_UNICODE, "escape-unicode")                                                  \
	FINDING(RAW_UNSAFE, "raw-unsafe")                                                          \
	FINDING(ABOVE_ROOT, "above-root")                                                          \
	FINDING(ESCAPE_DOUBLE, "escape-double")                                                    \
	FINDING(ESCAPE_CONTROL, "escape-control")                                                  \
	FINDING(ESCAPE_INVALID, "escape-invalid")                                                  \
	FINDING(BACKSLASH, "backslash")                                                            \
	FINDING(ENCODED_SLASH, "encoded-slash")                                                    \
	FINDING(UTF8_INVALID, "utf8-invalid")                                                      \
	FINDING(RAW_BYTE, "raw-byte")                                                              \
	FINDING(DOT_SEGMENT, "dot-segment")                                                        \
	FINDING(EMPTY_SEGMENT, "empty-segment")                                                    \
	FINDING(ESCAPE_NEEDLESS, "escape-needless")

enum url_finding_rank {
#define URL_FINDING_RANK(id, name) URL_RANK_##id,
	URL_FINDINGS(URL_FINDING_RANK)
#undef URL_FINDING_RANK
	URL_FINDING_KINDS
};

/* Bits: one URL may have several. The lowest bit is the most severe. */
enum url_finding {
	URL_FINDING_NONE = 0,
#define URL_FINDING_BIT(id, name) URL_##id = 1 << URL_RANK_##id,
	URL_FINDINGS(URL_FINDING_BIT)
#undef URL_FINDING_BIT
};

/* The most severe of several; URL_FINDING_NONE of none. */
static inline unsigned url_worst_finding(unsigned findings)
{
	return findings & -findings;
}

/* "escape-nul"; of several the most severe one's; "-" for none. */
const char *url_finding_name(unsigned findings);

struct url_canon {
	struct span path;    /* canonical, percent-encoded form: what is forwarded */
	struct span decoded; /* the same with every escape decoded once: what rules see */
	unsigned findings;   /* enum url_finding bits */
	/* Where the first finding of the most severe kind stands in the raw path. */
	struct span evidence;
};

/* Canonicalises an absolute path ("/…"): unreserved characters decoded, other
 * escapes in upper case, dot segments removed (RFC 3986 section 5.2.4), empty segments
 * kept (they mean something to some servers; RFC 3986 does not merge them),
 * bytes that must be encoded encoded, a percent sign that starts no escape as %25.
 * The result always starts with "/" and holds pchar, "/" and escapes only; "*" alone
 * (asterisk-form) stays as it is.
 * buf: caller's, of at least URL_CANON_ROOM(path.len) bytes; the results point
 * into it, or into path itself where the path is canonical already. Idempotent. */
#define URL_CANON_ROOM(path_len) (4 * (path_len) + 2)
void url_canon_path(struct span path, char *buf, struct url_canon *out);

/* Findings of a raw query (never rewritten), and where the first of the most severe kind
 * stands: ESCAPE_* but NEEDLESS, UTF8_*, RAW_*. evidence.ptr is NULL where there is none. */
unsigned url_scan_query(struct span query, struct span *evidence);
/* The query decoded once for rules ('+' is a space; what is no escape stays), into
 * buf of query.len bytes. Points into query itself where nothing is to decode. */
struct span url_decode_query(struct span query, char *buf);
/* The raw bytes that the first decoded_len bytes of the decoded query came from. */
struct span url_query_prefix(struct span query, size_t decoded_len);

struct url_host {
	struct span name; /* raw; IPv6 literals with their brackets */
	uint16_t port;    /* 0: none given */
};

/* uri-host [":" port] (RFC 9110 section 7.2): a registered name of letters, digits, "-", "_"
 * and ".", no empty label but a trailing dot is dropped from name, at most 253 bytes, 63 in a
 * label; an IPv4 address; a bracketed IPv6 address without zone. A name whose last label is
 * a number must be an IPv4 address of four decimal numbers: "127.1" and "0x7f000001" are
 * addresses to some. A port is 1 to 65535; an empty one ("host:", RFC 3986 section 3.2.3)
 * is none.
 * False: *reason is HOST_USERINFO or HOST_INVALID. */
bool url_parse_host(struct span host, struct url_host *out, enum reason *reason);

/* "http://host:port" or "https://…" as an origin is written in a policy: nothing after the
 * authority but an optional "/". */
struct url_origin {
	bool tls;
	struct span host; /* without brackets */
	uint16_t port;    /* 80 or 443 where none was given */
};
MUST_CHECK bool url_parse_origin(struct span text, struct url_origin *out, struct err *err);

#endif
