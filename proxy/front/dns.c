/* The DNS listener's mind: whose question it is, whether the lists have the name, whether a new one has its turn, and
 * the answer. What an origin gets was written here, never by the server that was asked; what that server
 * gets is a name that an operator allowed.
 *
 *   message ─► origin? ─► name listed? ─► its turn? ─► looked up ─► addresses that it may reach
 *                 │            └──────────────┴─► REFUSED                         └─► none: NXDOMAIN, SERVFAIL
 *                 └─► nothing */
#include "front/dns.h"

#include <stdlib.h>
#include "sallyport/clock.h"
#include "sallyport/crypto.h"
#include "sallyport/lru.h"

/* ---- places for questions that wait ---- */

static struct dns_asking *take_place(struct dns_service *service, const struct egress_origin *origin)
{
	struct dns_asking *asking = service->free_asking;
	if (!asking || service->origins[origin->index].askings >= DNS_ASKING_OF_ORIGIN)
		return NULL;
	service->free_asking = asking->next_free;
	service->origins[origin->index].askings++;
	asking->origin = origin;
	return asking;
}

static void give_place(struct dns_asking *asking)
{
	struct dns_service *service = asking->service;
	service->origins[asking->origin->index].askings--;
	asking->origin = NULL;
	asking->next_free = service->free_asking;
	service->free_asking = asking;
}

void dns_forget(struct dns_service *service, const struct dns_connection *connection)
{
	for (size_t i = 0; i < DNS_ASKING_MAX; i++) {
		struct dns_asking *asking = &service->askings[i];
		if (!asking->origin || asking->way.connection != connection)
			continue;
		lookup_cancel(&asking->lookup);
		give_place(asking);
	}
}

/* ---- answers ---- */

static void send_answer(const struct dns_service *service, const struct dns_query *query, const struct dns_way *way,
			enum dns_code code, const struct addr *addrs, size_t count)
{
	uint8_t bytes[DNS_ANSWER_MAX];
	size_t len = dns_answer_write(query, code, addrs, count, DNS_TTL_S, bytes);
	if (way->connection)
		dns_tcp_send(way->connection, bytes, len);
	else
		dns_udp_send(service, way, bytes, len);
}

static bool only_reports(const struct dns_service *service)
{
	return egress_only_reports(service->setup.policy->mode, service->setup.states, loop_now_ms(service->setup.loop));
}

/* Those that the origin may not reach are not named to it: a listed name must not lead into the inside. */
static size_t only_reachable(const struct dns_service *service, struct span name, struct addr *addrs, unsigned count)
{
	size_t kept = 0;
	for (unsigned i = 0; i < count; i++)
		if (only_reports(service) || egress_may_name(service->setup.policy, name, &addrs[i]))
			addrs[kept++] = addrs[i];
	return kept;
}

static enum dns_code code_of(const char *problem)
{
	if (strcmp(problem, RESOLVE_NO_ADDRESS) == 0)
		return DNS_NOERROR;
	return strcmp(problem, RESOLVE_NO_SUCH_NAME) == 0 ? DNS_NXDOMAIN : DNS_SERVFAIL;
}

/* True: it was answered. False: it waits. */
static bool answer_found(struct dns_asking *asking)
{
	const struct dns_service *service = asking->service;
	const struct span name = span_from_str(asking->query.name);
	struct addr addrs[RESOLVE_MAX_ADDRS];
	unsigned count = 0;
	const char *problem = "";
	struct lookup_asker *asker = service->setup.asker(service->setup.context, asking->origin);
	enum lookup_result result = lookup_name(service->setup.lookups, &asking->lookup, asker, name, addrs, &count, &problem);
	if (result == LOOKUP_WAIT)
		return false;
	if (result == LOOKUP_FOUND) {
		size_t kept = only_reachable(service, name, addrs, count);
		if (service->setup.found)
			service->setup.found(service->setup.context, name, addrs, (unsigned)kept);
		send_answer(service, &asking->query, &asking->way, kept > 0 ? DNS_NOERROR : DNS_REFUSED, addrs, kept);
	} else {
		send_answer(service, &asking->query, &asking->way, code_of(problem), NULL, 0);
	}
	return true;
}

static void on_found(struct lookup *lookup)
{
	struct dns_asking *asking = (struct dns_asking *)(void *)lookup;
	struct dns_connection *connection = asking->way.connection;
	if (!answer_found(asking))
		return;
	give_place(asking);
	if (connection)
		dns_tcp_go_on(connection);
}

static void ask(struct dns_service *service, const struct egress_origin *origin, const struct dns_query *query,
		const struct dns_way *way)
{
	struct dns_asking *asking = take_place(service, origin);
	if (!asking) {
		send_answer(service, query, way, DNS_SERVFAIL, NULL, 0);
		return;
	}
	asking->query = *query;
	asking->way = *way;
	memcpy(asking->question, query->question.ptr, query->question.len);
	asking->query.question.ptr = asking->question;
	asking->lookup = (struct lookup){.on_done = on_found};
	if (answer_found(asking))
		give_place(asking);
}

/* ---- judging ---- */

static void count_up(_Atomic uint64_t *count)
{
	atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

static void tell(const struct dns_service *service, const struct egress_origin *origin, const struct egress_event *event)
{
	if (service->setup.tell)
		service->setup.tell(service->setup.context, origin, event);
}

static void tell_refusal(struct dns_service *service, const struct egress_origin *origin, const char *name,
			 const char *setting)
{
	const struct egress_event event = {.news = EGRESS_NEWS_REFUSED,
					   .origin = origin->name,
					   .reason = REASON_EGRESS_NAME,
					   .only_reports = only_reports(service),
					   .last = name,
					   .setting = setting};
	tell(service, origin, &event);
}

/* More distinct names than it may ask for: what a tunnel does. */
static void strike(const struct dns_service *service, const struct egress_origin *origin, const char *name)
{
	struct egress_state *state = service->origins[origin->index].state;
	const struct egress_policy *policy = service->setup.policy;
	const struct egress_law law = egress_law_of(policy);
	uint64_t now_ms = loop_now_ms(service->setup.loop);
	if (!state || only_reports(service))
		return;
	struct egress_sentence sentence = egress_strike(state, &law, EGRESS_OFFENCE_DNS, now_ms, clock_wall_us() / 1000);
	const struct egress_event event = {.news = sentence.is_new ? EGRESS_NEWS_QUARANTINE : EGRESS_NEWS_STRIKE,
					   .origin = origin->name,
					   .offence = EGRESS_OFFENCE_DNS,
					   .stage = sentence.stage,
					   .length_ms = sentence.until_ms == UINT64_MAX ? 0 : sentence.until_ms - now_ms,
					   .last = name,
					   .setting = "egress.dns_names"};
	tell(service, origin, &event);
}

static bool has_its_turn(struct dns_service *service, const struct egress_origin *origin, enum egress_stage stage,
			 const char *name)
{
	struct egress_asked *asked = &service->origins[origin->index].asked;
	uint64_t hash = lru_hash(service->seed, name, strlen(name));
	return egress_asked_admit(asked, &service->setup.policy->dns_names, stage, hash, loop_now_us(service->setup.loop));
}

/* May it be looked up? */
static bool judge(struct dns_service *service, const struct egress_origin *origin, const char *name)
{
	const struct egress_policy *policy = service->setup.policy;
	struct egress_state *state = service->origins[origin->index].state;
	enum egress_stage stage = egress_stage_now(state, loop_now_ms(service->setup.loop));
	enum egress_naming naming = egress_judge_name(policy, span_from_str(name), stage);
	bool is_turn = naming != EGRESS_NAMING_COVERED || has_its_turn(service, origin, stage, name);
	if (state)
		count_up(&state->dns_queries);
	if (naming != EGRESS_NAMING_REFUSED && is_turn)
		return true;
	if (state)
		count_up(&state->dns_refused);
	tell_refusal(service, origin, name, is_turn ? "egress.allow" : "egress.dns_names");
	if (!is_turn && stage == EGRESS_FREE)
		strike(service, origin, name);
	return only_reports(service);
}

bool dns_take(struct dns_service *service, struct span message, const struct dns_way *way)
{
	const struct egress_origin *origin = egress_origin_of(service->setup.policy, &way->peer);
	struct dns_query query;
	if (!origin || !dns_query_parse(message, &query))
		return false;
	if (!judge(service, origin, query.name))
		send_answer(service, &query, way, DNS_REFUSED, NULL, 0);
	else if (query.type != DNS_TYPE_A && query.type != DNS_TYPE_AAAA)
		send_answer(service, &query, way, DNS_NOERROR, NULL, 0);
	else
		ask(service, origin, &query, way);
	return true;
}

/* ---- the whole ---- */

static bool make_places(struct dns_service *service)
{
	const struct egress_policy *policy = service->setup.policy;
	service->askings = calloc(DNS_ASKING_MAX, sizeof(*service->askings));
	service->origins = calloc(policy->origin_count + 1, sizeof(*service->origins));
	if (!service->askings || !service->origins)
		return false;
	for (size_t i = 0; i < policy->origin_count; i++)
		service->origins[i].state = egress_states_find(service->setup.states, policy->origins[i].name);
	for (size_t i = 0; i < DNS_ASKING_MAX; i++) {
		service->askings[i].service = service;
		service->askings[i].next_free = service->free_asking;
		service->free_asking = &service->askings[i];
	}
	return true;
}

struct dns_service *dns_service_new(const struct dns_service_setup *setup, struct err *err)
{
	struct dns_service *service = calloc(1, sizeof(*service));
	if (service) {
		service->setup = *setup;
		service->udp.fd = service->tcp.fd = -1;
	}
	if (!service || !make_places(service)) {
		err_set(err, "DNS listener: out of memory");
	} else if (crypto_random(&service->seed, sizeof(service->seed), err) && dns_udp_start(service, err) &&
		   dns_tcp_start(service, err)) {
		return service;
	}
	dns_service_free(service);
	return NULL;
}

void dns_service_free(struct dns_service *service)
{
	if (!service)
		return;
	loop_unwatch(service->setup.loop, &service->udp);
	dns_tcp_stop(service);
	for (size_t i = 0; service->askings && i < DNS_ASKING_MAX; i++)
		if (service->askings[i].origin)
			lookup_cancel(&service->askings[i].lookup);
	free(service->askings);
	free(service->origins);
	free(service);
}
