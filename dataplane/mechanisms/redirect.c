/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * redirect: what the inside asks of one address over UDP goes to another, and what that one answers comes
 * back from the address that was asked (X-DNS-2: queries to public resolvers are answered by national ones).
 * Both are edited in place, ports, TTL and payload stay. Whose answer it is, the engine remembers for a time;
 * how long the real box does nobody measured. It knows no DNS: rules say what is a query.
 */
#include <errno.h>
#include <string.h>

#include "engine/craft.h"
#include "engine/mechanism.h"

enum why {
	WHY_SENT,
	WHY_TURNED,
	WHY_REAL_ANSWER,
	WHY_THERE_ALREADY,
	WHY_NO_ROOM,
	WHY_NO_TARGET,
	WHY_FROM_OUTSIDE,
	WHY_IN_FRAGMENTS,
	WHY_NOT_UDP
};

#define REASON(why) KD_REASON_MECHANISM(KD_MECHANISM_redirect, why)

struct params {
	uint8_t to[16], to6[16];
	uint64_t time_ns;
};

_Static_assert(sizeof(struct params) <= KD_MECH_PARAMS, "settings of a rule");

static bool is_none(const uint8_t *address)
{
	static const uint8_t none[16];

	return memcmp(address, none, sizeof(none)) == 0;
}

static bool is_ip4(const uint8_t *address)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

static void ask(struct kd_act *a, const struct params *p, const uint8_t *target, size_t len)
{
	int rc;

	if (memcmp(a->view->dst, target, len) == 0) {
		a->reason = REASON(WHY_THERE_ALREADY);
		return;
	}
	rc = kd_act_turn(a, target, p->time_ns);
	if (rc < 0) {
		a->reason = rc == -EPERM ? KD_REASON_GUARD_OUTSIDE_LAB : REASON(WHY_NO_ROOM);
		return;
	}
	kd_craft_readdress(a->pkt, a->view, a->view->dst, target);
	a->fate = KD_REWRITE;
	a->forged = true;
	a->reason = REASON(WHY_SENT);
}

/* What comes to this flow from another address than was asked comes from the target. */
static void answer(struct kd_act *a, size_t len)
{
	const uint8_t *asked = kd_act_asked(a);

	if (memcmp(a->view->src, asked, len) == 0) {
		a->reason = REASON(WHY_REAL_ANSWER);
		return;
	}
	kd_craft_readdress(a->pkt, a->view, a->view->src, asked);
	a->fate = KD_REWRITE;
	a->forged = true;
	a->reason = REASON(WHY_TURNED);
}

static void leave_alone(struct kd_act *a, enum why why)
{
	a->reason = REASON(why);
	a->done = true;
}

static void act(struct kd_act *a)
{
	const struct params *p = a->params;
	bool v6 = a->view->ip_version == 6;
	size_t len = v6 ? 16 : 4;

	if (a->view->ip_proto != KD_PROTO_UDP)
		leave_alone(a, WHY_NOT_UDP);
	else if (kd_act_opened(a) != KD_INSIDE)
		leave_alone(a, WHY_FROM_OUTSIDE);
	else if (is_none(v6 ? p->to6 : p->to))
		leave_alone(a, WHY_NO_TARGET);
	else if (kd_act_is_whole(a))
		a->reason = REASON(WHY_IN_FRAGMENTS);
	else if (a->pkt->side == KD_INSIDE)
		ask(a, p, v6 ? p->to6 : p->to + 12, len);
	else
		answer(a, len);
}

/* A redirected question whose answer does not come by would be answered by a stranger. */
static unsigned int needs(const void *params)
{
	(void)params;
	return KD_NEEDS_DOWNSTREAM | KD_NEEDS_FRAME | KD_NEEDS_TURN;
}

static bool is_wrong(
	const void *params, const char *const *texts, const char **ret_message, const char **ret_hint)
{
	const struct params *p = params;

	(void)texts;
	if (is_none(p->to) && is_none(p->to6)) {
		*ret_message = "\"redirect\" without \"to\" and \"to6\"";
		*ret_hint = "say where to: to = \"198.18.34.53\", to6 for IPv6";
		return true;
	}
	if ((is_none(p->to) || is_ip4(p->to)) && !is_ip4(p->to6))
		return false;
	*ret_message = "an address of the wrong family";
	*ret_hint = "to is an IPv4 address, to6 an IPv6 one";
	return true;
}

static const struct kd_option options[] = {
	{.name = "to",
		.kind = KD_OPTION_ADDRESS,
		.offset = offsetof(struct params, to),
		.deflt = "",
		.help = "the IPv4 address that is asked instead; without it IPv4 passes"},
	{.name = "to6",
		.kind = KD_OPTION_ADDRESS,
		.offset = offsetof(struct params, to6),
		.deflt = "",
		.help = "the same of IPv6"},
	{.name = "time",
		.kind = KD_OPTION_DURATION,
		.offset = offsetof(struct params, time_ns),
		.deflt = "30 s",
		.min = 1,
		.max = 3600000000000,
		.help = "how long behind a question its answer is still known"},
	{.name = NULL},
};

const struct kd_mechanism kd_mechanism_redirect = {
	.name = "redirect",
	.title = "UDP goes to another address, and what that answers comes from the one asked",
	.options = options,
	.reasons = {[WHY_SENT] = {"redirect.sent", "goes to another address than it was sent to"},
		[WHY_TURNED] = {"redirect.turned",
			"an answer of the other address, given back the one that was asked"},
		[WHY_REAL_ANSWER] = {"redirect.real_answer",
			"comes from the address that was asked itself; it passes"},
		[WHY_THERE_ALREADY] = {"redirect.there_already", "was sent to the other address anyway"},
		[WHY_NO_ROOM] = {"redirect.no_room",
			"no room to remember who was asked: goes where it was sent to"},
		[WHY_NO_TARGET] = {"redirect.no_target",
			"the rule has no other address of this IP version; the flow passes"},
		[WHY_FROM_OUTSIDE] = {"redirect.from_outside",
			"the rule redirects what the inside opens; the flow passes"},
		[WHY_IN_FRAGMENTS] = {"redirect.in_fragments",
			"the packet came in fragments, which are not edited"},
		[WHY_NOT_UDP] = {"redirect.not_udp", "only UDP is redirected; the flow passes"}},
	.needs = needs,
	.is_wrong = is_wrong,
	.act = act,
};
