#ifndef SALLYPORT_CODING_H
#define SALLYPORT_CODING_H

#include "sallyport/err.h"
#include "sallyport/http_head.h"

/* Content codings (RFC 9110 section 8.4.1) undone as the bytes arrive, within limits. Whoever
 * coded them is hostile: what two readers may read differently is refused, what grows without
 * measure ends early, and how much memory a decoder takes is known beforehand.
 *
 *   field ─► coding_list ─► coding_new ─► coding_feed, coding_feed, … ─► coding_end
 *                                              └─► sink, piece by piece
 */

enum coding {
	CODING_UNSET = 0,
	CODING_GZIP,    /* RFC 1952; "x-gzip" too. One member, its checksum right */
	CODING_DEFLATE, /* RFC 1950, and RFC 1951 bare as some servers send it: the first two bytes tell */
	CODING_BR,      /* RFC 7932: windows up to 16 MiB */
	CODING_ZSTD,    /* RFC 8878: one frame, windows up to 8 MiB (RFC 9659) */
	CODING_KINDS
};

enum {
	CODINGS_MAX = 2,            /* applied to one content */
	CODING_RATIO = 200,         /* decoded bytes for each coded one, where the caller knows no better: */
	CODING_RATIO_FREE = 1 << 16, /* real pages stay below 50, bombs have 1,000 and more. Up to so
				      * many decoded bytes nothing is compared */
	CODING_STATE_MAX = 20 << 20, /* bytes that one coding's state may take: 16 MiB of window for br,
				      * and its tables */
};

/* "gzip"; "-" for what is no coding. */
const char *coding_name(unsigned coding);

enum coding_result {
	CODING_RESULT_UNSET = 0,
	CODING_MORE,       /* all was taken, nothing is wrong so far */
	CODING_DONE,       /* the content is whole */
	CODING_UNKNOWN,    /* a coding that is none of these */
	CODING_TOO_MANY,   /* more than CODINGS_MAX, one upon the other */
	CODING_MALFORMED,
	CODING_TRUNCATED,  /* the end of the coded content did not come */
	CODING_TRAILING,   /* something stands behind it */
	CODING_OVER_SIZE,  /* limits.bytes */
	CODING_OVER_RATIO, /* limits.ratio */
	CODING_OVER_WINDOW,
	CODING_NO_MEMORY,  /* CODING_STATE_MAX, or the caller's */
	CODING_STOPPED,    /* the sink took no more */
};

/* "it decodes to more than its limit of bytes": what happened, to stand after a colon. */
const char *coding_result_text(enum coding_result result);

/* In the order in which they were applied. */
struct coding_list {
	unsigned n; /* 0: the content is as it is */
	uint8_t of[CODINGS_MAX];
};

/* Appends what a Content-Encoding field says; call it for each field line in turn. "identity" and
 * empty elements are nothing. Gives DONE, UNKNOWN or TOO_MANY. */
enum coding_result coding_list_add(struct coding_list *list, struct span value);
/* The same for all those of a head, in their order. *value is that of the last one looked at: which is at
 * fault, where it is not DONE. */
enum coding_result coding_list_of(const struct http_head *head, struct coding_list *list, struct span *value);

struct coding_limits {
	uint64_t bytes; /* decoded; what lies between two codings is held to it, too */
	uint32_t ratio; /* see CODING_RATIO; 0: none. Compared after every KiB of coded bytes and at the end */
};

/* Where decoded bytes go. They are the sink's until it returns. False: enough. */
struct coding_sink {
	bool (*take)(void *context, const uint8_t *bytes, size_t len);
	void *context;
};

/* Where memory comes from; NULL instead of it: the heap. */
struct coding_memory {
	void *(*take)(void *context, size_t size);
	void (*give)(void *context, void *ptr, size_t size);
	void *context;
};
extern const struct coding_memory coding_heap;

struct coding_decoder;

/* All four are copied. NULL only without memory; what the libraries need comes with the first
 * bytes. An empty list hands everything on as it is, within limits->bytes. */
struct coding_decoder *coding_new(const struct coding_list *list, const struct coding_limits *limits,
				  const struct coding_sink *sink, const struct coding_memory *memory);
/* MORE, or what is wrong; from then on it always says so. Whether there is an error, and without one
 * every byte that the sink gets, does not depend on how the bytes were cut into calls; which
 * of several errors is said first may, and after an error what the sink got is worth nothing. */
enum coding_result coding_feed(struct coding_decoder *decoder, const void *bytes, size_t len);
/* Says that no more will come: DONE, or what is wrong. No coded bytes at all are no content:
 * servers send heads with a coding and nothing behind them. */
enum coding_result coding_end(struct coding_decoder *decoder);
/* Bytes that the sink got. */
uint64_t coding_bytes(const struct coding_decoder *decoder);
void coding_free(struct coding_decoder *decoder);

#endif
