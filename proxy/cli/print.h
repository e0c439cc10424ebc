#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "sallyport/err.h"
#include "sallyport/json.h"

/* What commands print in the same way. */

/* Prints a document as a line and frees it. False: it has more than max bytes, or there is no memory. */
bool cli_print_json(struct json_writer *json, size_t max, struct err *err);

/* "2026-11-26T12:00:00Z", or "-" for 0. */
enum { CLI_TIME_SIZE = 32 };
const char *cli_time(uint64_t time_s, char out[CLI_TIME_SIZE]);

#endif
