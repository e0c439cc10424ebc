/* The tarpit: connections of clients that were refused, held for a while without a word, so that
 * whoever asks one question after the other has to wait for each.
 *
 * What waits is a client structure in a list, its socket and its timer: no head, no exchange, no
 * bytes of it, since nothing is read. The number is bounded (quotas.tarpit); such a connection counts
 * against its client's and everybody's quota as any other, and is the first to go where a newcomer
 * needs the place. */
#include "front/front.h"

bool tarpit_has_room(const struct front *f)
{
	return !f->draining && f->tarpit_count < f->settings->quotas.tarpit;
}

static void tarpit_remove(struct client *c)
{
	struct front *f = c->front;
	if (c->idle_prev)
		c->idle_prev->idle_next = c->idle_next;
	else
		f->tarpit = c->idle_next;
	if (c->idle_next)
		c->idle_next->idle_prev = c->idle_prev;
	else
		f->tarpit_last = c->idle_prev;
	c->idle_prev = c->idle_next = NULL;
	f->tarpit_count--;
	stat_sub(&f->stats->connections_tarpit, 1);
}

static void tarpit_add(struct client *c)
{
	struct front *f = c->front;
	c->idle_prev = NULL;
	c->idle_next = f->tarpit;
	if (f->tarpit)
		f->tarpit->idle_prev = c;
	else
		f->tarpit_last = c;
	f->tarpit = c;
	f->tarpit_count++;
	stat_add(&f->stats->tarpitted, 1);
	stat_add(&f->stats->connections_tarpit, 1);
}

void tarpit_take(struct client *c)
{
	struct front *f = c->front;
	if (c->stream.peer_closed) {
		client_free(c, true);
		return;
	}
	hold_release(&c->in, &f->memory);
	c->state = CLIENT_TARPIT;
	tarpit_add(c);
	loop_arm(f->loop, &c->timer, loop_now_ms(f->loop) + f->settings->timeouts.tarpit);
}

void tarpit_leave(struct client *c)
{
	tarpit_remove(c);
	c->state = CLIENT_UNSET;
}

bool tarpit_make_room(struct front *f)
{
	if (!f->tarpit_last)
		return false;
	client_free(f->tarpit_last, true);
	return true;
}

void tarpit_empty(struct front *f)
{
	while (tarpit_make_room(f))
		continue;
}
