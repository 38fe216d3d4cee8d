/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a redirected question and its answer have to do with each other: the question is noted for a time, and
 * what its target sends back meanwhile is a packet of the flow that asked, whose rule gives it the address
 * back that was asked. So both directions have one flow and one record. What is not noted, or comes too late,
 * or when the rule has let go of the flow that asked, is a packet of its own ends like any other.
 */
#include "engine/internal.h"

#include <errno.h>
#include <string.h>

#include "engine/cursor.h"

static bool turns(const struct kd_rule *r)
{
	const struct kd_mechanism *m = r->mechanism < KD_MECHANISM_COUNT ? kd_mechanisms[r->mechanism] : NULL;

	return m != NULL && m->needs != NULL && (m->needs(r->params) & KD_NEEDS_TURN) != 0;
}

int kd_turn_init(struct kd_engine *e, const struct kd_engine_config *config)
{
	for (uint32_t i = 1; i <= e->policy->nrules; i++)
		if (turns(&e->policy->rules[i]))
			return kd_nat_init(&e->nat, config->nat_max, e->seed);
	return 0;
}

/* What tells answers apart that come to one port from one target: with other payload than DNS, nothing. */
static uint16_t id_of(const struct kd_pkt *p, const struct kd_view *v)
{
	struct kd_cur c = kd_cur(p->data + v->payload_off, v->payload_len);

	return kd_cur_be16(&c);
}

static struct kd_nat_key key_of(
	const struct kd_pkt *p, const struct kd_view *v, const uint8_t *client, const uint8_t *target)
{
	struct kd_nat_key key = {.client_port = p->side == KD_INSIDE ? v->sport : v->dport,
		.port = p->side == KD_INSIDE ? v->dport : v->sport,
		.id = id_of(p, v),
		.v6 = v->ip_version == 6};
	size_t len = v->ip_version == 6 ? 16 : 4;

	memcpy(key.client, client, len);
	memcpy(key.target, target, len);
	return key;
}

const uint8_t *kd_act_asked(const struct kd_act *a)
{
	return kd_flow_addr(a->flow, kd_to(a->flow));
}

int kd_act_turn(struct kd_act *a, const uint8_t *target, uint64_t time_ns)
{
	struct kd_engine *e = a->engine;
	struct kd_nat_key key = key_of(a->pkt, a->view, a->view->src, target);
	uint8_t asked[16] = {0};

	if (e->guard != NULL && kd_guard_judge(e->guard, key.v6 != 0, a->view->src, target) != KD_REASON_NONE)
		return -EPERM;
	memcpy(asked, a->view->dst, key.v6 != 0 ? 16 : 4);
	/* To a flow that found no place no answer can be given. */
	if (a->flow != &e->untracked.flow && kd_nat_ask(&e->nat, &key, asked, a->now_ns + time_ns, a->now_ns))
		return 0;
	e->count.nat_full++;
	return -ENOSPC;
}

/* The client asks the target itself, too: what is not a first answer to what was redirected is its own. */
static bool is_asked_itself(const struct kd_step *s)
{
	const struct kd_flow *f = kd_flow_peek(s->e, s->key);

	return f != NULL && f->opened == KD_INSIDE;
}

/* A rule that turns answers has hold of it, and goes on with this packet. */
static bool is_held(const struct kd_step *s, const struct kd_flow *f)
{
	if ((f->flags & KD_FLOW_ACTING) == 0 || !turns(&s->e->policy->rules[f->rule]))
		return false;
	return f->held.until_ns == 0 || s->now_ns < f->held.until_ns;
}

void kd_turn(struct kd_step *s)
{
	struct kd_nat *n = &s->e->nat;
	struct kd_nat_entry *at;
	struct kd_nat_key key;
	const struct kd_flow *f;

	if (s->pkt->side != KD_OUTSIDE || s->key->proto != KD_PROTO_UDP)
		return;
	key = key_of(s->pkt, s->view, s->view->dst, s->view->src);
	at = kd_nat_find(n, &key, s->now_ns);
	if (at == NULL || (at->answered && is_asked_itself(s)))
		return;
	n->turned = *s->key;
	kd_flow_key_turn(&s->e->table, &n->turned, KD_OUTSIDE, at->asked);
	f = kd_flow_peek(s->e, &n->turned);
	if (f == NULL || !is_held(s, f))
		return;
	at->answered = true;
	s->key = &n->turned;
	s->hint = 0;
}
