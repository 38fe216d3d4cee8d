/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Holds packets back and lets them go at their time, in order: of two that are due at once the one that came
 * first, and of a flow and side none before those that came before it, unless the mechanism says that it
 * overtakes them. That holds for later packets that no rule holds back, too: they wait for those that one
 * did. What finds no room meets the fate that its mechanism wants then.
 *
 * Why a packet waits, and for how long, is the mechanism's. Like a fragment's, the end of a wait is a
 * function of time alone: it comes before the first packet at or behind it, whatever the burst.
 */
#include "engine/later.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "engine/rng.h"

/* A call may give out all frames that wait, and as many as its packets can add. */
#define ITEMS(most) ((size_t)(most) + KD_BURST_MAX * (KD_ACTIONS_PER_PKT - 1) + 1)

static bool holds_back(const struct kd_policy *policy)
{
	for (uint32_t i = 1; i <= policy->nrules; i++) {
		const struct kd_rule *r = &policy->rules[i];
		const struct kd_mechanism *m;

		if (r->mechanism >= KD_MECHANISM_COUNT)
			continue;
		m = kd_mechanisms[r->mechanism];
		if (m->needs != NULL && (m->needs(r->params) & KD_NEEDS_LATER) != 0)
			return true;
	}
	return false;
}

int kd_later_init(struct kd_later *l, const struct kd_policy *policy, uint32_t most)
{
	*l = (struct kd_later){.due_ns = UINT64_MAX};
	if (!holds_back(policy))
		return 0;
	while (l->mask < most)
		l->mask = l->mask * 2 + 1;
	l->bucket = calloc((size_t)l->mask + 1, sizeof(*l->bucket));
	l->heap = calloc(ITEMS(most), sizeof(*l->heap));
	l->item = calloc(ITEMS(most), sizeof(*l->item));
	l->frame = calloc(ITEMS(most), sizeof(*l->frame));
	l->lane = calloc((size_t)most + 1, sizeof(*l->lane));
	if (l->bucket == NULL || l->heap == NULL || l->item == NULL || l->frame == NULL || l->lane == NULL)
		return -ENOMEM;
	l->most = most;
	return 0;
}

void kd_later_free(struct kd_later *l)
{
	free(l->bucket);
	free(l->heap);
	free(l->item);
	free(l->frame);
	free(l->lane);
}

void kd_later_reset(struct kd_later *l)
{
	if (l->most != 0)
		memset(l->bucket, 0, ((size_t)l->mask + 1) * sizeof(*l->bucket));
	l->n = l->injects = l->spent = 0;
	l->item_top = l->item_free = l->lane_top = l->lane_free = 0;
	l->serial = 0;
	l->due_ns = UINT64_MAX;
}

void kd_later_begin(struct kd_later *l)
{
	while (l->spent != 0) {
		uint32_t at = l->spent;

		l->spent = l->item[at].next;
		l->item[at].next = l->item_free;
		l->item_free = at;
	}
}

/* ---- lanes ---- */

static uint32_t *bucket_of(struct kd_later *l, uint64_t key)
{
	return &l->bucket[kd_mix(key, 0) & l->mask];
}

static uint64_t lane_key(const struct kd_flow *f, unsigned int side)
{
	return (kd_flow_who(f) & ~1ull) | side;
}

static uint32_t find(struct kd_later *l, uint64_t key)
{
	uint32_t at;

	if (l->most == 0)
		return 0;
	for (at = *bucket_of(l, key); at != 0; at = l->lane[at].next)
		if (l->lane[at].key == key)
			break;
	return at;
}

/* There are no more lanes than packets that wait, so there is room. */
static uint32_t open_lane(struct kd_later *l, uint64_t key)
{
	uint32_t at = l->lane_free, *bucket = bucket_of(l, key);

	if (at != 0)
		l->lane_free = l->lane[at].next;
	else
		at = ++l->lane_top;
	l->lane[at] = (struct kd_later_lane){.key = key, .next = *bucket};
	*bucket = at;
	return at;
}

static void close_lane(struct kd_later *l, uint32_t at)
{
	uint32_t *link = bucket_of(l, l->lane[at].key);

	while (*link != at)
		link = &l->lane[*link].next;
	*link = l->lane[at].next;
	l->lane[at].next = l->lane_free;
	l->lane_free = at;
}

/* ---- the heap ---- */

static bool is_before(const struct kd_later *l, uint32_t a, uint32_t b)
{
	const struct kd_later_item *x = &l->item[a], *y = &l->item[b];

	return x->due_ns != y->due_ns ? x->due_ns < y->due_ns : x->serial < y->serial;
}

static void push(struct kd_engine *e, uint32_t item)
{
	struct kd_later *l = &e->later;
	uint32_t at = l->n++;

	for (; at > 0 && is_before(l, item, l->heap[(at - 1) / 2]); at = (at - 1) / 2)
		l->heap[at] = l->heap[(at - 1) / 2];
	l->heap[at] = item;
	l->due_ns = l->item[l->heap[0]].due_ns;
	if (l->due_ns < e->due_ns)
		e->due_ns = l->due_ns;
}

static uint32_t pop(struct kd_later *l)
{
	uint32_t first = l->heap[0], last = l->heap[--l->n], at = 0, child;

	while ((child = 2 * at + 1) < l->n) {
		if (child + 1 < l->n && is_before(l, l->heap[child + 1], l->heap[child]))
			child++;
		if (!is_before(l, l->heap[child], last))
			break;
		l->heap[at] = l->heap[child];
		at = child;
	}
	l->heap[at] = last;
	l->due_ns = l->n > 0 ? l->item[l->heap[0]].due_ns : UINT64_MAX;
	return first;
}

static uint32_t new_item(struct kd_later *l, uint64_t due_ns)
{
	uint32_t at = l->item_free;

	if (at != 0)
		l->item_free = l->item[at].next;
	else
		at = ++l->item_top;
	l->item[at] = (struct kd_later_item){.due_ns = due_ns, .serial = l->serial++};
	return at;
}

/* ---- packets ---- */

/* Of IP, as its headers say: what a link's rate and a queue count. */
static uint32_t ip_bytes(const struct kd_view *v)
{
	return v->payload_off - v->l3_off + v->payload_wire_len;
}

static void no_room(struct kd_step *s)
{
	s->reason = KD_REASON_LATER_NO_ROOM;
	if (s->act.not_before_ns <= s->now_ns)
		return; /* only its order is lost */
	s->fate = s->act.no_room;
	kd_flow_note(s->flow, s->reason);
}

void kd_later_take(struct kd_step *s)
{
	struct kd_later *l = &s->e->later;
	uint64_t due_ns = s->act.not_before_ns, key = lane_key(s->flow, s->pkt->side);
	struct kd_later_lane *lane;
	uint32_t at;

	if (s->fate != KD_EMIT && s->fate != KD_REWRITE)
		return;
	at = find(l, key);
	if (at != 0 && !s->act.overtakes && l->lane[at].last_ns > due_ns)
		due_ns = l->lane[at].last_ns;
	if (due_ns <= s->now_ns)
		return;
	if (l->most == 0 || kd_held_places(s->e) >= l->most) {
		no_room(s);
		return;
	}
	if (at == 0)
		at = open_lane(l, key);
	lane = &l->lane[at];
	if (due_ns > lane->last_ns)
		lane->last_ns = due_ns;
	if (s->act.not_before_ns > s->now_ns) {
		lane->mark_ns = s->act.mark_ns;
		s->flow->flags |= KD_FLOW_BIT | KD_FLOW_HURT;
	}
	lane->packets++;
	s->later = new_item(l, due_ns);
	l->item[s->later].lane = at;
	l->item[s->later].bytes = ip_bytes(s->view);
	lane->bytes += l->item[s->later].bytes;
}

void kd_later_keep(struct kd_step *s, struct kd_action *a)
{
	struct kd_later_item *item = &s->e->later.item[s->later];

	item->pkt = *s->pkt;
	item->flow_id = a->flow_id;
	item->rule = a->rule;
	item->reason = a->reason;
	item->fate = a->fate;
	item->n = (uint8_t)(s->act.injected + 1);
	push(s->e, s->later);
	s->e->count.held++;
	a->fate = KD_HOLD;
	a->reason = KD_REASON_LATER_HELD;
}

static void leave_lane(struct kd_later *l, const struct kd_later_item *item)
{
	struct kd_later_lane *lane = &l->lane[item->lane];

	lane->bytes -= item->bytes;
	if (--lane->packets == 0)
		close_lane(l, item->lane);
}

/* The first of the heap leaves. */
static void let_go(
	struct kd_engine *e, struct kd_out *out, unsigned int fate, uint16_t reason, uint64_t time_ns)
{
	struct kd_later *l = &e->later;
	uint32_t at = pop(l);
	struct kd_later_item *item = &l->item[at];

	out->actions[out->count++] = (struct kd_action){.fate = (uint8_t)fate,
		.side = item->pkt.side ^ 1,
		.link = item->pkt.link,
		.n = item->n,
		.reason = reason,
		.rule = item->rule,
		.len = item->pkt.len,
		.data = item->pkt.data,
		.time_ns = time_ns,
		.number = item->pkt.number,
		.flow_id = item->flow_id,
		.handle = item->pkt.handle};
	e->count.fates[fate]++;
	if (fate == KD_INJECT) {
		e->count.inject_reasons[reason]++;
		l->injects--;
		item->next = l->spent;
		l->spent = at;
		return;
	}
	e->count.reasons[reason]++;
	e->count.held--;
	leave_lane(l, item);
	item->next = l->item_free;
	l->item_free = at;
}

void kd_later_expire(struct kd_engine *e, struct kd_out *out, uint64_t until_ns)
{
	struct kd_later *l = &e->later;

	while (l->due_ns <= until_ns) {
		const struct kd_later_item *first = &l->item[l->heap[0]];

		let_go(e, out, first->fate, first->reason, first->due_ns);
	}
}

/* An injected frame that did not leave in time was never made. */
static void forget(struct kd_engine *e)
{
	struct kd_later *l = &e->later;
	uint32_t at = pop(l);

	l->injects--;
	l->item[at].next = l->item_free;
	l->item_free = at;
	e->count.inject_reasons[KD_REASON_LATER_END_OF_RUN]++;
	e->count.inject_refused++;
}

void kd_later_release(struct kd_engine *e, struct kd_out *out)
{
	struct kd_later *l = &e->later;

	while (l->n > 0) {
		if (l->item[l->heap[0]].fate == KD_INJECT)
			forget(e);
		else
			let_go(e, out, KD_DROP, KD_REASON_LATER_END_OF_RUN, e->now_ns);
	}
}

/* ---- for mechanisms ---- */

void kd_act_queued(const struct kd_act *a, struct kd_queued *ret)
{
	struct kd_later *l = &a->engine->later;
	uint32_t at = find(l, lane_key(a->flow, a->pkt->side));

	*ret = (struct kd_queued){0};
	if (at == 0)
		return;
	ret->bytes = l->lane[at].bytes;
	ret->packets = l->lane[at].packets;
	ret->mark_ns = l->lane[at].mark_ns;
}

uint32_t kd_act_ip_bytes(const struct kd_act *a)
{
	return ip_bytes(a->view);
}

/* The copy's handle is nobody's: the packet it was made for may be long gone by then. */
void kd_inject_at(struct kd_act *a, const uint8_t *bytes, size_t len, unsigned int side, uint16_t reason,
	uint64_t not_before_ns)
{
	struct kd_engine *e = a->engine;
	struct kd_later *l = &e->later;
	struct kd_later_item *item;
	uint32_t at;

	if (l->most == 0 || kd_held_places(e) >= l->most || len > KD_INJECT_BYTES) {
		kd_inject_refuse(a, KD_REASON_LATER_NO_ROOM);
		return;
	}
	at = new_item(l, not_before_ns > a->now_ns ? not_before_ns : a->now_ns + 1);
	item = &l->item[at];
	memcpy(l->frame[at], bytes, len);
	item->pkt = (struct kd_pkt){.data = l->frame[at],
		.len = (uint32_t)len,
		.side = (uint8_t)(side ^ 1),
		.link = a->pkt->link,
		.number = a->pkt->number};
	item->flow_id = kd_act_flow_id(a);
	item->rule = a->rule;
	item->reason = reason;
	item->fate = KD_INJECT;
	item->n = ++a->injected;
	l->injects++;
	push(e, at);
}
