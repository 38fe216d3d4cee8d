/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool of places by owner. Nobody's place makes room for another's: who finds none does without.
 */
#include "engine/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int kd_pool_init(struct kd_pool *p, uint32_t max, uint32_t limit, size_t size)
{
	struct kd_pool n = {.max = max, .mask = 1, .size = size};

	if (max == 0 || max > limit)
		return -EINVAL;
	while (n.mask + 1 < max)
		n.mask = n.mask * 2 + 1;
	n.place = calloc((size_t)max + 1, size);
	n.chain = calloc((size_t)n.mask + 1, sizeof(*n.chain));
	if (n.place == NULL || n.chain == NULL) {
		kd_pool_free(&n);
		return -ENOMEM;
	}
	*p = n;
	return 0;
}

void kd_pool_free(struct kd_pool *p)
{
	free(p->place);
	free(p->chain);
	memset(p, 0, sizeof(*p));
}

static uint32_t *chain_of(const struct kd_pool *p, uint64_t owner)
{
	return &p->chain[(owner * 0x9e3779b97f4a7c15ull >> 32) & p->mask];
}

void kd_pool_reset(struct kd_pool *p)
{
	for (uint32_t i = 1; i <= p->top; i++)
		*chain_of(p, ((struct kd_pooled *)kd_pool_at(p, i))->owner) = 0;
	p->top = p->free = 0;
	p->search = (struct kd_search){0};
}

void *kd_pool_find(const struct kd_pool *p, uint64_t owner)
{
	struct kd_pooled *at;

	for (uint32_t i = *chain_of(p, owner); i != 0; i = at->next) {
		at = kd_pool_at(p, i);
		if (at->owner == owner)
			return at;
	}
	return NULL;
}

void *kd_pool_take(struct kd_pool *p, uint64_t owner)
{
	uint32_t index = p->free, *first;
	struct kd_pooled *at;

	if (kd_pool_is_full(p))
		return NULL;
	if (index != 0)
		p->free = ((struct kd_pooled *)kd_pool_at(p, index))->next;
	else
		index = ++p->top;
	first = chain_of(p, owner);
	at = kd_pool_at(p, index);
	memset(at, 0, p->size);
	at->owner = owner;
	at->next = *first;
	*first = index;
	return at;
}

void kd_pool_give(struct kd_pool *p, void *place)
{
	struct kd_pooled *gone = place;
	uint32_t index = kd_pool_index(p, place), *at = chain_of(p, gone->owner);

	while (*at != index)
		at = &((struct kd_pooled *)kd_pool_at(p, *at))->next;
	*at = gone->next;
	gone->next = p->free;
	p->free = index;
}
