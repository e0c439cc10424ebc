#ifndef SALLYPORT_TRW_H
#define SALLYPORT_TRW_H

#include <stdbool.h>

/* Threshold random walk: is a machine that turns to new destinations a scanner? Sequential hypothesis
 * testing over whether each of them answers: J. Jung, V. Paxson, A. Berger, H. Balakrishnan, "Fast Portscan
 * Detection Using Sequential Hypothesis Testing", IEEE Symposium on Security and Privacy, 2004, with its
 * values: a first connection of a benign machine succeeds with 0.8, of a scanner with 0.2; at least 99 % of
 * scanners are found, at most 1 % of the benign are taken for one. */

enum trw_verdict { TRW_UNSET = 0, TRW_PENDING, TRW_BENIGN, TRW_SCANNER };

/* Zeroed: nothing is known. */
struct trw {
	double likelihood; /* how much likelier a scanner is than a benign machine; 0 stands for 1 */
};

/* One first contact more. After BENIGN and SCANNER the walk begins anew. */
enum trw_verdict trw_observe(struct trw *walk, bool succeeded);

#endif
