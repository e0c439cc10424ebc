#ifndef SERVE_CONSOLE_EGRESS_H
#define SERVE_CONSOLE_EGRESS_H

#include "sallyport/egress_order.h"
#include "sallyport/json.h"

/* How the egress legs and their origins are, as members of the object that is open. Where the policy has no
 * section `egress`, the mode is "none" and there are no origins. */
void console_egress_write(const struct egress_states *states, struct json_writer *json);
/* What origins have taught: the members "learning" and "learned". states may be NULL. */
void console_egress_write_learned(const struct egress_states *states, struct json_writer *json);
/* The member "egress" of the status; nothing where the policy has no such section. states may be NULL. */
void console_egress_status(const struct egress_states *states, struct json_writer *json);
/* The egress legs' part of /metrics. */
void console_egress_metrics(const struct egress_states *states, struct strbuf *out);

/* The verb of "/api/egress/quarantine" and its like; UNSET: the path is another. */
enum egress_verb console_egress_verb(const char *path);
/* Reads what a POST to it says. False: err says what is wrong with it. */
MUST_CHECK bool console_read_egress(enum egress_verb verb, struct span content, struct egress_order *out,
				    struct err *err);

#endif
