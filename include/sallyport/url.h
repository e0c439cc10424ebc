#ifndef SALLYPORT_URL_H
#define SALLYPORT_URL_H

#include "sallyport/addr.h"
#include "sallyport/reason.h"
#include "sallyport/span.h"

/* The request-target (RFC 9112 section 3.2) and its canonical form (RFC 3986
 * section 6). Pure: bytes go in, spans and findings come out; nothing is
 * allocated and nothing is read past the end. */

enum url_form { URL_FORM_UNSET = 0, URL_ORIGIN, URL_ABSOLUTE, URL_ASTERISK, URL_AUTHORITY };

struct url_target {
	enum url_form form;
	struct span authority; /* absolute- and authority-form only, raw */
	struct span path;      /* raw; "/" for an absolute-form without one; "*" in asterisk-form */
	struct span query;     /* raw, without "?"; ptr NULL where there is no "?" */
};

/* Splits. False: *reason says why. TARGET_BYTE: a control byte or a space.
 * FRAGMENT: a "#". TARGET_INVALID: anything that is not "/…", "*" or an http or
 * https URL with an authority. */
bool url_split(struct span target, struct url_target *out, enum reason *reason);

/* What can be found in a path, a query, a cookie or the value of a field: the rows of findings.def, the most severe first.
 * What is done about each is the shield's affair (shield.h), by the same table.
 *
 * - raw-byte is what browsers leave raw (the percent-encode sets of the WHATWG URL standard leave
 *   [ ] | and until lately ^ in paths, and also ` { } \ in queries), and what command-line
 *   clients and feed readers pass on as they found it. None sends " < > raw in a path. In a
 *   query it is also " < > and \.
 * - utf8-overlong: C0 BA is overlong for ":" and a very common syllable in EUC-KR and character
 *   in GBK. So in a query it counts only where the whole run of bytes from 0x80 on is a
 *   sequence of UTF-8 forms; next to a byte that can't be UTF-8 it is taken for an older
 *   encoding.
 * - head-split: lines are ordinary in a text; what counts is a line that a head could go on with: a
 *   field that matters there (Set-Cookie, Location, X-…), a status line, CRLF twice.
 * - escape-unicode: JavaScript's escape() writes %uXXXX for what is above U+00FF, and only
 *   that; in a query it counts there as escape-invalid. */
enum url_finding_rank {
#define FINDING(id, setting, name, ...) URL_RANK_##id,
#include "sallyport/findings.def"
	URL_FINDING_KINDS
};

/* Bits: one URL may have several. The lowest bit is the most severe. */
enum url_finding {
	URL_FINDING_NONE = 0,
#define FINDING(id, setting, name, ...) URL_##id = 1u << URL_RANK_##id,
#include "sallyport/findings.def"
	URL_FINDINGS_ALL = 0xffffffffu,
	/* What is wrong with the spelling, whatever a server makes of the names */
	URL_FINDINGS_SPELLING = URL_ESCAPE_NUL | URL_UTF8_OVERLONG | URL_ESCAPE_UNICODE |
				URL_RAW_UNSAFE | URL_ABOVE_ROOT | URL_ESCAPE_DOUBLE |
				URL_ESCAPE_CONTROL | URL_ESCAPE_INVALID | URL_BACKSLASH |
				URL_ENCODED_SLASH | URL_UTF8_INVALID | URL_RAW_BYTE |
				URL_DOT_SEGMENT | URL_EMPTY_SEGMENT | URL_ESCAPE_NEEDLESS,
	/* Those of them that change the canonical form where they are rewritten */
	URL_FINDINGS_REWRITABLE =
	    URL_BACKSLASH | URL_ENCODED_SLASH | URL_PARAMETER | URL_EMPTY_SEGMENT,
	/* What may be rewritten in a query; see url/rewrite.c for how. */
	URL_FINDINGS_OF_QUERY_REWRITABLE = URL_ESCAPE_INVALID | URL_ESCAPE_UNICODE | URL_RAW_BYTE |
					   URL_ESCAPE_CONTROL | URL_UTF8_OVERLONG,
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

/* How a path is made canonical for one site. */
struct url_canon_options {
	unsigned heeded;  /* findings that are reported; others may cost no time */
	unsigned weighty; /* of these, what evidence is for, before all others */
	unsigned rewrite; /* of URL_FINDINGS_REWRITABLE: what changes the path */
	unsigned query_rewrite; /* of URL_FINDINGS_OF_QUERY_REWRITABLE: what changes the query */
	/* A dot segment at the end is DOTS_AMBIGUOUS: Tomcat takes the slash before it away, too */
	bool last_dots;
};

/* Canonicalises an absolute path ("/…"): unreserved characters decoded, other
 * escapes in upper case, dot segments removed (RFC 3986 section 5.2.4), bytes that must be
 * encoded encoded, a percent sign that starts no escape as %25. Empty segments are kept
 * (RFC 3986 does not merge them), and separators in disguise stay data, unless
 * options->rewrite says otherwise.
 * The result always starts with "/" and holds pchar, "/" and escapes only; "*" alone
 * (asterisk-form) stays as it is.
 * buf: caller's, of at least URL_CANON_ROOM(path.len) bytes; the results point
 * into it, or into path itself where the path is canonical already. Idempotent for the same
 * options; path takes at most 3 * path.len + 1 bytes, decoded at most path.len + 1. */
#define URL_CANON_ROOM(path_len) (4 * (path_len) + 2)
void url_canon_path_as(struct span path, const struct url_canon_options *options, char *buf,
		       struct url_canon *out);
/* The same, looking for URL_FINDINGS_SPELLING and rewriting nothing else. */
void url_canon_path(struct span path, char *buf, struct url_canon *out);

/* Those of `heeded` that a raw query has, and where the first of the
 * most severe kind stands: evidence.ptr is NULL where there is none. NAME_CONTROL is
 * not found here: it takes splitting. */
unsigned url_scan_query(struct span query, unsigned heeded, struct span *evidence);
/* Those of `heeded` that a text has which is neither path nor query: a cookie, the value of a field.
 * Any byte of it is ordinary but "%" and those from 0x80 on, which are RAW_BYTE there. evidence
 * is the first of the most severe kind, of those that are `weighty` before all others; ptr NULL
 * where nothing is found. */
unsigned url_scan_text(struct span text, unsigned heeded, unsigned weighty, struct span *evidence);
/* At a glance: is there no escape and no byte from 0x80 on, so that url_scan_text finds nothing? */
bool url_text_is_plain(struct span text);
/* The query with what `rewrite` names (bits of URL_FINDINGS_OF_QUERY_REWRITABLE) in canonical
 * spelling, and all else byte for byte; without such findings it comes out as it went in. Into
 * buf of URL_REWRITE_ROOM(query.len) bytes. Idempotent; what was rewritten is not found again. */
#define URL_REWRITE_ROOM(query_len) (5 * (query_len))
struct span url_rewrite_query(struct span query, unsigned rewrite, char *buf);
/* The query decoded once for rules ('+' is a space; what is no escape stays), into
 * buf of query.len bytes. Points into query itself where nothing is to decode. */
struct span url_decode_query(struct span query, char *buf);
/* The same, always into buf, which has URL_DECODE_ROOM(query.len) bytes; and what it came upon, as bits. */
#define URL_DECODE_ROOM(query_len) ((query_len) + 7)
enum {
	URL_DECODED_ESCAPE = 1,   /* an escape */
	URL_DECODED_LONE = 2,     /* a "%" that is none */
	URL_DECODED_NUL = 4,      /* "%00" */
	URL_DECODED_PERCENT = 8,  /* "%25" */
	URL_DECODED_RAW_NUL = 16, /* a NUL byte as it is */
	URL_DECODED_HIGH = 32,    /* a byte from 0x80 on, however it was written */
	URL_DECODED_SEMICOLON = 64, /* a ";" that was not escaped */
};
struct span url_decode_noting(struct span query, char *buf, unsigned *notes);
/* The raw bytes that the first decoded_len bytes of the decoded query came from. */
struct span url_query_prefix(struct span query, size_t decoded_len);

/* How an origin reads names; 0: as they are. */
enum url_reading {
	URL_READ_CASELESS = 1 << 0,      /* "/Admin" is "/admin" */
	URL_READ_NO_PARAMETERS = 1 << 1, /* "/admin;x=1" is "/admin" */
};
/* Is a canonical path the other one, which is not empty, or something below it, segment by segment? */
bool url_is_under(struct span path, struct span under, unsigned reading);

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
/* Its name as resolvers and certificates have it: an IPv6 literal without brackets. host is a parsed one. */
struct span url_host_bare(const struct url_host *host);

/* The authority-form of CONNECT (RFC 9110 section 9.3.6, RFC 9112 section 3.2.3): uri-host ":" port, both
 * there, and nothing else; the port of plain digits without a leading zero. False: *reason is TARGET_BYTE,
 * FRAGMENT, HOST_USERINFO, HOST_INVALID, or EGRESS_TARGET where the port is missing or none. */
bool url_split_authority(struct span target, struct url_target *out, struct url_host *host, enum reason *reason);

/* "http://host:port" or "https://…" as an origin is written in a policy: nothing after the
 * authority but an optional "/". */
struct url_origin {
	bool tls;
	struct span host; /* without brackets */
	uint16_t port;    /* 80 or 443 where none was given */
};
MUST_CHECK bool url_parse_origin(struct span text, struct url_origin *out, struct err *err);

#endif
