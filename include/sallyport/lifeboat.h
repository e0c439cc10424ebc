#ifndef SALLYPORT_LIFEBOAT_H
#define SALLYPORT_LIFEBOAT_H

#include "sallyport/err.h"
#include "sallyport/loop.h"

/* The lifeboat: contents of the vault, by the digest that names them, to workers that hold its
 * channel (enum internal_origin). Which content stands for which page, and how it is
 * presented, is the worker's affair: it has the baseline. So no byte of a visitor reaches this
 * process. It reads a file whole, and compares it with its name, before the first byte of it leaves.
 *
 *   GET /<64 hexadecimal digits> HTTP/1.1     200, all of it
 *   Range: bytes=FIRST-LAST                   206, that part
 *                                             404: there is none, or it is damaged
 */
struct lifeboat;

/* contents: the vault's folder of contents, opened; channel: its reading end. Both are taken, also
 * where it fails. */
struct lifeboat *lifeboat_new(struct loop *loop, int contents, int channel, struct err *err);
void lifeboat_free(struct lifeboat *lifeboat);

#endif
