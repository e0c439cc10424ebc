#ifndef SALLYPORT_SETTINGS_H
#define SALLYPORT_SETTINGS_H

#include "sallyport/egress.h"
#include "sallyport/error_page.h"
#include "sallyport/rule_pack.h"
#include "sallyport/site.h"

/* A whole policy, compiled. Immutable once read; all of it lives in one arena. */

struct certificate_settings {
	const char *certificate, *key, *ocsp; /* paths; ocsp NULL: nothing is stapled */
	struct tls_certificate *loaded;
	struct policy_where where;
};

struct listen_tls {
	struct certificate_settings first;
	struct policy_list more;      /* of struct certificate_settings */
	int profile;                  /* enum tls_profile */
	bool refuse_unknown_names;
	struct tls_demand_settings clients; /* of hosts whose site says nothing of it */
	struct tls_server *server;    /* NULL: plain */
	struct policy_where where;
};

struct listen_settings {
	const char *address;
	struct addr addr;
	struct policy_strings proxy_protocol;
	struct cidr *proxy_from;      /* proxy_from_count of them; none: no connection has a PROXY header */
	size_t proxy_from_count;
	struct listen_tls tls;
	bool redirect_https;
	bool gate;                    /* the gate's, for origins; the workers' otherwise. Comes after those of `listen` */
	bool transparent;             /* the gate's: connections that the kernel leg redirects to it */
	bool dns;                     /* the gate's: questions for names, nothing of HTTP */
	bool is_datagram;             /* UDP */
	struct policy_where where;
};

struct limit_settings {        /* for all sites: known before the site is */
	uint64_t head_bytes;       /* request head, 16 KiB */
	uint64_t field_bytes;      /* one field line, 8 KiB */
	uint64_t fields;           /* 100 */
	uint64_t target_bytes;     /* limits.url, 8 KiB */
	uint64_t response_head_bytes; /* 32 KiB */
	uint64_t response_fields;  /* 128 */
};

struct timeout_settings {      /* milliseconds */
	uint64_t head;             /* whole head, 10 s */
	uint64_t handshake;        /* of TLS, 10 s */
	uint64_t idle;             /* between requests, 60 s */
	uint64_t body_grace;       /* before min_rate counts, 5 s */
	uint64_t min_rate;         /* bytes a second, both ways, 500 B/s */
	uint64_t stall;            /* no byte at all, either way of the client, 30 s */
	uint64_t collect;          /* how long a small upload is collected, 1 s */
	uint64_t connect;          /* 3 s */
	uint64_t first_byte;       /* 60 s */
	uint64_t between_bytes;    /* 60 s */
	uint64_t origin_idle;      /* pooled connection kept, 30 s */
	uint64_t linger;           /* after a refusal, 2 s */
	uint64_t tarpit;           /* how long a refused connection is held, 10 s */
	uint64_t tunnel;           /* nothing passes through an upgraded connection, 10 min */
	uint64_t drain;            /* how long an old generation or a SIGTERM waits for running exchanges, 30 s */
};

struct quota_settings {
	uint64_t connections;      /* in all, 20,000 */
	uint64_t per_client;       /* per address, 512 */
	struct policy_rate handshakes; /* of TLS, per address, 100/s */
	uint64_t memory;           /* per worker, 256 MiB */
	uint64_t collect_bytes;    /* uploads up to this are collected, 64 KiB */
	uint64_t origin_idle;      /* pooled connections per origin and worker, 64 */
	uint64_t tarpit;           /* refused connections held by each worker, 256 */
	uint64_t held;             /* pages that wait for their verdict, per worker, 64 MiB */
	uint64_t copies;           /* known-good copies at hand, per worker, 32 MiB */
	uint64_t generations;      /* draining at once, 4 */
};

enum log_format { LOG_FORMAT_UNSET = 0, LOG_FORMAT_COMBINED, LOG_FORMAT_JSON };

struct log_settings {
	const char *access;        /* file, "-" for standard output, "off" */
	const char *events;        /* file, "-" for standard error, "off" */
	int format;                /* enum log_format */
};

enum sandbox_mode { SANDBOX_UNSET = 0, SANDBOX_OFF, SANDBOX_BEST_EFFORT, SANDBOX_REQUIRED };

struct process_settings {
	uint64_t workers;          /* 0: one per usable CPU; at most 16 */
	const char *user;          /* to run as, where started as root; NULL: "nobody" */
	int sandbox;               /* enum sandbox_mode */
	const char *runtime;       /* directory of the control socket; NULL: see conf/README.md */
};

struct console_settings {
	const char *address;       /* TCP, loopback; NULL: the Unix socket only */
	struct addr addr;
};

struct evidence_settings {     /* what is kept of refused requests */
	uint64_t bytes;            /* of the file, 8 MiB; 0: nothing is kept */
	uint64_t per_second;       /* alike ones, of each worker, 4 */
	struct policy_strings secrets; /* names whose values are masked, besides those known */
};

struct alert_settings {        /* who is told at once */
	const char *webhook;       /* http or https URL; NULL: none */
	const char *secret;        /* what its messages are signed with; NULL: not signed */
	const char *secret_file;   /* the same, in a file */
	const char *ca;            /* PEM; NULL: the system's */
	const char *program;       /* absolute path; NULL: none */
	uint64_t interval_ms;      /* alike ones are folded so long */
	struct policy_where where;
};

struct rule_pack_settings {    /* rules that somebody signed: rule_pack.h */
	struct policy_strings keys; /* whose; none: no pack counts */
	uint8_t (*trusted)[SIGN_PUBLIC_SIZE]; /* trusted_count of them */
	size_t trusted_count;
	const char *directory;     /* where it is installed; NULL: see rule_store.h */
	uint64_t max_age_ms;       /* older rules are warned of; 0: never */
	uint64_t max_bytes;
	const char *url;           /* where `rules update` gets it; NULL: nowhere */
	const char *ca;            /* PEM; NULL: the system's */
	struct policy_where where;
};

/* Whose the rules are, and of when. */
struct rules_dates {
	uint64_t updated_s;        /* the newest date that a file of rules says; 0: none does */
	char pack[RULE_PACK_NAME_MAX + 1]; /* empty: there is none */
	uint64_t pack_version, pack_created_s;
	uint64_t pack_rules;       /* how many came from it */
};

struct settings {
	struct arena *arena;
	struct policy_list listens;   /* of struct listen_settings, the gate's among them */
	struct policy_list sites;     /* of struct site */
	const char *default_site;     /* name; NULL: unknown hosts are refused */
	struct policy_list address_sets; /* of struct address_set */
	struct policy_strings trusted_proxies;
	struct cidr *trusted;         /* trusted_count of them */
	size_t trusted_count;
	struct policy_list rules;     /* of struct rule_settings: the policy's own */
	bool has_built_in;            /* where nothing sets rules, those that come with the program count */
	const char *updated;              /* as of a file of rules that the policy includes; NULL: none says */
	struct policy_strings rule_files; /* more of them, in files such as worms.cfg */
	struct rule_pack_settings rule_pack;
	const struct rule_pack_given *pack_given; /* NULL: what is installed */
	int rules_wanted;             /* enum rules_wanted */
	struct rules_dates rules_dates;
	const char *acme_webroot;     /* NULL: ACME challenges are paths like others */
	const char *error_pages;      /* directory of page.html; NULL: what comes with the program */
	struct error_page error_page; /* read from there */
	struct limit_settings limits;
	struct timeout_settings timeouts;
	struct quota_settings quotas;
	struct log_settings log;
	struct process_settings process;
	struct console_settings console;
	struct vault_settings vault;
	struct alert_settings alerts;
	struct evidence_settings evidence;
	struct egress_policy egress;  /* mode EGRESS_UNSET: there is no such section */
	struct site_table *table;
	size_t origin_count, route_count; /* internal ones too */
	struct site *egress_site;     /* whose requests the gate's are; NULL: there is no gate */
	struct route *internals[INTERNAL_COUNT]; /* NULL where there is none; internal_count of them */
	size_t internal_count;
	struct rule_spec *rule_specs; /* rule_count of them: the policy's own, those of the pack, those of files */
	size_t rule_count;
	struct rule_set *rule_set;    /* the same, compiled */
	struct shield **shields;      /* every shield once, for shield_scratch_new */
	size_t shield_count;
};

/* What a policy is read for. */
enum rules_wanted {
	RULES_COMPILED = 0, /* to serve by it, or to check it */
	RULES_READ,         /* to see its rules: rule_specs, but no rule_set and no shields */
	RULES_LEFT,         /* to ask where things are: no rule is read, nor a pack looked for */
};

/* A pack in place of the one that is installed: what would be if it were. */
struct rule_pack_given {
	struct span bytes; /* empty: no pack at all */
};

/* What the command line and the environment add: NULL where not given. */
struct settings_overrides {
	const char *listen;   /* --listen, SALLYPORT_LISTEN: comma-separated, replaces all listeners */
	/* --origin, SALLYPORT_ORIGIN: comma-separated, replaces all sites by one, "default", for
	 * every host. */
	const char *origin;
	bool demo;               /* that site is guarded, and learns within seconds */
	const char *demo_vault;  /* … in a vault of its own, with a gate for it; NULL where there is a policy */
	const char *console;  /* SALLYPORT_CONSOLE */
	const char *log;      /* SALLYPORT_LOG: access log */
	bool leaves_files;    /* certificates and keys are not read: to ask, not to serve */
	bool asks_machine;    /* warnings of a user or folder that this machine lacks */
	int rules_wanted;     /* enum rules_wanted */
	const struct rule_pack_given *pack; /* borrowed */
};

/* SALLYPORT_LISTEN, SALLYPORT_ORIGIN, SALLYPORT_CONSOLE and SALLYPORT_LOG where they are set and
 * not empty. Borrowed from the environment. */
void settings_overrides_from_environment(struct settings_overrides *overrides);

/* Reads and compiles. path NULL: no file. Where nothing sets `rules` or `rule_files`, the
 * rules that come with the program (conf/policy.d) count. NULL where errors were reported. The result owns
 * everything it points to. Reads the files that the policy includes or names, certificates and keys among
 * them; opens nothing else. */
struct settings *settings_load(const char *path, const struct settings_overrides *overrides,
			       struct policy_errors *errors);
/* The same from text, for tests and fuzzing: without the rules that come with the program. */
struct settings *settings_load_text(const char *text, const struct settings_overrides *overrides,
				    struct policy_errors *errors);
void settings_free(struct settings *settings);
/* Frees every private key, and what could use one, and the secret of alerts: for a process that was forked with all
 * of it and has no use for any. Nothing of the policy speaks TLS afterwards, and it is never freed. */
void settings_forget_keys(struct settings *settings);
/* conf/README.md's tables: of settings, and of reasons; that of findings is the shield's. */
void settings_document(struct strbuf *out);
/* Of what rules may say, and of those that come with the program. */
void settings_document_rules(struct strbuf *out);
void settings_document_reasons(struct strbuf *out);

#endif
