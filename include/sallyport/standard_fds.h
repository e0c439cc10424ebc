#ifndef SALLYPORT_STANDARD_FDS_H
#define SALLYPORT_STANDARD_FDS_H

#include <stdbool.h>

/* Makes those of descriptors 0, 1 and 2 that a process was started without lead to /dev/null: the next thing that it
 * opened would have such a number, and its diagnostics would be written into that. To be called before anything is
 * opened. False: there is no /dev/null. */
bool standard_fds_open(void);

#endif
