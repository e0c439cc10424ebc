#ifndef SALLYPORT_CHALLENGE_H
#define SALLYPORT_CHALLENGE_H

#include "sallyport/span.h"

/* Where a certificate authority looks for what its client put there: the HTTP challenge of ACME
 * (RFC 8555 section 8.3). */
#define CHALLENGE_FOLDER ".well-known/acme-challenge"

enum { CHALLENGE_TOKEN_MAX = 128 };

/* The token of "/.well-known/acme-challenge/TOKEN": 1 to 128 letters, digits, "-" and "_" (base64url), so a
 * file's name that leads nowhere else. False: the path is none. */
bool challenge_token(struct span path, struct span *token);

#endif
