/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of event records with one producer and one consumer. The producer never waits: what does not fit is
 * counted by the caller. Size is a power of two, fixed at creation.
 */
#ifndef KD_RING_H
#define KD_RING_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/event.h"

struct kd_ring {
	struct kd_event *slot;
	uint32_t mask;
	_Alignas(64) _Atomic uint32_t head; /* next to write; producer's */
	_Alignas(64) _Atomic uint32_t tail; /* next to read; consumer's */
};

static inline uint32_t kd_ring_used(const struct kd_ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed) -
	       atomic_load_explicit(&r->tail, memory_order_acquire);
}

static inline uint32_t kd_ring_room(const struct kd_ring *r)
{
	return r->mask + 1 - kd_ring_used(r);
}

/* The record to fill, or NULL when the ring is full; kd_ring_push makes it visible. */
static inline struct kd_event *kd_ring_slot(struct kd_ring *r)
{
	if (kd_ring_room(r) == 0)
		return NULL;
	return &r->slot[atomic_load_explicit(&r->head, memory_order_relaxed) & r->mask];
}

static inline void kd_ring_push(struct kd_ring *r)
{
	atomic_store_explicit(
		&r->head, atomic_load_explicit(&r->head, memory_order_relaxed) + 1, memory_order_release);
}

#endif
