/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * delay: packets are held back: for a time, give or take a jitter drawn for each; behind others, at the rate
 * at which a queue empties; and some, drawn each alone, overtake those before them. Each direction of a flow
 * has a queue of its own, and packets leave it in their order. No source says that a TSPU delays: its policer
 * loses packets and queues none. This is the lab's impairment.
 */
#include "engine/mechanism.h"

enum why { WHY_HELD, WHY_OVERTAKES, WHY_QUEUE_FULL, WHY_OTHER_WAY, WHY_IN_FRAGMENTS };

#define REASON(why) KD_REASON_MECHANISM(KD_MECHANISM_delay, why)

enum direction { DIRECTION_BOTH, DIRECTION_TO_INSIDE, DIRECTION_TO_OUTSIDE };

enum purpose { PURPOSE_JITTER, PURPOSE_REORDER };

struct params {
	uint64_t time_ns, jitter_ns;
	uint64_t rate;	   /* bit/s; 0 = any */
	uint64_t queue;	   /* bytes of IP; 0 = any */
	uint64_t reorder;  /* share * 2^64 */
	uint8_t direction; /* enum direction */
};

_Static_assert(sizeof(struct params) <= KD_MECH_PARAMS, "settings of a rule");

static bool happens(const struct kd_act *a, enum purpose purpose, uint64_t share)
{
	return share != 0 &&
	       (share == UINT64_MAX || kd_act_draw(a, purpose, kd_act_nth(a) << 1 | a->pkt->side) < share);
}

/* Anything from the time less the jitter to the time plus the jitter, each as likely. */
static uint64_t time_of(const struct kd_act *a, const struct params *p)
{
	unsigned __int128 span = (unsigned __int128)p->jitter_ns * 2 + 1;
	uint64_t off, lo;

	if (p->jitter_ns == 0)
		return p->time_ns;
	off = (uint64_t)(span * kd_act_draw(a, PURPOSE_JITTER, kd_act_nth(a) << 1 | a->pkt->side) >> 64);
	if (p->time_ns >= p->jitter_ns)
		return p->time_ns - p->jitter_ns + off;
	lo = p->jitter_ns - p->time_ns;
	return off > lo ? off - lo : 0;
}

/* How long so many bytes take at the queue's rate, rounded up; no packet is long enough to overflow it. */
static uint64_t drain_ns(const struct params *p, uint64_t bytes)
{
	if (p->rate == 0)
		return 0;
	return (bytes * 8 * 1000000000 + p->rate - 1) / p->rate;
}

static void hold(struct kd_act *a, const struct params *p)
{
	uint32_t bytes = kd_act_ip_bytes(a);
	struct kd_queued before;

	a->thins = true;
	kd_act_queued(a, &before);
	if (p->queue != 0 && before.bytes + bytes > p->queue) {
		a->fate = KD_DROP;
		a->reason = REASON(WHY_QUEUE_FULL);
		return;
	}
	/* The link takes it when it is done with those before it; then the way begins, which takes the time.
	 */
	a->mark_ns = (before.mark_ns > a->now_ns ? before.mark_ns : a->now_ns) + drain_ns(p, bytes);
	a->not_before_ns = a->mark_ns + time_of(a, p);
	a->reason = REASON(WHY_HELD);
}

static void act(struct kd_act *a)
{
	const struct params *p = a->params;
	unsigned int heads_for = a->pkt->side == KD_INSIDE ? DIRECTION_TO_OUTSIDE : DIRECTION_TO_INSIDE;

	if (p->direction != DIRECTION_BOTH && p->direction != heads_for) {
		a->reason = REASON(WHY_OTHER_WAY);
	} else if (kd_act_is_whole(a)) {
		a->reason = REASON(WHY_IN_FRAGMENTS);
	} else if (happens(a, PURPOSE_REORDER, p->reorder)) {
		a->overtakes = true;
		a->reason = REASON(WHY_OVERTAKES);
	} else {
		hold(a, p);
	}
}

/* What comes from the outside; and packets as they are, of which fragments are not one. */
static unsigned int needs(const void *params)
{
	const struct params *p = params;

	return KD_NEEDS_LATER | KD_NEEDS_FRAME |
	       (p->direction == DIRECTION_TO_INSIDE ? KD_NEEDS_DOWNSTREAM : 0);
}

static const struct kd_option options[] = {
	{.name = "time",
		.kind = KD_OPTION_DURATION,
		.offset = offsetof(struct params, time_ns),
		.deflt = "0 ms",
		.max = 3600000000000,
		.help = "how long each packet is held"},
	{.name = "jitter",
		.kind = KD_OPTION_DURATION,
		.offset = offsetof(struct params, jitter_ns),
		.deflt = "0 ms",
		.max = 3600000000000,
		.help = "up to so much more or less"},
	{.name = "rate",
		.kind = KD_OPTION_RATE,
		.offset = offsetof(struct params, rate),
		.deflt = "0 bit/s",
		.help = "how fast the queue empties; 0 bit/s = at once"},
	{.name = "queue",
		.kind = KD_OPTION_BYTES,
		.offset = offsetof(struct params, queue),
		.deflt = "0 B",
		.help = "what is held at most of a flow's direction, more is dropped; 0 B = as much as there "
			"is room for"},
	{.name = "reorder",
		.kind = KD_OPTION_SHARE,
		.offset = offsetof(struct params, reorder),
		.deflt = "0 %",
		.help = "packets that overtake those before them"},
	{.name = "direction",
		.kind = KD_OPTION_WORD,
		.offset = offsetof(struct params, direction),
		.words = "both|to-inside|to-outside",
		.deflt = "both",
		.help = "which packets are held"},
	{.name = NULL},
};

const struct kd_mechanism kd_mechanism_delay = {
	.name = "delay",
	.title = "packets are held back, in a queue for each direction",
	.options = options,
	.reasons = {[WHY_HELD] = {"delay.held", "leaves when its time in the queue is over"},
		[WHY_OVERTAKES] = {"delay.overtakes",
			"leaves at once, before those that the rule holds back"},
		[WHY_QUEUE_FULL] = {"delay.queue_full", "the rule's queue holds no more: dropped"},
		[WHY_OTHER_WAY] = {"delay.other_way", "the rule delays the other direction only"},
		[WHY_IN_FRAGMENTS] = {"delay.in_fragments",
			"the packet came in fragments, which are not held back"}},
	.needs = needs,
	.act = act,
};
