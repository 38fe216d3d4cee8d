/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Residuals that reach beyond the flow of their trigger: what a rule bans when it takes hold of a flow, or
 * has observed one, and which packets of other flows a ban takes hold of. A ban comes before any rule, also
 * one about addresses, and is nobody's to allow; it takes flows that passed so far, too. When it is over the
 * flow is looked at anew (expire.c).
 *
 * Not asked again: presence and miss of the rule, which its trigger decided.
 */
#include "engine/internal.h"

#include <string.h>

/* An end that moved no more than this, or than this part of a residual, is not worth another note to other
 * workers. */
#define TELL_NS 1000000000ull
#define TELL_PART 16
/* Notes taken at once. */
#define NOTES 16

static bool bans(const struct kd_rule *r)
{
	return r->residual_key != KD_RESIDUAL_FLOW && r->residual_ns != 0 && !r->inert &&
	       r->mechanism < KD_MECHANISM_COUNT;
}

int kd_residual_init(struct kd_engine *e, const struct kd_engine_config *config)
{
	const struct kd_policy *p = e->policy;
	uint32_t n = 0;
	bool everyone = false;
	int err;

	for (uint32_t i = 1; i <= p->nrules; i++)
		n += bans(&p->rules[i]);
	if (n == 0)
		return 0;
	err = kd_bans_init(&e->bans, config->bans_max, n, e->seed);
	if (err < 0)
		return err;
	for (uint32_t i = 1; i <= p->nrules; i++) {
		if (!bans(&p->rules[i]))
			continue;
		e->bans.rule[e->bans.nrules++] = (uint16_t)i;
		everyone |= p->rules[i].residual_for == KD_FOR_EVERYONE;
		e->bans.by_protocol |= p->rules[i].residual_protocols != 0;
	}
	if (!everyone || config->ban_notes == 0)
		return 0;
	err = kd_ban_ring_init(&e->bans.out, config->ban_notes);
	return err < 0 ? err : kd_ban_ring_init(&e->bans.in, config->ban_notes);
}

/* Among those that ban; it is one. */
static uint32_t which_of(const struct kd_bans *b, uint16_t rule)
{
	uint32_t i = 0;

	while (b->rule[i] != rule)
		i++;
	return i;
}

static bool has_ports(const struct kd_flow *f)
{
	return f->proto == KD_PROTO_TCP || f->proto == KD_PROTO_UDP;
}

static void copy_addr(uint8_t to[16], const struct kd_flow *f, unsigned int side, unsigned int bytes)
{
	memcpy(to, kd_flow_addr(f, side), bytes);
}

/* The first tag of the rule's `to` that covers the outside address, from 1; 0 = none does. */
static uint16_t tag_of(const struct kd_step *s, const struct kd_rule *r)
{
	const struct kd_policy *p = s->e->policy;
	const struct kd_set_bits *sets;

	if (p->prefixes == NULL)
		return 0;
	sets = kd_prefixes_match(p->prefixes, kd_flow_addr(s->flow, KD_OUTSIDE), s->flow->v6 != 0);
	for (uint16_t i = 0; i < r->nresidual_tags; i++)
		if (kd_set_bits_has(sets, r->residual_tags[i]))
			return (uint16_t)(i + 1);
	return 0;
}

/* By what the rule bans the flow in hand; false: by nothing. */
static bool key_of(const struct kd_step *s, uint16_t rule, struct kd_ban_key *ret)
{
	const struct kd_rule *r = &s->e->policy->rules[rule];
	const struct kd_flow *f = s->flow;
	uint16_t tag = 0;

	*ret = (struct kd_ban_key){.rule = rule};
	if (r->residual_key == KD_RESIDUAL_TAG) {
		tag = tag_of(s, r);
		if (tag == 0)
			return false;
		memcpy(ret->outside, &tag, sizeof(tag));
	} else if (r->residual_key == KD_RESIDUAL_PREFIX) {
		copy_addr(ret->outside, f, KD_OUTSIDE, f->v6 ? 6 : 3);
	} else {
		copy_addr(ret->outside, f, KD_OUTSIDE, f->v6 ? 16 : 4);
	}
	if (r->residual_key == KD_RESIDUAL_PORT || r->residual_key == KD_RESIDUAL_3_TUPLE) {
		if (!has_ports(f))
			return false;
		ret->port = f->port[KD_OUTSIDE];
	}
	if (r->residual_for == KD_FOR_CLIENT)
		copy_addr(ret->inside, f, KD_INSIDE, f->v6 ? 16 : 4);
	else if (r->residual_for == KD_FOR_SUBSCRIBER)
		copy_addr(ret->inside, f, KD_INSIDE, f->v6 ? 8 : 4);
	/* A tag has addresses of both kinds. */
	ret->v6 = r->residual_key == KD_RESIDUAL_TAG && r->residual_for == KD_FOR_EVERYONE ? 0 : f->v6;
	return true;
}

/* It may be told to other workers: they have a share of everyone. */
static void tell(struct kd_engine *e, struct kd_ban *ban)
{
	struct kd_ban_note note = {.key = ban->key, .from_ns = ban->from_ns, .until_ns = ban->until_ns};
	const struct kd_rule *r = &e->policy->rules[ban->key.rule];
	uint64_t least_ns = r->residual_ns / TELL_PART < TELL_NS ? r->residual_ns / TELL_PART : TELL_NS;

	if (e->bans.out.slot == NULL || r->residual_for != KD_FOR_EVERYONE ||
		ban->until_ns <= ban->told_ns + least_ns)
		return;
	if (kd_ban_ring_put(&e->bans.out, &note))
		ban->told_ns = ban->until_ns;
	else
		e->count.bans_untold++;
}

static void extend(struct kd_engine *e, struct kd_ban *ban, uint64_t until_ns)
{
	kd_ban_extend(&e->bans, ban, which_of(&e->bans, ban->key.rule), until_ns);
	tell(e, ban);
}

uint64_t kd_residual_put(struct kd_step *s, uint16_t rule)
{
	struct kd_engine *e = s->e;
	const struct kd_rule *r = &e->policy->rules[rule];
	uint64_t from_ns = s->now_ns + r->publish_after_ns;
	struct kd_ban_key key;
	struct kd_ban *ban;

	if (!bans(r) || !key_of(s, rule, &key))
		return 0;
	ban = kd_ban_find(&e->bans, &key, s->now_ns);
	if (ban != NULL) {
		if (r->residual_restart != KD_RESTART_NOTHING)
			extend(e, ban, from_ns + r->residual_ns);
		return ban->until_ns;
	}
	ban = kd_ban_add(
		&e->bans, &key, which_of(&e->bans, rule), from_ns, from_ns + r->residual_ns, s->now_ns);
	if (ban == NULL) {
		e->count.bans_full++;
		kd_record_verdict(s, rule, KD_REASON_DECIDE_RESIDUAL_NO_ROOM);
		return 0;
	}
	e->count.bans_new++;
	tell(e, ban);
	return ban->until_ns;
}

/* Its transport, or what was recognised in it. */
static bool holds_for(const struct kd_step *s, const struct kd_rule *r)
{
	if (r->residual_transports == 0 && r->residual_protocols == 0)
		return true;
	if ((r->residual_transports & kd_transport(s)) != 0)
		return true;
	return s->flow->app != 0 && (r->residual_protocols >> (s->flow->app - 1) & 1) != 0;
}

/* In force for the flow in hand; NULL: none of that rule. */
static struct kd_ban *ban_of(const struct kd_step *s, uint16_t rule)
{
	struct kd_ban_key key;
	struct kd_ban *ban;

	if (!holds_for(s, &s->e->policy->rules[rule]) || !key_of(s, rule, &key))
		return NULL;
	ban = kd_ban_find(&s->e->bans, &key, s->now_ns);
	return ban != NULL && s->now_ns >= ban->from_ns ? ban : NULL;
}

/* What the guard refused stays untouched, whatever others did. */
static bool is_guarded(const struct kd_step *s)
{
	const struct kd_flow *f = s->flow;

	return s->e->guard == NULL || kd_guard_judge(s->e->guard, f->v6, kd_flow_addr(f, KD_INSIDE),
					      kd_flow_addr(f, KD_OUTSIDE)) == KD_REASON_NONE;
}

static void take_hold(struct kd_step *s, uint16_t rule, const struct kd_ban *ban)
{
	struct kd_flow *f = s->flow;

	if ((f->flags & KD_FLOW_DECIDED) == 0)
		kd_stream_forget(s->e, f);
	f->rule = rule;
	f->flags |= KD_FLOW_DECIDED | KD_FLOW_ACTING;
	f->hold = KD_HOLD_BANNED; /* a rule that has not acted yet gives way */
	f->held.until_ns = ban->until_ns;
	memset(f->held.state, 0, sizeof(f->held.state));
	s->rule = rule;
	s->e->count.bans_hit++;
}

/* The rule has hold of the flow and waits, or is done with it: what it left behind is for others. */
static bool is_its_own(const struct kd_flow *f, uint16_t rule)
{
	if (f->rule != rule || (f->flags & KD_FLOW_DECIDED) == 0)
		return false;
	return (f->flags & KD_FLOW_ACTING) != 0 || (f->flags & KD_FLOW_BIT) != 0;
}

bool kd_residual_take(struct kd_step *s)
{
	struct kd_bans *b = &s->e->bans;

	for (uint32_t i = 0; i < b->nrules; i++) {
		const struct kd_rule *r = &s->e->policy->rules[b->rule[i]];
		const struct kd_ban *ban;

		if (s->now_ns >= b->rule_over_ns[i] || is_its_own(s->flow, b->rule[i]) ||
			kd_is_bypassed(s->e, b->rule[i]))
			continue;
		ban = ban_of(s, b->rule[i]);
		if (ban == NULL || !kd_can_act(s, r) || !is_guarded(s))
			continue;
		take_hold(s, b->rule[i], ban);
		return true;
	}
	return false;
}

bool kd_residual_goes_on(struct kd_step *s)
{
	struct kd_flow *f = s->flow;
	const struct kd_rule *r = &s->e->policy->rules[f->rule];
	const struct kd_ban *ban;

	if (!bans(r))
		return false;
	ban = ban_of(s, (uint16_t)f->rule);
	if (ban == NULL)
		return false;
	f->held.until_ns = ban->until_ns;
	return true;
}

void kd_residual_restart(struct kd_step *s)
{
	struct kd_flow *f = s->flow;
	const struct kd_rule *r = &s->e->policy->rules[f->rule];
	struct kd_ban_key key;
	struct kd_ban *ban;

	if (f->held.until_ns == 0 ||
		(r->residual_restart == KD_RESTART_NEXT_TRIGGER && !kd_decide_triggers(s, (uint16_t)f->rule)))
		return;
	f->held.until_ns = s->now_ns + r->residual_ns;
	if (!bans(r) || !key_of(s, (uint16_t)f->rule, &key))
		return;
	ban = kd_ban_find(&s->e->bans, &key, s->now_ns);
	if (ban != NULL)
		extend(s->e, ban, s->now_ns + r->residual_ns);
}

/* Of two that no packet sets back the first counts, as it would have in one engine. */
static void hear(struct kd_engine *e, const struct kd_ban_note *note)
{
	const struct kd_rule *r = &e->policy->rules[note->key.rule];
	uint32_t which = which_of(&e->bans, note->key.rule);
	struct kd_ban *ban = kd_ban_find(&e->bans, &note->key, e->now_ns);

	if (ban == NULL)
		ban = kd_ban_add(&e->bans, &note->key, which, note->from_ns, note->until_ns, e->now_ns);
	if (ban == NULL) {
		e->count.bans_full++;
		return;
	}
	if (r->residual_restart != KD_RESTART_NOTHING)
		kd_ban_extend(&e->bans, ban, which, note->until_ns);
	else if (note->from_ns < ban->from_ns)
		ban->until_ns = note->until_ns;
	if (ban->until_ns < e->bans.none_dies_ns)
		e->bans.none_dies_ns = ban->until_ns;
	if (note->from_ns < ban->from_ns)
		ban->from_ns = note->from_ns;
	ban->told_ns = ban->until_ns;
}

void kd_residual_hear(struct kd_engine *e)
{
	struct kd_ban_note note[NOTES];
	unsigned int n;

	while ((n = kd_ban_ring_take(&e->bans.in, note, NOTES)) > 0)
		for (unsigned int i = 0; i < n; i++)
			hear(e, &note[i]);
}

unsigned int kd_engine_bans_out(struct kd_engine *e, struct kd_ban_note *dst, unsigned int max)
{
	return e->bans.out.slot != NULL ? kd_ban_ring_take(&e->bans.out, dst, max) : 0;
}

bool kd_engine_ban_in(struct kd_engine *e, const struct kd_ban_note *note)
{
	const struct kd_bans *b = &e->bans;

	for (uint32_t i = 0; i < b->nrules; i++)
		if (b->rule[i] == note->key.rule)
			return kd_ban_ring_put(&e->bans.in, note);
	return false;
}
