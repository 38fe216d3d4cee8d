/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an observer keeps beside its engine: the box's policy turned into the endpoint's, a little of each
 * flow that boxes do not need, and IP packets whose fragments are still to come. Only observe*.c include
 * this.
 */
#ifndef KD_OBSERVE_H
#define KD_OBSERVE_H

#include "engine/internal.h"
#include "engine/spot.h"

/* IP packets in pieces at once, and pieces of one: boxes take 45 (X-FR-3). */
#define KD_PARTS_SLOTS 64
#define KD_PARTS_MOST 64
/* IPv4 header with options, or IPv6 header, and what a packet can carry behind it. */
#define KD_PARTS_HEAD 60
#define KD_PARTS_BYTES (KD_PARTS_HEAD + 65536)

/* Fragments of one packet. They come one behind the other out of a box that held them. */
struct kd_parts {
	uint8_t addr[2][16];
	uint64_t since_ns;
	uint32_t id;
	uint8_t proto, version, side;
	bool used;
	uint16_t head_len; /* of the IP header; 0 = the first fragment is not here */
	uint32_t bytes;	   /* here so far */
	uint32_t whole;	   /* 0 = the last fragment is not here */
	uint32_t n;
	struct {
		uint32_t from, to;
	} part[KD_PARTS_MOST];
	uint8_t *packet; /* header ends at KD_PARTS_HEAD */
};

/* One side of a flow, as the other end's TCP sees it. */
struct kd_watch_side {
	uint32_t first, next, high; /* sequence numbers: of byte 0, expected, behind all that came */
	uint16_t payloads;	    /* payload packets that the box got */
	bool begun;
};

struct kd_watch {
	uint64_t needed; /* KD_SPOT_*: what had to be seen through so far, and what cleared the flow for a box
			  */
	struct kd_watch_side side[2];
};

struct kd_observer {
	struct kd_policy policy; /* the box's, with the endpoint's settings and knobs */
	const struct kd_policy *box;
	struct kd_endpoint endpoint;
	struct kd_knob knobs[KD_KNOB_COUNT];
	struct kd_watch *watch[2]; /* by entry of the flow table: IPv4, IPv6 */
	bool absent;		   /* not all nodes have all rules, all the time */
	bool joins;		   /* the box reads packets in fragments, too */
	uint16_t fakes;		   /* kinds that the box may see through */
	struct kd_parts parts[KD_PARTS_SLOTS];
};

/* observe_ip.c: a fragment; true when it was the last one missing: *pkt and *view are the packet then. */
bool kd_observe_fragment(struct kd_engine *e, struct kd_pkt *pkt, struct kd_view *view);
/* observe_tcp.c: whether the endpoint's TCP (or UDP) takes the payload of the packet; notes what it saw
 * through. */
bool kd_observe_takes(struct kd_step *s, struct kd_watch *w);

#endif
