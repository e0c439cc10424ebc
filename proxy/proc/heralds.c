/* What the master does for alerts: starts herald and crier where a policy names somebody to be told, and
 * others where it names somebody else. Alerts themselves never pass here. */
#include <string.h>

#include "proc/master.h"
#include "sallyport/log.h"

bool heralds_init(struct err *err)
{
	return ipc_pair(master.alert_fds, err) && ipc_pair(master.crier_fds, err);
}

static void adapt(struct helper **helper, enum role_id role, bool is_needed, bool has_changed)
{
	struct err err = {{0}};
	if (!is_needed && *helper) {
		helpers_end(*helper, false);
		*helper = NULL;
	} else if (is_needed && !*helper) {
		*helper = helpers_start(role, &master.policy, &err);
		if (!*helper)
			log_error("no %s: %s", role_get(role)->name, err.text);
	} else if (is_needed && has_changed) {
		helpers_end(*helper, true);
	}
}

/* What each was started with: a change ends it, and starts another. */
void heralds_commit(void)
{
	static struct compiled_report old;
	const struct compiled_report *now = &master.policy;
	bool is_confined_anew = old.sandbox != now->sandbox || strcmp(old.user, now->user) != 0;
	bool is_told_anew = memcmp(&old.alerts, &now->alerts, sizeof(old.alerts)) != 0;
	bool has_program = now->alerts.program[0] != '\0';
	bool has_anybody = has_program || now->alerts.webhook[0] != '\0';
	adapt(&master.crier, ROLE_CRIER, has_program, is_confined_anew || is_told_anew);
	adapt(&master.herald, ROLE_HERALD, has_anybody, is_confined_anew || is_told_anew);
	old = *now;
}

void heralds_forget(const struct helper *helper)
{
	if (helper == master.herald)
		master.herald = NULL;
	if (helper == master.crier)
		master.crier = NULL;
}
