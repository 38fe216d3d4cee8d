/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a mechanism is: one file with one `const struct kd_mechanism kd_mechanism_NAME`, and its name in the
 * list of dataplane/meson.build. It knows how, never who: its settings come from a rule's `then = { mechanism
 * = "NAME"; ... }`, parsed by the option table below into a small block that the policy owns.
 */
#ifndef KD_MECHANISM_H
#define KD_MECHANISM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/decode.h"
#include "engine/engine.h"
#include "engine/reason.h"

#define KD_MECH_PARAMS 64 /* bytes of a rule's settings */
#define KD_MECH_STATE 8	  /* bytes of state in a decided flow */

enum kd_option_kind {
	KD_OPTION_WORD,	    /* uint8_t: index into words */
	KD_OPTION_COUNT,    /* uint32_t, plain integer within min..max */
	KD_OPTION_DURATION, /* uint64_t nanoseconds, from "75 s" */
	KD_OPTION_RATE,	    /* uint64_t bit/s, from "140 kbit/s" */
	KD_OPTION_BYTES,    /* uint64_t, from "16 kB" */
	KD_OPTION_SHARE,    /* uint64_t of 2^64, from "5 %"; UINT64_MAX = all */
	KD_OPTION_TEXT,	    /* uint16_t: index into kd_act_texts; 0 = none, an empty one too */
	KD_OPTION_ADDRESS,  /* 16 bytes, IPv4 as ::ffff:a.b.c.d; all zero = none */
};

struct kd_option {
	const char *name;
	uint8_t kind;	   /* enum kd_option_kind */
	uint8_t offset;	   /* into the params block */
	const char *words; /* WORD: "rewrite|inject" */
	const char *deflt; /* as it would stand in a rule; NULL = must be given */
	uint64_t min, max; /* of numbers, of a text's bytes; max 0 = any */
	const char *help;
};

struct kd_text {
	const char *p;
	uint16_t len;
};

struct kd_flow;

/* One packet in a mechanism's hands. Filled by enforce.c; the mechanism sets fate and reason. What few ask
 * for stands behind the functions below: every packet of a flow that is held pays for what is filled in. */
struct kd_act {
	struct kd_engine *engine;
	struct kd_pkt *pkt;
	struct kd_view *view;
	struct kd_out *out;
	const void *params;	    /* the rule's settings */
	const struct kd_flow *flow; /* for the functions below */
	void *state;		    /* KD_MECH_STATE bytes of the flow, zero at the trigger */
	uint64_t now_ns;
	uint64_t gap_ns; /* since the flow's packet before, of either side; UINT64_MAX for its first */
	uint16_t rule;
	bool trigger; /* the first packet it acts on */
	/* out: */
	uint8_t fate; /* KD_EMIT, KD_REWRITE (pkt->data and len are the new frame) or KD_DROP */
	bool forged;  /* a forged end of the connection went out: the flow's outcome is blocked */
	bool done;    /* nothing more to do on this flow; its later packets pass */
	bool thins;   /* what it does to this packet by a rate or by chance ends nothing: the next may pass */
	uint16_t reason;
	uint8_t no_room;	/* its fate when nothing more can be held back: KD_DROP, or KD_EMIT now */
	bool overtakes;		/* it goes before what is held of its flow and side */
	uint8_t injected;	/* frames for it so far */
	uint64_t not_before_ns; /* it leaves then, in order; 0 = now, or behind what is held before it */
	uint64_t mark_ns;	/* with it: kept with what is held of this flow and side */
};

/* What a rule's settings ask of its place before it can act; if it is not there, `else` is tried. */
#define KD_NEEDS_DOWNSTREAM 0x1 /* to see, or to edit, what comes back from the outside */
#define KD_NEEDS_TCP 0x2
#define KD_NEEDS_ROLES 0x4 /* to know which end is the client */
#define KD_NEEDS_FRAME                                                                                       \
	0x8 /* to edit later packets: what comes in fragments it lets pass. All others may drop it */

#define KD_NEEDS_LATER 0x10  /* the pool of what leaves later: never lacking, made when asked for */
#define KD_NEEDS_COPIES 0x20 /* room for whole frames to inject, likewise */
#define KD_NEEDS_TURN 0x40   /* to remember what it sent elsewhere, likewise: see kd_act_turn */

struct kd_mechanism {
	const char *name;
	const char *title;
	const struct kd_option *options; /* ends with a NULL name; NULL = none */
	bool drops; /* all it does is to drop, each packet by itself: it may be asked about an ICMP error */
	struct kd_reason reasons[KD_LOCAL_REASONS];
	unsigned int (*needs)(const void *params); /* KD_NEEDS_*; NULL = nothing */
	/* What is wrong with settings that are right one by one: a message and a hint (may be NULL); false:
	 * nothing is. Text number n is texts[n - 1]. NULL = never wrong. */
	bool (*is_wrong)(const void *params, const char *const *texts, const char **ret_message,
		const char **ret_hint);
	void (*act)(struct kd_act *a);
};

extern const struct kd_mechanism *const kd_mechanisms[];
int kd_mechanism_find(const char *name);

/* The texts that the rule's settings index. */
const struct kd_text *kd_act_texts(const struct kd_act *a);
/* Packets of this side so far, this one too. */
uint64_t kd_act_nth(const struct kd_act *a);
/* enum kd_side that opened the flow. */
unsigned int kd_act_opened(const struct kd_act *a);
/* Put together from fragments, which leave as they came: neither edited nor held back. */
bool kd_act_is_whole(const struct kd_act *a);
/* 0 unless the engine hands them out. */
uint64_t kd_act_flow_id(const struct kd_act *a);

/* A draw of 0 .. 2^64-1 for this flow by this rule, the same whenever it is asked for: never by the clock or
 * the order of arrival. `purpose` is the mechanism's own, `about` whatever tells its draws apart. */
uint64_t kd_act_draw(const struct kd_act *a, unsigned int purpose, uint64_t about);

/* Injects len bytes at `bytes` (from kd_inject_buffer) so that they leave by `side`, after the packet in
 * hand. */
uint8_t *kd_inject_buffer(struct kd_act *a, size_t *room); /* NULL: no room, already counted */
void kd_inject(struct kd_act *a, uint8_t *bytes, size_t len, unsigned int side, uint16_t reason);
/* The same of a copy, which leaves at that time, where KD_NEEDS_LATER asked for it. */
void kd_inject_at(struct kd_act *a, const uint8_t *bytes, size_t len, unsigned int side, uint16_t reason,
	uint64_t not_before_ns);
/* The packet in hand once more, onward; where KD_NEEDS_COPIES asked for it. False: no room, counted. */
bool kd_inject_copy(struct kd_act *a, uint16_t reason);
/* Counts an injection that could not be made, by name. */
void kd_inject_refuse(struct kd_act *a, uint16_t reason);

/* The address that the flow was opened to, 4 or 16 bytes. */
const uint8_t *kd_act_asked(const struct kd_act *a);
/* The UDP packet in hand, which came from the inside, is about to go to `target` (4 or 16 bytes) instead: an
 * answer with its first two bytes that comes from there within that time is a packet of this flow; where
 * KD_NEEDS_TURN asked for it. -ENOSPC: no room, counted; -EPERM: live, and the target is not in the lab. */
int kd_act_turn(struct kd_act *a, const uint8_t *target, uint64_t time_ns);

/* What is held back of the flow and side of the packet in hand. */
struct kd_queued {
	uint64_t bytes; /* of IP */
	uint32_t packets;
	uint64_t mark_ns; /* left by the last that a rule held back; 0 = nothing is held */
};
void kd_act_queued(const struct kd_act *a, struct kd_queued *ret);
/* Bytes of IP of the packet in hand, as its headers say. */
uint32_t kd_act_ip_bytes(const struct kd_act *a);

#endif
