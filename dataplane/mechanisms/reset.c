/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reset: the connection is ended by a forged RST, in the two attested forms.
 *
 * rewrite (SNI-I, X-SNI-I): the trigger passes; every later packet of the chosen direction is edited in place
 * into a RST/ACK without payload, so that its sequence number and TTL are genuine. That the payload goes and
 * that every later packet is edited is said by the facts without having been read in the paper. inject
 * (X-ARCH-7): the trigger passes and is followed by a RST to each chosen end; then the flow is left alone.
 */
#include <errno.h>

#include "engine/craft.h"
#include "engine/mechanism.h"

enum why {
	WHY_ARMED,
	WHY_REWRITTEN,
	WHY_OTHER_WAY,
	WHY_INJECTING,
	WHY_TO_SENDER,
	WHY_TO_RECEIVER,
	WHY_NOT_TCP
};

#define REASON(why) KD_REASON_MECHANISM(KD_MECHANISM_reset, why)

enum form { FORM_REWRITE, FORM_INJECT };

enum direction { DIRECTION_TO_INSIDE, DIRECTION_TO_OUTSIDE, DIRECTION_BOTH };

struct params {
	uint8_t form;	   /* enum form */
	uint8_t direction; /* enum direction: which end is told */
};

_Static_assert(sizeof(struct params) <= KD_MECH_PARAMS, "settings of a rule");

static bool tells(const struct params *p, unsigned int to_side)
{
	return p->direction == DIRECTION_BOTH ||
	       p->direction == (to_side == KD_INSIDE ? DIRECTION_TO_INSIDE : DIRECTION_TO_OUTSIDE);
}

static void rewrite(struct kd_act *a, const struct params *p)
{
	if (a->trigger) {
		a->reason = REASON(WHY_ARMED);
		return;
	}
	if (!tells(p, a->pkt->side ^ 1)) {
		a->reason = REASON(WHY_OTHER_WAY);
		return;
	}
	kd_craft_cut_to_rst(a->pkt, a->view);
	a->fate = KD_REWRITE;
	a->forged = true;
	a->reason = REASON(WHY_REWRITTEN);
}

/* Sends one RST, or counts why it could not be made; KD_REASON_NONE when it went out. */
static uint16_t send_rst(struct kd_act *a, enum kd_craft_way way)
{
	unsigned int to = way == KD_CRAFT_BACK ? a->pkt->side : a->pkt->side ^ 1;
	size_t room;
	uint8_t *buf = kd_inject_buffer(a, &room);
	uint16_t why;
	int len;

	if (buf == NULL)
		return KD_REASON_INJECT_NO_ROOM;
	len = kd_craft_rst(buf, room, a->pkt, a->view, way);
	if (len < 0) {
		why = len == -EOPNOTSUPP ? KD_REASON_INJECT_MPLS : KD_REASON_INJECT_TOO_LONG;
		kd_inject_refuse(a, why);
		return why;
	}
	kd_inject(a, buf, (size_t)len, to, REASON(way == KD_CRAFT_BACK ? WHY_TO_SENDER : WHY_TO_RECEIVER));
	a->forged = true;
	return KD_REASON_NONE;
}

static void inject(struct kd_act *a, const struct params *p)
{
	uint16_t refused = KD_REASON_NONE;

	if (tells(p, a->pkt->side ^ 1))
		refused = send_rst(a, KD_CRAFT_ONWARD);
	if (tells(p, a->pkt->side))
		refused = send_rst(a, KD_CRAFT_BACK);
	a->reason = a->forged ? REASON(WHY_INJECTING) : refused;
	a->done = true;
}

static void act(struct kd_act *a)
{
	const struct params *p = a->params;

	if (a->view->ip_proto != KD_PROTO_TCP) {
		a->reason = REASON(WHY_NOT_TCP);
		a->done = true;
		return;
	}
	if (p->form == FORM_REWRITE)
		rewrite(a, p);
	else
		inject(a, p);
}

/* An answer can only be edited where answers come by, and by who knows which end answers: SNI-I is lifted
 * where the roles are (X-ST-5), what just drops is not (X-SNI-IV backs it up). */
static unsigned int needs(const void *params)
{
	const struct params *p = params;

	return KD_NEEDS_TCP | KD_NEEDS_ROLES | (p->form == FORM_REWRITE ? KD_NEEDS_FRAME : 0) |
	       (p->form == FORM_REWRITE && p->direction == DIRECTION_TO_INSIDE ? KD_NEEDS_DOWNSTREAM : 0);
}

static const struct kd_option options[] = {
	{.name = "form",
		.kind = KD_OPTION_WORD,
		.offset = offsetof(struct params, form),
		.words = "rewrite|inject",
		.deflt = "rewrite",
		.help = "edit the answer in place, or send forged packets beside it"},
	{.name = "direction",
		.kind = KD_OPTION_WORD,
		.offset = offsetof(struct params, direction),
		.words = "to-inside|to-outside|both",
		.deflt = "to-inside",
		.help = "which end is told"},
	{.name = NULL},
};

const struct kd_mechanism kd_mechanism_reset = {
	.name = "reset",
	.title = "the connection is ended by a forged RST",
	.options = options,
	.reasons = {[WHY_ARMED] = {"reset.armed",
			    "the packet that matched passes; answers will be cut to RST/ACK"},
		[WHY_REWRITTEN] = {"reset.rewritten", "edited in place into a RST/ACK without payload"},
		[WHY_OTHER_WAY] = {"reset.other_way", "the rule resets the other direction only"},
		[WHY_INJECTING] = {"reset.injecting",
			"the packet that matched passes, followed by forged RSTs"},
		[WHY_TO_SENDER] = {"reset.to_sender", "a forged RST back to the sender of the trigger"},
		[WHY_TO_RECEIVER] = {"reset.to_receiver",
			"a forged RST onward to the receiver of the trigger"},
		[WHY_NOT_TCP] = {"reset.not_tcp", "only TCP can be reset; the flow passes"}},
	.needs = needs,
	.act = act,
};
