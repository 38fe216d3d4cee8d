/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * police: a bucket of tokens for each direction. What it does not cover is dropped, nothing waits, nothing
 * else is touched; so Twitter was slowed down in 2021, to 130..150 kbit/s, with a bucket near 16 KB
 * (X-THR-2021), and names of 2022 to 600..700 B/s (X-SNI-III). Tokens are bytes of IP packets on the wire:
 * the facts measured what arrived, which is some per cent less.
 *
 * A bucket is one 32-bit time, at which it would be full again (GCRA), in a unit of a power of two of a
 * nanosecond that makes the time to fill an empty one 2^28 to 2^29 units. A time that is not ahead, or
 * further ahead than that, is of a bucket that is full: so each packet of either side says of both, and a
 * silence that long fills both, before 32 bits wrap.
 */
#include <string.h>

#include "engine/mechanism.h"

enum why { WHY_WITHIN, WHY_OVER, WHY_OTHER_WAY };

#define REASON(why) KD_REASON_MECHANISM(KD_MECHANISM_police, why)

enum direction { DIRECTION_BOTH, DIRECTION_TO_INSIDE, DIRECTION_TO_OUTSIDE };

struct params {
	uint64_t rate;	   /* bit/s */
	uint64_t burst;	   /* bytes */
	uint8_t direction; /* enum direction */
};

_Static_assert(sizeof(struct params) <= KD_MECH_PARAMS, "settings of a rule");

/* Limits of the arithmetic, no box's: every product stays in 64 bits, for packets up to 256 KB. */
enum { HORIZON_BITS = 29, FINER_MAX = 12 };
static const uint64_t ns_a_byte = 8000000000; /* at 1 bit/s */

struct unit {
	unsigned int coarser, finer; /* one of them is 0 */
};

static struct unit unit_of(uint64_t horizon_ns)
{
	unsigned int bits = 64u - (unsigned int)__builtin_clzll(horizon_ns | 1);
	struct unit u = {0, 0};

	if (bits > HORIZON_BITS)
		u.coarser = bits - HORIZON_BITS;
	else
		u.finer = HORIZON_BITS - bits < FINER_MAX ? HORIZON_BITS - bits : FINER_MAX;
	return u;
}

static uint64_t in_units(struct unit u, uint64_t ns)
{
	return ns >> u.coarser << u.finer;
}

static uint32_t full_or_later(uint32_t at, uint32_t now, uint32_t horizon)
{
	return at - now > horizon ? now : at;
}

/* True when the bucket has the tokens, which are taken. */
static bool take(uint32_t full_at[2], unsigned int side, const struct params *p, const struct kd_act *a)
{
	const struct kd_view *v = a->view;
	uint64_t bytes = (uint64_t)(v->ip_end - v->l3_off) + (v->payload_wire_len - v->payload_len);
	uint64_t horizon_ns = p->burst * ns_a_byte / p->rate + 1, cost; /* rounded up */
	struct unit u = unit_of(horizon_ns);
	uint32_t now = (uint32_t)in_units(u, a->now_ns), horizon = (uint32_t)in_units(u, horizon_ns);

	for (unsigned int i = 0; i < 2; i++)
		full_at[i] =
			a->trigger || a->gap_ns >= horizon_ns ? now : full_or_later(full_at[i], now, horizon);
	if (bytes > p->burst)
		return false;
	cost = (bytes * ns_a_byte << u.finer) / p->rate >> u.coarser;
	if (full_at[side] - now + cost > horizon)
		return false;
	full_at[side] += (uint32_t)cost;
	return true;
}

static void act(struct kd_act *a)
{
	const struct params *p = a->params;
	unsigned int heads_for = a->pkt->side == KD_INSIDE ? DIRECTION_TO_OUTSIDE : DIRECTION_TO_INSIDE;
	bool other_way = p->direction != DIRECTION_BOTH && p->direction != heads_for;
	uint32_t full_at[2];
	bool has;

	memcpy(full_at, a->state, sizeof(full_at));
	has = take(full_at, a->pkt->side, p, a);
	memcpy(a->state, full_at, sizeof(full_at));
	if (other_way) {
		a->reason = REASON(WHY_OTHER_WAY);
	} else if (has) {
		a->reason = REASON(WHY_WITHIN);
	} else {
		a->fate = KD_DROP;
		a->thins = kd_act_ip_bytes(a) <= p->burst;
		a->reason = REASON(WHY_OVER);
	}
}

/* What goes to the inside comes from the outside. */
static unsigned int needs(const void *params)
{
	const struct params *p = params;

	return p->direction == DIRECTION_TO_INSIDE ? KD_NEEDS_DOWNSTREAM : 0;
}

static const struct kd_option options[] = {
	{.name = "rate",
		.kind = KD_OPTION_RATE,
		.offset = offsetof(struct params, rate),
		.min = 1,
		.max = 1000000000000,
		.deflt = "140 kbit/s",
		.help = "what passes of each direction, in IP bytes"},
	{.name = "burst",
		.kind = KD_OPTION_BYTES,
		.offset = offsetof(struct params, burst),
		.min = 1,
		.max = 1000000000,
		.deflt = "16 kB",
		.help = "what passes at once; a longer packet never does"},
	{.name = "direction",
		.kind = KD_OPTION_WORD,
		.offset = offsetof(struct params, direction),
		.words = "both|to-inside|to-outside",
		.deflt = "both",
		.help = "which packets are counted"},
	{.name = NULL},
};

const struct kd_mechanism kd_mechanism_police = {
	.name = "police",
	.title = "what exceeds a rate is dropped, nothing waits; each direction has a bucket of its own",
	.options = options,
	.reasons = {[WHY_WITHIN] = {"police.within", "the bucket of its direction has room for the packet"},
		[WHY_OVER] = {"police.over", "the bucket of its direction is empty: the packet is dropped"},
		[WHY_OTHER_WAY] = {"police.other_way", "the rule polices the other direction only"}},
	.needs = needs,
	.act = act,
};
