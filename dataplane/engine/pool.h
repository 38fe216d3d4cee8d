/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bounded pool whose places are found by their owner: chains over a table as large as the pool. Each place
 * begins with a struct kd_pooled. It knows nothing of what is kept there, nor of how long an owner lives:
 * expire.c makes room in a full one. Nothing is allocated after kd_pool_init.
 */
#ifndef KD_POOL_H
#define KD_POOL_H

#include <stddef.h>
#include <stdint.h>

struct kd_pooled {
	uint64_t owner;
	uint32_t next; /* in its chain, or of the free ones */
};

/* For a dead one in a full pool; expire.c's. */
struct kd_search {
	uint32_t at;	       /* where the last one ended */
	uint64_t none_dies_ns; /* none dies before this */
};

struct kd_pool {
	uint8_t *place;	 /* [1..max] of `size` bytes */
	uint32_t *chain; /* first of each; 0 = none */
	size_t size;
	uint32_t mask, max, top, free; /* places [1..top] were ever taken */
	struct kd_search search;
};

/* -EINVAL: max is 0 or over `limit`; -ENOMEM. */
int kd_pool_init(struct kd_pool *p, uint32_t max, uint32_t limit, size_t size);
void kd_pool_free(struct kd_pool *p);
/* Gives all back; costs what was used. */
void kd_pool_reset(struct kd_pool *p);

/* Place `index` (1..top), taken or not. */
static inline void *kd_pool_at(const struct kd_pool *p, uint32_t index)
{
	return p->place + (size_t)index * p->size;
}

static inline uint32_t kd_pool_index(const struct kd_pool *p, const void *place)
{
	return (uint32_t)((size_t)((const uint8_t *)place - p->place) / p->size);
}

static inline int kd_pool_is_full(const struct kd_pool *p)
{
	return p->free == 0 && p->top == p->max;
}

void *kd_pool_find(const struct kd_pool *p, uint64_t owner);
/* An empty one for an owner that has none; NULL: all are taken. */
void *kd_pool_take(struct kd_pool *p, uint64_t owner);
void kd_pool_give(struct kd_pool *p, void *place);

#endif
