#ifndef SALLYPORT_SECRET_HEAP_H
#define SALLYPORT_SECRET_HEAP_H

/* Between these, what is freed keeps nothing of what it held: libraries free texts of a policy, with its secrets, and
 * processes that are forked later take along what lies on the heap. Of one thread; not nested. */
void secret_heap_begin(void);
void secret_heap_end(void);

#endif
