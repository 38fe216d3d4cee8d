/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drop: from the trigger on, packets vanish and nobody is told. Protocol blocks of a TSPU are silent on
 * purpose, so that applications do not retry at once (X-ARCH-7); SNI-IV drops the hello itself and all that
 * follows, both ways (X-SNI-IV).
 */
#include "engine/mechanism.h"

enum why { WHY_TRIGGER, WHY_LATER, WHY_OTHER_WAY };

enum direction { DIRECTION_BOTH, DIRECTION_TO_INSIDE, DIRECTION_TO_OUTSIDE };

struct params {
	uint8_t direction; /* enum direction */
};

_Static_assert(sizeof(struct params) <= KD_MECH_PARAMS, "settings of a rule");

static void act(struct kd_act *a)
{
	const struct params *p = a->params;
	unsigned int heads_for = a->pkt->side == KD_INSIDE ? DIRECTION_TO_OUTSIDE : DIRECTION_TO_INSIDE;

	if (p->direction != DIRECTION_BOTH && p->direction != heads_for) {
		a->reason = KD_REASON_MECHANISM(KD_MECHANISM_drop, WHY_OTHER_WAY);
		return;
	}
	a->fate = KD_DROP;
	a->reason = KD_REASON_MECHANISM(KD_MECHANISM_drop, a->trigger ? WHY_TRIGGER : WHY_LATER);
}

/* What goes to the inside comes from the outside. */
static unsigned int needs(const void *params)
{
	const struct params *p = params;

	return p->direction == DIRECTION_TO_INSIDE ? KD_NEEDS_DOWNSTREAM : 0;
}

static const struct kd_option options[] = {
	{.name = "direction",
		.kind = KD_OPTION_WORD,
		.offset = offsetof(struct params, direction),
		.words = "both|to-inside|to-outside",
		.deflt = "both",
		.help = "which packets of the flow vanish"},
	{.name = NULL},
};

const struct kd_mechanism kd_mechanism_drop = {
	.name = "drop",
	.title = "packets vanish from the trigger on, without a word to either end",
	.options = options,
	.drops = true,
	.reasons = {[WHY_TRIGGER] = {"drop.trigger", "the packet that matched is dropped"},
		[WHY_LATER] = {"drop.later", "the flow is dropped since its trigger"},
		[WHY_OTHER_WAY] = {"drop.other_way", "the rule drops the other direction only"}},
	.needs = needs,
	.act = act,
};
