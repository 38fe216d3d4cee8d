/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which rule takes hold of a flow. Phases go in their order, and in each the first rule that matches is its
 * answer: it acts, or opens the way for others (an allow), or gives way to its `else` where it cannot act.
 * A match may still be missed by chance, as real boxes do (X-ARCH-REL): one draw a flow. What a rule asks is
 * match.c's, what its mechanism does enforce.c's.
 */
#include "engine/internal.h"

#include <string.h>

#include "engine/rng.h"

#define ELSE_MAX 8
#define NO_BIT 64

/* One draw a flow, a rule and a purpose. */
static bool is_drawn(
	const struct kd_step *s, const struct kd_rule *r, enum kd_purpose purpose, uint64_t share)
{
	uint64_t about;

	if (share == 0)
		return false;
	about = kd_hash_bytes((const uint8_t *)r->id, strlen(r->id));
	return kd_draw(s->e->seed, s->e->box, purpose, about, kd_flow_who(s->flow), s->flow->nonce) < share;
}

static bool misses(const struct kd_step *s, const struct kd_rule *r)
{
	return is_drawn(s, r, KD_DRAW_MISS, r->miss);
}

/* Of all flows that it might act on it acts on a share. */
static bool is_spared(const struct kd_step *s, const struct kd_rule *r)
{
	return is_drawn(s, r, KD_DRAW_SHARE, r->spared);
}

/* A rule that not all nodes have is not there on the others; rules that are drawn together are there
 * together. A bypassed one is there for nobody. */
bool kd_decide_is_present(struct kd_step *s, const struct kd_rule *r)
{
	if (kd_is_bypassed(s->e, (uint32_t)(r - s->e->policy->rules)))
		return false;
	if (r->flap != 0 && !kd_flaps_on(s, r->flap - 1u))
		return false;
	return r->presence == UINT64_MAX ||
	       kd_draw(s->e->seed, s->e->box, KD_DRAW_NODE, r->draw, kd_flow_node(s->flow), 0) < r->presence;
}

/* What is not believed exists only for rules that ask for fakes. */
static inline bool is_shown(const struct kd_step *s, const struct kd_rule *r)
{
	return !s->hidden || s->e->of_fakes[r - s->e->policy->rules];
}

static bool applies(struct kd_step *s, struct kd_seen *seen, const struct kd_rule *r)
{
	return is_shown(s, r) && kd_match(s, seen, r->first_term) && kd_decide_is_present(s, r);
}

/* X-ST-5: a SYN of the side that did not open the flow, wherever it comes before the decision. */
static bool is_lifted(struct kd_step *s)
{
	if ((s->flow->flags & KD_FLOW_ACTING) != 0)
		return s->flow->hold == KD_HOLD_WAITS_LIFTED;
	return (s->flow->open.track & KD_TRACK_REMOTE_SYN) != 0 &&
	       kd_knob(s, KD_KNOB_FLOW_REMOTE_SYN) == KD_REMOTE_SYN_LIFTS;
}

bool kd_can_act(struct kd_step *s, const struct kd_rule *r)
{
	const struct kd_mechanism *m;
	unsigned int needs;

	if (r->mechanism >= KD_MECHANISM_COUNT)
		return false;
	m = kd_mechanisms[r->mechanism];
	needs = m->needs != NULL ? m->needs(r->params) : 0;
	if ((needs & KD_NEEDS_TCP) != 0 && s->key->proto != KD_PROTO_TCP)
		return false;
	if ((needs & KD_NEEDS_ROLES) != 0 && is_lifted(s))
		return false;
	return (needs & KD_NEEDS_DOWNSTREAM) == 0 || s->e->policy->box.sees != KD_SEES_UPSTREAM;
}

/* It has rules, and no allow has closed it. */
static inline bool is_open(const struct kd_step *s, unsigned int phase)
{
	return ((unsigned int)(s->e->phases & ~s->flow->open.closed) >> phase & 1) != 0;
}

/* Notes it for those who ask `already`. */
static void remember(struct kd_step *s, const struct kd_rule *r)
{
	if (r->seen_bit != 0)
		s->flow->open.seen |= 1ull << (r->seen_bit - 1);
}

/* The rule that the flow's record names if nothing ever acts on it. */
static void arm(struct kd_flow *f, uint16_t rule)
{
	if ((f->flags & KD_FLOW_BIT) == 0)
		f->rule = rule;
}

/* The flow is done with: nothing acts on it, `reason` says why. */
static void pass(struct kd_step *s, uint16_t reason)
{
	s->reason = reason;
	kd_flow_note(s->flow, reason);
	kd_stream_forget(s->e, s->flow);
	s->flow->flags |= KD_FLOW_DECIDED;
}

static void pass_for(struct kd_step *s, uint16_t rule, uint16_t reason)
{
	arm(s->flow, rule);
	pass(s, reason);
	kd_record_verdict(s, rule, reason);
}

static void take_hold(struct kd_step *s, uint16_t rule)
{
	const struct kd_rule *r = &s->e->policy->rules[rule];
	struct kd_flow *f = s->flow;
	bool lifted = is_lifted(s);

	kd_stream_forget(s->e, f);
	f->rule = rule;
	f->flags |= KD_FLOW_DECIDED | KD_FLOW_ACTING;
	kd_wait_begin(s, lifted);
	f->held.until_ns = r->residual_ns != 0 ? s->now_ns + r->residual_ns : 0;
	s->rule = rule;
	if (r->residual_key != KD_RESIDUAL_FLOW)
		kd_residual_put(s, rule);
}

static void allow(struct kd_step *s, uint16_t rule)
{
	const struct kd_rule *r = &s->e->policy->rules[rule];
	struct kd_flow *f = s->flow;

	if ((r->closes & ~f->open.closed) == 0)
		return;
	f->open.closed |= r->closes;
	if (f->rule == KD_RULE_NONE)
		arm(f, rule);
	kd_flow_note(f, KD_REASON_DECIDE_ALLOWED);
	kd_record_verdict(s, rule, KD_REASON_DECIDE_ALLOWED);
}

/* An allow that chance missed is none, nor is one that waits for something: what may still be asked about it
 * must not let anybody through. */
static bool opens_nothing(struct kd_step *s, uint16_t rule)
{
	const struct kd_rule *r = &s->e->policy->rules[rule];
	struct kd_flow *f = s->flow;

	if (!r->inert)
		return misses(s, r);
	if ((f->open.said & KD_SAID_PENDING) == 0)
		kd_record_verdict(s, rule, KD_REASON_DECIDE_PENDING);
	f->open.said |= KD_SAID_PENDING;
	return true;
}

static void could_not(struct kd_step *s, uint16_t rule)
{
	struct kd_flow *f = s->flow;
	uint16_t why = is_lifted(s) ? KD_REASON_FLOW_ROLE_LIFTED : KD_REASON_DECIDE_COULD_NOT_ACT;

	if ((f->open.said & KD_SAID_COULD_NOT_ACT) != 0)
		return;
	f->open.said |= KD_SAID_COULD_NOT_ACT;
	arm(f, rule);
	kd_flow_note(f, why);
	kd_record_verdict(s, rule, why);
}

/* A rule has matched: true when that settles the flow's fate. */
static bool answer(struct kd_step *s, struct kd_seen *seen, uint16_t first)
{
	const struct kd_rule *rules = s->e->policy->rules;
	uint16_t rule = first;

	for (unsigned int i = 0; i <= ELSE_MAX; i++) {
		const struct kd_rule *r = &rules[rule];

		remember(s, r);
		if (r->closes != 0) {
			allow(s, rule);
			return false;
		}
		if (r->inert) {
			pass_for(s, rule, KD_REASON_DECIDE_PENDING);
			return true;
		}
		if (r->phase != KD_PHASE_OBSERVE && kd_can_act(s, r)) {
			if (misses(s, r))
				pass_for(s, rule, KD_REASON_DECIDE_MISSED);
			else if (is_spared(s, r))
				pass_for(s, rule, KD_REASON_DECIDE_NOT_IN_SHARE);
			else
				take_hold(s, rule);
			return true;
		}
		rule = r->other;
		if (rule == KD_RULE_NONE || !is_open(s, rules[rule].phase) || !applies(s, seen, &rules[rule]))
			break;
		if (rules[rule].closes != 0 && opens_nothing(s, rule))
			break;
	}
	could_not(s, first);
	return false;
}

static __attribute__((noinline)) bool ask_rules(struct kd_step *s, struct kd_seen *seen, unsigned int phase)
{
	const struct kd_policy *p = s->e->policy;
	uint64_t offers = kd_offers(s);

	for (uint32_t i = p->phase_first[phase]; i < p->phase_first[phase + 1]; i++) {
		const struct kd_rule *r = &p->rules[i];

		if ((s->e->wants[i] & offers) != 0 && applies(s, seen, r) &&
			(r->closes == 0 || !opens_nothing(s, (uint16_t)i)))
			return answer(s, seen, (uint16_t)i);
	}
	return false;
}

/* True when the flow's fate is settled. */
static inline bool ask(struct kd_step *s, struct kd_seen *seen, unsigned int phase)
{
	return (s->e->wanted[phase] & kd_offers(s)) != 0 && is_open(s, phase) && ask_rules(s, seen, phase);
}

/* Counters see a packet before any rule answers, so that nobody's allow hides it from them. Rules about
 * addresses count first packets, all others what is looked at. */
void kd_decide_count(struct kd_step *s, struct kd_seen *seen, bool addresses)
{
	const struct kd_policy *p = s->e->policy;
	uint64_t over = 0;

	for (uint32_t i = 0; i < p->ncounters; i++) {
		const struct kd_rule *r = &p->rules[p->counters[i].rule];

		if ((r->phase == KD_PHASE_ADDRESSES) != addresses)
			continue;
		seen->over = p->counters[i].negated ? 0 : UINT64_MAX;
		if (applies(s, seen, r) && kd_tally_advance(s, seen, (uint16_t)i))
			over |= 1ull << i;
	}
	seen->over = over;
}

/* Where a flow keeps that an observe rule has told of it. */
static unsigned int told_bit(const struct kd_step *s, uint32_t rule)
{
	const struct kd_policy *p = s->e->policy;
	uint32_t bit = p->rules[rule].seen_bit;

	if (bit != 0)
		return bit - 1;
	bit = s->e->told_from + rule - p->phase_first[KD_PHASE_OBSERVE];
	return bit < NO_BIT ? bit : NO_BIT;
}

__attribute__((noinline)) void kd_decide_observe(struct kd_step *s, struct kd_seen *seen)
{
	const struct kd_policy *p = s->e->policy;
	struct kd_flow *f = s->flow;

	if (p->ncounters != 0)
		kd_decide_count(s, seen, false);
	if (!is_open(s, KD_PHASE_OBSERVE))
		return;
	for (uint32_t i = p->phase_first[KD_PHASE_OBSERVE]; i < p->phase_first[KD_PHASE_OBSERVE + 1]; i++) {
		const struct kd_rule *r = &p->rules[i];
		unsigned int bit = told_bit(s, i);

		if (bit < NO_BIT && (f->open.seen >> bit & 1) != 0)
			continue;
		if (!applies(s, seen, r) || misses(s, r))
			continue;
		if (bit < NO_BIT)
			f->open.seen |= 1ull << bit;
		s->ban_until_ns = kd_residual_put(s, (uint16_t)i);
		kd_record_verdict(s, (uint16_t)i, KD_REASON_DECIDE_OBSERVED);
	}
}

/* Why a flow passes that no rule took. */
static uint16_t let_through(struct kd_step *s, uint16_t otherwise)
{
	const struct kd_flow *f = s->flow;

	if ((f->open.said & KD_SAID_COULD_NOT_ACT) != 0)
		return is_lifted(s) ? KD_REASON_FLOW_ROLE_LIFTED : KD_REASON_DECIDE_COULD_NOT_ACT;
	return f->open.closed != 0 ? KD_REASON_DECIDE_ALLOWED : otherwise;
}

/* Payload that may yet turn out to be something. */
static bool is_incomplete(const struct kd_step *s)
{
	return s->app_index == KD_APP_NONE && s->reason != KD_REASON_CLASSIFY_UNKNOWN &&
	       s->reason != KD_REASON_CLASSIFY_BYTES;
}

/* Recognised, or not for so long that the rules for the unknown get to see it. */
bool kd_decide_may_fall_back(const struct kd_step *s)
{
	uint64_t looked_at = 0;

	if (s->app_index != KD_APP_NONE)
		return true;
	if (s->flow->app != 0)
		return false;
	for (unsigned int side = 0; side < 2; side++) {
		uint16_t n = s->flow->open.looked_at[side];

		looked_at += n < s->e->budget ? n : s->e->budget;
	}
	return looked_at >= s->e->policy->settings.fallback_pkts;
}

/* X-THR-2021: what looks like TLS or a proxy's HTTP keeps the box of 2021 looking, a listed hello may follow.
 * So it does where a clean hello clears nobody, and where what was read is not all of it. */
static bool looks_on(struct kd_step *s)
{
	if (s->app.goes_on)
		return true;
	return s->app.leads && (kd_knob(s, KD_KNOB_TLS_PARSER_2021) == KD_PARSER_2021_ON ||
				       kd_knob(s, KD_KNOB_FLOW_CLEAN_HELLO) == KD_CLEAN_HELLO_LOOKS_ON);
}

/* All phases but the addresses; true when that settles the flow's fate. */
static bool ask_all(struct kd_step *s, bool payload)
{
	struct kd_seen seen;

	kd_seen_start(&seen, payload);
	if (is_open(s, KD_PHASE_OBSERVE) || s->e->policy->ncounters != 0)
		kd_decide_observe(s, &seen);
	if (ask(s, &seen, KD_PHASE_NAMES_ALLOWED) || ask(s, &seen, KD_PHASE_NAMES_BLOCKED) ||
		ask(s, &seen, KD_PHASE_PROTOCOL))
		return true;
	if (is_open(s, KD_PHASE_FALLBACK) && kd_decide_may_fall_back(s) && ask(s, &seen, KD_PHASE_FALLBACK))
		return true;
	return is_open(s, KD_PHASE_DEFAULT) && !is_incomplete(s) && ask(s, &seen, KD_PHASE_DEFAULT);
}

bool kd_decide_fake(struct kd_step *s)
{
	bool hidden = s->hidden, payload = s->view->payload_len != 0;

	if (s->e->of_fakes == NULL)
		return false;
	s->hidden = true;
	s->reason = KD_REASON_CLASSIFY_UNKNOWN;
	if (payload) {
		s->look = s->pkt->data + s->view->payload_off;
		s->look_len = s->look_to = s->view->payload_len;
		s->look_from = 0;
		kd_classify(s);
	}
	if (ask_all(s, payload))
		return true;
	s->hidden = hidden;
	s->punished = 0; /* those rules had their say */
	s->app_index = KD_APP_NONE;
	return false;
}

void kd_decide(struct kd_step *s)
{
	struct kd_flow *f = s->flow;

	if ((s->e->fakes & KD_FAKE_BIT(KD_FAKE_NAME_LENGTH)) != 0 && kd_fake_name(s)) {
		s->reason = let_through(s, KD_REASON_DECIDE_NO_RULE);
		kd_flow_note(f, s->reason);
		return;
	}
	if (ask_all(s, true))
		return;
	if (s->app_index != KD_APP_NONE && (s->decoy || looks_on(s))) {
		kd_flow_note(f, let_through(s, KD_REASON_DECIDE_NO_RULE));
		s->reason = s->decoy ? KD_REASON_FAKE_NAME_LENGTH : let_through(s, KD_REASON_DECIDE_NO_RULE);
	} else if (s->app_index != KD_APP_NONE) {
		pass(s, let_through(s, KD_REASON_DECIDE_NO_RULE));
	} else {
		kd_flow_note_nearest(f, s->reason);
	}
}

bool kd_decide_opening(struct kd_step *s)
{
	bool more = kd_is_tcp_or_udp(s);
	struct kd_seen seen;

	kd_seen_start(&seen, false);
	if (kd_is_first(s->flow)) {
		if (s->e->policy->ncounters != 0)
			kd_decide_count(s, &seen, true);
		if (ask(s, &seen, KD_PHASE_ADDRESSES))
			return false;
		if (more)
			return true;
		kd_decide_observe(s, &seen);
		if (ask(s, &seen, KD_PHASE_DEFAULT))
			return false;
	}
	if (!more)
		pass(s, let_through(s, KD_REASON_FLOW_OTHER_PROTOCOL));
	return more;
}

bool kd_decide_triggers(struct kd_step *s, uint16_t rule)
{
	const struct kd_rule *r = &s->e->policy->rules[rule];
	struct kd_flow *f = s->flow;
	struct kd_flow6 alone;
	struct kd_seen seen;
	bool is;

	if (s->view->payload_len == 0 && r->phase != KD_PHASE_ADDRESSES)
		return false;
	memcpy(&alone, f, f->v6 ? sizeof(alone) : sizeof(alone.flow));
	memset(&alone.flow.open, 0, sizeof(alone.flow.open));
	alone.flow.open.looked_at[s->pkt->side] = 1;
	alone.flow.app = 0;
	s->flow = &alone.flow;
	s->hidden = s->again = s->decoy = s->gathers = false;
	s->fakes = s->punished = 0;
	s->look = s->pkt->data + s->view->payload_off;
	s->look_len = s->look_to = s->view->payload_len;
	s->look_from = 0;
	s->asks = true;
	kd_seen_start(&seen, s->look_len != 0);
	if (s->look_len != 0)
		kd_classify(s);
	is = applies(s, &seen, r) && !misses(s, r);
	s->asks = false;
	s->app_index = KD_APP_NONE; /* what is told of this packet later is not told with what was asked */
	s->flow = f;
	return is;
}

void kd_decide_spent(struct kd_step *s)
{
	struct kd_seen seen;

	/* Recognised, and only looked on at: fallback is for what is not. */
	if (s->flow->app != 0)
		return;
	kd_seen_start(&seen, true);
	if (!ask(s, &seen, KD_PHASE_FALLBACK))
		ask(s, &seen, KD_PHASE_DEFAULT);
}
