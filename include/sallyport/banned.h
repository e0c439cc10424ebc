#ifndef SALLYPORT_BANNED_H
#define SALLYPORT_BANNED_H

/* Functions that have no bound or no error. Included by the compiler before
 * every file (-include), after the headers that declare them. */
#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Some C libraries have these as macros, which cannot be poisoned. */
#undef alloca
#undef sprintf
#undef vsprintf
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef gets
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atoll gets alloca strncpy strncat

#endif
