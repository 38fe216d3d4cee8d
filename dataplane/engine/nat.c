/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of redirected questions: a pool in chains. It knows keys and times, no flow and no rule; those
 * are turn.c's.
 */
#include "engine/nat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rng.h"

#define LIMIT (1u << 22)

_Static_assert(sizeof(struct kd_nat_key) == 40, "keys are compared as bytes: nothing between their parts");

int kd_nat_init(struct kd_nat *n, uint32_t max, uint64_t seed)
{
	struct kd_nat fresh = {.max = max, .mask = 1, .seed = seed};

	if (max == 0 || max > LIMIT)
		return -EINVAL;
	while (fresh.mask + 1 < max)
		fresh.mask = fresh.mask * 2 + 1;
	fresh.slot = calloc((size_t)max + 1, sizeof(*fresh.slot));
	fresh.chain = calloc((size_t)fresh.mask + 1, sizeof(*fresh.chain));
	if (fresh.slot == NULL || fresh.chain == NULL) {
		kd_nat_free(&fresh);
		return -ENOMEM;
	}
	*n = fresh;
	return 0;
}

void kd_nat_free(struct kd_nat *n)
{
	free(n->slot);
	free(n->chain);
	memset(n, 0, sizeof(*n));
}

static uint32_t *chain_of(const struct kd_nat *n, const struct kd_nat_key *key)
{
	uint64_t h = kd_mix(n->seed, kd_hash_bytes((const uint8_t *)key, sizeof(*key)));

	return &n->chain[(uint32_t)(h >> 32) & n->mask];
}

void kd_nat_reset(struct kd_nat *n)
{
	for (uint32_t i = 1; i <= n->top; i++)
		*chain_of(n, &n->slot[i].key) = 0;
	n->top = n->free = n->scan = 0;
	n->over_ns = n->none_dies_ns = 0;
}

static bool is_of(const struct kd_nat_entry *at, const struct kd_nat_key *key)
{
	return memcmp(&at->key, key, sizeof(*key)) == 0;
}

struct kd_nat_entry *kd_nat_find(const struct kd_nat *n, const struct kd_nat_key *key, uint64_t now_ns)
{
	struct kd_nat_entry *found = NULL;

	for (uint32_t i = *chain_of(n, key); i != 0; i = n->slot[i].next) {
		struct kd_nat_entry *at = &n->slot[i];

		if (now_ns < at->until_ns && is_of(at, key) && (found == NULL || !at->answered))
			found = at;
	}
	return found;
}

static void give(struct kd_nat *n, uint32_t *at)
{
	uint32_t index = *at;

	*at = n->slot[index].next;
	n->slot[index].next = n->free;
	n->free = index;
}

/* Takes the dead out of a chain. */
static void bury(struct kd_nat *n, uint32_t *at, uint64_t now_ns)
{
	while (*at != 0)
		if (now_ns >= n->slot[*at].until_ns)
			give(n, at);
		else
			at = &n->slot[*at].next;
}

/* A full table: takes one that is over out. A look around that finds none is not repeated before the first
 * end it saw. */
static bool make_room(struct kd_nat *n, uint64_t now_ns)
{
	uint64_t earliest = UINT64_MAX;

	if (now_ns < n->none_dies_ns)
		return false;
	for (uint32_t looked = 0; looked < n->top; looked++) {
		n->scan = n->scan >= n->top ? 1 : n->scan + 1;
		if (now_ns >= n->slot[n->scan].until_ns) {
			bury(n, chain_of(n, &n->slot[n->scan].key), now_ns);
			return true;
		}
		if (n->slot[n->scan].until_ns < earliest)
			earliest = n->slot[n->scan].until_ns;
	}
	n->none_dies_ns = earliest;
	return false;
}

/* The place of a question, which may be its old one; NULL: no room. */
static struct kd_nat_entry *place(
	struct kd_nat *n, const struct kd_nat_key *key, const uint8_t *asked, uint64_t now_ns)
{
	uint32_t *first = chain_of(n, key), index;

	bury(n, first, now_ns);
	for (uint32_t i = *first; i != 0; i = n->slot[i].next)
		if (is_of(&n->slot[i], key) && memcmp(n->slot[i].asked, asked, 16) == 0)
			return &n->slot[i];
	if (n->free == 0 && n->top == n->max && !make_room(n, now_ns))
		return NULL;
	index = n->free;
	if (index != 0)
		n->free = n->slot[index].next;
	else
		index = ++n->top;
	n->slot[index] = (struct kd_nat_entry){.key = *key, .next = *first};
	memcpy(n->slot[index].asked, asked, 16);
	*first = index;
	return &n->slot[index];
}

bool kd_nat_ask(struct kd_nat *n, const struct kd_nat_key *key, const uint8_t *asked, uint64_t until_ns,
	uint64_t now_ns)
{
	struct kd_nat_entry *at = place(n, key, asked, now_ns);

	if (at == NULL)
		return false;
	at->until_ns = until_ns;
	at->answered = false;
	if (until_ns < n->none_dies_ns)
		n->none_dies_ns = until_ns;
	if (until_ns > n->over_ns)
		n->over_ns = until_ns;
	return true;
}
