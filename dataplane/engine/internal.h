/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the stages of one engine share: the handle itself and the step, one packet on its way through. Only
 * files of engine/ include this; protocols see bytes, mechanisms see struct kd_act.
 */
#ifndef KD_INTERNAL_H
#define KD_INTERNAL_H

#include "engine/ban.h"
#include "engine/bypass.h"
#include "engine/engine.h"
#include "engine/fake.h"
#include "engine/flow.h"
#include "engine/frag.h"
#include "engine/gather.h"
#include "engine/guard.h"
#include "engine/knob.h"
#include "engine/later.h"
#include "engine/mechanism.h"
#include "engine/nat.h"
#include "engine/pool.h"
#include "engine/protocol.h"
#include "engine/ring.h"
#include "engine/tally.h"
#include "engine/trace.h"
#include "rulebook/policy.h"

/* Packets whose headers, buckets and entries are fetched ahead together. */
#define KD_STAGE 32

/* Flow times are 62 bits of nanoseconds since 1970. */
#define KD_TIME_MAX_NS ((1ull << 62) - 1)

/* Room in which parsers put pieces together: a handshake message of one record at most. */
#define KD_ROOM_BYTES 16384

/* Injected frames of one call: two for each packet of the largest burst (RST to both), and a copy of each. */
#define KD_INJECT_SLOTS (2 * KD_BURST_MAX)

struct kd_engine {
	const struct kd_policy *policy;
	struct kd_guard *guard; /* NULL offline */
	struct kd_scratch *scratch;
	uint64_t seed;
	uint64_t now_ns;	/* latest time seen */
	uint64_t idle_least_ns; /* no flow is forgotten sooner than this after its last packet */
	bool flow_ids;
	uint8_t box;
	struct kd_cures *cures;	      /* NULL: nobody observes it */
	struct kd_observer *observer; /* NULL: it is a box */

	struct kd_flow_table table;
	struct kd_flow6 untracked; /* stands in for a flow that found no room, one packet long */
	struct {
		uint64_t pass_ns;    /* when the sweep began its present round */
		uint64_t horizon_ns; /* every flow that expired before this has its record */
		uint64_t due_ns;     /* the round should be over by then */
		uint32_t at;	     /* next entry */
		uint8_t pool;
	} sweep;
	struct {
		uint32_t at;
		uint8_t pool;
	} finish; /* where kd_engine_finish goes on */

	uint64_t due_ns; /* nothing that is held ends before this; the less of the two that follow */
	struct kd_frag frag;
	struct kd_later later;
	struct kd_knob_table knobs;
	struct kd_gathers gathers;	 /* empty unless a knob asks for it */
	uint8_t *room;			 /* for parsers; NULL unless a knob asks for it */
	struct kd_pool traces;		 /* of struct kd_trace; empty unless a knob asks for it */
	uint8_t *without;		 /* a payload without its urgent bytes; likewise */
	bool *of_fakes;			 /* of each rule: it has a `fake` term. NULL: none has */
	uint16_t fakes;			 /* kinds that some flow does not believe */
	uint8_t traced;			 /* KD_TRANSPORT_* of flows that get a trace */
	bool looks;			 /* some knob asks for fakes or retransmissions */
	bool clears;			 /* a FIN or RST may clear something */
	struct kd_tally tally;		 /* empty unless the policy counts */
	struct kd_bans bans;		 /* empty unless a rule leaves a residual to other flows */
	struct kd_nat nat;		 /* empty unless a rule redirects */
	uint8_t told_from;		 /* first bit of a flow's `seen` that no rule asks for */
	uint64_t *wants;		 /* of each rule: see kd_match_wants */
	uint64_t wanted[KD_PHASE_COUNT]; /* of any rule of a phase; 0 where there is none */
	uint8_t phases;			 /* bit per phase that has rules */
	bool opening;			 /* some rule asks about first packets */
	bool syn_clears, icmp_errors;	 /* some flow may have that value of the knob */
	uint16_t budget; /* payload packets of a side that are looked at; a flow counts one more, when that
			    was found spent */

	struct kd_bypass bypass;
	bool switches_untold;
	struct {
		uint64_t until_ns; /* of the second that is counted */
		uint64_t pkts;
	} load; /* if overload.packets is set */

	struct kd_ring ring;
	uint8_t (*inject)[KD_INJECT_BYTES];
	uint8_t (*copy)[KD_FRAME_BYTES]; /* NULL: no rule sends copies */
	uint32_t injects, copies;	 /* used in this call */

	struct kd_counters count;
	struct kd_view view[KD_STAGE];
	struct kd_flow_key key[KD_STAGE];
	uint32_t hint[KD_STAGE];
};

/* One packet on its way. */
struct kd_step {
	struct kd_engine *e;
	struct kd_pkt *pkt;
	struct kd_view *view;
	const struct kd_flow_key *key;
	struct kd_out *out;
	struct kd_flow *flow; /* NULL: nothing below IP is judged */
	uint64_t now_ns;
	uint64_t gap_ns; /* since the flow's packet before; set when its flow is */
	uint32_t final;	 /* index of its final action, reserved before anything is injected */
	uint32_t hint;
	uint16_t events; /* records so far: event.n */
	uint16_t rule;	 /* what decide found */
	uint16_t reason; /* why it goes where it goes */
	uint8_t fate;
	struct kd_act act;	      /* what its rule's mechanism was asked and said */
	uint32_t later;		      /* where it waits; 0 = it does not */
	uint8_t app_index;	      /* KD_APP_NONE = not recognised in this packet */
	bool asks;		      /* only whether it would be a trigger: nothing is told */
	bool banned;		      /* a residual of another flow took hold of it with this packet */
	bool gathers;		      /* this side's segments are put together */
	bool hidden;		      /* not believed: only rules with a `fake` term are shown it */
	bool again;		      /* sent before, and not read again */
	bool decoy;		      /* the first hello, where a longer or shorter name may follow */
	uint16_t fakes;		      /* KD_FAKE_BIT of kinds that are not believed */
	uint16_t punished;	      /* of these, those held against the flow */
	uint32_t cut;		      /* bytes at the start of the payload that nobody takes */
	bool wants_more;	      /* some parser waits for more of the same bytes */
	bool exact_case, dot_ignored; /* how its name compares; set when it is recognised */
	uint64_t ban_until_ns;	      /* of what an observing rule leaves behind; set before it is told */
	uint8_t messages;	      /* read of this packet before the one at look */
	uint32_t skipped;	      /* their bytes, no longer in look */
	uint32_t seq;		      /* of the first payload byte; set when gathers is */
	uint32_t look_len, look_from, look_to; /* bytes at look; of them, those of this packet */
	const uint8_t *look;		       /* what parsers see */
	struct kd_app app;
};

/* What terms ask of the packet in hand. Costly answers are looked up when first asked for. */
struct kd_seen {
	bool payload;  /* there is payload, and somebody looks at it */
	uint8_t known; /* of the answers below: match.c's */
	uint64_t over; /* counters over their limit; all of them while it is asked whether to count */
	struct kd_set_bits names, signatures;
	const struct kd_set_bits *ends[2]; /* prefix sets, by side */
};

static inline void kd_seen_start(struct kd_seen *seen, bool payload)
{
	seen->payload = payload;
	seen->known = 0;
	seen->over = 0;
}

/* Who owns places in pools: a flow goes by its own, and does not move while it lives; a side of it likewise.
 */
static inline uint64_t kd_owner(const struct kd_flow *f, unsigned int side)
{
	return (uint64_t)(uintptr_t)f | side;
}

static inline struct kd_flow *kd_owner_flow(const struct kd_pooled *p)
{
	return (struct kd_flow *)(uintptr_t)(p->owner & ~1ull);
}

/* flow.c, expire.c: the flow of this packet, found, made anew or reopened; sets s->flow. */
void kd_flow_take(struct kd_step *s, uint32_t hint);
/* Its flow as it is now, touched by nothing; NULL: it has none, or a dead one. */
struct kd_flow *kd_flow_peek(const struct kd_engine *e, const struct kd_flow_key *key);
/* The stand-in, as the flow that such a packet would open: for what asks before there is one. */
struct kd_flow *kd_flow_would_be(struct kd_step *s);
/* Ends a flow: its record, its place. */
void kd_flow_end(
	struct kd_engine *e, struct kd_flow *f, uint16_t why, uint64_t time_ns, uint64_t number, uint32_t n);
/* Before flow `f` takes a place in a pool of what flows own: one that died unnoticed makes room in a full
 * one.
 */
void kd_flow_make_room(struct kd_engine *e, struct kd_pool *p, const struct kd_flow *f);
/* A FIN or RST lets go of the flow, if its box takes it for its end. */
void kd_flow_clear(struct kd_step *s);
/* Looks for flows past their time, a slice a call, a round a second of packet time. */
void kd_sweep(struct kd_engine *e, unsigned int pkts);

enum kd_offer {
	KD_OFFER_NOTHING, /* s->reason says why */
	KD_OFFER_PAYLOAD, /* to be inspected */
	KD_OFFER_SPENT,	  /* the first of its side that is not inspected any more */
};

/* knob.c: finds the flow's set of knobs, of this moment, or of the one when they were first asked for. */
void kd_knobs_resolve(struct kd_step *s);
/* What the box does about that with the flow in hand, which nothing has hold of. */
static inline unsigned int kd_knob(struct kd_step *s, enum kd_knob_index knob)
{
	if (s->flow->open.knobs == 0)
		kd_knobs_resolve(s);
	return s->e->knobs.set[s->flow->open.knobs].value[knob];
}

/* Whether a flapping entry of the policy was there when the flow's knobs were first asked for. */
static inline bool kd_flaps_on(struct kd_step *s, unsigned int flap)
{
	if (s->flow->open.knobs == 0)
		kd_knobs_resolve(s);
	return (s->e->knobs.set[s->flow->open.knobs].flaps[flap / 8] >> (flap % 8) & 1) != 0;
}

/* The same of any flow, also of one that a rule has hold of, which keeps no set. Not for each packet. */
unsigned int kd_knob_now(const struct kd_step *s, enum kd_knob_index knob);
/* Some flow may get another value of the knob than its first. */
bool kd_knob_is_on(const struct kd_policy *policy, enum kd_knob_index knob);

/* icmp.c: an ICMP error is lost with the flow it is about; sets s->flow to that, its fate and reason. */
bool kd_icmp_goes_with_flow(struct kd_step *s);
/* observe.c: what an observer makes of packets. */
void kd_observe(struct kd_engine *e, struct kd_pkt *pkts, unsigned int n);
/* The policy of the endpoint instead of the box's; -ENOMEM. */
int kd_observer_new(struct kd_engine *e, const struct kd_engine_config *config);
void kd_observer_free(struct kd_observer *o);
void kd_observer_reset(struct kd_observer *o);
/* observe_tcp.c: whether a packet dies behind the box; looks_so: its TTL is as low as those that do. */
bool kd_observe_dies(const struct kd_step *s, bool looks_so);

/* stream.c */
enum kd_offer kd_stream_offer(struct kd_step *s);
/* Another message of the same packet is at look; false: there is none, or the flow's fate is settled. */
bool kd_stream_next(struct kd_step *s);
void kd_stream_settle(struct kd_step *s);
/* Payload packets of this side that are looked at. */
uint32_t kd_stream_budget(struct kd_step *s);
/* The same of any flow that nothing has hold of, by its knobs. */
uint16_t kd_stream_budget_of(struct kd_engine *e, const struct kd_flow *f, const struct kd_knob_set *set);
/* The segment holds other bytes than what is gathered at the same place. */
bool kd_stream_differs(struct kd_step *s);
/* What is put together of a side; NULL: nothing. */
const struct kd_gather *kd_stream_gathering(
	const struct kd_engine *e, const struct kd_flow *f, unsigned int side);
/* Gives back what is kept for a flow that nothing has hold of; before its state becomes a rule's. */
void kd_stream_forget(struct kd_engine *e, struct kd_flow *f);
/* classify.c: which protocol it is; sets s->app, s->app_index, s->reason. */
void kd_classify(struct kd_step *s);
/* match.c: whether the payload in hand matches that signature. */
bool kd_match_signature(const struct kd_step *s, uint16_t signature);
/* Whether the program that begins at `term` says yes. */
bool kd_match(const struct kd_step *s, struct kd_seen *seen, uint16_t term);
/* Protocols without one of which that program always says no; UINT64_MAX = it may say yes to anything. */
uint64_t kd_match_wants(const struct kd_policy *policy, uint16_t term);
/* What a packet offers to that; bit 63 is nobody's. */
static inline uint64_t kd_offers(const struct kd_step *s)
{
	return 1ull << (s->app_index != KD_APP_NONE ? s->app_index : 63);
}

/* Places of the pools of what is held that are taken. */
static inline uint64_t kd_held_places(const struct kd_engine *e)
{
	return e->count.held + e->later.injects;
}

/* The end the flow was opened to. */
static inline unsigned int kd_to(const struct kd_flow *f)
{
	return f->opened ^ 1u;
}

/* What it is in sets of prefixes, and in sets of names. */
const struct kd_set_bits *kd_seen_end(const struct kd_step *s, struct kd_seen *seen, unsigned int side);
const struct kd_set_bits *kd_seen_names(const struct kd_step *s, struct kd_seen *seen);
/* Of a recognised protocol that has one; NULL = none. */
static inline const struct kd_app_field *kd_seen_name(const struct kd_step *s)
{
	if (s->app_index == KD_APP_NONE || !kd_protocols[s->app_index]->has_name || s->app.field[0].p == NULL)
		return NULL;
	return &s->app.field[0];
}

/* tally.c: counts this packet and says whether the counter is over its limit. */
bool kd_tally_advance(struct kd_step *s, struct kd_seen *seen, uint16_t counter);

/* decide.c. What observers do, too: count what rules about addresses count, or what all others do; ask what
 * only observes, which counts for all others; whether this node has a rule; whether fallback rules may be
 * asked. */
void kd_decide_count(struct kd_step *s, struct kd_seen *seen, bool addresses);
void kd_decide_observe(struct kd_step *s, struct kd_seen *seen);
bool kd_decide_is_present(struct kd_step *s, const struct kd_rule *r);
bool kd_decide_may_fall_back(const struct kd_step *s);
/* The rule that takes the flow; sets s->rule and the flow's state. */
void kd_decide(struct kd_step *s);
/* The first packet of a flow, or one that is neither TCP nor UDP; true: its payload is for kd_decide. */
bool kd_decide_opening(struct kd_step *s);
/* A fake that is held against its flow: whether a rule with a `fake` term settles the flow's fate. */
bool kd_decide_fake(struct kd_step *s);
/* The budget of the packet's side is spent. */
void kd_decide_spent(struct kd_step *s);
/* Whether a rule's mechanism finds here what it needs. */
bool kd_can_act(struct kd_step *s, const struct kd_rule *r);
/* Whether this packet of a flow that is held, read by itself, would be a trigger of that rule. */
bool kd_decide_triggers(struct kd_step *s, uint16_t rule);

/* residual.c. The bans of a policy that leaves any. */
int kd_residual_init(struct kd_engine *e, const struct kd_engine_config *config);
/* A rule's trigger: what it bans for other flows; until when, 0 = nothing. */
uint64_t kd_residual_put(struct kd_step *s, uint16_t rule);
/* Whether a ban takes hold of the flow in hand, which no rule has hold of; then s->rule is its. Asked only
 * while there are bans. */
bool kd_residual_take(struct kd_step *s);
/* The flow's time is over, but not its ban's. */
bool kd_residual_goes_on(struct kd_step *s);
/* A packet of a flow whose rule has `restart`. */
void kd_residual_restart(struct kd_step *s);
/* Takes in what other engines told. */
void kd_residual_hear(struct kd_engine *e);

/* bypass.c. What was asked for since the last look; everything due by a time; how many packets, one at least,
 * come before the next switch, when those due at the first are thrown. */
void kd_bypass_hear(struct kd_engine *e);
void kd_bypass_obey(struct kd_engine *e, uint64_t now_ns);
unsigned int kd_bypass_split(struct kd_engine *e, const struct kd_pkt *pkts, unsigned int n);
/* Those of a stage that are more than the box takes in their second are not looked at. */
void kd_bypass_shed(struct kd_engine *e, const struct kd_pkt *pkts, unsigned int n);

static inline bool kd_is_bypassed(const struct kd_engine *e, uint32_t rule)
{
	return e->bypass.rules != 0 && e->bypass.rule[rule];
}

/* Some ban is in force, or to come. */
static inline bool kd_has_bans(const struct kd_step *s)
{
	return s->now_ns < s->e->bans.over_ns;
}

/* turn.c. The table of a policy that redirects. */
int kd_turn_init(struct kd_engine *e, const struct kd_engine_config *config);
/* An answer to what was redirected becomes a packet of the flow that asked: sets s->key. Asked only while
 * there is such a question. */
void kd_turn(struct kd_step *s);

/* Some redirected question may still be answered. */
static inline bool kd_has_turns(const struct kd_step *s)
{
	return s->now_ns < s->e->nat.over_ns;
}

/* enforce.c: lets the flow's rule act on this packet; sets s->fate and s->reason. */
void kd_enforce(struct kd_step *s, bool trigger);
/* wait.c: what stands before the mechanism of a rule with `after`, `delay_before` or `scope`. A rule has
 * taken hold of the flow: sets its state, while what it was before still stands beside. */
void kd_wait_begin(struct kd_step *s, bool lifted);
/* False: this packet passes and s says why. Else it is the mechanism's, *trigger when it is its first. */
bool kd_wait_lets(struct kd_step *s, bool *trigger);
/* Which bytes of a flow its rule acts on: what a scope is measured from is the trigger, which a flow under a
 * ban never had. */
static inline enum kd_extent kd_scope(const struct kd_flow *f, const struct kd_rule *r)
{
	return f->hold == KD_HOLD_BANNED ? KD_EXTENT_FROM_HERE : (enum kd_extent)r->scope;
}
/* Whether that is taken into account of, on a flow that waits or where a scope counts. */
static inline bool kd_waits(const struct kd_flow *f, const struct kd_rule *r)
{
	return kd_flow_waits(f) || kd_scope(f, r) != KD_EXTENT_FROM_HERE;
}
/* Whether that rule would drop this packet, which is none of its flow; nothing is noted. */
bool kd_enforce_would_drop(struct kd_step *s);
/* Whether it would want to edit this packet. */
bool kd_enforce_needs_frame(const struct kd_step *s);

/* record.c: event records. */
void kd_record_app(struct kd_step *s);
void kd_record_unseen(struct kd_step *s, uint16_t rule, uint64_t needs, uint16_t looks);
void kd_record_verdict(struct kd_step *s, uint16_t rule, uint16_t reason);
void kd_record_switch(struct kd_engine *e, uint16_t rule, bool bypassed, uint64_t time_ns);
void kd_record_flow(struct kd_engine *e, const struct kd_flow *f, uint16_t why, uint64_t time_ns,
	uint64_t number, uint32_t n);
uint64_t kd_flow_id(const struct kd_engine *e, const struct kd_flow *f);

/* KD_TRANSPORT_*; only TCP and UDP come as far as having their payload inspected. */
static inline unsigned int kd_transport(const struct kd_step *s)
{
	switch (s->key->proto) {
	case KD_PROTO_TCP:
		return KD_TRANSPORT_TCP;
	case KD_PROTO_UDP:
		return KD_TRANSPORT_UDP;
	case KD_PROTO_ICMP:
	case KD_PROTO_ICMP6:
		return KD_TRANSPORT_ICMP;
	default:
		return KD_TRANSPORT_OTHER;
	}
}

static inline bool kd_is_tcp_or_udp(const struct kd_step *s)
{
	return s->key->proto == KD_PROTO_TCP || s->key->proto == KD_PROTO_UDP;
}

/* The packet in hand is the flow's first. */
static inline bool kd_is_first(const struct kd_flow *f)
{
	return (uint64_t)f->pkts[0] + f->pkts[1] == 1;
}

#endif
