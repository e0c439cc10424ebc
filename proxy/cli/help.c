/* The table of commands, and what is said about them. */
#include "sallyport/cli.h"

#include <stdarg.h>
#include <string.h>

#define POLICY_HELP "  -c, --config FILE   the policy; without it the standard settings hold\n"
#define SOCKET_HELP                                                                                \
	"  --socket PATH       the control socket; else that of the policy, else the standard "    \
	"place\n"                                                                                  \
	"  -c, --config FILE   a policy that names the directory of the control socket\n"

#define VAULT_READS_HELP                                                                           \
	"  list [--site SITE] [--held]        sites, pages of one, or what was held and waits\n"    \
	"  show SITE URL [--version N]        a page's versions; --content: what one contains, the\n"\
	"                                     one that is served where none is named\n"              \
	"  diff SITE URL [VERSION VERSION]    what changed: from what is served to what was held\n" \
	"  verify                             check every signature, content, the baseline, the\n"  \
	"                                     audit and all rights\n"                                \
	"  backup DIRECTORY                   write a signed copy, the private key apart\n"         \
	"  restore DIRECTORY                  take one back; --trust-key KEY: though another vault\n"\
	"                                     made it\n"                                             \
	"  rotate-key                         sign all records with a new key\n"                    \
	"  adopt                              take what a lost key has signed\n"                    \
	"  --directory PATH    the vault itself, instead of a policy's\n"                           \
	"  --socket PATH       the control socket of the server whose vault it is\n"                \
	"  --json              for programs: list, show, verify\n"

#define EGRESS_CHECK_HELP                                                                          \
	"Inside of an origin, where no server needs to run:\n"                                     \
	"  check               try to break out, in harmless ways, and say what got through\n"     \
	"  --proxy URL         the gate, http://HOST:PORT; else that of HTTP_PROXY or http_proxy\n" \
	"  --target HOST       an address, or ADDRESS:PORT, that you may connect to and the policy\n" \
	"                      does not list; may be repeated. Without any, only addresses that\n"   \
	"                      nobody has are tried, and nobody is touched. A network, such as\n"    \
	"                      198.51.100.0/24: whose addresses the burst tries\n"                   \
	"  --allowed HOST:PORT what the policy lists: it has to get through\n"                       \
	"  --isolated          this network has no exit but the gate: nothing may pass beside it\n"    \
	"  --burst N           new destinations that are tried at once, 20; 0: none\n"               \
	"  --timeout TIME      for each try, 3s\n"                                                  \
	"  --json              for programs\n"                                                      \
	"Exit status 1: something got through that should not have, or what is listed did not. Sallyport\n" \
	"counts the tries as it would count an intruder's: they are refusals and strikes in its log, and\n" \
	"may put the origin in quarantine ('sallyport egress release ORIGIN' ends that).\n"

static const struct cli_command commands[] = {
    {"run", cli_run, "[-c FILE] [--listen ADDR] [--origin URL] [--demo]",
     "start the proxy; it stays in the foreground",
     POLICY_HELP
     "  --listen ADDR       listen there only: 0.0.0.0:80, [::1]:8080, :8080\n"
     "  --origin URL        protect this one site, whatever its host: http://10.0.0.5:80\n"
     "  --demo              start a demo site and protect it\n"
     "\n"
     "SALLYPORT_LISTEN, SALLYPORT_ORIGIN, SALLYPORT_CONSOLE and SALLYPORT_LOG set listener,\n"
     "origin, console address and access log where no option does.\n"
     "Signals: TERM and INT finish what runs and end, a second one ends at once; HUP reads the\n"
     "policy again; USR1 opens the log files anew.\n"},
    {"check", cli_check, "-c FILE [--json] | --settings | --findings | --rules | --reasons",
     "check a policy; needs no rights and changes nothing",
     POLICY_HELP
     "  --json              for programs\n"
     "  --settings          print the table of all settings, as Markdown\n"
     "  --rules             print what rules may say, and those that come with sallyport, as Markdown\n"
     "  --findings          print the table of findings by profile and kind of origin, as Markdown\n"
     "  --reasons           print the table of all reasons, as Markdown\n"},
    {"explain", cli_explain, "[-c FILE] [--json] {URL [-X METHOD] [-H FIELD]... [-d DATA] [--from ADDRESS] | --request-id ID}",
     "show step by step what would become of a request, or why one was refused",
     POLICY_HELP
     "  -X, --request NAME  the method; else GET, or POST with --data\n"
     "  -H, --header FIELD  a field, \"Name: value\"; may be repeated\n"
     "  -d, --data DATA     content, or @FILE; of a form, where no Content-Type is given\n"
     "  --from ADDRESS      the visitor's address, for lists of addresses\n"
     "  --json              for programs\n"
     "\nThe URL, \"/path?query\" or \"http://host/path?query\", is taken byte for byte. Exit status 0: it\n"
     "would go on to an origin; 1: it would be refused. No server is asked.\n"
     "\n  --request-id ID     what was kept of a request that was refused: the id of the error page, or\n"
     "                      of the log. Only root, or the user that runs sallyport, may read it.\n"
     "                      -c has to be the server's policy. Exit status 1: nothing is known of it\n"},
    {"replay", cli_replay, "[-c FILE] [--against OLDPOLICY] [--format FORMAT] [--site NAME] [--json] LOG...",
     "show what a policy would have made of the requests in access logs",
     POLICY_HELP
     "  --against OLDPOLICY compare with what this policy says, not with what the log says\n"
     "  --format FORMAT     auto, combined, json or sallyport; auto tells them apart line by line\n"
     "  --site NAME         where a log has no host the requests are this site's; others are left out\n"
     "  --top N             rules and reasons shown of each kind, 20\n"
     "  --show N            requests shown of each, 3; those first that had been answered 2xx or 3xx\n"
     "  --json              for programs\n"
     "\nLOG is a file, also gzipped, or - for standard input: Apache's and nginx's common or combined format,\n"
     "JSON a line, or our own log, which says what was refused then. In a log of another server all requests\n"
     "count as passed. Content, cookies and how often somebody asks are not replayed. Exit status 0: nothing\n"
     "is newly rejected; 1: something is; 2: a log or policy cannot be read.\n"},
    {"status", cli_status, "[--json] [--socket PATH | -c FILE]", "show how the running server is",
     "  --json              for programs\n" SOCKET_HELP},
    {"reload", cli_reload, "[--socket PATH | -c FILE]",
     "make the running server read its policy again",
     SOCKET_HELP
     "\nA policy with errors is refused, they are printed, and the server goes on unchanged.\n"},
    {"bans", cli_bans, "[--socket PATH | -c FILE] list | add NETWORK [DURATION] | lift NETWORK",
     "refuse all requests of a network for a while, on every site",
     SOCKET_HELP
     "\nNETWORK is an address, or a network such as 192.0.2.0/24; DURATION is a number and a unit: 90s, 30min,\n"
     "2h, 30d; without it the ban lasts until it is lifted. Reloads leave bans as they are, a restart of the server ends\n"
     "them: networks that are banned for good belong into deny_addresses, or a file of address_sets. To lift the ban of an\n"
     "address also lifts what throttles gave it for its strikes.\n"},
    {"pause", cli_pause, "[--socket PATH | -c FILE] shield SITE | guard SITE | egress  DURATION",
     "let a site's shield or guard, or egress, only watch for a while",
     SOCKET_HELP
     "\nDURATION is a number and a unit: 90s, 30min, 2h; at most 7d. 0 ends a pause. Meanwhile the\n"
     "site is as in monitor mode, and the log says what would have been refused or held. egress has no\n"
     "site: what all origins send is only reported, quarantines included. A reload changes nothing about\n"
     "a pause; a restart of the server ends it.\n"
     "\n  sallyport pause shield shop 30min\n"
     "  sallyport pause egress 30min\n"},
    {"resume", cli_resume, "[--socket PATH | -c FILE] shield SITE | guard SITE | egress",
     "end a pause before its time", SOCKET_HELP},
    {"egress", cli_egress, "VERB [OPTIONS]", "see and decide what may leave; try to break out",
     "Of the running server:\n"
     "  list                               how egress origins stand, those in quarantine first\n"
     "  quarantine ORIGIN                  only what egress.allow lists may leave, and replies to visitors\n"
     "    --stage 2                        only replies to visitors may\n"
     "    --for 1h                         for so long; else until it is released\n"
     "  release ORIGIN                     end a quarantine. The same behaviour brings the next, and longer\n"
     "  learned                            what egress.learning has of them, and whether it counts\n"
     "  approve ORIGIN HOST:PORT           from now on it counts as listed, for that origin\n"
     "  forget ORIGIN HOST:PORT            nothing is known of it any more\n"
     "  --json              for programs: list, learned\n" SOCKET_HELP
     "ORIGIN is an address of egress.origins.\n"
     "\n" EGRESS_CHECK_HELP},
    {"vault", cli_vault, "VERB [SITE] [OPTIONS]",
     "see and decide what is known to be good",
     "Reading the vault's files, whether or not a server runs; restore, rotate-key and adopt need it\n"
     "to be stopped. The vault is that of -c FILE, of the server that runs, or in the standard place.\n" VAULT_READS_HELP
     "\nOrders to the running server:\n"
     "  approve SITE --url PATH | --all    what was held, or is being learned, is good\n"
     "  reject SITE --url PATH | --all     it is not: nobody needs to be asked again\n"
     "  rollback SITE [--url PATH] --to T  what was good then is good again. T: a time (UTC,\n"
     "                                     2026-11-23T21:08:24Z), how long ago (2h), or, with\n"
     "                                     --url, the number of a version\n"
     "  pin, unpin SITE --url PATH         a version is good whatever else becomes good\n"
     "  forget SITE --url PATH             nothing is known of the page any more\n"
     "  publish SITE --for 10min           meanwhile what changes is good; 0s ends it\n"
     "  token SITE --for 10min             print a word that orders this once, for pipelines;\n"
     "                                     --valid 1h: how long it can be used\n"
     "  enrol SITE [--url PATH]            learn a page, or look for pages again\n"
     "  seal, release SITE                 copies only; no more\n"
     "\n"
     "  --version N         a version other than the one that waits\n"
     "  --token WORD        of publish: a token that carries the order\n"
     "  --why TEXT          for the audit\n" SOCKET_HELP},
    {"rules", cli_rules, "VERB [OPTIONS]", "see the rules that count; install, make and sign packs of rules",
     "  list [--json]                      the rules of the policy: mode, severity, score, where each stands\n"
     "  show ID [--json]                   one of them, as it would stand in a policy\n"
     "Packs, which count where the policy has the key of whoever signed them in rule_pack.keys:\n"
     "  update [FILE]                      install a pack; without FILE, the one at rule_pack.url\n"
     "    --allow-older                    a version that is not newer, too\n"
     "    --replace                        a pack of another name than the installed one's\n"
     "  rollback                           the pack before it counts again\n"
     "  remove                             no pack counts any more; rollback undoes it\n"
     "  verify FILE [--key HEX | -c FILE]  what a pack is, whether it is whole, and who signed it\n"
     "  key FILE                           make a private key where there is none; print the public one\n"
     "  sign DIRECTORY -k KEY -o FILE --version N [--name NAME]\n"
     "                                     make a pack of the *.cfg in it\n"
     "  --json                             for programs: list, show, verify, update, rollback, remove\n"
     "  -c, --config FILE                  the policy that is meant; else that of the server that runs\n"
     "  --socket PATH                      where that one listens\n"
     "\nA pack is installed only where the whole policy compiles with it; then the running server reloads.\n"},
    {"stop", cli_stop, "[--socket PATH | -c FILE]", "let the running server finish and end",
     SOCKET_HELP},
    {"demo", cli_demo, "[--socket PATH | -c FILE] deface|redirect|stop|restore|scan",
     "break into the demo origin, mend it, or scan from it",
     SOCKET_HELP
     "\nFor a server that was started with --demo. Watch what a visitor sees of it, and what\n"
     "'sallyport status' says. scan tries 100 hosts through the gate that such a server has, where it\n"
     "was started without a policy; they are addresses that nobody has.\n"},
    {"version", cli_version, "", "print the version", ""},
    {"help", cli_help, "[COMMAND]", "explain a command", ""},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct cli_command *cli_find(const char *name)
{
	for (const struct cli_command *command = commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

void cli_print_usage(const struct cli_command *command, FILE *out)
{
	fprintf(out, "usage: sallyport %s%s%s\n\n%s.\n", command->name,
		command->synopsis[0] ? " " : "", command->synopsis, command->summary);
	if (command->details[0])
		fprintf(out, "\n%s", command->details);
}

int cli_wrong_use(const char *command, const char *fmt, ...)
{
	va_list ap;
	fprintf(stderr, "sallyport%s%s: ", command ? " " : "", command ? command : "");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nSee: sallyport help%s%s\n", command ? " " : "", command ? command : "");
	return CLI_WRONG_USE;
}

int cli_unknown(const char *command, const struct suggestion *wanted)
{
	char nearest[SUGGEST_TEXT_SIZE];
	return cli_wrong_use(command, "there is no %s \"%.32s\"%s", command ? "verb" : "command", wanted->wanted,
			     suggest_text(wanted, nearest));
}

const char *cli_option_fault(int kind, const char *given, const struct option *known, char out[CLI_FAULT_SIZE])
{
	const int len = (int)strcspn(given, "=");
	char name[33];
	struct suggestion suggestion;
	if (kind == ':') {
		snprintf(out, CLI_FAULT_SIZE, "%.*s needs a value", len, given);
		return out;
	}
	snprintf(name, sizeof(name), "%.*s", len > 2 ? len - 2 : 0, len > 2 ? given + 2 : "");
	suggest_init(&suggestion, name);
	for (size_t i = 0; known[i].name; i++) {
		if (known[i].val == kind) {
			snprintf(out, CLI_FAULT_SIZE, "there is no option \"--%s\" here", known[i].name);
			return out;
		}
		if (given[0] == '-' && given[1] == '-')
			suggest_offer(&suggestion, known[i].name);
	}
	snprintf(out, CLI_FAULT_SIZE, "there is no option \"%.*s\" here%s%s%s", len < 32 ? len : 32, given,
		 suggestion.nearest ? ", did you mean \"--" : "", suggestion.nearest ? suggestion.nearest : "",
		 suggestion.nearest ? "\"?" : "");
	return out;
}

int cli_refuse_option(const char *command, int kind, const char *given, const struct option *known)
{
	char fault[CLI_FAULT_SIZE];
	return cli_wrong_use(command, "%s", cli_option_fault(kind, given, known, fault));
}

int cli_unknown_command(const char *name)
{
	struct suggestion suggestion;
	suggest_init(&suggestion, name);
	for (const struct cli_command *command = commands; command->name; command++)
		suggest_offer(&suggestion, command->name);
	return cli_unknown(NULL, &suggestion);
}

static void print_overview(void)
{
	puts("usage: sallyport COMMAND [OPTIONS]\n\n"
	     "A reverse proxy that stands in front of web servers and refuses what would harm "
	     "them.\n");
	for (const struct cli_command *command = commands; command->name; command++)
		printf("  %-9s %s\n", command->name, command->summary);
	puts("\nExit status: 0 done, 1 the answer is no, 2 wrong use.");
}

int cli_help(int argc, char **argv)
{
	if (argc < 2) {
		print_overview();
		return CLI_DONE;
	}
	const struct cli_command *command = cli_find(argv[1]);
	if (argc > 2)
		return cli_wrong_use("help", "one command is explained, and \"%s\" is too much", argv[2]);
	if (!command)
		return cli_unknown_command(argv[1]);
	cli_print_usage(command, stdout);
	return CLI_DONE;
}

int cli_version(int argc, char **argv)
{
	if (argc > 1)
		return cli_wrong_use("version", "takes no argument, and \"%s\" is one", argv[1]);
	puts("sallyport " SALLYPORT_VERSION);
	return CLI_DONE;
}
