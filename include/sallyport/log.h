#ifndef SALLYPORT_LOG_H
#define SALLYPORT_LOG_H

#include <stdbool.h>

/* The process's own diagnostics, one line each on standard error:
 *   2026-11-23T21:08:24.123Z worker[123] warning: text
 * Requests and events do not come here: they go through the scribe's rings
 * (log_ring.h). Never blocks for long: standard error is written once, and what
 * does not fit is dropped. Control bytes in the text are replaced by '?'. */
enum log_level { LOG_LEVEL_UNSET = 0, LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* role: a literal such as "worker". Default level: info. */
void log_init(const char *role, enum log_level level);
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
