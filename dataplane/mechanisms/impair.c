/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * impair: packets of the flow are lost by chance: so many of a hundred pass, each drawn alone, as a TSPU's
 * degradation of a protocol has it (X-ARCH-8: "capacity", 0 is a block and 100 lets all pass). And what the
 * lab needs beside it, of which no source speaks: loss in bursts (Gilbert, Elliott), packets that leave twice
 * or with a flipped bit. All of it is drawn by the flow and the packet's number in it.
 */
#include "engine/mechanism.h"

enum why { WHY_PASSED, WHY_CAPACITY, WHY_LOST, WHY_BURST, WHY_DUPLICATE, WHY_CORRUPTED, WHY_OTHER_WAY };

#define REASON(why) KD_REASON_MECHANISM(KD_MECHANISM_impair, why)

enum direction { DIRECTION_BOTH, DIRECTION_TO_INSIDE, DIRECTION_TO_OUTSIDE };

enum purpose {
	PURPOSE_CAPACITY,
	PURPOSE_LOSS,
	PURPOSE_BURST,
	PURPOSE_BURST_LOSS,
	PURPOSE_DUPLICATE,
	PURPOSE_CORRUPT,
	PURPOSE_BIT
};

struct params {
	/* shares * 2^64 */
	uint64_t loss, burst_loss, burst_start, burst_end, duplicate, corrupt;
	uint32_t capacity; /* of a hundred */
	uint8_t direction; /* enum direction */
};

_Static_assert(sizeof(struct params) <= KD_MECH_PARAMS, "settings of a rule");

struct state {
	uint8_t bursts; /* bit per side: a burst of loss lasts */
};

_Static_assert(sizeof(struct state) <= KD_MECH_STATE, "of a flow");

static uint64_t draw(const struct kd_act *a, enum purpose purpose)
{
	return kd_act_draw(a, purpose, kd_act_nth(a) << 1 | a->pkt->side);
}

static bool happens(const struct kd_act *a, enum purpose purpose, uint64_t share)
{
	return share != 0 && (share == UINT64_MAX || draw(a, purpose) < share);
}

static uint64_t share_of_hundred(uint32_t n)
{
	/* 2^64 is 100 times that, and 16. */
	return n >= 100 ? UINT64_MAX : UINT64_MAX / 100 * n + 16 * n / 100;
}

/* A burst starts with the packet that is drawn for it, and is over with the one drawn for its end. */
static bool lost_in_burst(struct kd_act *a, const struct params *p)
{
	struct state *s = a->state;
	uint8_t bit = (uint8_t)(1u << a->pkt->side);
	bool lasts = (s->bursts & bit) != 0;

	if (happens(a, PURPOSE_BURST, lasts ? p->burst_end : p->burst_start))
		s->bursts ^= bit;
	return (s->bursts & bit) != 0 && happens(a, PURPOSE_BURST_LOSS, p->burst_loss);
}

/* Where nothing ever gets through whole, that is an end. */
static bool spares_some(const struct params *p)
{
	bool burst_for_good = p->burst_start != 0 && p->burst_loss == UINT64_MAX && p->burst_end == 0;

	return p->capacity != 0 && p->loss != UINT64_MAX && p->corrupt != UINT64_MAX && !burst_for_good;
}

static void corrupt(struct kd_act *a)
{
	uint64_t bit = (uint64_t)((unsigned __int128)draw(a, PURPOSE_BIT) * a->view->payload_len * 8 >> 64);

	a->pkt->data[a->view->payload_off + bit / 8] ^= (uint8_t)(1u << bit % 8);
	a->fate = KD_REWRITE;
	a->reason = REASON(WHY_CORRUPTED);
}

static void act(struct kd_act *a)
{
	const struct params *p = a->params;
	unsigned int heads_for = a->pkt->side == KD_INSIDE ? DIRECTION_TO_OUTSIDE : DIRECTION_TO_INSIDE;
	enum why lost = WHY_PASSED;

	if (p->direction != DIRECTION_BOTH && p->direction != heads_for) {
		a->reason = REASON(WHY_OTHER_WAY);
		return;
	}
	a->thins = spares_some(p);
	/* A burst goes on whatever else loses its packets. */
	if (lost_in_burst(a, p))
		lost = WHY_BURST;
	else if (!happens(a, PURPOSE_CAPACITY, share_of_hundred(p->capacity)))
		lost = WHY_CAPACITY;
	else if (happens(a, PURPOSE_LOSS, p->loss))
		lost = WHY_LOST;
	a->reason = REASON(lost);
	if (lost != WHY_PASSED) {
		a->fate = KD_DROP;
		return;
	}
	if (kd_act_is_whole(a))
		return;
	/* The copy is of the packet as it came. */
	if (happens(a, PURPOSE_DUPLICATE, p->duplicate))
		kd_inject_copy(a, REASON(WHY_DUPLICATE));
	if (a->view->payload_len != 0 && happens(a, PURPOSE_CORRUPT, p->corrupt))
		corrupt(a);
}

static unsigned int needs(const void *params)
{
	const struct params *p = params;

	return (p->corrupt != 0 || p->duplicate != 0 ? KD_NEEDS_FRAME : 0) |
	       (p->duplicate != 0 ? KD_NEEDS_COPIES : 0) |
	       (p->direction == DIRECTION_TO_INSIDE ? KD_NEEDS_DOWNSTREAM : 0);
}

#define SHARE(option, otherwise, text)                                                                       \
	{                                                                                                    \
		.name = #option, .kind = KD_OPTION_SHARE, .offset = offsetof(struct params, option),         \
		.deflt = otherwise, .help = text                                                             \
	}

static const struct kd_option options[] = {
	{.name = "capacity",
		.kind = KD_OPTION_COUNT,
		.offset = offsetof(struct params, capacity),
		.deflt = "100",
		.max = 100,
		.help = "packets of a hundred that pass"},
	SHARE(loss, "0 %", "packets that vanish, each drawn alone"),
	SHARE(burst_loss, "100 %", "packets that vanish while a burst of loss lasts"),
	SHARE(burst_start, "0 %", "packets with which such a burst starts"),
	SHARE(burst_end, "100 %", "packets of a burst with which it ends"),
	SHARE(duplicate, "0 %", "packets that leave twice"),
	SHARE(corrupt, "0 %", "packets that leave with a flipped bit, their checksum as it was"),
	{.name = "direction",
		.kind = KD_OPTION_WORD,
		.offset = offsetof(struct params, direction),
		.words = "both|to-inside|to-outside",
		.deflt = "both",
		.help = "which packets are touched"},
	{.name = NULL},
};

const struct kd_mechanism kd_mechanism_impair = {
	.name = "impair",
	.title = "packets are lost, doubled or corrupted by chance",
	.options = options,
	.reasons = {[WHY_PASSED] = {"impair.passed", "the rule impairs its flow and spares this packet"},
		[WHY_CAPACITY] = {"impair.capacity", "not one of the hundred that the rule lets pass"},
		[WHY_LOST] = {"impair.lost", "lost by chance"},
		[WHY_BURST] = {"impair.burst", "lost in a burst"},
		[WHY_DUPLICATE] = {"impair.duplicate", "a copy of the packet, sent behind it"},
		[WHY_CORRUPTED] = {"impair.corrupted", "leaves with a bit of its payload flipped"},
		[WHY_OTHER_WAY] = {"impair.other_way", "the rule impairs the other direction only"}},
	.needs = needs,
	.act = act,
};
