#ifndef SERVE_CONSOLE_PAUSE_H
#define SERVE_CONSOLE_PAUSE_H

#include "sallyport/err.h"
#include "sallyport/site_state.h"
#include "sallyport/span.h"

/* Reads what POST /api/pause says. False: err says what is wrong with it. */
MUST_CHECK bool console_read_pause(struct span content, struct pause_request *out, struct err *err);

#endif
