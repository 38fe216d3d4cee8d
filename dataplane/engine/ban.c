/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of bans: a pool in chains, and the two rings over which workers tell each other. It knows keys
 * and times, no flow and no rule; those are residual.c's.
 */
#include "engine/ban.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rng.h"

#define LIMIT (1u << 22)

_Static_assert(sizeof(struct kd_ban_key) == 40, "keys are compared as bytes: nothing between their parts");

int kd_bans_init(struct kd_bans *b, uint32_t max, uint32_t nrules, uint64_t seed)
{
	struct kd_bans n = {.max = max, .mask = 1, .seed = seed};

	if (max == 0 || max > LIMIT)
		return -EINVAL;
	while (n.mask + 1 < max)
		n.mask = n.mask * 2 + 1;
	n.slot = calloc((size_t)max + 1, sizeof(*n.slot));
	n.chain = calloc((size_t)n.mask + 1, sizeof(*n.chain));
	n.rule = calloc((size_t)nrules + 1, sizeof(*n.rule));
	n.rule_over_ns = calloc((size_t)nrules + 1, sizeof(*n.rule_over_ns));
	if (n.slot == NULL || n.chain == NULL || n.rule == NULL || n.rule_over_ns == NULL) {
		kd_bans_free(&n);
		return -ENOMEM;
	}
	*b = n;
	return 0;
}

void kd_bans_free(struct kd_bans *b)
{
	free(b->slot);
	free(b->chain);
	free(b->rule);
	free(b->rule_over_ns);
	free(b->out.slot);
	free(b->in.slot);
	memset(b, 0, sizeof(*b));
}

static uint32_t *chain_of(const struct kd_bans *b, const struct kd_ban_key *key)
{
	uint64_t h = kd_mix(b->seed, kd_hash_bytes((const uint8_t *)key, sizeof(*key)));

	return &b->chain[(uint32_t)(h >> 32) & b->mask];
}

void kd_bans_reset(struct kd_bans *b)
{
	for (uint32_t i = 1; i <= b->top; i++)
		*chain_of(b, &b->slot[i].key) = 0;
	for (uint32_t i = 0; i < b->nrules; i++)
		b->rule_over_ns[i] = 0;
	b->top = b->free = b->scan = 0;
	b->over_ns = b->none_dies_ns = 0;
	atomic_store(&b->out.head, 0);
	atomic_store(&b->out.tail, 0);
	atomic_store(&b->in.head, 0);
	atomic_store(&b->in.tail, 0);
}

struct kd_ban *kd_ban_find(const struct kd_bans *b, const struct kd_ban_key *key, uint64_t now_ns)
{
	for (uint32_t i = *chain_of(b, key); i != 0; i = b->slot[i].next)
		if (now_ns < b->slot[i].until_ns && memcmp(&b->slot[i].key, key, sizeof(*key)) == 0)
			return &b->slot[i];
	return NULL;
}

static void give(struct kd_bans *b, uint32_t *at)
{
	uint32_t index = *at;

	*at = b->slot[index].next;
	b->slot[index].next = b->free;
	b->free = index;
}

/* Takes the dead out of a chain, so that one key's many bans in a row are never many places. */
static void bury(struct kd_bans *b, uint32_t *at, uint64_t now_ns)
{
	while (*at != 0)
		if (now_ns >= b->slot[*at].until_ns)
			give(b, at);
		else
			at = &b->slot[*at].next;
}

/* A full table: takes one ban that is over out. A look around that finds none is not repeated before the
 * first end it saw. */
static bool make_room(struct kd_bans *b, uint64_t now_ns)
{
	uint64_t earliest = UINT64_MAX;

	if (now_ns < b->none_dies_ns)
		return false;
	for (uint32_t n = 0; n < b->top; n++) {
		b->scan = b->scan >= b->top ? 1 : b->scan + 1;
		if (now_ns >= b->slot[b->scan].until_ns) {
			bury(b, chain_of(b, &b->slot[b->scan].key), now_ns);
			return true;
		}
		if (b->slot[b->scan].until_ns < earliest)
			earliest = b->slot[b->scan].until_ns;
	}
	b->none_dies_ns = earliest;
	return false;
}

void kd_ban_extend(struct kd_bans *b, struct kd_ban *ban, uint32_t which, uint64_t until_ns)
{
	if (until_ns > ban->until_ns)
		ban->until_ns = until_ns;
	if (until_ns > b->rule_over_ns[which])
		b->rule_over_ns[which] = until_ns;
	if (until_ns > b->over_ns)
		b->over_ns = until_ns;
}

struct kd_ban *kd_ban_add(struct kd_bans *b, const struct kd_ban_key *key, uint32_t which, uint64_t from_ns,
	uint64_t until_ns, uint64_t now_ns)
{
	uint32_t *first = chain_of(b, key), index;

	bury(b, first, now_ns);
	if (b->free == 0 && b->top == b->max && !make_room(b, now_ns))
		return NULL;
	index = b->free;
	if (index != 0)
		b->free = b->slot[index].next;
	else
		index = ++b->top;
	b->slot[index] = (struct kd_ban){.key = *key, .next = *first, .from_ns = from_ns};
	*first = index;
	if (until_ns < b->none_dies_ns)
		b->none_dies_ns = until_ns;
	kd_ban_extend(b, &b->slot[index], which, until_ns);
	return &b->slot[index];
}

int kd_ban_ring_init(struct kd_ban_ring *r, uint32_t size)
{
	if (size == 0 || (size & (size - 1)) != 0)
		return -EINVAL;
	r->slot = calloc(size, sizeof(*r->slot));
	r->mask = size - 1;
	return r->slot != NULL ? 0 : -ENOMEM;
}

bool kd_ban_ring_put(struct kd_ban_ring *r, const struct kd_ban_note *note)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (r->slot == NULL || head - atomic_load_explicit(&r->tail, memory_order_acquire) > r->mask)
		return false;
	r->slot[head & r->mask] = *note;
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
	return true;
}

unsigned int kd_ban_ring_take(struct kd_ban_ring *r, struct kd_ban_note *dst, unsigned int max)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint32_t used = atomic_load_explicit(&r->head, memory_order_acquire) - tail;
	unsigned int n = used < max ? used : max;

	for (unsigned int i = 0; i < n; i++)
		dst[i] = r->slot[(tail + i) & r->mask];
	if (n != 0)
		atomic_store_explicit(&r->tail, tail + n, memory_order_release);
	return n;
}
