/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An observer: an engine that reads what a box let out as the endpoint does, and asks the box's rules about
 * it. It reads with the stages of a box under the endpoint's knobs; budgets, presence on nodes, misses, roles
 * and allows do not count, but what would have been in the way is noted. It decides nothing about a packet,
 * and the first match of a flow is the last.
 *
 * What the box does not count as a packet of a flow neither makes one here nor keeps it alive. Which packets
 * the endpoint throws away is told with fake.c, as boxes do that know such packets.
 */
#include "engine/observe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A box looks at 20 payload packets of a side; what it would have found behind them is worth so much work. */
#define LOOKS 1000
#define DEPTH (1u << 16)

static void set_knobs(struct kd_observer *o)
{
	for (const struct kd_spot_knob *k = kd_spot_endpoint; k->name != NULL; k++) {
		int knob = kd_knob_find(k->name, strlen(k->name));
		int value =
			knob < 0 ? -ENOENT : kd_knob_value((unsigned int)knob, k->value, strlen(k->value));

		if (value < 0)
			continue; /* nothing in this build reads it */
		o->knobs[o->policy.nknobs++] = (struct kd_knob){.name = k->name,
			.value = k->value,
			.index = (uint8_t)knob,
			.value_index = (uint8_t)value,
			.share = UINT64_MAX};
	}
}

int kd_observer_new(struct kd_engine *e, const struct kd_engine_config *config)
{
	struct kd_observer *o = calloc(1, sizeof(*o));

	e->observer = o;
	if (o == NULL)
		return -ENOMEM;
	o->box = config->policy;
	o->endpoint = *config->endpoint;
	o->policy = *config->policy;
	o->policy.settings.inspect_pkts = LOOKS;
	o->policy.settings.stream_depth = DEPTH;
	o->policy.settings.stream_timeout_ns = KD_TIME_MAX_NS;
	o->policy.box.protocols = UINT64_MAX;
	o->policy.box.sees = KD_SEES_BOTH;
	o->policy.knobs = o->knobs;
	o->policy.nknobs = 0;
	set_knobs(o);
	for (uint32_t i = 1; i <= o->policy.nrules; i++)
		o->absent = o->absent || o->policy.rules[i].presence != UINT64_MAX ||
			    o->policy.rules[i].flap != 0;
	o->joins = kd_knob_is_on(o->box, KD_KNOB_FRAG_INSPECT);
	for (unsigned int kind = 0; kind < KD_FAKE_COUNT; kind++)
		if (kd_knob_is_on(o->box, KD_KNOB_FAKE_CHECKSUM + kind))
			o->fakes |= KD_FAKE_BIT(kind);
	e->policy = &o->policy;
	/* Room for the flows a table may have; what no flow comes to is never touched. */
	o->watch[0] = calloc((size_t)config->flows4_max + 1, sizeof(*o->watch[0]));
	o->watch[1] = calloc((size_t)config->flows6_max + 1, sizeof(*o->watch[1]));
	if (o->watch[0] == NULL || o->watch[1] == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < KD_PARTS_SLOTS; i++) {
		o->parts[i].packet = malloc(KD_PARTS_BYTES);
		if (o->parts[i].packet == NULL)
			return -ENOMEM;
	}
	return 0;
}

void kd_observer_free(struct kd_observer *o)
{
	if (o == NULL)
		return;
	for (unsigned int i = 0; i < KD_PARTS_SLOTS; i++)
		free(o->parts[i].packet);
	free(o->watch[0]);
	free(o->watch[1]);
	free(o);
}

void kd_observer_reset(struct kd_observer *o)
{
	for (unsigned int i = 0; o != NULL && i < KD_PARTS_SLOTS; i++)
		o->parts[i].used = false;
}

static struct kd_watch *watch_of(const struct kd_engine *e, const struct kd_flow *f)
{
	const struct kd_flow_pool *p = &e->table.pool[f->v6];
	size_t index = (size_t)((const char *)f - (const char *)p->entries) >> (6 + f->v6);

	return &e->observer->watch[f->v6][index];
}

/* How a rule may be asked: as if the name had no dot at its end, as if the flow had been opened from inside.
 */
#define AS_UNDOTTED 0x1
#define AS_FROM_INSIDE 0x2

static bool ends_in_dot(const struct kd_step *s)
{
	const struct kd_app_field *name = kd_seen_name(s);

	return name != NULL && name->len > 1 && name->p[name->len - 1] == '.';
}

static uint16_t first_of(struct kd_step *s, struct kd_seen *seen, unsigned int phase, bool present)
{
	const struct kd_policy *p = s->e->policy;
	uint64_t offers = kd_offers(s);

	for (uint32_t i = p->phase_first[phase]; i < p->phase_first[phase + 1]; i++) {
		const struct kd_rule *r = &p->rules[i];

		if (r->closes == 0 && (s->e->wants[i] & offers) != 0 && kd_match(s, seen, r->first_term) &&
			kd_decide_is_present(s, r) == present)
			return (uint16_t)i;
	}
	return KD_RULE_NONE;
}

/* The first rule that would take hold of the flow. Rules that only count or let through are no triggers, nor
 * is a default, which takes what carries none. */
static uint16_t ask(struct kd_step *s, const struct kd_seen *counted, bool present)
{
	struct kd_seen seen;
	uint16_t rule;

	kd_seen_start(&seen, counted->payload);
	seen.over = counted->over;
	if (!counted->payload)
		return first_of(s, &seen, KD_PHASE_ADDRESSES, present);
	for (unsigned int phase = KD_PHASE_NAMES_ALLOWED; phase <= KD_PHASE_FALLBACK; phase++) {
		if (phase == KD_PHASE_FALLBACK && !kd_decide_may_fall_back(s))
			break;
		rule = first_of(s, &seen, phase, present);
		if (rule != KD_RULE_NONE)
			return rule;
	}
	return KD_RULE_NONE;
}

static uint16_t ask_as(struct kd_step *s, const struct kd_seen *counted, bool present, unsigned int as)
{
	struct kd_flow *f = s->flow;
	unsigned int opened = f->opened, undotted = (as & AS_UNDOTTED) != 0;
	uint16_t rule;

	if ((as & AS_FROM_INSIDE) != 0)
		f->opened = KD_INSIDE;
	s->app.field[0].len = (uint16_t)(s->app.field[0].len - undotted);
	rule = ask(s, counted, present);
	s->app.field[0].len = (uint16_t)(s->app.field[0].len + undotted);
	f->opened = opened & 1u;
	return rule;
}

/* The rule that matches with the least in its way; adds what is. */
static uint16_t find_rule(struct kd_step *s, const struct kd_seen *counted, uint64_t *needs)
{
	unsigned int may =
		(ends_in_dot(s) ? AS_UNDOTTED : 0) | (s->flow->opened == KD_OUTSIDE ? AS_FROM_INSIDE : 0);

	for (unsigned int absent = 0; absent <= s->e->observer->absent; absent++) {
		for (unsigned int as = 0; as <= (AS_UNDOTTED | AS_FROM_INSIDE); as++) {
			uint16_t rule = (as & ~may) != 0 ? KD_RULE_NONE : ask_as(s, counted, absent == 0, as);

			if (rule == KD_RULE_NONE)
				continue;
			*needs |= absent != 0 ? KD_SPOT_BIT(NODE) : 0;
			*needs |= (as & AS_UNDOTTED) != 0 ? KD_SPOT_BIT(TRAILING_DOT) : 0;
			*needs |= (as & AS_FROM_INSIDE) != 0 ? KD_SPOT_BIT(OPENED) : 0;
			return rule;
		}
	}
	return KD_RULE_NONE;
}

/* What it took to have the bytes that are looked at. */
static uint64_t of_stream(const struct kd_step *s)
{
	const struct kd_policy *box = s->e->observer->box;
	const struct kd_gather *g = kd_stream_gathering(s->e, s->flow, s->pkt->side);
	uint64_t needs = 0;

	if (!s->gathers || g == NULL || (s->look_from == 0 && s->look_to >= s->look_len))
		return 0;
	needs |= KD_SPOT_BIT(SEGMENTS);
	if (g->turned)
		needs |= KD_SPOT_BIT(ORDER);
	if (s->e->now_ns - g->since_ns >= box->settings.stream_timeout_ns)
		needs |= KD_SPOT_BIT(SLOW);
	if (s->look_len > box->settings.stream_depth)
		needs |= KD_SPOT_BIT(DEPTH);
	return needs;
}

static uint64_t of_app(const struct kd_step *s)
{
	const struct kd_policy *box = s->e->observer->box;
	const struct kd_app_field *name = kd_seen_name(s);
	uint64_t needs = 0;

	if (s->app_index == KD_APP_NONE)
		return 0;
	if (s->app.joined)
		needs |= KD_SPOT_BIT(RECORDS);
	if (s->app.apart)
		needs |= KD_SPOT_BIT(RECORDS_APART);
	if ((box->box.protocols >> s->app_index & 1) == 0)
		needs |= KD_SPOT_BIT(PROTOCOL);
	for (uint16_t i = 0; name != NULL && i < name->len; i++)
		if (name->p[i] >= 'A' && name->p[i] <= 'Z')
			needs |= KD_SPOT_BIT(NAME_CASE);
	return needs;
}

/* Says it once; nothing more is looked at. */
static void tell(struct kd_step *s, const struct kd_watch *w, uint16_t rule, uint64_t needs)
{
	needs |= w->needed;
	if (s->e->observer->box->box.sees == KD_SEES_UPSTREAM && s->pkt->side == KD_OUTSIDE)
		needs |= KD_SPOT_BIT(NOT_SEEN);
	kd_record_unseen(s, rule, needs, w->side[s->pkt->side].payloads);
	kd_stream_forget(s->e, s->flow);
	s->flow->flags |= KD_FLOW_DECIDED;
}

/* The first packet of a flow, and all of one that is neither TCP nor UDP; false: it is done with. */
static bool open_up(struct kd_step *s, struct kd_watch *w)
{
	bool more = kd_is_tcp_or_udp(s);
	struct kd_seen seen;
	uint64_t needs = 0;
	uint16_t rule;

	if (kd_is_first(s->flow)) {
		kd_seen_start(&seen, false);
		if (s->e->policy->ncounters != 0)
			kd_decide_count(s, &seen, true);
		rule = find_rule(s, &seen, &needs);
		if (rule != KD_RULE_NONE) {
			tell(s, w, rule, needs);
			return false;
		}
	}
	if (!more)
		s->flow->flags |= KD_FLOW_DECIDED;
	return more;
}

static void read(struct kd_step *s, struct kd_watch *w)
{
	struct kd_seen seen;
	uint64_t needs;
	uint16_t rule;

	if (kd_stream_offer(s) != KD_OFFER_PAYLOAD)
		return;
	do {
		needs = of_stream(s);
		kd_classify(s);
		kd_seen_start(&seen, true);
		kd_decide_observe(s, &seen);
		rule = find_rule(s, &seen, &needs);
		if (rule != KD_RULE_NONE) {
			tell(s, w, rule, needs | of_app(s));
			return;
		}
		if (s->app_index != KD_APP_NONE && !s->app.partial)
			w->needed |= s->app.leads ? KD_SPOT_BIT(AFTER_HELLO) : KD_SPOT_BIT(AFTER_REQUEST);
	} while (kd_stream_next(s));
	kd_stream_settle(s);
}

/* `counts`: the box takes it for a packet of its flow, too. */
static void observe(struct kd_engine *e, struct kd_pkt *pkt, struct kd_view *view, bool counts)
{
	struct kd_flow_key key;
	struct kd_watch *w;
	struct kd_step s;

	kd_flow_key(&e->table, &key, view, pkt->side);
	memset(&s, 0, offsetof(struct kd_step, app));
	s.e = e;
	s.pkt = pkt;
	s.view = view;
	s.key = &key;
	s.now_ns = e->now_ns;
	s.rule = KD_RULE_NONE;
	s.app_index = KD_APP_NONE;
	if (counts)
		kd_flow_take(&s, 0);
	else
		s.flow = kd_flow_peek(e, &key);
	if (s.flow == NULL || s.flow == &e->untracked.flow || (s.flow->flags & KD_FLOW_DECIDED) != 0)
		return;
	w = watch_of(e, s.flow);
	if (counts && kd_is_first(s.flow))
		memset(w, 0, sizeof(*w));
	if (counts && view->payload_len != 0 && w->side[pkt->side].payloads != UINT16_MAX)
		w->side[pkt->side].payloads++;
	if (!kd_is_tcp_or_udp(&s) || (e->opening && kd_is_first(s.flow)))
		if (!open_up(&s, w))
			return;
	if (kd_observe_takes(&s, w))
		read(&s, w);
}

void kd_observe(struct kd_engine *e, struct kd_pkt *pkts, unsigned int n)
{
	bool upstream = e->observer->box->box.sees == KD_SEES_UPSTREAM;

	for (unsigned int i = 0; i < n; i++) {
		struct kd_pkt pkt = pkts[i];
		bool counts = !upstream || pkt.side == KD_INSIDE;
		struct kd_view view;

		if (pkt.time_ns > e->now_ns)
			e->now_ns = pkt.time_ns < KD_TIME_MAX_NS ? pkt.time_ns : KD_TIME_MAX_NS;
		if ((pkt.flags & KD_PKT_BAD_CHECKSUM) != 0)
			continue; /* neither the box nor the endpoint reads it */
		kd_decode(&view, pkt.data, pkt.len, pkt.wire_len, pkt.link);
		if (view.reason == KD_REASON_FRAG_NOT_INSPECTED && kd_observe_fragment(e, &pkt, &view))
			observe(e, &pkt, &view, counts && e->observer->joins);
		else if (view.reason == 0)
			observe(e, &pkt, &view, counts);
	}
	kd_sweep(e, n);
}
