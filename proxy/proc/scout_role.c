/* The scout's process: fetches what the keeper asks for. It has the network and nothing else: no
 * file, no key, nothing that it remembers. */
#include <stdlib.h>
#include <unistd.h>

#include "proc/helper_role.h"
#include "proc/scout_jobs.h"
#include "sallyport/log.h"
#include "sallyport/strbuf.h"

enum { CONTENT_BYTES = 64 << 20, AUTHORITIES_BYTES = 8 << 20 }; /* of all that is being fetched; of CAs */

static struct {
	struct helper_life life;
	struct resolver *resolver;
	struct strbuf authorities; /* PEM, of certificates */
	struct fetcher *fetcher;
	struct watch partner; /* the keeper; fd -1: none */
	struct ipc_message message;
	struct scout_jobs *jobs;
} scout = {.partner.fd = -1};

/* What it had asked for is nobody's business any more. */
static void leave_keeper(void)
{
	if (scout.partner.fd < 0)
		return;
	scout_jobs_free(scout.jobs);
	scout.jobs = NULL;
	loop_unwatch(scout.life.loop, &scout.partner);
	close(scout.partner.fd);
	scout.partner.fd = -1;
}

static enum ipc_result hear(void)
{
	enum ipc_result result;
	while ((result = ipc_receive(scout.partner.fd, &scout.message)) == IPC_GOT) {
		const struct scout_job *job = ipc_payload(&scout.message, sizeof(*job));
		if (scout.message.type == ORDER_JOB && job)
			scout_jobs_take(scout.jobs, job);
		ipc_release(&scout.message);
	}
	ipc_release(&scout.message);
	return result;
}

static void on_keeper(struct watch *watch, unsigned events)
{
	(void)watch;
	scout_jobs_send(scout.jobs);
	if (hear() != IPC_NONE || events & LOOP_ERROR)
		leave_keeper();
}

static void meet_keeper(struct ipc_message *message)
{
	struct err err = {{0}};
	leave_keeper();
	scout.partner = (struct watch){.on_event = on_keeper, .fd = ipc_take_fd(message, 0)};
	const struct scout_jobs_setup setup = {
	    .loop = scout.life.loop, .fetcher = scout.fetcher, .channel = scout.partner.fd};
	if (scout.partner.fd < 0)
		return;
	scout.jobs = scout_jobs_new(&setup, &err);
	if (scout.jobs && loop_watch(scout.life.loop, &scout.partner, &err))
		return;
	log_error("no keeper to work for: %s", err.text);
	leave_keeper();
}

static void on_message(struct helper_life *self, struct ipc_message *message)
{
	if (message->type == ORDER_STOP)
		loop_stop(self->loop);
	else if (message->type == ORDER_PARTNER)
		meet_keeper(message);
}

/* Takes the text. */
static bool add_authorities(struct strbuf *out, char *text, size_t len)
{
	bool is_there = text != NULL;
	if (is_there) {
		strbuf_add(out, text, len);
		strbuf_add_char(out, '\n');
	}
	free(text);
	return is_there;
}

/* The system's, and those that origin_tls of guarded sites names. One that cannot be read lets its
 * origins' certificates fail. */
static bool read_authorities(struct err *err)
{
	size_t len;
	strbuf_init(&scout.authorities, AUTHORITIES_BYTES);
	char *text = fetch_read_authorities(&len);
	add_authorities(&scout.authorities, text, len);
	for (size_t i = 0; i < SCOUT_CAS_MAX && scout.life.order.scout_ca[i][0] != '\0'; i++) {
		const char *path = scout.life.order.scout_ca[i];
		text = fetch_read_authorities_of(path, &len);
		if (!add_authorities(&scout.authorities, text, len))
			log_warn("%s cannot be read: certificates by its CAs are not believed", path);
	}
	return !scout.authorities.truncated ||
	       err_set(err, "the CAs of guarded sites have more than %d MiB", AUTHORITIES_BYTES >> 20);
}

/* Everything that is read from files is read here. */
static bool prepare(struct err *err)
{
	struct fetcher_setup setup = {.loop = scout.life.loop, .memory_bytes = CONTENT_BYTES};
	if (!read_authorities(err))
		return false;
	setup.ca = span_of(scout.authorities.data, scout.authorities.len);
	setup.resolver = scout.resolver = resolver_new(scout.life.loop, err);
	if (!scout.resolver)
		return false;
	scout.fetcher = fetcher_new(&setup, err);
	return scout.fetcher != NULL;
}

int scout_role(void)
{
	struct err err = {{0}};
	scout.life.on_message = on_message;
	if (!helper_begin(&scout.life, ROLE_SCOUT, &err) || !prepare(&err) ||
	    !helper_close_dial(&scout.life, &err))
		return helper_fail(&err);
	int status = helper_serve(&scout.life);
	leave_keeper();
	fetcher_free(scout.fetcher);
	resolver_free(scout.resolver);
	strbuf_release(&scout.authorities);
	loop_free(scout.life.loop);
	return status;
}
