#ifndef SALLYPORT_DATA_PATH_H
#define SALLYPORT_DATA_PATH_H

#include "sallyport/err.h"

/* Where the files lie that come with the program: its www/ and conf/. */

#define DATA_PATH_SIZE 4096

/* name: "www/errors", "conf/policy.d/worms.cfg". Looked for in
 *   $SALLYPORT_DATADIR             where it is set, nowhere else then
 *   the checkout                   where the program runs from BUILD/VARIANT in it
 *   ../share/sallyport             beside the directory of the program
 *   PREFIX/share/sallyport         as compiled
 * False where it is in none of them; err names the last one. Opens nothing: call it
 * before the sandbox closes. */
MUST_CHECK bool data_path(const char *name, char out[DATA_PATH_SIZE], struct err *err);

#endif
