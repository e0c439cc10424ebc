/* The byte classes of a request-target, as one table. Trusts and decides
 * nothing: what a byte outside of its class leads to is its reader's affair. */
#include "url/class.h"

#define O URL_CLASS_ODD
#define U (URL_CLASS_ODD | URL_CLASS_UNSAFE)
#define N (URL_CLASS_UNRESERVED | URL_CLASS_PATH | URL_CLASS_QUERY)
#define R (URL_CLASS_PATH | URL_CLASS_QUERY)
#define P URL_CLASS_PATH
#define Q (URL_CLASS_QUERY | URL_CLASS_ODD)
#define D (N | URL_CLASS_STEP)
#define M (R | URL_CLASS_MARK)
#define T (N | URL_CLASS_MARK)
#define S (R | URL_CLASS_STEP)

/* clang-format off */
const uint8_t url_class[256] = {
	U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 00 */
	U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 10 */
	U, R, O, O, R, O, R, R, R, R, R, P, R, N, D, S, /* 20 */
	N, N, N, N, N, N, N, N, N, N, M, M, O, R, O, Q, /* 30 */
	R, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 40 */
	N, N, N, N, N, N, N, N, N, N, N, O, O, O, O, N, /* 50 */
	O, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 60 */
	N, N, N, N, N, N, N, N, N, N, N, O, O, O, T, U, /* 70 */
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* 80 */
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* 90 */
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* a0 */
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* b0 */
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* c0 */
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* d0 */
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* e0 */
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, /* f0 */
};
/* clang-format on */
