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

/* Asks the rule's mechanism about the packet. What step() has set to nothing it may set to something. */
static inline __attribute__((always_inline)) void ask(
	struct kd_step *s, const struct kd_rule *r, void *state, bool trigger)
{
	struct kd_act *a = &s->act;

	a->engine = s->e;
	a->pkt = s->pkt;
	a->view = s->view;
	a->out = s->out;
	a->params = r->params;
	a->flow = s->flow;
	a->state = state;
	a->now_ns = s->now_ns;
	a->gap_ns = s->gap_ns;
	a->mark_ns = 0;
	a->rule = s->flow->rule;
	a->trigger = trigger;
	a->fate = KD_EMIT;
	a->forged = a->done = false;
	a->no_room = KD_DROP;
	a->reason = KD_REASON_NONE;
	kd_mechanisms[r->mechanism]->act(a);
}

/* What it said becomes the packet's fate and the flow's. */
static inline __attribute__((always_inline)) void obey(struct kd_step *s)
{
	const struct kd_act *a = &s->act;
	struct kd_flow *f = s->flow;

	s->rule = a->rule;
	s->fate = a->fate;
	s->reason = a->reason;
	if (a->forged)
		f->flags |= KD_FLOW_FORGED | KD_FLOW_BIT;
	if (a->fate != KD_EMIT || a->forged || (f->flags & KD_FLOW_BIT) == 0)
		f->reason = a->reason;
	if (a->done) {
		f->held.until_ns = 0; /* a residual of nothing is not promised */
		f->flags &= (uint8_t)~KD_FLOW_ACTING;
	}
}

/* A trigger, or a packet of a rule that does not simply act on all that follows. */
static __attribute__((noinline)) void enforce_apart(struct kd_step *s, const struct kd_rule *r, bool trigger)
{
	struct kd_flow *f = s->flow;
	bool in_part = kd_scope(f, r) != KD_EXTENT_FROM_HERE;
	uint64_t none = 0;

	if (!is_due(s, r, &trigger))
		return;
	/* Where the bytes it acts on are remembered, each packet is by itself. */
	ask(s, r, in_part ? (void *)&none : f->held.state, trigger || in_part);
	if (s->banned)
		s->act.reason = KD_REASON_DECIDE_RESIDUAL;
	obey(s);
	if (!trigger)
		return;
	/* Lost with it is what it carried, or that there is a flow at all. */
	if (s->fate != KD_EMIT && !s->act.thins)
		f->flags |= (uint8_t)KD_FLOW_TAIL(s->pkt->side);
	kd_record_verdict(s, s->rule, s->reason);
}

void kd_enforce(struct kd_step *s, bool trigger)
{
	const struct kd_rule *r = &s->e->policy->rules[s->flow->rule];

	if (trigger || s->e->bypass.rules != 0 || r->residual_restart != KD_RESTART_NOTHING ||
		r->scope != KD_EXTENT_FROM_HERE || kd_flow_waits(s->flow)) {
		enforce_apart(s, r, trigger);
		return;
	}
	ask(s, r, s->flow->held.state, false);
	obey(s);
}

bool kd_enforce_would_drop(struct kd_step *s)
{
	const struct kd_flow *f = s->flow;
	const struct kd_rule *r = &s->e->policy->rules[f->rule];
	uint8_t state[KD_MECH_STATE];

	if (!kd_mechanisms[r->mechanism]->drops || kd_waits(f, r) || kd_is_bypassed(s->e, f->rule))
		return false;
	memcpy(state, f->held.state, sizeof(state));
	s->gap_ns = s->now_ns - f->last_ns;
	ask(s, r, state, false);
	return s->act.fate == KD_DROP;
}

bool kd_enforce_needs_frame(const struct kd_step *s)
{
	const struct kd_rule *r = &s->e->policy->rules[s->flow->rule];
	const struct kd_mechanism *m = kd_mechanisms[r->mechanism];

	return m->needs != NULL && (m->needs(r->params) & KD_NEEDS_FRAME) != 0 &&
	       !kd_is_bypassed(s->e, s->flow->rule);
}

const struct kd_text *kd_act_texts(const struct kd_act *a)
{
	return a->engine->policy->texts;
}

uint64_t kd_act_nth(const struct kd_act *a)
{
	return a->flow->pkts[a->pkt->side];
}

unsigned int kd_act_opened(const struct kd_act *a)
{
	return a->flow->opened;
}

bool kd_act_is_whole(const struct kd_act *a)
{
	return a->pkt == &a->engine->frag.whole.pkt;
}

uint64_t kd_act_flow_id(const struct kd_act *a)
{
	return a->engine->flow_ids ? kd_flow_id(a->engine, a->flow) : 0;
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
		.flow_id = kd_act_flow_id(a),
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
