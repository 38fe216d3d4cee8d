/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How often something happened: by whom a counter keeps its tallies, and the table they stand in. A key is a
 * 64-bit hash and is not compared further; of 2^24 tallies two meet by chance once in 100 000 runs. A tally
 * is looked for in a few neighbouring slots only, so that a packet's cost has a bound; the table is twice as
 * large as asked for so that these are hardly ever all taken.
 */
#include "engine/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rng.h"

#define COUNTS_LIMIT (1u << 24)
#define NEIGHBOURS 16

int kd_tally_init(struct kd_tally *t, uint32_t most)
{
	struct kd_tally n = {.mask = 1};

	if (most == 0 || most > COUNTS_LIMIT)
		return -EINVAL;
	while ((n.mask + 1) / 2 < most)
		n.mask = n.mask * 2 + 1;
	n.slot = calloc((size_t)n.mask + 1, sizeof(*n.slot));
	n.used = malloc(((size_t)n.mask + 1) * sizeof(*n.used));
	if (n.slot == NULL || n.used == NULL) {
		kd_tally_free(&n);
		return -ENOMEM;
	}
	*t = n;
	return 0;
}

void kd_tally_free(struct kd_tally *t)
{
	free(t->slot);
	free(t->used);
	memset(t, 0, sizeof(*t));
}

void kd_tally_reset(struct kd_tally *t)
{
	for (uint32_t i = 0; i < t->nused; i++)
		memset(&t->slot[t->used[i]], 0, sizeof(*t->slot));
	t->nused = 0;
}

/* The living tally of a key, else the first place for one, else NULL. */
static struct kd_count *place_of(struct kd_tally *t, uint64_t key, uint64_t now_ns)
{
	struct kd_count *free_slot = NULL;
	uint32_t n = t->mask + 1 < NEIGHBOURS ? t->mask + 1 : NEIGHBOURS;

	for (uint32_t i = 0; i < n; i++) {
		struct kd_count *c = &t->slot[(key + i) & t->mask];

		if (c->count == 0) /* none was ever put behind it */
			return free_slot != NULL ? free_slot : c;
		if (now_ns >= c->until_ns) {
			if (free_slot == NULL)
				free_slot = c;
		} else if (c->key == key) {
			return c;
		}
	}
	return free_slot;
}

/* The window's end, or one moment after a gap that is still short enough. */
static uint64_t dies_ns(const struct kd_counter *c, uint64_t first_ns, uint64_t now_ns)
{
	uint64_t window = first_ns + c->window_ns, gap = now_ns + c->spacing_ns + 1;

	return c->spacing_ns != 0 && gap < window ? gap : window;
}

uint32_t kd_tally_add(struct kd_tally *t, const struct kd_counter *c, uint64_t key, uint64_t now_ns)
{
	struct kd_count *at = place_of(t, key, now_ns);

	if (at == NULL)
		return 0;
	if (at->count == 0)
		t->used[t->nused++] = (uint32_t)(at - t->slot);
	if (at->count == 0 || now_ns >= at->until_ns)
		*at = (struct kd_count){.key = key, .first_ns = now_ns};
	at->count += at->count != UINT32_MAX;
	at->until_ns = dies_ns(c, at->first_ns, now_ns);
	return at->count;
}

static uint64_t hash_addr(
	uint64_t h, const struct kd_flow *f, unsigned int side, unsigned int v4_len, unsigned int v6_len)
{
	return kd_mix(h, kd_hash_bytes(kd_flow_addr(f, side), f->v6 ? v6_len : v4_len));
}

static uint64_t hash_name(uint64_t h, const struct kd_app_field *name)
{
	uint8_t lower[KD_NAME_MAX];
	size_t len = 0;

	if (name == NULL)
		return kd_mix(h, 0);
	for (; len < name->len && len < sizeof(lower); len++) {
		uint8_t c = name->p[len];

		lower[len] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
	}
	return kd_mix(h, kd_hash_bytes(lower, len));
}

/* The first tag that covers the opened-to address, from 1; 0 = none does. */
static unsigned int tag_of(struct kd_step *s, struct kd_seen *seen, const struct kd_counter *c)
{
	const struct kd_set_bits *to = kd_seen_end(s, seen, kd_to(s->flow));

	for (unsigned int i = 0; i < c->ntags; i++)
		if (kd_set_bits_has(to, c->tags[i]))
			return i + 1;
	return 0;
}

static uint64_t key_of(struct kd_step *s, struct kd_seen *seen, uint16_t counter)
{
	const struct kd_counter *c = &s->e->policy->counters[counter];
	const struct kd_flow *f = s->flow;
	uint64_t h = kd_mix(s->e->table.seed, counter);

	if ((c->keys & KD_KEY_CLIENT) != 0)
		h = hash_addr(h, f, KD_INSIDE, 4, 16);
	if ((c->keys & KD_KEY_SUBSCRIBER) != 0)
		h = hash_addr(h, f, KD_INSIDE, 4, 8);
	if ((c->keys & KD_KEY_SERVER) != 0)
		h = hash_addr(h, f, KD_OUTSIDE, 4, 16);
	if ((c->keys & KD_KEY_SERVER_PREFIX) != 0)
		h = hash_addr(h, f, KD_OUTSIDE, 3, 6);
	if ((c->keys & KD_KEY_TAG) != 0)
		h = kd_mix(h, tag_of(s, seen, c));
	if ((c->keys & KD_KEY_PORT) != 0)
		h = kd_mix(h, f->port[kd_to(f)]);
	if ((c->keys & KD_KEY_NAME) != 0)
		h = hash_name(h, kd_seen_name(s));
	if ((c->keys & KD_KEY_FLOW) != 0)
		h = kd_mix(h, kd_flow_id(s->e, f));
	return h;
}

bool kd_tally_advance(struct kd_step *s, struct kd_seen *seen, uint16_t counter)
{
	const struct kd_counter *c = &s->e->policy->counters[counter];
	uint32_t count = kd_tally_add(&s->e->tally, c, key_of(s, seen, counter), s->now_ns);

	if (count == 0)
		s->e->count.counts_full++;
	return count > c->more_than;
}
