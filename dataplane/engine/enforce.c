/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lets the mechanism of a flow's rule act on a packet, and makes what it injects into actions. It knows no
 * mechanism.
 */
#include "engine/internal.h"

#include <string.h>

#include "engine/rng.h"

/* Whether the packet is the mechanism's. While a rule is bypassed its times run on, and it counts nothing. */
static bool is_due(struct kd_step *s, const struct kd_rule *r, bool *trigger)
{
	if (kd_is_bypassed(s->e, s->flow->rule)) {
		s->rule = s->flow->rule;
		s->reason = KD_REASON_DECIDE_BYPASSED;
		return false;
	}
	if (r->residual_restart != KD_RESTART_NOTHING && !*trigger)
		kd_residual_restart(s);
	return !kd_waits(s->flow, r) || kd_wait_lets(s, trigger);
}

void kd_enforce(struct kd_step *s, bool trigger)
{
	struct kd_flow *f = s->flow;
	const struct kd_rule *r = &s->e->policy->rules[f->rule];
	bool in_part = kd_scope(f, r) != KD_EXTENT_FROM_HERE;
	uint64_t none = 0;
	struct kd_act a;

	if (!is_due(s, r, &trigger))
		return;
	a.engine = s->e;
	a.pkt = s->pkt;
	a.view = s->view;
	a.out = s->out;
	a.params = r->params;
	a.texts = s->e->policy->texts;
	a.flow = f;
	/* Where the bytes it acts on are remembered, each packet is by itself. */
	a.state = in_part ? (void *)&none : f->held.state;
	a.now_ns = s->now_ns;
	a.gap_ns = s->gap_ns;
	a.nth = f->pkts[s->pkt->side];
	a.flow_id = s->e->flow_ids ? kd_flow_id(s->e, f) : 0;
	a.rule = f->rule;
	a.opened = (uint8_t)f->opened;
	a.trigger = trigger || in_part;
	a.whole = s->pkt == &s->e->frag.whole.pkt;
	a.injected = 0;
	a.fate = KD_EMIT;
	a.forged = a.done = false;
	a.reason = KD_REASON_NONE;
	a.not_before_ns = a.mark_ns = 0;
	a.overtakes = false;
	a.no_room = KD_DROP;
	kd_mechanisms[r->mechanism]->act(&a);
	if (s->banned)
		a.reason = KD_REASON_DECIDE_RESIDUAL;
	s->rule = f->rule;
	s->fate = a.fate;
	s->reason = a.reason;
	s->injected = a.injected;
	s->not_before_ns = a.not_before_ns;
	s->mark_ns = a.mark_ns;
	s->overtakes = a.overtakes;
	s->no_room = a.no_room;
	if (a.forged)
		f->flags |= KD_FLOW_FORGED | KD_FLOW_BIT;
	if (a.fate != KD_EMIT || a.forged || (f->flags & KD_FLOW_BIT) == 0)
		f->reason = a.reason;
	if (a.done)
		f->held.until_ns = 0; /* a residual of nothing is not promised */
	/* Lost with it is what it carried, or that there is a flow at all. */
	if (trigger && a.fate != KD_EMIT)
		f->flags |= (uint8_t)KD_FLOW_TAIL(s->pkt->side);
	if (trigger)
		kd_record_verdict(s, f->rule, a.reason);
	if (a.done)
		f->flags &= (uint8_t)~KD_FLOW_ACTING;
}

bool kd_enforce_would_drop(const struct kd_step *s)
{
	const struct kd_flow *f = s->flow;
	const struct kd_rule *r = &s->e->policy->rules[f->rule];
	const struct kd_mechanism *m = kd_mechanisms[r->mechanism];
	uint8_t state[KD_MECH_STATE];
	struct kd_act a = {.engine = s->e,
		.pkt = s->pkt,
		.view = s->view,
		.out = s->out,
		.params = r->params,
		.texts = s->e->policy->texts,
		.flow = f,
		.state = state,
		.now_ns = s->now_ns,
		.gap_ns = s->now_ns - f->last_ns,
		.nth = f->pkts[s->pkt->side],
		.rule = f->rule,
		.opened = (uint8_t)f->opened,
		.fate = KD_EMIT};

	if (!m->drops || kd_waits(f, r) || kd_is_bypassed(s->e, f->rule))
		return false;
	memcpy(state, f->held.state, sizeof(state));
	m->act(&a);
	return a.fate == KD_DROP;
}

bool kd_enforce_needs_frame(const struct kd_step *s)
{
	const struct kd_rule *r = &s->e->policy->rules[s->flow->rule];
	const struct kd_mechanism *m = kd_mechanisms[r->mechanism];

	return m->needs != NULL && (m->needs(r->params) & KD_NEEDS_FRAME) != 0 &&
	       !kd_is_bypassed(s->e, s->flow->rule);
}

uint64_t kd_act_draw(const struct kd_act *a, unsigned int purpose, uint64_t about)
{
	const char *id = a->engine->policy->rules[a->rule].id;
	uint64_t rule = kd_hash_bytes((const uint8_t *)id, strlen(id));

	return kd_draw(a->engine->seed, a->engine->box, (enum kd_purpose)(KD_DRAW_ACT + purpose),
		kd_mix(rule, about), kd_flow_who(a->flow), a->flow->nonce);
}

void kd_inject_refuse(struct kd_act *a, uint16_t reason)
{
	a->engine->count.inject_reasons[reason]++;
	a->engine->count.inject_refused++;
}

uint8_t *kd_inject_buffer(struct kd_act *a, size_t *room)
{
	struct kd_engine *e = a->engine;

	if (e->injects == KD_INJECT_SLOTS || a->out->count == a->out->room) {
		kd_inject_refuse(a, KD_REASON_INJECT_NO_ROOM);
		return NULL;
	}
	*room = KD_INJECT_BYTES;
	return e->inject[e->injects];
}

static void say_inject(struct kd_act *a, uint8_t *bytes, size_t len, unsigned int side, uint16_t reason)
{
	struct kd_out *out = a->out;

	out->actions[out->count++] = (struct kd_action){.fate = KD_INJECT,
		.side = (uint8_t)side,
		.link = a->pkt->link,
		.n = ++a->injected,
		.reason = reason,
		.rule = a->rule,
		.len = (uint32_t)len,
		.data = bytes,
		.time_ns = a->pkt->time_ns,
		.number = a->pkt->number,
		.flow_id = a->flow_id,
		.handle = a->pkt->handle};
	a->engine->count.fates[KD_INJECT]++;
	a->engine->count.inject_reasons[reason]++;
}

void kd_inject(struct kd_act *a, uint8_t *bytes, size_t len, unsigned int side, uint16_t reason)
{
	say_inject(a, bytes, len, side, reason);
	a->engine->injects++;
}

bool kd_inject_copy(struct kd_act *a, uint16_t reason)
{
	struct kd_engine *e = a->engine;

	if (e->copy == NULL || e->copies == KD_BURST_MAX || a->out->count == a->out->room) {
		kd_inject_refuse(a, KD_REASON_INJECT_NO_ROOM);
		return false;
	}
	if (a->pkt->len > KD_FRAME_BYTES) {
		kd_inject_refuse(a, KD_REASON_INJECT_FRAME_TOO_LONG);
		return false;
	}
	memcpy(e->copy[e->copies], a->pkt->data, a->pkt->len);
	say_inject(a, e->copy[e->copies], a->pkt->len, a->pkt->side ^ 1u, reason);
	e->copies++;
	return true;
}
