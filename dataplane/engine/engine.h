/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's contract. Packets with their times go in, ordered actions come out; the engine does no I/O and
 * owns no clock. It is a handle: no writable globals, thousands fit in a process, and what it may use is
 * fixed at creation.
 *
 * Threading: one thread drives an engine. The policy it reads is immutable and may be shared by any number of
 * engines. The event ring has one consumer, which may be another thread.
 */
#ifndef KD_ENGINE_H
#define KD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/event.h"
#include "engine/reason.h"

struct kd_engine;
struct kd_policy;
struct kd_guard;

/* The side a packet came from (or leaves by): the subscriber's or the internet's. */
enum kd_side { KD_INSIDE = 0, KD_OUTSIDE = 1 };

/* What the first byte of a packet belongs to. */
enum kd_link { KD_LINK_ETHERNET, KD_LINK_RAW, KD_LINK_SLL, KD_LINK_SLL2, KD_LINK_NULL, KD_LINK_COUNT };

#define KD_PKT_BAD_CHECKSUM                                                                                  \
	0x01 /* the driver was asked to verify and it is wrong: forwarded, never inspected */

/* A knob of the box decides about wrong sums that no offloading explains: */
#define KD_PKT_WRONG_SUM 0x02	/* the driver has looked, and one is */
#define KD_PKT_SUMS_JUDGED 0x04 /* it has, or knows that sums cannot be trusted: else the engine sums */

/*
 * A packet on entry. `data` belongs to the driver; until its final action the engine may rewrite it in place.
 * Times never decrease from one packet to the next.
 */
struct kd_pkt {
	uint8_t *data;	   /* first byte of the link header */
	uint32_t len;	   /* bytes at data */
	uint32_t wire_len; /* bytes on the wire; more than len when the capture cut it */
	uint16_t headroom; /* writable bytes before data */
	uint16_t tailroom; /* writable bytes after data + len */
	uint8_t side;	   /* enum kd_side it came from */
	uint8_t link;	   /* enum kd_link */
	uint8_t flags;	   /* KD_PKT_* */
	uint8_t n;	   /* 0; what another box of the path injected for a packet: its ordinal, from 1 */
	uint64_t time_ns;
	uint64_t number; /* of the packet on entry, from 1: pcap_cnt */
	void *handle;	 /* the driver's own; comes back in exactly one final action */
};

/* EMIT, DROP and REWRITE are final and give the handle back; HOLD keeps it, and the bytes, until one of them
 * in this call or a later one, so what a HOLD says of the bytes is not to be read; INJECT has none. */
enum kd_fate { KD_EMIT, KD_REWRITE, KD_DROP, KD_HOLD, KD_INJECT, KD_FATE_COUNT };

struct kd_action {
	uint8_t fate;	  /* enum kd_fate */
	uint8_t side;	  /* enum kd_side it leaves by (for a drop: would have left by) */
	uint8_t link;	  /* enum kd_link of data */
	uint8_t n;	  /* ordinal among the actions of one input packet, from 0 */
	uint16_t reason;  /* never KD_REASON_NONE */
	uint16_t rule;	  /* index into the policy's rules, 0 = no rule */
	uint32_t len;	  /* bytes at data */
	uint8_t box;	  /* of a chain: whose word this is; an engine leaves it 0 */
	uint8_t *data;	  /* the packet's own bytes, or for INJECT the engine's, valid until the next call */
	uint64_t time_ns; /* EMIT, REWRITE, INJECT: not before; DROP: when it was lost */
	uint64_t number;  /* of the input packet; for INJECT of the one that caused it */
	uint64_t flow_id; /* 0 when there is no flow, or when config.flow_ids is off */
	void *handle; /* the packet's; for INJECT the template's, which is only borrowed, or NULL: it leaves
			 later */
};

/* A packet's own action, one more if it was held, and what a mechanism may inject for it. */
#define KD_ACTIONS_PER_PKT 4
/* Packets an engine may hold at once: any call may end all of them. */
#define KD_HELD_MAX 1024
/* Bytes of an injected frame, with its link header. */
#define KD_FRAME_BYTES 2048
/* What `room` must be for a burst of n packets; for calls without a packet, n is 0. */
#define KD_OUT_ROOM(n) ((n)*KD_ACTIONS_PER_PKT + KD_HELD_MAX)
/* Most packets of one kd_engine_burst. */
#define KD_BURST_MAX 256

/* Filled by the engine from index 0, in order. The caller owns the array. */
struct kd_out {
	struct kd_action *actions;
	uint32_t room;
	uint32_t count;
};

/* What is known of the way behind the box. */
struct kd_endpoint {
	uint8_t hops; /* routers from the box to the end that a flow was opened to; 0 = not known */
};

struct kd_engine_config {
	const struct kd_policy *policy; /* borrowed; must outlive the engine */
	struct kd_guard
		*guard; /* live runs: borrowed, shared by workers; NULL offline, where nothing is forwarded */
	uint64_t seed;
	uint8_t box;   /* position on the path, from 0 */
	bool observed; /* an observer runs beside it: flow records say what the box can see */
	const struct kd_endpoint *endpoint; /* NULL: a box. Else an observer of that box (same policy, seed,
					       box): it reads as the endpoint does, gives out no actions and
					       one KD_EVENT_UNSEEN a flow at most; copied */
	bool flow_ids; /* put flow ids into actions (drivers that tell stories; costs a hash a packet) */
	uint32_t flows4_max; /* IPv4 flows that always find a place */
	uint32_t flows6_max;
	uint32_t events_max;  /* ring, rounded up to a power of two */
	uint32_t counts_max;  /* tallies at once of a policy that counts; nothing otherwise */
	uint32_t held_max;    /* packets at once, at most KD_HELD_MAX; as many packets in fragments */
	uint32_t gathers_max; /* sides of flows put together at once, if a knob asks for it */
	uint32_t traces_max;  /* undecided flows whose fakes are told by what came before, likewise */
	bool switches_untold; /* another engine of the same box records them */
	uint32_t bans_max;    /* residuals for other flows at once, if a rule leaves any */
	uint32_t nat_max;     /* redirected questions remembered at once, if a rule redirects any */
	uint32_t ban_notes;   /* room for bans told to and by other engines, a power of two; 0 = this one is
			       * alone
			       */
};

/*
 * A ban for everyone, as engines that share the packets of one box tell each other of it. The key is the
 * engine's; parts that nobody asks about are 0.
 */
struct kd_ban_key {
	uint8_t inside[16], outside[16];
	uint16_t rule, port;
	uint8_t v6;
	uint8_t spare[3];
};

struct kd_ban_note {
	struct kd_ban_key key;
	uint64_t from_ns, until_ns;
};

#define KD_ENGINE_CONFIG_DEFAULT                                                                             \
	{                                                                                                    \
		.seed = 1, .flows4_max = 1u << 16, .flows6_max = 1u << 14, .events_max = 4096,               \
		.counts_max = 1u << 12, .held_max = KD_HELD_MAX, .gathers_max = 1u << 10,                    \
		.traces_max = 1u << 14, .bans_max = 1u << 12, .nat_max = 1u << 12                            \
	}

/* Everything counted. in = fates[EMIT + REWRITE + DROP] + held + consumed; the reasons of each fate add up to
 * it. A packet that was held counts in fates[HOLD] and in another. */
struct kd_counters {
	uint64_t in[2]; /* by enum kd_side */
	uint64_t in_bytes[2];
	uint64_t fates[KD_FATE_COUNT];		  /* final actions and injections so far */
	uint64_t held;				  /* packets the engine owns now */
	uint64_t consumed;			  /* packets that ended inside the engine */
	uint64_t reasons[KD_REASON_COUNT];	  /* of final actions and holds */
	uint64_t inject_reasons[KD_REASON_COUNT]; /* of injections, made or refused */
	uint64_t inject_refused;		  /* named in inject_reasons, not in fates[INJECT] */
	uint64_t flows_new, flows_ended, flows_live;
	uint64_t untracked; /* packets whose flow found no room: judged one by one */
	uint64_t events_lost;
	uint64_t
		knob_sets_full; /* flows that got every knob's default, for there was no room for their set */
	uint64_t traces_full;  /* packets of flows that there was no trace for: fakes told by one are believed
				*/
	uint64_t counts_full;  /* packets that a `count` found no room for: it was false for them */
	uint64_t gathers_full; /* times that a segment found no room to be put together with others */
	uint64_t bans_new, bans_hit; /* residuals for other flows, and flows that one took hold of */
	uint64_t bans_full;	     /* residuals that found no room */
	uint64_t nat_full;	     /* questions that were not redirected for want of room */
	uint64_t switched_late;	     /* switches that came behind packets they were for */
	uint64_t bans_untold;	     /* times that a ban for everyone could not be told to other engines */
};

/* -EINVAL: a size of 0 or over the limits; -ENOMEM. On failure *ret is untouched. */
int kd_engine_new(struct kd_engine **ret, const struct kd_engine_config *config);
void kd_engine_free(struct kd_engine *engine);

/* Back to the state after kd_engine_new; costs what was touched. No packet may be held. */
void kd_engine_reset(struct kd_engine *engine);

/* Takes n <= KD_BURST_MAX packets in order; out->count actions say what became of them and of any packet held
 * before. */
void kd_engine_burst(struct kd_engine *engine, struct kd_pkt *pkts, unsigned int n, struct kd_out *out);

/* Time passed, perhaps nothing came. now_ns never lies before the last packet's or advance's time. */
void kd_engine_advance(struct kd_engine *engine, uint64_t now_ns, struct kd_out *out);

/*
 * Takes the box (rule 0) or one of its rules out of the packets' way from that packet time on, or puts it
 * back: 0 = from the next packet on. A bypassed box is a wire that still knows what it knew; a bypassed rule
 * takes hold of nothing, and what it has hold of passes. -EINVAL: no such rule; -EAGAIN: too many wait. Both
 * may be called by one thread other than the engine's; the second says whether any has not been obeyed yet.
 */
int kd_engine_bypass(struct kd_engine *engine, uint16_t rule, bool on, uint64_t from_ns);
bool kd_engine_bypass_waits(const struct kd_engine *engine);

/* The run is over at the time of the last packet: every packet held is given back as a drop. Before
 * kd_engine_finish; nothing is held behind it. */
void kd_engine_release(struct kd_engine *engine, struct kd_out *out);

/* The run is over at the time of the last packet: every live flow ends and gets its record. Call until it
 * returns 0 (the ring may fill), reading the ring in between. */
unsigned int kd_engine_finish(struct kd_engine *engine);

/* Moves up to max records out of the ring. Records come in no particular order; sort by (time_ns, number,
 * box, n). No record with a time below kd_engine_horizon() is still to come. */
unsigned int kd_engine_events(struct kd_engine *engine, struct kd_event *dst, unsigned int max);
uint64_t kd_engine_horizon(const struct kd_engine *engine);

/* When time alone may end what is held, packet or none; no sooner. UINT64_MAX: nothing is held. */
uint64_t kd_engine_due(const struct kd_engine *engine);

/* Moves up to max bans out that other engines of the same policy and box are to know, and tells one to an
 * engine; false: no room. Each may be called by one thread other than the engine's. */
unsigned int kd_engine_bans_out(struct kd_engine *engine, struct kd_ban_note *dst, unsigned int max);
bool kd_engine_ban_in(struct kd_engine *engine, const struct kd_ban_note *note);

const struct kd_counters *kd_engine_counters(const struct kd_engine *engine);

/* 0, or a sentence that says which sum is wrong; the sentence is static. */
const char *kd_counters_unbalanced(const struct kd_counters *c);

#endif
