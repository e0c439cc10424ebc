/* One sentence about what went wrong. Its parts may come from a file or from an
 * operator: control bytes are replaced, so that the sentence stays one line. */
#include "sallyport/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "sallyport/span.h"

/* Made whole before it is stored: the arguments may point into the old text. */
static void store(struct err *err, struct err *made)
{
	ascii_replace_controls(made->text, strlen(made->text));
	*err = *made;
}

static void append(struct err *made, const char *text)
{
	size_t len = strlen(made->text), more = strlen(text);
	size_t room = sizeof(made->text) - 1 - len;
	if (more > room)
		more = room;
	memcpy(made->text + len, text, more);
	made->text[len + more] = '\0';
}

bool err_set(struct err *err, const char *fmt, ...)
{
	if (!err)
		return false;
	struct err made;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(made.text, sizeof(made.text), fmt, ap);
	va_end(ap);
	store(err, &made);
	return false;
}

bool err_prefix(struct err *err, const char *fmt, ...)
{
	if (!err)
		return false;
	struct err made;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(made.text, sizeof(made.text), fmt, ap);
	va_end(ap);
	append(&made, ": ");
	append(&made, err->text);
	store(err, &made);
	return false;
}
