#ifndef SALLYPORT_PROC_SETTINGS_SCHEMA_H
#define SALLYPORT_PROC_SETTINGS_SCHEMA_H

#include "sallyport/settings.h"

/* The rows of a whole policy; settings_schema.finish is settings_compile. */
extern const struct schema settings_schema;

extern const struct schema alert_schema; /* struct alert_settings: `alerts` */

/* What concerns more than one group: numbers sites, origins and routes, makes the
 * table of hosts and the shields, and looks for contradictions. */
void settings_compile(void *structure, struct policy_where where, struct policy_context *context);

extern const struct schema rule_pack_schema; /* struct rule_pack_settings: `rule_pack` */

/* The installed pack, or the one given in its place: verified, its files handed on one by one as text. Nothing where
 * there is none; what is wrong with it is reported. */
typedef void pack_file(void *context, const char *name, const char *text);
void settings_pack_read(struct settings *settings, struct policy_context *context, pack_file *on_file, void *on_context);

/* Puts the rules of the policy and of its files together and compiles them; reports all that is wrong. */
void settings_rules_compile(struct settings *settings, struct policy_context *context);

/* The routes to processes of ours that the policy needs, numbered behind all others. */
void settings_add_internals(struct settings *settings, struct policy_where where,
			    struct policy_context *context);

/* The gate's listeners, behind those of the policy. */
void settings_add_gate(struct settings *settings, struct policy_context *context);
/* One of them takes connections that the other would: both can't be opened. */
bool settings_overlap(const struct addr *a, const struct addr *b);

/* Networks as a setting of the group that is being finished lists them. *n: how many were understood;
 * all others are reported. NULL without memory. */
struct cidr *settings_networks(const struct policy_strings *texts, const char *setting, size_t *n,
			       struct policy_where where, struct policy_context *context);

/* 127.0.0.0/8 and ::1. */
bool settings_is_loopback(const struct addr *addr);

extern const struct schema listen_tls_schema;
/* Certificates and what is asked of clients, put together where all sites are known. */
void listen_tls_compile(struct settings *settings, struct policy_context *context);

#endif
