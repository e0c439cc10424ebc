/* Bans by order: the master writes them where workers see them with their next request, and says so in its log. To lift one also
 * lifts what the throttle gave a single address by itself. Requests come from the console, which is trusted with
 * nothing, and are checked here. */
#include <string.h>
#include <sys/mman.h>

#include "proc/master.h"
#include "sallyport/ban_list.h"
#include "sallyport/clock.h"
#include "sallyport/log.h"
#include "sallyport/shm.h"
#include "sallyport/throttle.h"

static const char for_ever[] = "until it is lifted";

static struct ban_list *bans(void)
{
	return &master.site_states->bans;
}

/* Room for CLOCK_ISO_SIZE, or that it never ends. */
static void write_until(uint64_t left_ms, char out[CLOCK_ISO_SIZE + 8])
{
	char iso[CLOCK_ISO_SIZE];
	clock_format_iso(clock_wall_us() + left_ms * 1000, iso);
	snprintf(out, CLOCK_ISO_SIZE + 8, "until %s", iso);
}

static bool add(const struct ban_request *request, const struct cidr *network, struct strbuf *said, struct err *err)
{
	const uint64_t now_ms = loop_now_ms(master.loop);
	char until[CLOCK_ISO_SIZE + 8];
	if (!ban_list_add(bans(), network, request->duration_ms ? now_ms + request->duration_ms : BAN_FOR_EVER, now_ms))
		return err_set(err, "there are %d bans by order already: lift one, or put networks into a set of addresses",
			       BANS_MAX);
	if (request->duration_ms)
		write_until(request->duration_ms, until);
	strbuf_addf(said, "%s is banned %s.", request->network, request->duration_ms ? until : for_ever);
	log_info("%s is banned by order, %s", request->network, request->duration_ms ? until : for_ever);
	return true;
}

/* How many sites' throttles had banned it. */
static unsigned lift_from_throttle(const struct addr *addr, struct err *err)
{
	void *memory = shm_map(master.throttle_fd, throttle_bytes(), true, err);
	unsigned n = 0;
	for (unsigned i = 0; memory && i < SITE_STATES; i++) {
		const struct site_state *state = &master.site_states->of[i];
		if (!state->name[0])
			continue;
		const struct throttle_client client = throttle_client_of(throttle_of(memory), throttle_id(state->name),
									  addr_client_key(addr), clock_mono_us());
		n += throttle_lift(&client, clock_mono_us());
	}
	if (memory)
		munmap(memory, throttle_bytes());
	return n;
}

static bool lift(const struct ban_request *request, const struct cidr *network, struct strbuf *said, struct err *err)
{
	struct addr addr;
	bool was_banned = ban_list_lift(bans(), network, loop_now_ms(master.loop));
	if (addr_parse_ip(span_from_str(request->network), 0, &addr))
		was_banned |= lift_from_throttle(&addr, err) > 0;
	if (!was_banned)
		return err_set(err, "%s is not banned by order, nor by a throttle", request->network);
	strbuf_addf(said, "%s is not banned any longer.", request->network);
	log_info("%s: its ban is lifted by order", request->network);
	return true;
}

bool bans_order(const struct ban_request *request, struct strbuf *said, struct err *err)
{
	struct cidr network;
	if (!ORDERS_TEXT_OK(request->network) || request->duration_ms > BAN_MAX_MS)
		return err_set(err, "that is no order about bans");
	if (!cidr_parse(span_from_str(request->network), &network, err))
		return false;
	switch (request->verb) {
	case BAN_ADD: return add(request, &network, said, err);
	case BAN_LIFT: return lift(request, &network, said, err);
	default: return err_set(err, "that is no order about bans");
	}
}

static void describe(struct json_writer *json, const struct cidr *network, uint64_t left_ms, bool ends)
{
	char text[CIDR_TEXT_SIZE], until[CLOCK_ISO_SIZE];
	cidr_format(network, text);
	json_open_object(json, NULL);
	json_add_text(json, "network", span_from_str(text));
	if (ends) {
		clock_format_iso(clock_wall_us() + left_ms * 1000, until);
		json_add_number(json, "left_s", (left_ms + 999) / 1000);
		json_add_text(json, "until", span_from_str(until));
	}
	json_close(json);
}

void bans_describe(struct json_writer *json)
{
	const uint64_t now_ms = loop_now_ms(master.loop);
	json_open_list(json, "bans");
	for (unsigned i = 0; i < BANS_MAX; i++) {
		struct cidr network;
		uint64_t until_ms;
		if (ban_list_get(bans(), i, now_ms, &network, &until_ms))
			describe(json, &network, until_ms - now_ms, until_ms != BAN_FOR_EVER);
	}
	json_close(json);
}
