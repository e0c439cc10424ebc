/* A bounded table of names before the resolver. A name is asked for once, whoever waits for it;
 * what came is believed for as long as the answer said, within our bounds, and no longer: an answer that
 * changes is a new answer, and whoever uses an address judges it again.
 *
 *   asked for ─► ASKING ── answer ──► known until `until_ms` ── asked for later ──► ASKING
 *                   └── nobody waits any more: the answer is kept all the same */
#include "sallyport/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/lru.h"

enum { NAMES_MAX = 2048, BUCKETS = 2048, QUESTIONS_MAX = 1024, QUESTIONS_EACH = 64, NAME_BYTES_MAX = 255 };
/* How long an answer that there was no memory for is not asked for again. */
enum { NO_MEMORY_MS = 1000 };

struct lookup_name {
	struct lru_entry entry; /* first: the table gives it */
	struct resolver_question question;
	struct lookups *lookups;
	struct lookup *waiting;
	struct lookup_asker *asker; /* of the question under way */
	uint64_t until_ms;
	const char *problem;
	bool is_asking;
	bool is_telling; /* its waiters are being told: it must not go meanwhile */
	uint8_t count;
	uint8_t len;
	struct addr *addrs; /* count of them */
	char host[];
};

struct lookups {
	struct loop *loop;
	struct resolver *resolver;
	struct memory *memory;
	struct lru names;
	unsigned questions; /* under way */
};

static struct lookup_name *name_of(const struct lru_entry *entry)
{
	return (struct lookup_name *)(void *)entry;
}

static bool is_it(const struct lru_entry *entry, const void *key)
{
	const struct lookup_name *name = name_of(entry);
	return span_eq(span_of(name->host, name->len), *(const struct span *)key);
}

static size_t size_of(size_t len)
{
	return sizeof(struct lookup_name) + len + 1;
}

static void drop_addrs(struct lookup_name *name)
{
	if (name->addrs)
		memory_give(name->lookups->memory, name->addrs, name->count * sizeof(struct addr));
	name->addrs = NULL;
	name->count = 0;
}

static void drop(struct lookup_name *name)
{
	struct lookups *lookups = name->lookups;
	drop_addrs(name);
	lru_remove(&lookups->names, &name->entry);
	memory_give(lookups->memory, name, size_of(name->len));
}

/* The oldest that nobody waits for; those that are asked for stand at the new end. */
static bool make_room(struct lookups *lookups)
{
	if (lookups->names.count < NAMES_MAX)
		return true;
	struct lru_entry *oldest = lookups->names.oldest;
	while (oldest && (name_of(oldest)->is_asking || name_of(oldest)->is_telling))
		oldest = oldest->newer;
	if (!oldest)
		return false;
	drop(name_of(oldest));
	return true;
}

static void keep(struct lookup_name *name, const struct resolver_answer *answer)
{
	drop_addrs(name);
	name->problem = answer->problem;
	name->until_ms = loop_now_ms(name->lookups->loop) + answer->for_ms;
	if (answer->count == 0)
		return;
	name->addrs = memory_take(name->lookups->memory, answer->count * sizeof(struct addr));
	if (!name->addrs) {
		name->problem = "out of memory";
		name->until_ms = loop_now_ms(name->lookups->loop) + NO_MEMORY_MS;
		return;
	}
	memcpy(name->addrs, answer->addrs, answer->count * sizeof(struct addr));
	name->count = (uint8_t)answer->count;
}

static void on_answer(struct resolver_question *question, const struct resolver_answer *answer)
{
	struct lookup_name *name =
	    (struct lookup_name *)(void *)((char *)question - offsetof(struct lookup_name, question));
	name->is_asking = false;
	name->lookups->questions--;
	name->asker->questions--;
	keep(name, answer);
	/* Each may ask for this name, or another, or leave: the list is looked at anew. */
	name->is_telling = true;
	while (name->waiting && !name->is_asking) {
		struct lookup *lookup = name->waiting;
		lookup_cancel(lookup);
		lookup->on_done(lookup);
	}
	name->is_telling = false;
}

static struct lookup_name *add(struct lookups *lookups, struct span host, uint64_t hash)
{
	if (host.len > NAME_BYTES_MAX || !make_room(lookups))
		return NULL;
	struct lookup_name *name = memory_take(lookups->memory, size_of(host.len));
	if (!name)
		return NULL;
	*name = (struct lookup_name){.lookups = lookups, .len = (uint8_t)host.len};
	name->question.on_answer = on_answer;
	memcpy(name->host, host.ptr, host.len);
	name->host[host.len] = '\0';
	lru_add(&lookups->names, &name->entry, hash);
	return name;
}

static void wait_for(struct lookup_name *name, struct lookup *lookup)
{
	lookup->waits_for = name;
	lookup->prev = NULL;
	lookup->next = name->waiting;
	if (lookup->next)
		lookup->next->prev = lookup;
	name->waiting = lookup;
}

void lookup_cancel(struct lookup *lookup)
{
	struct lookup_name *name = lookup->waits_for;
	if (!name)
		return;
	if (lookup->prev)
		lookup->prev->next = lookup->next;
	else
		name->waiting = lookup->next;
	if (lookup->next)
		lookup->next->prev = lookup->prev;
	lookup->waits_for = NULL;
	lookup->prev = lookup->next = NULL;
}

static bool is_fresh(const struct lookup_name *name)
{
	return name->until_ms > loop_now_ms(name->lookups->loop);
}

/* The answer may come before it returns. False: too many are under way. */
static bool ask(struct lookup_name *name, struct lookup_asker *asker)
{
	struct lookups *lookups = name->lookups;
	if (lookups->questions >= QUESTIONS_MAX || asker->questions >= QUESTIONS_EACH)
		return false;
	lookups->questions++;
	asker->questions++;
	name->asker = asker;
	name->is_asking = true;
	resolver_ask(lookups->resolver, &name->question, name->host);
	return true;
}

enum lookup_result lookup_name(struct lookups *lookups, struct lookup *lookup, struct lookup_asker *asker,
			       struct span host, struct addr out[RESOLVE_MAX_ADDRS], unsigned *count, const char **problem)
{
	uint64_t hash = lru_hash(lookups->names.seed, host.ptr, host.len);
	struct lru_entry *entry = lru_find(&lookups->names, hash, is_it, &host);
	struct lookup_name *name = entry ? name_of(entry) : add(lookups, host, hash);
	*problem = "too many names are being looked up";
	if (!name)
		return LOOKUP_FAILED;
	lru_touch(&lookups->names, &name->entry);
	if (!name->is_asking && !is_fresh(name) && !ask(name, asker))
		return LOOKUP_FAILED;
	if (name->is_asking) {
		wait_for(name, lookup);
		return LOOKUP_WAIT;
	}
	*problem = name->problem;
	*count = name->count;
	if (name->count > 0)
		memcpy(out, name->addrs, name->count * sizeof(*out));
	return name->count > 0 ? LOOKUP_FOUND : LOOKUP_FAILED;
}

struct lookups *lookups_new(struct loop *loop, struct resolver *resolver, struct memory *memory,
			    struct err *err)
{
	struct lookups *lookups = calloc(1, sizeof(*lookups));
	if (!lookups) {
		err_set(err, "out of memory");
		return NULL;
	}
	lookups->loop = loop;
	lookups->resolver = resolver;
	lookups->memory = memory;
	if (lru_init(&lookups->names, BUCKETS, err))
		return lookups;
	lookups_free(lookups);
	return NULL;
}

void lookups_free(struct lookups *lookups)
{
	if (!lookups)
		return;
	while (lookups->names.oldest)
		drop(name_of(lookups->names.oldest));
	lru_release(&lookups->names);
	free(lookups);
}
