/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool of traces, found by their owner: chains over a table as large as the pool. Nobody's trace makes room
 * for another's: a flow that finds none is judged without.
 */
#include "engine/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (1u << 22)

int kd_traces_init(struct kd_traces *p, uint32_t max)
{
	struct kd_traces n = {.max = max, .mask = 1};

	if (max == 0 || max > LIMIT)
		return -EINVAL;
	while (n.mask + 1 < max)
		n.mask = n.mask * 2 + 1;
	n.slot = calloc((size_t)max + 1, sizeof(*n.slot));
	n.chain = calloc((size_t)n.mask + 1, sizeof(*n.chain));
	if (n.slot == NULL || n.chain == NULL) {
		kd_traces_free(&n);
		return -ENOMEM;
	}
	*p = n;
	return 0;
}

void kd_traces_free(struct kd_traces *p)
{
	free(p->slot);
	free(p->chain);
	memset(p, 0, sizeof(*p));
}

static uint32_t *chain_of(const struct kd_traces *p, uint64_t owner)
{
	return &p->chain[(owner * 0x9e3779b97f4a7c15ull >> 32) & p->mask];
}

void kd_traces_reset(struct kd_traces *p)
{
	for (uint32_t i = 1; i <= p->top; i++)
		*chain_of(p, p->slot[i].owner) = 0;
	p->top = p->free = 0;
}

struct kd_trace *kd_trace_find(const struct kd_traces *p, uint64_t owner)
{
	for (uint32_t i = *chain_of(p, owner); i != 0; i = p->slot[i].next)
		if (p->slot[i].owner == owner)
			return &p->slot[i];
	return NULL;
}

struct kd_trace *kd_trace_take(struct kd_traces *p, uint64_t owner)
{
	uint32_t index = p->free, *first;

	if (index != 0)
		p->free = p->slot[index].next;
	else if (p->top < p->max)
		index = ++p->top;
	else
		return NULL;
	first = chain_of(p, owner);
	p->slot[index] = (struct kd_trace){.owner = owner, .next = *first};
	*first = index;
	return &p->slot[index];
}

void kd_trace_give(struct kd_traces *p, struct kd_trace *t)
{
	uint32_t index = (uint32_t)(t - p->slot), *at = chain_of(p, t->owner);

	while (*at != index)
		at = &p->slot[*at].next;
	*at = t->next;
	t->next = p->free;
	p->free = index;
}
