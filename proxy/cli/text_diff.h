#ifndef CLI_TEXT_DIFF_H
#define CLI_TEXT_DIFF_H

#include "sallyport/span.h"

/* What changed between two texts, line by line. kind: ' ' in both, '-' in a only, '+' in b only;
 * line: without its LF. */
typedef void text_diff_line(void *context, char kind, struct span line);

/* The shortest way from a to b, where it has at most TEXT_DIFF_EDITS steps; else all that is
 * between their equal beginnings and ends is replaced. False without memory; nothing was said then. */
enum { TEXT_DIFF_EDITS = 1000 };
bool text_diff(struct span a, struct span b, text_diff_line *on_line, void *context);

#endif
