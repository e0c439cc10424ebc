#ifndef SERVE_CONSOLE_PAGE_H
#define SERVE_CONSOLE_PAGE_H

#include "sallyport/strbuf.h"

/* The files of the console's page, in memory. */

enum { CONSOLE_PAGE_FILES = 4 };

struct console_page {
	struct strbuf content[CONSOLE_PAGE_FILES];
};

/* Reads them from www/console, which data_path finds. What is missing is said in the log and stays
 * empty: the API works without a page. */
void console_page_load(struct console_page *page);
void console_page_release(struct console_page *page);
/* False where no file has that path or it could not be read. */
bool console_page_find(const struct console_page *page, const char *path, struct span *content,
		       const char **content_type);

#endif
