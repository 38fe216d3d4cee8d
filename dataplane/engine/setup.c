/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making, clearing and ending an engine, and reading what it counted: everything that may allocate. Nothing
 * here is called between kd_engine_burst and its return.
 */
#include "engine/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/spot.h"

#define EVENTS_LIMIT (1u << 24)
#define DEPTH_LIMIT (1u << 16)

/* Observe rules that no `already` asks for remember what they told behind those that one does. */
static uint8_t bits_asked_for(const struct kd_policy *p)
{
	uint8_t most = 0;

	for (uint32_t i = 1; i <= p->nrules; i++)
		if (p->rules[i].seen_bit > most)
			most = p->rules[i].seen_bit;
	return most;
}

static uint8_t phases_of(const struct kd_policy *p)
{
	unsigned int phases = 0;

	for (unsigned int i = 0; i < KD_PHASE_COUNT; i++)
		if (p->phase_first[i] < p->phase_first[i + 1])
			phases |= 1u << i;
	return (uint8_t)phases;
}

static int find_wants(struct kd_engine *e)
{
	const struct kd_policy *p = e->policy;

	e->wants = calloc((size_t)p->nrules + 1, sizeof(*e->wants));
	if (e->wants == NULL)
		return -ENOMEM;
	for (uint32_t i = 1; i <= p->nrules; i++) {
		e->wants[i] = kd_match_wants(p, p->rules[i].first_term);
		e->wanted[p->rules[i].phase] |= e->wants[i];
	}
	return 0;
}

/* As many as a flow can count. */
static uint16_t budget_of(const struct kd_settings *s)
{
	return s->inspect_pkts < UINT16_MAX - 1 ? (uint16_t)s->inspect_pkts : UINT16_MAX - 1;
}

static uint32_t depth_of(const struct kd_settings *s)
{
	return s->stream_depth < DEPTH_LIMIT ? (uint32_t)s->stream_depth : DEPTH_LIMIT;
}

static bool sends_copies(const struct kd_policy *p)
{
	for (uint32_t i = 1; i <= p->nrules; i++) {
		const struct kd_rule *r = &p->rules[i];
		const struct kd_mechanism *m =
			r->mechanism < KD_MECHANISM_COUNT ? kd_mechanisms[r->mechanism] : NULL;

		if (m != NULL && m->needs != NULL && (m->needs(r->params) & KD_NEEDS_COPIES) != 0)
			return true;
	}
	return false;
}

static int ring_init(struct kd_ring *r, uint32_t events_max)
{
	uint32_t size = 16;

	if (events_max == 0 || events_max > EVENTS_LIMIT)
		return -EINVAL;
	while (size < events_max)
		size *= 2;
	r->slot = calloc(size, sizeof(*r->slot));
	r->mask = size - 1;
	return r->slot != NULL ? 0 : -ENOMEM;
}

/* An observer has the endpoint's policy; a box that is observed knows what it can see. */
static int look_out(struct kd_engine *e, const struct kd_engine_config *config)
{
	if (config->endpoint != NULL)
		return kd_observer_new(e, config);
	return config->observed ? kd_cures_new(&e->cures) : 0;
}

/* What putting together takes, if some knob asks for it. */
static int stream_init(struct kd_engine *e, const struct kd_engine_config *config)
{
	int err = 0;

	if (kd_knob_is_on(e->policy, KD_KNOB_TCP_REASSEMBLE))
		err = kd_gathers_init(&e->gathers, config->gathers_max, depth_of(&e->policy->settings));
	if (err < 0 || !kd_knob_is_on(e->policy, KD_KNOB_TLS_JOIN_RECORDS))
		return err;
	e->room = malloc(KD_ROOM_BYTES);
	return e->room != NULL ? 0 : -ENOMEM;
}

/* What is remembered beside the flows, if the policy asks for it. */
static int memory_init(struct kd_engine *e, const struct kd_engine_config *config)
{
	int err = 0;

	if (e->policy->ncounters > 0)
		err = kd_tally_init(&e->tally, config->counts_max);
	if (err == 0)
		err = stream_init(e, config);
	if (err == 0)
		err = kd_turn_init(e, config);
	return err < 0 ? err : kd_residual_init(e, config);
}

static int make_inject(struct kd_engine *e)
{
	e->inject = calloc(KD_INJECT_SLOTS, sizeof(*e->inject));
	if (e->inject == NULL)
		return -ENOMEM;
	if (!sends_copies(e->policy))
		return 0;
	e->copy = calloc(KD_BURST_MAX, sizeof(*e->copy));
	return e->copy != NULL ? 0 : -ENOMEM;
}

/* Pools of what is held. */
static int make_held(struct kd_engine *e, uint32_t held_max)
{
	int err = kd_frag_init(&e->frag, e->policy, held_max, e->seed);

	e->due_ns = UINT64_MAX;
	return err < 0 ? err : kd_later_init(&e->later, e->policy, held_max);
}

static uint64_t idle_least_ns(const struct kd_settings *s)
{
	const uint64_t idle[] = {s->idle_syn_ns, s->idle_established_ns, s->idle_udp_ns, s->idle_other_ns};
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < sizeof(idle) / sizeof(*idle); i++)
		least = idle[i] < least ? idle[i] : least;
	return least;
}

int kd_engine_new(struct kd_engine **ret, const struct kd_engine_config *config)
{
	struct kd_engine *e = NULL;
	int err;

	if (config->policy == NULL)
		return -EINVAL;
	if (posix_memalign((void **)&e, 64, sizeof(*e)) != 0)
		return -ENOMEM;
	memset(e, 0, sizeof(*e));
	e->policy = config->policy;
	e->guard = config->guard;
	e->seed = config->seed;
	e->box = config->box;
	e->flow_ids = config->flow_ids;
	err = look_out(e, config);
	if (err < 0)
		goto fail;
	e->told_from = bits_asked_for(config->policy);
	e->phases = phases_of(config->policy);
	kd_knob_table_reset(&e->knobs);
	e->switches_untold = config->switches_untold;
	err = kd_bypass_init(&e->bypass, config->policy->nrules);
	if (err == 0)
		err = find_wants(e);
	if (err < 0)
		goto fail;
	e->syn_clears = kd_knob_is_on(e->policy, KD_KNOB_FLOW_NEW_SYN);
	e->icmp_errors = kd_knob_is_on(e->policy, KD_KNOB_FLOW_ICMP_ERRORS);
	e->opening = (e->phases >> KD_PHASE_ADDRESSES & 1) != 0;
	e->budget = budget_of(&e->policy->settings);
	e->idle_least_ns = idle_least_ns(&e->policy->settings);
	err = kd_flow_table_init(&e->table, config->flows4_max, config->flows6_max, config->seed);
	if (err < 0)
		goto fail;
	err = ring_init(&e->ring, config->events_max);
	if (err < 0)
		goto fail;
	err = kd_scratch_new(&e->scratch, e->policy->name_patterns, e->policy->signatures);
	if (err < 0)
		goto fail;
	err = make_held(e, config->held_max);
	if (err < 0)
		goto fail;
	err = memory_init(e, config);
	if (err == 0)
		err = kd_fake_init(e, config);
	if (err == 0)
		err = make_inject(e);
	if (err < 0)
		goto fail;
	*ret = e;
	return 0;
fail:
	kd_engine_free(e);
	return err;
}

void kd_engine_free(struct kd_engine *e)
{
	if (e == NULL)
		return;
	kd_observer_free(e->observer);
	free(e->cures);
	free(e->inject);
	free(e->copy);
	free(e->wants);
	kd_bypass_free(&e->bypass);
	kd_frag_free(&e->frag);
	kd_later_free(&e->later);
	kd_tally_free(&e->tally);
	kd_bans_free(&e->bans);
	kd_nat_free(&e->nat);
	kd_gathers_free(&e->gathers);
	kd_fake_free(e);
	free(e->room);
	kd_scratch_free(e->scratch);
	free(e->ring.slot);
	kd_flow_table_free(&e->table);
	free(e);
}

void kd_engine_reset(struct kd_engine *e)
{
	kd_flow_table_reset(&e->table);
	kd_frag_reset(&e->frag);
	kd_later_reset(&e->later);
	e->due_ns = UINT64_MAX;
	kd_tally_reset(&e->tally);
	kd_bans_reset(&e->bans);
	kd_nat_reset(&e->nat);
	kd_gathers_reset(&e->gathers);
	kd_pool_reset(&e->traces);
	kd_observer_reset(e->observer);
	kd_knob_table_reset(&e->knobs);
	kd_bypass_reset(&e->bypass, e->policy->nrules);
	memset(&e->load, 0, sizeof(e->load));
	memset(&e->count, 0, sizeof(e->count));
	memset(&e->sweep, 0, sizeof(e->sweep));
	atomic_store(&e->ring.head, 0);
	atomic_store(&e->ring.tail, 0);
	memset(&e->finish, 0, sizeof(e->finish));
	e->now_ns = 0;
	e->injects = e->copies = 0;
}

unsigned int kd_engine_events(struct kd_engine *e, struct kd_event *dst, unsigned int max)
{
	struct kd_ring *r = &e->ring;
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint32_t used = atomic_load_explicit(&r->head, memory_order_acquire) - tail;
	unsigned int n = used < max ? used : max;

	for (unsigned int i = 0; i < n; i++) {
		const struct kd_event *from = &r->slot[(tail + i) & r->mask];

		memcpy(&dst[i], from, offsetof(struct kd_event, text) + from->text_len);
	}
	atomic_store_explicit(&r->tail, tail + n, memory_order_release);
	return n;
}

uint64_t kd_engine_horizon(const struct kd_engine *e)
{
	return e->sweep.horizon_ns;
}

uint64_t kd_engine_due(const struct kd_engine *e)
{
	return e->due_ns;
}

const struct kd_counters *kd_engine_counters(const struct kd_engine *e)
{
	return &e->count;
}

const char *kd_counters_unbalanced(const struct kd_counters *c)
{
	uint64_t final = c->fates[KD_EMIT] + c->fates[KD_REWRITE] + c->fates[KD_DROP];
	uint64_t by_reason = 0, injected = 0;

	for (unsigned int i = 0; i < KD_REASON_COUNT; i++) {
		by_reason += c->reasons[i];
		injected += c->inject_reasons[i];
	}
	if (c->in[KD_INSIDE] + c->in[KD_OUTSIDE] != final + c->held + c->consumed)
		return "packets in are not emitted + dropped + held + consumed";
	if (by_reason != final + c->fates[KD_HOLD])
		return "reasons do not add up to the final actions and holds";
	if (injected != c->fates[KD_INJECT] + c->inject_refused)
		return "reasons of injected packets do not add up";
	if (c->flows_new != c->flows_ended + c->flows_live)
		return "flows made are not flows ended + live";
	if (c->reasons[KD_REASON_NONE] + c->inject_reasons[KD_REASON_NONE] != 0)
		return "a packet met its fate without a reason";
	return NULL;
}
