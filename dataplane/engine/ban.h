/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What rules left behind for other flows: a bounded table of bans by key. A ban is there from a moment to a
 * moment and at no other, swept or not, and one is refused only when all places hold living ones, so what the
 * table answers depends on nothing but what was put into it and the time. What a ban does to a packet is its
 * rule's mechanism's; the residual that a flow keeps of its own trigger lies in the flow.
 */
#ifndef KD_BAN_H
#define KD_BAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

struct kd_policy;

struct kd_ban {
	struct kd_ban_key key;
	uint32_t next; /* in its chain, or among the free */
	uint64_t from_ns, until_ns;
	uint64_t told_ns; /* the end that other workers know of */
};

/* One writer, one reader, which may be different threads. */
struct kd_ban_ring {
	struct kd_ban_note *slot; /* NULL: nobody listens */
	uint32_t mask;
	_Atomic uint32_t head, tail;
};

struct kd_bans {
	uint64_t over_ns; /* no ban is there from then on; 0 = none was put */
	struct kd_ban *slot;
	uint32_t *chain; /* by hash */
	uint32_t max, mask, top, free;
	uint32_t scan;	       /* where the next look for a dead one begins */
	uint64_t none_dies_ns; /* all of a full table live until then */
	uint64_t seed;
	uint16_t *rule;		/* those that ban, in their order */
	uint64_t *rule_over_ns; /* of each: as over_ns */
	uint32_t nrules;
	bool by_protocol; /* some ban holds for what is recognised only */
	struct kd_ban_ring out, in;
};

/* For at most `max` bans of so many rules. -EINVAL: max is 0 or over 2^22; -ENOMEM. */
int kd_bans_init(struct kd_bans *b, uint32_t max, uint32_t nrules, uint64_t seed);
void kd_bans_free(struct kd_bans *b);
/* Empties it; costs what was used. */
void kd_bans_reset(struct kd_bans *b);

/* The ban of a key at now_ns, in force or still to come; NULL: none. */
struct kd_ban *kd_ban_find(const struct kd_bans *b, const struct kd_ban_key *key, uint64_t now_ns);
/* One more, of a key that has none; NULL: no room. `which`: its rule's place among those that ban. */
struct kd_ban *kd_ban_add(struct kd_bans *b, const struct kd_ban_key *key, uint32_t which, uint64_t from_ns,
	uint64_t until_ns, uint64_t now_ns);
/* It ends later than it did. */
void kd_ban_extend(struct kd_bans *b, struct kd_ban *ban, uint32_t which, uint64_t until_ns);

/* size: a power of two. */
int kd_ban_ring_init(struct kd_ban_ring *r, uint32_t size);
/* False: it is full. */
bool kd_ban_ring_put(struct kd_ban_ring *r, const struct kd_ban_note *note);
unsigned int kd_ban_ring_take(struct kd_ban_ring *r, struct kd_ban_note *dst, unsigned int max);

#endif
