/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The knobs of a flow: of each knob the first entry of the policy that fits the flow's destination, protocol
 * and node, else the default. Resolved when somebody first asks, and again once the protocol is known: an
 * entry for some protocols fits all that may still turn out to be one of them. An entry that flaps is there
 * for the flow or not as it was on the flow's node when first asked for, by packet time alone. Who reads a
 * knob decides what it means.
 */
#include "engine/internal.h"

#include <errno.h>
#include <string.h>

#include "engine/rng.h"

_Static_assert(KD_KNOB_SETS <= UINT8_MAX + 1, "struct kd_flow.open.knobs");

const struct kd_knob_row kd_knob_rows[KD_KNOB_COUNT] = {
#define X(symbol, name, values, deflt, claim, help) {name, values, deflt, claim, help},
	KD_KNOBS(X)
#undef X
};

int kd_knob_find(const char *name, size_t len)
{
	for (int i = 0; i < KD_KNOB_COUNT; i++)
		if (strlen(kd_knob_rows[i].name) == len && memcmp(kd_knob_rows[i].name, name, len) == 0)
			return i;
	return -ENOENT;
}

int kd_knob_value(unsigned int knob, const char *value, size_t len)
{
	int i = 0;

	for (const char *w = kd_knob_rows[knob].values;; w++) {
		size_t n = strcspn(w, "|");

		if (n == len && memcmp(w, value, n) == 0)
			return i;
		w += n;
		if (*w == '\0')
			return -ENOENT;
		i++;
	}
}

void kd_knob_table_reset(struct kd_knob_table *t)
{
	memset(t, 0, sizeof(*t));
	for (unsigned int i = 0; i < KD_KNOB_COUNT; i++)
		t->set[KD_KNOB_SET_DEFAULTS].value[i] =
			(uint8_t)kd_knob_value(i, kd_knob_rows[i].deflt, strlen(kd_knob_rows[i].deflt));
	t->n = KD_KNOB_SET_DEFAULTS + 1;
}

uint8_t kd_knob_intern(struct kd_knob_table *t, const struct kd_knob_set *set, bool *ret_full)
{
	*ret_full = false;
	for (unsigned int i = KD_KNOB_SET_DEFAULTS; i < t->n; i++)
		if (memcmp(&t->set[i], set, sizeof(*set)) == 0)
			return (uint8_t)i;
	if (t->n == KD_KNOB_SETS) {
		*ret_full = true;
		return KD_KNOB_SET_DEFAULTS;
	}
	t->set[t->n] = *set;
	return (uint8_t)t->n++;
}

/* A node is what the balancer sends both addresses to; it has the knob or has not. */
static bool is_on_node(const struct kd_step *s, const struct kd_knob *k)
{
	return k->share == UINT64_MAX ||
	       kd_draw(s->e->seed, s->e->box, KD_DRAW_NODE, k->draw, kd_flow_node(s->flow), 0) < k->share;
}

/* While nothing is recognised, it may be any protocol that such packets carry. */
static bool may_speak(const struct kd_step *s, uint64_t protocols)
{
	if (s->flow->app != 0)
		return (protocols >> (s->flow->app - 1) & 1) != 0;
	for (unsigned int i = 0; i < KD_PROTOCOL_COUNT; i++)
		if ((protocols >> i & 1) != 0 && (kd_protocols[i]->transports & kd_transport(s)) != 0)
			return true;
	return false;
}

static bool has_flap(const struct kd_knob_set *set, unsigned int flap)
{
	return (set->flaps[flap / 8] >> (flap % 8) & 1) != 0;
}

/* By turns there and not there for the same time; where in its turns a node stands is drawn. */
static void find_flaps(const struct kd_step *s, struct kd_knob_set *ret)
{
	const struct kd_policy *p = s->e->policy;

	for (uint32_t i = 0; i < p->nflaps; i++) {
		const struct kd_flap *f = &p->flaps[i];
		uint64_t phase =
			kd_draw(s->e->seed, s->e->box, KD_DRAW_FLAP, f->draw, kd_flow_node(s->flow), 0);

		if ((s->now_ns + phase % (2 * f->time_ns)) / f->time_ns % 2 == 0)
			ret->flaps[i / 8] |= (uint8_t)(1u << (i % 8));
	}
}

static bool fits(const struct kd_step *s, const struct kd_knob_set *set, const struct kd_knob *k)
{
	const struct kd_flow *f = s->flow;

	if (k->protocols != 0 && !may_speak(s, k->protocols))
		return false;
	if (k->to_set != 0 && !kd_set_bits_has(kd_prefixes_match(s->e->policy->prefixes,
						       kd_flow_addr(f, kd_to(f)), f->v6 != 0),
				      k->to_set))
		return false;
	if (k->flap != 0 && !has_flap(set, k->flap - 1u))
		return false;
	return is_on_node(s, k);
}

unsigned int kd_knob_now(const struct kd_step *s, enum kd_knob_index knob)
{
	const struct kd_policy *p = s->e->policy;
	struct kd_knob_set set = s->e->knobs.set[KD_KNOB_SET_DEFAULTS];

	find_flaps(s, &set);
	for (uint32_t i = 0; i < p->nknobs; i++)
		if (p->knobs[i].index == knob && fits(s, &set, &p->knobs[i]))
			return p->knobs[i].value_index;
	return set.value[knob];
}

void kd_knobs_resolve(struct kd_step *s)
{
	struct kd_engine *e = s->e;
	const struct kd_policy *p = e->policy;
	struct kd_knob_set set = e->knobs.set[KD_KNOB_SET_DEFAULTS];
	bool done[KD_KNOB_COUNT] = {false}, full;

	if (s->flow->open.knobs != 0)
		memcpy(set.flaps, e->knobs.set[s->flow->open.knobs].flaps, sizeof(set.flaps));
	else if (p->nflaps != 0)
		find_flaps(s, &set);

	for (uint32_t i = 0; i < p->nknobs; i++) {
		const struct kd_knob *k = &p->knobs[i];

		if (k->index >= KD_KNOB_COUNT || done[k->index] || !fits(s, &set, k))
			continue;
		done[k->index] = true;
		set.value[k->index] = k->value_index;
	}
	s->flow->open.knobs = kd_knob_intern(&e->knobs, &set, &full);
	e->count.knob_sets_full += full;
}

bool kd_knob_is_on(const struct kd_policy *p, enum kd_knob_index knob)
{
	for (uint32_t i = 0; i < p->nknobs; i++)
		if (p->knobs[i].index == knob && p->knobs[i].value_index != 0)
			return true;
	return false;
}
