/* The process's own diagnostics on standard error. A line is made whole and
 * written once. Where standard error cannot take it now (a full pipe), the line is lost:
 * a role never waits for whoever reads its log. Does not log requests. */
#include "sallyport/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "sallyport/clock.h"
#include "sallyport/span.h"

/* Below PIPE_BUF: a pipe that is writable at all takes such a line at once and whole. */
enum { LOG_LINE_MAX = 2048 };

static struct {
	const char *role;
	enum log_level level;
	int pid; /* kept, since a sandbox may forbid asking again */
} self = {.role = "sallyport", .level = LOG_LEVEL_INFO};

void log_init(const char *role, enum log_level level)
{
	self.role = role;
	self.level = level == LOG_LEVEL_UNSET ? LOG_LEVEL_INFO : level;
	self.pid = (int)getpid();
}

static void write_line(const char *line, size_t len)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
	if (poll(&fd, 1, 0) == 1 && (fd.revents & POLLOUT)) {
		/* nobody is left to tell about a log that cannot be written */
		ssize_t written = write(STDERR_FILENO, line, len);
		(void)written;
	}
}

__attribute__((format(printf, 3, 0))) static void log_line(enum log_level level, const char *name,
							   const char *fmt, va_list ap)
{
	if (level > self.level)
		return;
	char line[LOG_LINE_MAX];
	char now[CLOCK_ISO_SIZE];
	clock_format_iso(clock_wall_us(), now);
	int start = snprintf(line, sizeof(line), "%s %.32s[%d] %s: ", now, self.role,
			     self.pid ? self.pid : (int)getpid(), name);
	if (start < 0)
		return;
	vsnprintf(line + start, sizeof(line) - (size_t)start, fmt, ap);
	size_t len = strlen(line);
	ascii_replace_controls(line, len);
	line[len] = '\n'; /* in place of the NUL */
	write_line(line, len + 1);
}

#define LOG_FUNCTION(function, level, name)                                                        \
	void function(const char *fmt, ...)                                                        \
	{                                                                                          \
		va_list ap;                                                                        \
		va_start(ap, fmt);                                                                 \
		log_line(level, name, fmt, ap);                                                    \
		va_end(ap);                                                                        \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR, "error")
LOG_FUNCTION(log_warn, LOG_LEVEL_WARNING, "warning")
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, "info")
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, "debug")
