/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which rule takes hold of a flow. Rules stand in their order of evaluation (phase, then file order) and the
 * first match wins. A match may still be missed by chance, as real boxes do (X-ARCH-REL): one draw a flow.
 */
#include "engine/internal.h"

#include <string.h>

#include "engine/rng.h"

struct seen {
	struct kd_set_bits names;
	struct kd_set_bits signatures;
};

static void look_up(const struct kd_step *s, struct seen *seen)
{
	const struct kd_policy *p = s->e->policy;
	const struct kd_app_field *name = &s->app.field[0];

	memset(seen, 0, sizeof(*seen));
	if (p->signatures != NULL)
		kd_patterns_match(p->signatures, s->e->scratch, s->pkt->data + s->view->payload_off,
			s->view->payload_len, &seen->signatures);
	if (s->app_index == KD_APP_NONE || !kd_protocols[s->app_index]->has_name || name->p == NULL)
		return;
	if (p->names != NULL)
		kd_names_match(p->names, name->p, name->len, &seen->names);
	if (p->name_patterns != NULL)
		kd_patterns_match(p->name_patterns, s->e->scratch, name->p, name->len, &seen->names);
}

static bool rule_matches(const struct kd_rule *r, const struct kd_step *s, const struct seen *seen)
{
	if (r->opened_from != KD_ANY_SIDE && r->opened_from != s->flow->opened)
		return false;
	if (r->from != KD_ANY_SIDE && r->from != s->pkt->side)
		return false;
	if (r->protocols != 0 && (s->app_index == KD_APP_NONE || (r->protocols >> s->app_index & 1) == 0))
		return false;
	if (r->name_set != 0 && !kd_set_bits_has(&seen->names, r->name_set))
		return false;
	if (r->signature == 0)
		return true;
	return kd_set_bits_has(&seen->signatures, r->signature) &&
	       (s->e->policy->signature_transports[r->signature] & kd_transport(s)) != 0;
}

static uint16_t first_match(const struct kd_step *s)
{
	const struct kd_policy *p = s->e->policy;
	struct seen seen;

	if (p->nrules == 0)
		return KD_RULE_NONE;
	look_up(s, &seen);
	for (uint32_t i = 1; i <= p->nrules; i++)
		if (rule_matches(&p->rules[i], s, &seen))
			return (uint16_t)i;
	return KD_RULE_NONE;
}

static bool misses(const struct kd_step *s, const struct kd_rule *r)
{
	uint64_t about;

	if (r->miss == 0)
		return false;
	about = kd_hash_bytes((const uint8_t *)r->id, strlen(r->id));
	return kd_draw(s->e->seed, s->e->box, KD_DRAW_MISS, about, kd_flow_who(s->flow), s->flow->nonce) <
	       r->miss;
}

/* The flow is done with: nothing acts on it, `reason` says why. */
static void pass(struct kd_step *s, uint16_t reason)
{
	s->reason = reason;
	kd_flow_note(s->flow, reason);
	s->flow->flags |= KD_FLOW_DECIDED;
}

void kd_decide(struct kd_step *s)
{
	struct kd_flow *f = s->flow;
	uint16_t found = first_match(s);
	const struct kd_rule *r;

	if (found == KD_RULE_NONE) {
		if (s->app_index != KD_APP_NONE)
			pass(s, KD_REASON_DECIDE_NO_RULE);
		else
			kd_flow_note_nearest(f, s->reason);
		return;
	}
	r = &s->e->policy->rules[found];
	if (r->pending != NULL || misses(s, r)) {
		if ((f->flags & KD_FLOW_BIT) == 0)
			f->rule = found;
		pass(s, r->pending != NULL ? KD_REASON_DECIDE_PENDING : KD_REASON_DECIDE_MISSED);
		kd_record_verdict(s, found, s->reason);
		return;
	}
	f->rule = found;
	f->flags |= KD_FLOW_DECIDED | KD_FLOW_ACTING;
	f->held.until_ns = r->residual_ns != 0 ? s->now_ns + r->residual_ns : 0;
	memset(f->held.state, 0, sizeof(f->held.state));
	s->rule = found;
}
