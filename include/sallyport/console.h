#ifndef SALLYPORT_CONSOLE_H
#define SALLYPORT_CONSOLE_H

#include "sallyport/ban_list.h"
#include "sallyport/egress_order.h"
#include "sallyport/guard_status.h"
#include "sallyport/loop.h"
#include "sallyport/settings.h"
#include "sallyport/site_state.h"
#include "sallyport/stats.h"
#include "sallyport/strbuf.h"
#include "sallyport/vault_order.h"

/* The control API and page (libmicrohttpd) on a Unix socket and, where set, on
 * loopback TCP. It owns nothing: orders go to the master, figures come from
 * shared memory. libmicrohttpd runs inside our loop by its epoll descriptor.
 *
 *   GET  /livez            200 always
 *   GET  /readyz           200 while a generation accepts, else 503
 *   GET  /api/status       JSON, see below; 503 or 504 where the master does not say
 *   GET  /metrics          the same counters, Prometheus text format 0.0.4
 *   POST /api/reload       200 {"ok":true} or 409 {"ok":false,"errors":"…"}
 *   GET  /api/egress       JSON: how the egress legs and their origins are, see below
 *   POST /api/egress/quarantine  {"origin":"10.0.0.5","stage":"listed-only","duration_ms":3600000}; stage may be
 *                          left out, or be "replies-only"; duration_ms 0, or none: until released
 *   POST /api/egress/release  {"origin":"10.0.0.5"}
 *                          200 {"ok":true,"said":"…"}, 400 or 409 {"ok":false,"errors":"…"}
 *   POST /api/pause        {"leg":"shield","site":"shop","duration_ms":1800000}; 0 ends a pause. The leg
 *                          "egress" has no site. 200 {"ok":true}, 400 or 409 {"ok":false,"errors":"…"}
 *   POST /api/bans/add     {"network":"192.0.2.0/24","duration_ms":3600000}; without a duration: until it is lifted
 *   POST /api/bans/lift    {"network":"192.0.2.0/24"}; 200 {"ok":true,"said":"…"}, 400 or 409 {"ok":false,"errors":"…"}
 *   POST /api/vault/VERB   {"site":"shop", …}, see serve/console_vault.c; the answer has "said"
 *   POST /api/demo/deface, /redirect, /stop, /restore
 *                          what becomes of the demo origin: 200, or 409 where there is none
 *   POST /api/stop         202
 *   GET  /                 the page; its files are read once, from www/console by data_path
 *
 * A POST over TCP needs the header X-Sallyport-Order: 1, which no foreign page
 * can make a browser send; Host must be an address of loopback, "localhost" or the listener's
 * address (DNS rebinding). A listener on every address takes any address, but no name.
 *
 * /api/status: what the master says, and beside it
 *   "version": "0.1.0", "now_ms": milliseconds since 1970, "slots": workers alive,
 *   "counters": {"requests": 1, …}, by the names in STATS (stats.h), summed over workers,
 *   "responses": {"closed": 0, "1xx": 0, "2xx": 1, …},
 *   "guard": {"baseline": 7, "vault_ok": true, …, "sites": [{"site": "shop", "state": "guarded", …}]},
 *      where a site is guarded
 *   "egress": what /api/egress says, where the policy has such a section:
 *      {"mode":"enforce","gate":true,"kernel":"auto","kernel_active":false,"kernel_why":"…",
 *       "paused":{"left_s":1795,"until":"…"}, "origins":[{"origin":"10.0.0.5","stage":"listed-only",
 *       "offence":"scan","since":"…","until":"…","left_s":540,"convictions":1,"last_offence":"scan",
 *       "last_offence_at":"…","counters":{"gate_requests":1,…}}]}; who is in quarantine comes first, "until" is
 *       left out where it lasts until released
 *   "rules": {"count":118,"max_age_s":15552000,"updated":"…","age_s":1,"old":false,"pack":{"name":"shop","version":12,
 *      "rules":3,"created":"…","age_s":1,"old":false}}; "updated" where a file of rules says it, "pack" where one counts
 *   "reasons": [{"name": "rule", "status": 403, "text": "…", "count": 1}], those that occurred */

enum console_order {
	CONSOLE_ORDER_UNSET = 0, CONSOLE_STATUS, CONSOLE_RELOAD, CONSOLE_STOP, CONSOLE_PAUSE, CONSOLE_VAULT, CONSOLE_EGRESS, CONSOLE_BAN,
	CONSOLE_DEMO_RESTORE, CONSOLE_DEMO_DEFACE, CONSOLE_DEMO_REDIRECT, CONSOLE_DEMO_STOP,
};

struct console;

struct console_setup {
	const struct stats *stats;
	const struct guard_status *guard; /* NULL: there is none */
	const struct egress_states *egress; /* NULL: there are none */
	int unix_fd;            /* listening, owned from here on */
	int tcp_fd;             /* or -1 */
	/* Sends an order to the master. The answer comes by console_answer with the same
	 * ticket, at once or later; where none comes in time the peer gets 504.
	 * pause: for PAUSE, borrowed; else NULL. */
	void (*order)(void *context, enum console_order order, uint64_t ticket,
		      const struct pause_request *pause);
	/* The same for orders about the vault. NULL: there are none. */
	void (*order_vault)(void *context, uint64_t ticket, const struct vault_order *order);
	/* The same for orders about egress origins. NULL: there are none. */
	void (*order_egress)(void *context, uint64_t ticket, const struct egress_order *order);
	/* The same for bans. NULL: there are none. */
	void (*order_ban)(void *context, uint64_t ticket, const struct ban_request *request);
	void *context;
};

struct console *console_new(struct loop *loop, const struct console_setup *setup, struct err *err);
/* text: for STATUS a JSON object of what the master knows ({"generation":3,"ready":true,
 * "uptime_s":12,"policy":"…","vault":"…","gate":"127.0.0.1:3128","workers":2,"processes":[{"role":"worker","pid":1,"slot":0,
 * "restarts":0,"state":"…"}],"paused":[{"leg":"shield","site":"shop",
 * "left_s":1795,"until":"2026-11-23T21:08:24.123Z"}],"paused_count":1,
 * "bans":[{"network":"192.0.2.0/24","left_s":60,"until":"…"}]}; left_s and until are left out where it lasts until lifted),
 * for RELOAD and PAUSE the errors. A ticket that is not waiting any more is passed over. */
void console_answer(struct console *console, uint64_t ticket, bool ok, struct span text);
void console_free(struct console *console);

/* The demo origin: serves dir (www/demo) by libmicrohttpd; index.html for folders. */
struct demo;
/* What an attacker may have made of it. DEFACED: another page in place of each of its pages;
 * REDIRECTED: all lead to a false site; STOPPED: it closes without an answer. */
enum demo_state { DEMO_STATE_UNSET = 0, DEMO_CLEAN, DEMO_DEFACED, DEMO_REDIRECTED, DEMO_STOPPED, DEMO_STATES };
void demo_become(struct demo *demo, enum demo_state state);
/* Owns listen_fd from here on, also where it fails. Opens files below dir while it serves. */
struct demo *demo_new(struct loop *loop, int listen_fd, const char *dir, struct err *err);
void demo_free(struct demo *demo);

#endif
