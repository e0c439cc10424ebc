/* The scribe's process: opens the log files with the rights of whoever started sallyport, gives
 * these up, and empties the rings from START on. It never opens a file again: for
 * rotated logs and new settings the master starts another scribe, and lets this one go
 * once that one stands ready. Two never read the rings at a time. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proc/alert.h"
#include "proc/evidence_file.h"
#include "proc/helper_role.h"
#include "sallyport/egress_tell.h"
#include "sallyport/log.h"
#include "sallyport/scribe.h"
#include "sallyport/shm.h"
#include "sallyport/vault_path.h"

static struct helper_life life;
static struct scribe *scribe;
static int alerts = -1; /* to the herald, whether there is one or not */
static struct evidence_file *evidence; /* NULL: none is kept */

static enum alert_kind alert_kind_of(const struct log_record *record, bool is_about_page)
{
	if (record->reason >= REASON_GUARD_CHANGED && record->reason <= REASON_GUARD_FULL)
		return ALERT_HELD;
	return is_about_page ? ALERT_FAILED : ALERT_ORIGIN;
}

/* The event's sentence starts with the page that it is about. Whether anybody is to be told is the
 * herald's affair: without one the channel is full, and that is that. */
static void tell_herald(const struct log_record *record, const struct span texts[LOG_TEXT_COUNT])
{
	struct alert alert;
	struct span sentence = texts[LOG_TEXT_ORIGIN], url = {0};
	if (sentence.len > 0 && sentence.ptr[0] == '/')
		url = span_of(sentence.ptr, span_find(sentence, ' '));
	alert_fill(&alert, alert_kind_of(record, url.len > 0), texts[LOG_TEXT_SITE], url,
		   record->reason < REASON_COUNT ? reason_name((enum reason)record->reason) : "-", sentence);
	if (record->news > EGRESS_NEWS_UNSET && record->news < EGRESS_NEWS_COUNT)
		alert_about_egress(&alert, texts[LOG_TEXT_EGRESS], record->news);
	alert.folded = record->folded;
	alert_send(alerts, &alert);
}

/* A server without it is better than none. */
static void lose_evidence(const struct err *err)
{
	log_warn("no evidence of refusals is kept in %s: %s", life.order.evidence, err->text);
	evidence_file_close(evidence);
	evidence = NULL;
}

static void open_evidence(void)
{
	char directory[VAULT_PATH_SIZE];
	const char *path = life.order.evidence, *slash = strrchr(path, '/');
	struct err err = {{0}};
	if (!slash || life.order.evidence_bytes == 0)
		return;
	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	if (vault_path_prepare_directory(directory, life.order.user, &err))
		evidence = evidence_file_open(path, life.order.evidence_bytes, &err);
	if (!evidence)
		lose_evidence(&err);
}

/* Its predecessor, which may write the same file, has ended. */
static void begin_evidence(void)
{
	struct err err = {{0}};
	if (evidence && !evidence_file_begin(evidence, &err))
		lose_evidence(&err);
}

static void take_evidence(struct span record)
{
	if (evidence)
		evidence_file_put(evidence, record);
}

static bool open_scribe(struct err *err)
{
	int rings_fd = ipc_take_fd(&life.message, SCRIBE_FD_RINGS);
	int stats_fd = ipc_take_fd(&life.message, SCRIBE_FD_STATS);
	int event_fd = ipc_take_fd(&life.message, SCRIBE_FD_EVENT);
	alerts = ipc_take_fd(&life.message, SCRIBE_FD_ALERTS);
	if (event_fd < 0)
		return err_set(err, "scribe: descriptors are missing");
	const struct log_settings log = {
	    .access = life.order.log_access,
	    .events = life.order.log_events,
	    .format = (int)life.order.log_format,
	};
	struct scribe_setup setup = {
	    .rings = shm_map(rings_fd, sizeof(struct log_ring) * LOG_RINGS, true, err),
	    .stats = shm_map(stats_fd, sizeof(struct stats), false, err),
	    .event_fd = event_fd,
	    .log = &log,
	    .on_event = tell_herald,
	    .on_evidence = take_evidence,
	};
	close(rings_fd);
	close(stats_fd);
	if (!setup.rings || !setup.stats)
		return false;
	open_evidence();
	scribe = scribe_new(life.loop, &setup, err);
	return scribe != NULL;
}

/* The old scribe has to be gone first. False: not needed any more. */
static bool await_start(void)
{
	enum ipc_result got = ipc_wait(ROLE_CHANNEL_FD, &life.message, -1);
	ipc_release(&life.message);
	return got == IPC_GOT && life.message.type == ORDER_START;
}

int scribe_role(void)
{
	struct err err = {{0}};
	tzset(); /* reads its file now */
	if (!helper_begin(&life, ROLE_SCRIBE, &err) || !open_scribe(&err) ||
	    !helper_close_sandbox(&life, NULL, false, &err))
		return helper_fail(&err);
	helper_report(REPORT_READY, NULL, 0);
	if (!await_start())
		return 0;
	begin_evidence();
	int status = helper_serve(&life);
	/* Also when the master died: what the workers wrote is not lost with it. */
	scribe_flush(scribe);
	scribe_free(scribe);
	evidence_file_close(evidence);
	loop_free(life.loop);
	return status;
}
