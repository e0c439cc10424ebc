/* sallyport demo scan: turns to 100 hosts at a time through the gate of a running demo, as Code Red did from its
 * victims. They are addresses that nobody has (RFC 5737), so that nobody is scanned even where somebody else's gate
 * should answer. */
#include "cli/demo_scan.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/egress_try.h"
#include "sallyport/cli.h"

enum { WAIT_S = 10, HOSTS = 100, TIMEOUT_MS = 5000 };

static bool find_gate(const struct control_options *options, struct addr *out, struct err *err)
{
	struct control_answer answer;
	bool ok = control_ask(options, "GET", "/api/status", NULL, WAIT_S, &answer, err);
	struct json_value *status = ok ? json_read(strbuf_span(&answer.body), err) : NULL;
	struct span gate = json_text(status, "gate", "");
	if (status && (gate.len == 0 || !addr_parse(gate, out, NULL)))
		ok = err_set(err, "the server has no gate: start sallyport with --demo, without a policy");
	ok = ok && status;
	json_free(status);
	control_answer_release(&answer);
	return ok;
}

static void plan(struct egress_try tries[HOSTS], const struct addr *gate, const struct addr *source)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		tries[i] = (struct egress_try){.kind = TRY_CONNECT, .wanted = WANTED_NOTHING, .is_nobody = true};
		tries[i].addr = *gate;
		tries[i].source = source;
		snprintf(tries[i].target, sizeof(tries[i].target), "198.51.100.%u:80", i + 1);
	}
}

static int tell(const struct egress_try tries[HOSTS])
{
	unsigned reached = 0, refused = 0;
	for (unsigned i = 0; i < HOSTS; i++) {
		reached += tries[i].outcome == OUTCOME_ANSWERED;
		refused += tries[i].outcome == OUTCOME_REFUSED;
	}
	printf("%d hosts were tried through the gate: %u reached, %u refused.\n", HOSTS, reached, refused);
	if (reached != 0 || refused != HOSTS)
		return CLI_NO;
	puts("The demo's machine is in quarantine for a minute, and its site is up all the same:\n"
	     "  sallyport egress list, sallyport egress release 127.0.0.2");
	return CLI_DONE;
}

int demo_scan(const struct control_options *options)
{
	struct err err = {"out of memory"};
	struct addr gate, machine;
	int status = CLI_NO;
	struct egress_try *tries = calloc(HOSTS, sizeof(*tries));
	bool ok = tries && find_gate(options, &gate, &err);
	ok = ok && addr_parse_ip(SPAN("127.0.0.2"), 0, &machine);
	if (ok)
		plan(tries, &gate, &machine);
	ok = ok && egress_try_all(tries, HOSTS, TIMEOUT_MS, &err);
	if (ok)
		status = tell(tries);
	else
		fprintf(stderr, "sallyport demo: %s\n", err.text);
	free(tries);
	return status;
}
