/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds a scenario to fresh engines under one plan and keeps a copy of all that came out. Each frame sits in
 * a heap block of exactly its size and room, so that a sanitizer sees any byte touched beyond.
 */
#include "run.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/blind.h"

#define EVENTS_STEP 64

struct feed {
	struct run *r;
	const struct run_plan *plan;
	struct kd_chain *chain;
	struct kd_blind *blind;
	uint8_t **block; /* by packet */
	struct kd_out out;
	struct kd_event *batch;
	uint64_t horizon_ns;
	unsigned int switches; /* thrown so far */
};

void run_broken(struct run *r, const char *format, ...)
{
	va_list ap;

	if (r->broken[0] != '\0')
		return;
	va_start(ap, format);
	vsnprintf(r->broken, sizeof(r->broken), format, ap);
	va_end(ap);
}

static void *must(void *p)
{
	if (p == NULL) {
		fputs("scenario runner: out of memory\n", stderr);
		exit(5);
	}
	return p;
}

static void keep_actions(struct feed *f, unsigned int first, unsigned int n)
{
	struct run *r = f->r;

	if (f->out.count > f->out.room) {
		run_broken(r, "%u actions, but there was room for %u", f->out.count, f->out.room);
		return;
	}
	for (unsigned int i = 0; i < f->out.count; i++) {
		struct run_action *a = scn_grow((void **)&r->actions, &r->nactions, sizeof(*r->actions));
		const struct scn_packet *p;

		a->a = f->out.actions[i];
		a->packet = (unsigned int)a->a.number - 1;
		if (a->a.number == 0 || a->a.number > first + n) {
			run_broken(r, "an action names packet %llu, which was not sent yet",
				(unsigned long long)a->a.number);
			a->packet = 0;
		}
		p = &r->scn->packets[a->packet];
		if (kd_blind_action(f->blind, &f->out.actions[i], a->a.len, p->bad_sum || p->bad_sum_seen) <
			0)
			must(NULL);
		a->a.data = NULL;
		if (f->out.actions[i].len != 0)
			a->a.data = memcpy(must(malloc(a->a.len)), f->out.actions[i].data, a->a.len);
	}
}

static void keep_events(struct feed *f)
{
	struct run *r = f->r;
	unsigned int n;

	while ((n = kd_chain_events(f->chain, f->batch, EVENTS_STEP)) != 0) {
		for (unsigned int i = 0; i < n; i++) {
			struct kd_event *e = scn_grow((void **)&r->events, &r->nevents, sizeof(*r->events));

			*e = f->batch[i];
			if (e->time_ns < f->horizon_ns)
				run_broken(r, "a record %.9f s before the horizon that was promised",
					(double)(f->horizon_ns - e->time_ns) / 1e9);
		}
	}
	f->horizon_ns = kd_chain_horizon(f->chain);
}

static void advance(struct feed *f, uint64_t to_ns, unsigned int sent)
{
	f->out.count = 0;
	kd_chain_advance(f->chain, to_ns, &f->out);
	keep_actions(f, 0, sent);
	keep_events(f);
}

/* A look at the clock half way to the next packet and right on it: neither may change anything. */
static void advance_between(struct feed *f, unsigned int next)
{
	const struct scn_packet *p = &f->r->scn->packets[next];
	uint64_t before = next != 0 ? p[-1].time_ns : p->time_ns;

	if (next == 0 || before == p->time_ns)
		return;
	advance(f, before + (p->time_ns - before) / 2, next);
	advance(f, p->time_ns, next);
}

/* A rule is a switch of those boxes that have it; null has none. */
static void throw_switch(struct feed *f, const struct scn_switch *sw)
{
	bool any = false, has_rules = false;

	for (unsigned int box = 0; box < f->r->boxes->n; box++) {
		const struct kd_policy *policy = f->r->boxes->policy[box];
		uint16_t rule = sw->rule != NULL ? kd_policy_rule_find(policy, sw->rule) : 0;

		has_rules |= policy->nrules != 0;
		if (sw->rule != NULL && rule == 0)
			continue;
		any = true;
		if (kd_chain_bypass(f->chain, box, rule, sw->on, sw->time_ns) < 0 ||
			kd_blind_bypass(f->blind, box, rule, sw->on, sw->time_ns) < 0)
			run_broken(f->r, "the switch of line %d found no room", sw->line);
	}
	if (!any && has_rules)
		run_broken(f->r, "line %d: no box has a rule %.64s", sw->line, sw->rule);
}

static void throw_switches(struct feed *f, unsigned int before)
{
	const struct scn *s = f->r->scn;

	while (f->switches < s->nswitches && s->switches[f->switches].before < before)
		throw_switch(f, &s->switches[f->switches++]);
}

static void feed_burst(struct feed *f, unsigned int first, unsigned int n)
{
	const struct scn *s = f->r->scn;
	struct kd_pkt pkts[KD_BURST_MAX];

	for (unsigned int i = 0; i < n; i++) {
		const struct scn_packet *p = &s->packets[first + i];
		uint16_t room = f->plan->room;
		uint8_t *block = must(malloc(p->len + 2u * room));

		memset(block, 0xdb, p->len + 2u * room);
		memcpy(block + room, p->frame, p->len);
		f->block[first + i] = block;
		pkts[i] = (struct kd_pkt){.data = block + room,
			.len = p->len,
			.wire_len = p->len,
			.headroom = room,
			.tailroom = room,
			.side = p->side,
			.link = (uint8_t)s->link.kind,
			.flags = p->bad_sum_seen ? KD_PKT_BAD_CHECKSUM : 0,
			.time_ns = p->time_ns,
			.number = first + i + 1,
			.handle = (void *)p};
	}
	f->out.count = 0;
	kd_chain_burst(f->chain, pkts, n, &f->out);
	keep_actions(f, first, n);
	keep_events(f);
}

static unsigned int burst_len(const struct feed *f, unsigned int first)
{
	const struct scn *s = f->r->scn;
	unsigned int n = 1, most = f->plan->burst != 0 ? f->plan->burst : KD_BURST_MAX;

	while (n < most && first + n < s->npackets) {
		unsigned int a = s->steps[s->packets[first].step].burst;

		if (f->plan->burst == 0 && s->steps[s->packets[first + n].step].burst != a)
			break;
		n++;
	}
	return n;
}

static int by_cause(const void *va, const void *vb)
{
	const struct kd_action *a = &((const struct run_action *)va)->a;
	const struct kd_action *b = &((const struct run_action *)vb)->a;

	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return (a->n > b->n) - (a->n < b->n);
}

static int by_order(const void *va, const void *vb)
{
	const struct kd_event *a = va, *b = vb;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	if (a->box != b->box)
		return a->box < b->box ? -1 : 1;
	return (a->n > b->n) - (a->n < b->n);
}

static void feed_all(struct feed *f)
{
	const struct scn *s = f->r->scn;

	for (unsigned int at = 0, n; at < s->npackets; at += n) {
		n = burst_len(f, at);
		throw_switches(f, at + n);
		if (f->plan->advances)
			advance_between(f, at);
		feed_burst(f, at, n);
	}
	f->out.count = 0;
	kd_chain_release(f->chain, &f->out);
	keep_actions(f, 0, s->npackets);
	while (kd_chain_finish(f->chain) != 0)
		keep_events(f);
	keep_events(f);
}

static bool make_boxes(struct feed *f, const struct kd_boxes *boxes)
{
	const struct scn *s = f->r->scn;
	const struct kd_policy *policies[KD_CHAIN_MAX];
	struct kd_chain_config config = {
		.policies = policies, .n = boxes->n, .engine = KD_ENGINE_CONFIG_DEFAULT};

	for (unsigned int i = 0; i < boxes->n; i++)
		policies[i] = boxes->policy[i];
	config.engine.seed = s->seed;
	config.engine.flow_ids = true;
	config.engine.flows4_max = s->flows4_max;
	config.engine.flows6_max = s->flows6_max;
	config.engine.events_max = s->events_max;
	config.engine.observed = true;
	if (kd_chain_new(&f->chain, &config) < 0)
		return false;
	if (kd_blind_new(&f->blind, &config, &s->endpoint) < 0)
		must(NULL);
	return true;
}

bool run_scenario(
	struct run *r, const struct scn *s, const struct kd_boxes *boxes, const struct run_plan *plan)
{
	struct feed f = {.r = r, .plan = plan};
	const char *why;

	memset(r, 0, sizeof(*r));
	r->scn = s;
	r->boxes = boxes;
	if (!make_boxes(&f, boxes))
		return false;
	f.block = must(calloc(s->npackets, sizeof(*f.block)));
	f.out.room = kd_chain_out_room(boxes->n, KD_BURST_MAX);
	f.out.actions = must(calloc(f.out.room, sizeof(*f.out.actions)));
	f.batch = must(calloc(EVENTS_STEP, sizeof(*f.batch)));
	feed_all(&f);
	why = kd_chain_unbalanced(f.chain);
	if (why != NULL)
		run_broken(r, "conservation: %s", why);
	r->counters = *kd_chain_counters(f.chain);
	for (unsigned int i = 0; i < boxes->n; i++)
		r->box[i] = *kd_chain_box_counters(f.chain, i);
	if (r->nactions != 0)
		qsort(r->actions, r->nactions, sizeof(*r->actions), by_cause);
	if (r->nevents != 0)
		qsort(r->events, r->nevents, sizeof(*r->events), by_order);
	for (unsigned int i = 0; i < r->nevents; i++)
		kd_blind_event(f.blind, &r->events[i]);
	r->final_of = must(calloc(s->npackets, sizeof(*r->final_of)));
	run_check_promises(r);
	for (unsigned int i = 0; i < s->npackets; i++)
		free(f.block[i]);
	free(f.block);
	free(f.out.actions);
	free(f.batch);
	kd_blind_free(f.blind);
	kd_chain_free(f.chain);
	return true;
}

void run_free(struct run *r)
{
	for (unsigned int i = 0; i < r->nactions; i++)
		free(r->actions[i].a.data);
	free(r->actions);
	free(r->events);
	free(r->final_of);
	memset(r, 0, sizeof(*r));
}
