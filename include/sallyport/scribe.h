#ifndef SALLYPORT_SCRIBE_H
#define SALLYPORT_SCRIBE_H

#include "sallyport/log_record.h"
#include "sallyport/log_ring.h"
#include "sallyport/loop.h"
#include "sallyport/settings.h"
#include "sallyport/stats.h"

/* Empties the workers' rings into log files: one line per request (combined or
 * JSON), one per event. A full disk loses lines, counts them, says so once when it starts
 * and once when it ends; it never stalls a worker. Lines of different workers may stand
 * out of order by the time between two visits to the rings (a tenth of a second). */
struct scribe;

struct scribe_setup {
	struct log_ring *rings;     /* LOG_RINGS of them */
	int event_fd;               /* workers wake us by it; borrowed */
	const struct log_settings *log; /* copied */
	/* Says which rings were ever in use, so that the pages of the others are never
	 * touched. NULL: all are visited. A worker that writes to event_fd after it took
	 * its slot is seen at once; one that doesn't, within a second. */
	const struct stats *stats;
	/* Each event, as it is written; may be NULL. */
	void (*on_event)(const struct log_record *record, const struct span texts[LOG_TEXT_COUNT]);
	/* What is no line of a log (evidence.h); not looked at yet. May be NULL. */
	void (*on_evidence)(struct span record);
};

struct scribe *scribe_new(struct loop *loop, const struct scribe_setup *setup, struct err *err);
/* New settings, or the same files opened again (SIGUSR1 after log rotation). False: the old
 * files stay in use. */
MUST_CHECK bool scribe_reopen(struct scribe *scribe, const struct log_settings *log,
			      struct err *err);
/* Everything that is in the rings is written when it returns. */
void scribe_flush(struct scribe *scribe);
/* Lines that could not be written since the start. */
uint64_t scribe_lost(const struct scribe *scribe);
void scribe_free(struct scribe *scribe);

/* One record as a line with its LF into buf; nothing in the record can forge another
 * line. Printable ASCII only, but for the mark of a text that was cut. Returns the line's length,
 * 0 where room is too small (LOG_LINE_MAX always suffices) or the heap is exhausted. The record may
 * hold anything: values that no worker writes are shown as "-". */
enum { LOG_LINE_MAX = 6 * LOG_RECORD_MAX + 4096 };
size_t log_format_combined(const struct log_record *record, const struct span *texts, char *buf,
			   size_t room);
size_t log_format_json(const struct log_record *record, const struct span *texts, char *buf,
		       size_t room);

#endif
