/* What the operator is told of at once. It goes to the herald, if there is one. */
#include <stdarg.h>

#include "proc/alert.h"
#include "proc/keeper.h"

void keeper_tell(enum alert_kind kind, const struct ledger_site *site, const char *key,
		 const char *reason, const char *fmt, ...)
{
	char text[ALERT_TEXT_SIZE];
	struct alert alert;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		text[0] = '\0';
	alert_fill(&alert, kind, span_from_str(site ? site->plan->name : ""), span_from_str(key), reason,
		   span_from_str(text));
	alert_send(keeper.alerts, &alert);
}
