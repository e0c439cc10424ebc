#ifndef SALLYPORT_SERVE_CONSOLE_BANS_H
#define SALLYPORT_SERVE_CONSOLE_BANS_H

#include "sallyport/ban_list.h"

MUST_CHECK bool console_read_ban(enum ban_verb verb, struct span content, struct ban_request *out, struct err *err);

#endif
