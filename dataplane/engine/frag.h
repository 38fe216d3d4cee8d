/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments of IP packets that wait for the rest: a bounded table of packets by what their fragments have in
 * common, and a bounded pool of fragments, whose bytes stay the driver's; and room for one packet put
 * together from them, if some flow is to be read so. Shapes only; frag.c decides.
 */
#ifndef KD_FRAG_H
#define KD_FRAG_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/flow.h"

struct kd_policy;
struct kd_step;

/* RFC 791: addresses, identification, protocol; RFC 8200 4.5 leaves the protocol out, fragments may differ in
 * it. Padding is zeroed: keys are compared and hashed as bytes. */
struct kd_frag_key {
	uint8_t addr[2][16]; /* source, destination */
	uint32_t id;
	uint8_t proto; /* 0 for IPv6 */
	uint8_t version;
	uint8_t side; /* enum kd_side they come from */
	uint8_t zero;
};

_Static_assert(sizeof(struct kd_frag_key) == 40, "hashed in words of eight bytes");

struct kd_frag_piece {
	struct kd_pkt pkt;
	uint32_t next;	   /* in order of arrival; also the chain of free ones */
	uint32_t from, to; /* bytes of the packet that it carries */
	uint16_t l3_off, l4_off, pppoe_off;
};

struct kd_frag_queue {
	struct kd_frag_key key;
	uint64_t first_ns;
	uint32_t next;		/* in its bucket; also the chain of free ones */
	uint32_t older, newer;	/* by first_ns */
	uint32_t first, latest; /* pieces */
	uint32_t count;
	uint32_t bytes; /* that all pieces carry together */
	uint32_t whole; /* what they carry once the packet is complete; 0 = its last fragment is not here */
	uint16_t fate_reason; /* 0 = it waits; else the fate is known of all that still come: why */
	uint8_t fate;
	uint8_t ttl; /* of the fragment at offset 0 */
};

/* The link and IP headers of the fragment at offset 0 as if it never had been one, and all bytes of all. */
#define KD_FRAG_WHOLE_BYTES (65535 + 40 + 128) /* an IPv6 packet behind as deep a link as is unpacked */

struct kd_frag_whole {
	uint8_t *bytes; /* NULL: nothing is ever put together */
	struct kd_pkt pkt;
	struct kd_view view;
	struct kd_flow_key key; /* of no meaning when the view has a reason */
	uint32_t queue;		/* whose */
};

/* Pieces, queues: [0] is unused, an index of 0 is none; [1..top] were ever used. */
struct kd_frag {
	uint64_t due_ns; /* nobody's time is over before this */
	uint64_t lifetime_ns;
	uint64_t seed;
	uint32_t most; /* fragments of one packet; 0 = none is held */
	uint32_t max;  /* pieces, and queues */
	uint32_t mask; /* buckets - 1 */
	uint32_t *bucket;
	struct kd_frag_piece *piece;
	struct kd_frag_queue *queue;
	uint32_t piece_top, piece_free, queue_top, queue_free;
	uint32_t oldest, newest;
	struct kd_frag_whole whole;
};

int kd_frag_init(struct kd_frag *f, const struct kd_policy *policy, uint32_t max, uint64_t seed);
void kd_frag_free(struct kd_frag *f);
void kd_frag_reset(struct kd_frag *f);

/* The step's packet is a fragment: sets its fate and reason, and ends what waited for it. True: nothing of
 * that yet, its packet stands in `whole` to be judged, and kd_frag_settle is to follow. */
bool kd_frag_take(struct kd_step *s);
/* The judged packet's fate is that of all its fragments; those that are not dropped leave as ever. */
void kd_frag_settle(struct kd_step *s);
/* whole.c: puts the queue's pieces and the last one together and decodes that; 0, or a reason why not. */
uint16_t kd_frag_join(struct kd_engine *e, const struct kd_frag_queue *q, const struct kd_frag_piece *last);
/* Ends what waited until then at most. */
void kd_frag_expire(struct kd_engine *e, struct kd_out *out, uint64_t until_ns);
/* Gives all of it back. */
void kd_frag_release(struct kd_engine *e, struct kd_out *out);

#endif
