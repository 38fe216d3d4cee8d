/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Boxes in series as one: an engine for each policy of a path, driven like a single engine. What comes from
 * the inside crosses box 0 first, what comes from the outside the last one; what a box lets go enters the
 * next in its direction, and what it injects travels as a packet of its own from there, so that another box
 * may drop or rewrite it. A chain of one is its engine and costs nothing. Which boxes stand on a path is the
 * rulebook's.
 *
 * The contract is engine.h's. A packet has one final action however many boxes it crossed: the drop of the
 * box that dropped it; else it was rewritten if any rewrote it, by the last that did; else emitted, by the
 * last box whose rule had a say, or the first it crossed. It is held once, however many boxes held it.
 */
#ifndef KD_CHAIN_H
#define KD_CHAIN_H

#include <stdint.h>

#include "engine/engine.h"

#define KD_CHAIN_MAX 8

struct kd_chain;

struct kd_chain_config {
	const struct kd_policy *const *policies; /* n of them, borrowed, from the inside */
	unsigned int n;
	struct kd_engine_config engine; /* of each; policy and box are the chain's to fill in */
	uint32_t injects_max; /* injected packets on their way or given out in one call; 0 = enough */
	/* Everything that any box did, in order, also to packets that go on to the next; the handle is the
	 * driver's, NULL for injected ones. NULL = nobody listens; never called for a chain of one, whose
	 * actions say it all. */
	void (*seen)(void *user, const struct kd_action *a);
	void *user;
};

/* As many may come of one packet of the driver: each box may answer it from both sides once, and copies of
 * copies come on top. Their ordinals are bytes. */
static inline uint32_t kd_chain_injects(unsigned int boxes)
{
	uint32_t n = 2 * boxes + (1u << boxes) - 2;

	return n < 240 ? n : 240;
}

/* What `room` of kd_out must be for a burst of n packets. */
static inline uint32_t kd_chain_out_room(unsigned int boxes, unsigned int n)
{
	return n * (2 + kd_chain_injects(boxes)) + boxes * KD_HELD_MAX;
}

/* -EINVAL: no policy, too many, a size the engine refuses; -ENOMEM. On failure *ret is untouched. */
int kd_chain_new(struct kd_chain **ret, const struct kd_chain_config *config);
void kd_chain_free(struct kd_chain *chain);

/* As the engine's. An injected packet's bytes are the chain's, good until its next call; its handle is that
 * of the packet that caused it, which may have had its final action. */
void kd_chain_burst(struct kd_chain *chain, struct kd_pkt *pkts, unsigned int n, struct kd_out *out);
void kd_chain_advance(struct kd_chain *chain, uint64_t now_ns, struct kd_out *out);
void kd_chain_release(struct kd_chain *chain, struct kd_out *out);
unsigned int kd_chain_finish(struct kd_chain *chain);

/* As kd_engine_bypass, for one of its boxes; the rule is that box's. */
int kd_chain_bypass(struct kd_chain *chain, unsigned int box, uint16_t rule, bool on, uint64_t from_ns);

/* The records of all boxes; each says of which it is. */
unsigned int kd_chain_events(struct kd_chain *chain, struct kd_event *dst, unsigned int max);
uint64_t kd_chain_horizon(const struct kd_chain *chain);

/* Packets, bytes and injections as they entered and left the whole; flows and the like are the boxes' sums.
 * An injected packet that another box dropped, or that found no room, counts as refused. */
const struct kd_counters *kd_chain_counters(struct kd_chain *chain);
const struct kd_counters *kd_chain_box_counters(const struct kd_chain *chain, unsigned int box);

/* NULL, or which sum is wrong, of a box or between them. After a call, not within one. */
const char *kd_chain_unbalanced(struct kd_chain *chain);

#endif
