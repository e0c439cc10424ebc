#ifndef SALLYPORT_CONTROL_PATH_H
#define SALLYPORT_CONTROL_PATH_H

#include "sallyport/err.h"
#include "sallyport/settings.h"

/* Where the control socket is: console.sock in process.runtime where a policy
 * sets it; else in /run/sallyport as root, in $XDG_RUNTIME_DIR/sallyport, or in
 * /tmp/sallyport-UID. */

enum { CONTROL_PATH_SIZE = 108 }; /* of sun_path, unix(7) */

/* settings NULL: the standard place. Touches no file. */
MUST_CHECK bool control_socket_path(const struct settings *settings, char out[CONTROL_PATH_SIZE],
				    struct err *err);
/* The same with the value of process.runtime, which may be NULL or empty. */
MUST_CHECK bool control_socket_path_in(const char *runtime, char out[CONTROL_PATH_SIZE],
				       struct err *err);

/* Whether whoever answers at path may be believed, and told orders: its directory is ours or root's, no link, and writable by
 * nobody else; to root, that of any user's server. One that is not there passes: nobody answers in it. */
MUST_CHECK bool control_socket_is_trusted(const char *path, struct err *err);

/* The listening socket at path, close-on-exec, mode 0600, or -1. The directory is made
 * (mode 0700) where it is missing; it must be a directory, no link, ours, and
 * writable by nobody else. A socket that nobody answers on is replaced, one that
 * answers is another server: an error. */
MUST_CHECK int control_socket_listen(const char *path, struct err *err);

#endif
