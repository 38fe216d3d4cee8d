/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What leaves later than it came: packets that a rule holds back, whose bytes stay the driver's, and injected
 * frames, of which copies wait; a bounded pool, ordered by (due time, order of coming). What is held of one
 * flow and side is its lane, which lasts as long as there is anything in it. Shapes only; later.c decides.
 */
#ifndef KD_LATER_H
#define KD_LATER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

struct kd_act;
struct kd_policy;
struct kd_step;

/* Bytes of an injected frame that does not repeat a packet. */
#define KD_INJECT_BYTES 512

struct kd_later_lane {
	uint64_t key;	  /* kd_flow_who of its flow, and the side in the lowest bit */
	uint64_t last_ns; /* when the last of it is due */
	uint64_t mark_ns; /* the mechanism's, left with the last packet it held back */
	uint64_t bytes;	  /* of IP, of all that is in it */
	uint32_t packets;
	uint32_t next; /* in its bucket; also the chain of free ones */
};

struct kd_later_item {
	struct kd_pkt pkt; /* of an injected frame: what tells of it, `data` its copy */
	uint64_t due_ns, serial, flow_id;
	uint32_t lane; /* 0: an injected frame */
	uint32_t bytes;
	uint32_t next; /* chain of free ones, or of those given out in this call */
	uint16_t rule, reason;
	uint8_t fate;
	uint8_t n;
};

/* Items, lanes: [0] is unused, an index of 0 is none; [1..top] were ever used. */
struct kd_later {
	uint64_t due_ns; /* of the first; UINT64_MAX: nothing waits */
	uint64_t serial;
	uint32_t
		most; /* packets and frames that wait, fragments with them; 0 = no rule holds anything back */
	uint32_t n;   /* items in the heap */
	uint32_t injects; /* of them, injected frames */
	uint32_t mask;	  /* buckets - 1 */
	uint32_t *heap;	  /* items by (due_ns, serial), the first at 0 */
	uint32_t *bucket;
	struct kd_later_item *item;
	struct kd_later_lane *lane;
	uint8_t (*frame)[KD_INJECT_BYTES]; /* an item's */
	uint32_t item_top, item_free, lane_top, lane_free;
	uint32_t spent; /* frames given out in this call: their bytes are good until the next */
};

/* Makes no room where no rule of the policy holds anything back. -ENOMEM. */
int kd_later_init(struct kd_later *l, const struct kd_policy *policy, uint32_t most);
void kd_later_free(struct kd_later *l);
void kd_later_reset(struct kd_later *l);

/* The frames of the last call are nobody's any more. */
void kd_later_begin(struct kd_later *l);
/* The step's packet may have to wait, for its rule's sake or for what is held before it; sets s->later, or
 * that there is no room. */
void kd_later_take(struct kd_step *s);
/* Its final action waits; in its place stands the hold. */
void kd_later_keep(struct kd_step *s, struct kd_action *a);
/* Ends what is due at until_ns. */
void kd_later_expire(struct kd_engine *e, struct kd_out *out, uint64_t until_ns);
/* Gives all of it back. */
void kd_later_release(struct kd_engine *e, struct kd_out *out);

#endif
