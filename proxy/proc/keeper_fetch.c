/* Jobs: what the schedule wants becomes a message to the scout, and what the scout says finds its job
 * again. Both ends of their channel are ours, but the scout reads what origins write: a sample
 * that fits no job, or makes no sense, is passed over. */
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proc/keeper.h"
#include "sallyport/log.h"
#include "sallyport/shm.h"

enum {
	JOB_TIMEOUT_MS = 20000,
	JOB_GRACE_MS = 5000, /* the scout has to keep its own time */
	FETCH_BYTES_MAX = 32 << 20,
	SPACE_MS = 1000, /* after a channel that was full */
};

/* ---- jobs ---- */

static struct job *free_job(void)
{
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (keeper.jobs[i].id == 0)
			return &keeper.jobs[i];
	return NULL;
}

static struct job *find_job(uint64_t id)
{
	for (size_t i = 0; id != 0 && i < JOBS_MAX; i++)
		if (keeper.jobs[i].id == id)
			return &keeper.jobs[i];
	return NULL;
}

static void fill_job(struct job *job, const struct fetch *fetch)
{
	*job = (struct job){
	    .id = ++keeper.last_job,
	    .site = fetch->site->plan->id,
	    .purpose = fetch->purpose,
	    .agent = fetch->agent,
	    .index = fetch->index,
	    .depth = fetch->page ? fetch->page->depth : 0,
	    .links_plan = fetch->links != JOB_LINKS_NONE ? keeper.ledger.plans : 0,
	    .until_ms = keeper_now_ms() + JOB_TIMEOUT_MS + JOB_GRACE_MS,
	};
	snprintf(job->origin, sizeof(job->origin), "%s", fetch->origin->text);
	snprintf(job->key, sizeof(job->key), "%s", fetch->target);
}

/* As many as there is room for: which of its hosts a link names matters to absolute links only. */
static void put_hosts(struct scout_job *job, const struct plan_site *plan)
{
	size_t len = 0;
	for (size_t i = 0; i < plan->hosts.n; i++) {
		size_t more = strlen(plan->hosts.items[i]) + 1;
		if (len + more >= sizeof(job->hosts))
			break;
		len += (size_t)snprintf(job->hosts + len, sizeof(job->hosts) - len, "%s%s",
					len ? "," : "", plan->hosts.items[i]);
	}
}

static bool send_job(const struct job *job, const struct fetch *fetch, struct err *err)
{
	static struct scout_job message;
	message = (struct scout_job){
	    .id = job->id,
	    .site = job->site,
	    .timeout_ms = JOB_TIMEOUT_MS,
	    .max_bytes = FETCH_BYTES_MAX,
	    .agent = fetch->agent,
	    .referer = fetch->referer,
	    .links = fetch->links,
	    .links_max = fetch->links == JOB_LINKS_NONE ? 0 : LINKS_MAX,
	    .port = fetch->origin->port,
	    .tls = fetch->origin->tls,
	    .tls_unverified = !fetch->route->tls_verify,
	    .https = fetch->site->plan->https,
	};
	snprintf(message.origin, sizeof(message.origin), "%s", fetch->origin->host);
	snprintf(message.host, sizeof(message.host), "%s", fetch->route->host);
	if (fetch->route->tls_name)
		snprintf(message.tls_name, sizeof(message.tls_name), "%s", fetch->route->tls_name);
	put_hosts(&message, fetch->site->plan);
	snprintf(message.target, sizeof(message.target), "%s", fetch->target);
	return ipc_send(keeper.partner.fd, ORDER_JOB, &message, sizeof(message), NULL, 0, err);
}

static void put_back(const struct fetch *fetch)
{
	if (fetch->purpose == FETCH_SITEMAP)
		schedule_sitemap_done(fetch->site, fetch->index, false, keeper_now_ms());
	else
		schedule_page_done(fetch->page, keeper_now_ms(), SPACE_MS);
	if (fetch->purpose == FETCH_PANEL)
		(void)seal_looked(fetch->site, false, keeper_now_s(), keeper_now_ms());
}

/* False: no more can be sent now. */
static bool send_next(uint64_t *next_ms)
{
	struct job *job = free_job();
	struct fetch fetch;
	struct err err = {{0}};
	*next_ms = UINT64_MAX; /* a sample comes before another can be sent */
	if (!job || !schedule_next(&keeper.ledger, keeper_now_ms(), &fetch, next_ms))
		return false;
	fill_job(job, &fetch);
	if (send_job(job, &fetch, &err))
		return true;
	job->id = 0;
	put_back(&fetch);
	log_debug("%s", err.text);
	*next_ms = keeper_now_ms() + SPACE_MS;
	return false;
}

void keeper_schedule(void)
{
	uint64_t next_ms = UINT64_MAX;
	if (keeper.partner.fd < 0 || !keeper.vault)
		return;
	while (send_next(&next_ms))
		;
	if (next_ms != UINT64_MAX)
		loop_arm(keeper.life.loop, &keeper.schedule, next_ms);
}

static void on_schedule(struct timer *timer)
{
	(void)timer;
	keeper_schedule();
}

static void end_job(struct job *job)
{
	static struct job ended;
	ended = *job;
	job->id = 0;
	keeper_take_sample(&ended, NULL, span_of(NULL, 0));
}

void keeper_end_overdue_jobs(void)
{
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (keeper.jobs[i].id != 0 && keeper.jobs[i].until_ms <= keeper_now_ms())
			end_job(&keeper.jobs[i]);
}

/* ---- what the scout says ---- */

static bool is_sound(const struct scout_sample *sample)
{
	if (sample->outcome <= SAMPLE_UNSET || sample->outcome >= SAMPLE_COUNT ||
	    sample->content_bytes > FETCH_BYTES_MAX ||
	    memchr(sample->error, '\0', sizeof(sample->error)) == NULL)
		return false;
	for (size_t i = 0; i < PAGE_FIELD_COUNT; i++)
		if (sample->field_len[i] > PAGE_FIELD_MAX && sample->field_len[i] != SAMPLE_NO_FIELD)
			return false;
	return sample->outcome != SAMPLE_WHOLE || (sample->status >= 100 && sample->status <= 599);
}

static void take_sample(struct ipc_message *message)
{
	static struct job ended;
	const struct scout_sample *sample = ipc_payload(message, sizeof(*sample));
	struct job *job = sample && is_sound(sample) ? find_job(sample->id) : NULL;
	struct err err = {{0}};
	const char *content = NULL;
	if (!job)
		return;
	ended = *job;
	job->id = 0;
	size_t bytes = sample->outcome == SAMPLE_WHOLE ? sample->content_bytes : 0;
	if (bytes > 0 && message->n_fds == 1)
		content = shm_map_constant(message->fds[0], bytes, &err);
	if (bytes > 0 && !content) {
		log_warn("the scout's sample cannot be read: %s", err.text);
		sample = NULL;
		bytes = 0;
	}
	keeper_take_sample(&ended, sample, span_of(content ? content : "", bytes));
	if (content)
		munmap((void *)(uintptr_t)content, bytes);
}

static void take_links(const struct ipc_message *message)
{
	const struct scout_links *links = (const void *)message->payload;
	const size_t head = offsetof(struct scout_links, text);
	if (message->len < head || links->bytes > LINKS_BYTES || links->bytes == 0 ||
	    message->len != head + links->bytes || links->text[links->bytes - 1] != '\0')
		return;
	const struct job *job = find_job(links->id);
	if (job)
		keeper_take_links(job, links);
}

static void lose_scout(void)
{
	if (keeper.partner.fd < 0)
		return;
	loop_unwatch(keeper.life.loop, &keeper.partner);
	close(keeper.partner.fd);
	keeper.partner.fd = -1;
	keeper.figures.scout_ok = 0;
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (keeper.jobs[i].id != 0)
			end_job(&keeper.jobs[i]);
}

static void on_scout(struct watch *watch, unsigned events)
{
	(void)events;
	enum ipc_result result = IPC_NONE;
	for (int i = 0; i < IPC_BURST; i++) {
		result = ipc_receive(watch->fd, &keeper.message);
		if (result == IPC_GOT && keeper.message.type == REPORT_SAMPLE)
			take_sample(&keeper.message);
		else if (result == IPC_GOT && keeper.message.type == REPORT_LINKS)
			take_links(&keeper.message);
		ipc_release(&keeper.message);
		if (result != IPC_GOT)
			break;
	}
	if (result == IPC_EOF || result == IPC_BROKEN)
		lose_scout();
	else
		keeper_schedule();
}

/* ---- meeting it ---- */

void keeper_meet_scout(int fd)
{
	struct err err = {{0}};
	if (fd < 0)
		return;
	lose_scout();
	keeper.partner = (struct watch){.on_event = on_scout, .fd = fd};
	keeper.schedule.on_expiry = on_schedule;
	if (!loop_watch_input(keeper.life.loop, &keeper.partner, &err)) {
		log_error("%s", err.text);
		close(fd);
		keeper.partner.fd = -1;
		return;
	}
	keeper.figures.scout_ok = 1;
	keeper_schedule();
}
