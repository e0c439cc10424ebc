/* See trw.h. Names of the paper's section 4: theta, alpha (false positives), beta (detection), eta. */
#include "sallyport/trw.h"

static const double theta_benign = 0.8, theta_scanner = 0.2;
static const double alpha = 0.01, beta = 0.99;

enum trw_verdict trw_observe(struct trw *walk, bool succeeded)
{
	double before = walk->likelihood > 0 ? walk->likelihood : 1;
	double ratio = succeeded ? theta_scanner / theta_benign : (1 - theta_scanner) / (1 - theta_benign);
	double now = before * ratio;
	walk->likelihood = 0;
	if (now >= beta / alpha)
		return TRW_SCANNER;
	if (now <= (1 - beta) / (1 - alpha))
		return TRW_BENIGN;
	walk->likelihood = now;
	return TRW_PENDING;
}
