/* sallyport egress check: from inside of an origin, tries to break out, and says what got through. Asks no server:
 * what it finds is what an intruder would find. See egress_plan.c for whom it turns to. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/egress.h"
#include "cli/egress_plan.h"
#include "cli/print.h"
#include "sallyport/cli.h"
#include "sallyport/clock.h"
#include "sallyport/units.h"

enum { TIMEOUT_MS = 3000, TIMEOUT_MAX_MS = 60000, BURST = 20, BUDGET = 10, BUDGET_PER_S = 1 };
enum { OPTION_PROXY = 256, OPTION_TARGET, OPTION_ALLOWED, OPTION_BURST, OPTION_TIMEOUT, OPTION_ISOLATED, OPTION_JSON };

static const struct option options_known[] = {
    {"proxy", required_argument, NULL, OPTION_PROXY},
    {"target", required_argument, NULL, OPTION_TARGET},
    {"allowed", required_argument, NULL, OPTION_ALLOWED},
    {"burst", required_argument, NULL, OPTION_BURST},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"isolated", no_argument, NULL, OPTION_ISOLATED},
    {"json", no_argument, NULL, OPTION_JSON},
    {NULL, 0, NULL, 0},
};

struct check {
	struct egress_plan plan;
	const char *proxy;
	uint64_t timeout_ms;
	bool as_json;
	struct json_writer json;
	/* found */
	unsigned through, missing, tried, impossible;
	unsigned burst[OUTCOMES];
};

/* ---- the command line ---- */

static int take_operand(const char **operands, size_t *n, const char *option)
{
	if (*n == EGRESS_OPERANDS_MAX)
		return cli_wrong_use("egress", "%s: at most %d of them", option, EGRESS_OPERANDS_MAX);
	operands[(*n)++] = optarg;
	return CLI_DONE;
}

static int take_number(struct check *check, int option)
{
	if (option == OPTION_BURST && span_to_u64(span_from_str(optarg), EGRESS_BURST_MAX, &check->plan.burst))
		return CLI_DONE;
	if (option == OPTION_BURST)
		return cli_wrong_use("egress", "--burst: \"%.32s\" is no number from 0 to %d", optarg, EGRESS_BURST_MAX);
	if (units_parse_time(span_from_str(optarg), &check->timeout_ms) && check->timeout_ms > 0 &&
	    check->timeout_ms <= TIMEOUT_MAX_MS)
		return CLI_DONE;
	return cli_wrong_use("egress", "--timeout: \"%.32s\" is no time of at most a minute, such as 3s", optarg);
}

static int take_option(struct check *check, int option, const char *name)
{
	switch (option) {
	case OPTION_PROXY: check->proxy = optarg; return CLI_DONE;
	case OPTION_TARGET: return take_operand(check->plan.targets, &check->plan.target_count, "--target");
	case OPTION_ALLOWED: return take_operand(check->plan.allowed, &check->plan.allowed_count, "--allowed");
	case OPTION_BURST:
	case OPTION_TIMEOUT: return take_number(check, option);
	case OPTION_ISOLATED: check->plan.is_isolated = true; return CLI_DONE;
	case OPTION_JSON: check->as_json = true; return CLI_DONE;
	default: return cli_refuse_option("egress", option, name, options_known);
	}
}

static const char *proxy_of_environment(void)
{
	static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);
		if (value && value[0])
			return value;
	}
	return NULL;
}

static int read_line(int argc, char **argv, struct check *check)
{
	struct err err;
	int option, status = CLI_DONE;
	check->timeout_ms = TIMEOUT_MS;
	check->plan.burst = BURST;
	opterr = 0;
	optind = 1;
	while (status == CLI_DONE && (option = getopt_long(argc, argv, ":", options_known, NULL)) != -1)
		status = take_option(check, option, argv[optind - 1]);
	if (status != CLI_DONE)
		return status;
	if (optind < argc)
		return cli_wrong_use("egress", "check takes options only, and \"%.64s\" is none", argv[optind]);
	if (!check->proxy)
		check->proxy = proxy_of_environment();
	egress_plan_init(&check->plan);
	if (check->proxy && !egress_plan_gate(&check->plan, check->proxy, &err))
		return cli_wrong_use("egress", "--proxy: %s", err.text);
	return CLI_DONE;
}

/* ---- what is said ---- */

enum finding { FOUND_CONTAINED, FOUND_THROUGH, FOUND_MISSING, FOUND_BUDGETED, FOUND_UNKNOWN };

static const char *verdict_name(enum finding verdict)
{
	static const char *const names[] = {"contained", "THROUGH", "MISSING", "allowed", "unknown"};
	return names[verdict];
}

static enum finding verdict_of(const struct egress_try *try)
{
	bool is_answered = try->outcome == OUTCOME_ANSWERED;
	if (try->wanted == WANTED_THROUGH)
		return is_answered ? FOUND_BUDGETED : FOUND_MISSING;
	if (try->outcome == OUTCOME_IMPOSSIBLE)
		return FOUND_UNKNOWN;
	if (is_answered)
		return try->wanted == WANTED_BUDGET ? FOUND_BUDGETED : FOUND_THROUGH;
	return FOUND_CONTAINED;
}

static void print_try(const struct egress_try *try, enum finding verdict)
{
	char kind[32];
	snprintf(kind, sizeof(kind), "%s%s", egress_try_kind_name(try->kind),
		 try->kind == TRY_CONNECT || try->kind == TRY_GET ? " by gate" : "");
	printf("%-10s %-15s %-28s %-10s %5" PRIu64 " ms  ", verdict_name(verdict), kind, try->target,
	       egress_outcome_name(try->outcome), try->took_ms);
	control_print(stdout, span_from_str(try->detail));
	puts("");
}

static void write_try(struct json_writer *json, const struct egress_try *try, enum finding verdict)
{
	char name[16];
	snprintf(name, sizeof(name), "%s", verdict_name(verdict));
	for (char *c = name; *c; c++)
		*c = ascii_lower(*c);
	json_open_object(json, NULL);
	json_add_text(json, "verdict", span_from_str(name));
	json_add_text(json, "try", span_from_str(egress_try_kind_name(try->kind)));
	json_add_text(json, "target", span_from_str(try->target));
	json_add_text(json, "outcome", span_from_str(egress_outcome_name(try->outcome)));
	json_add_text(json, "detail", span_from_str(try->detail));
	json_add_number(json, "took_ms", try->took_ms);
	json_close(json);
}

static void tell(struct check *check)
{
	for (size_t i = 0; i < check->plan.n; i++) {
		const struct egress_try *try = &check->plan.tries[i];
		enum finding verdict = verdict_of(try);
		check->tried++;
		check->through += verdict == FOUND_THROUGH;
		check->missing += verdict == FOUND_MISSING;
		check->impossible += verdict == FOUND_UNKNOWN;
		if (check->as_json)
			write_try(&check->json, try, verdict);
		else
			print_try(try, verdict);
	}
}

/* ---- the burst ---- */

/* New destinations at one moment: one that answers is one too many only beyond the budget. */
static void tell_burst(struct check *check, uint64_t took_ms)
{
	unsigned outcomes[OUTCOMES] = {0};
	uint64_t budget = check->plan.is_isolated ? 0 : BUDGET + (took_ms / 1000 + 1) * BUDGET_PER_S;
	for (size_t i = 0; i < check->plan.n; i++)
		outcomes[check->plan.tries[i].outcome]++;
	bool is_over = outcomes[OUTCOME_ANSWERED] > budget;
	check->tried += (unsigned)check->plan.n;
	check->through += is_over ? outcomes[OUTCOME_ANSWERED] - (unsigned)budget : 0;
	memcpy(check->burst, outcomes, sizeof(outcomes));
	if (check->as_json)
		return;
	printf("%-10s %-15s %zu new destinations at once: %u answered, %u refused, %u silent\n",
	       verdict_name(is_over ? FOUND_THROUGH : FOUND_CONTAINED), "burst", check->plan.n,
	       outcomes[OUTCOME_ANSWERED], outcomes[OUTCOME_REFUSED], outcomes[OUTCOME_SILENT]);
}

/* ---- the whole ---- */

static bool run(struct check *check, struct err *err)
{
	struct egress_plan *plan = &check->plan;
	return egress_try_all(plan->tries, plan->n, check->timeout_ms, err);
}

static bool burst(struct check *check, struct err *err)
{
	egress_plan_burst(&check->plan);
	if (check->plan.n == 0)
		return true;
	uint64_t started_ms = clock_mono_ms();
	if (!run(check, err))
		return false;
	tell_burst(check, clock_mono_ms() - started_ms);
	return true;
}

/* A gate that nobody can speak with is one thing that is wrong, not a hundred. */
static bool check_gate(struct check *check, struct err *err)
{
	struct egress_plan *plan = &check->plan;
	if (!plan->has_gate)
		return true;
	egress_plan_reach(plan);
	if (!run(check, err))
		return false;
	tell(check);
	plan->has_gate = check->missing == 0;
	return true;
}

static bool check_all(struct check *check, struct err *err)
{
	struct egress_plan *plan = &check->plan;
	if (!check_gate(check, err))
		return false;
	if (!egress_plan_allowed(plan, err) || !run(check, err))
		return false;
	tell(check);
	if (!egress_plan_targets(plan, err) || !run(check, err))
		return false;
	tell(check);
	if (!burst(check, err))
		return false;
	egress_plan_tries(plan);
	if (!run(check, err))
		return false;
	tell(check);
	/* Who was caught at all this may be in quarantine by now: what is listed still has to pass. */
	if (!egress_plan_allowed(plan, err) || !run(check, err))
		return false;
	tell(check);
	return true;
}

static void print_end(const struct check *check)
{
	printf("\n%u tries: %u got through that should not have, %u of what is listed did not, %u could not be made here.\n",
	       check->tried, check->through, check->missing, check->impossible);
	if (!check->proxy)
		puts("No gate was asked: give --proxy, or set HTTP_PROXY, to try it too.");
	if (check->plan.target_count == 0)
		puts("Only addresses that nobody has were tried: --target HOST, with a host that may be reached and is not\n"
		     "listed, shows whether anything leads out.");
}

static bool write_end(struct check *check)
{
	struct err err;
	json_open_object(&check->json, "burst");
	json_add_number(&check->json, "answered", check->burst[OUTCOME_ANSWERED]);
	json_add_number(&check->json, "refused", check->burst[OUTCOME_REFUSED]);
	json_add_number(&check->json, "silent", check->burst[OUTCOME_SILENT]);
	json_close(&check->json);
	json_add_number(&check->json, "tried", check->tried);
	json_add_number(&check->json, "through", check->through);
	json_add_number(&check->json, "missing", check->missing);
	json_add_number(&check->json, "impossible", check->impossible);
	return cli_print_json(&check->json, 4 << 20, &err);
}

static int check_and_tell(struct check *check)
{
	struct err err = {"out of memory"};
	json_begin(&check->json);
	if (check->as_json)
		json_open_list(&check->json, "tries");
	else
		printf("%-10s %-15s %-28s %-10s %8s  %s\n", "VERDICT", "TRY", "TARGET", "OUTCOME", "TOOK", "WHAT CAME");
	bool ok = check_all(check, &err);
	if (check->as_json)
		json_close(&check->json);
	if (check->as_json)
		ok = write_end(check) && ok;
	else if (ok)
		print_end(check);
	if (!ok) {
		fprintf(stderr, "sallyport egress check: %s\n", err.text);
		return CLI_NO;
	}
	return check->through + check->missing == 0 ? CLI_DONE : CLI_NO;
}

int egress_cli_check(int argc, char **argv)
{
	struct check *check = calloc(1, sizeof(*check));
	if (!check) {
		fputs("sallyport egress check: out of memory\n", stderr);
		return CLI_NO;
	}
	int status = read_line(argc, argv, check);
	if (status == CLI_DONE)
		status = check_and_tell(check);
	free(check);
	return status;
}
