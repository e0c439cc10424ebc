#ifndef SALLYPORT_PROC_RULE_CACHE_H
#define SALLYPORT_PROC_RULE_CACHE_H

#include "sallyport/rule.h"

/* Compiled databases of rules in files named by the digest of all that goes into them, so that a reload or a
 * start with unchanged rules costs no compilation. The folder is SALLYPORT_CACHE, or
 * /var/cache/sallyport; where it is missing, or others than its owner may write there, there is
 * no cache, and that is no error. */
struct rule_cache rule_cache_open(void);

#endif
