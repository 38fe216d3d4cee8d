/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes event records into the ring: fixed-size, binary, nothing formatted. What finds no room is counted. A
 * record never decides anything.
 */
#include "engine/internal.h"

#include <string.h>

#include "engine/rng.h"
#include "engine/spot.h"

uint64_t kd_flow_id(const struct kd_engine *e, const struct kd_flow *f)
{
	return kd_draw(e->seed, e->box, KD_DRAW_FLOW_ID, 0, kd_flow_who(f), f->nonce) | 1;
}

/* A slot with everything but the type's own part; NULL and counted when the ring is full. */
static struct kd_event *begin(struct kd_engine *e, const struct kd_flow *f, unsigned int type)
{
	struct kd_event *ev;

	if (e->observer != NULL && type != KD_EVENT_UNSEEN)
		return NULL;
	ev = kd_ring_slot(&e->ring);
	if (ev == NULL) {
		e->count.events_lost++;
		return NULL;
	}
	memset(ev, 0, offsetof(struct kd_event, text));
	ev->type = (uint8_t)type;
	ev->box = e->box;
	ev->flow_id = kd_flow_id(e, f);
	ev->app = f->app != 0 ? (uint8_t)(f->app - 1) : KD_APP_NONE;
	for (unsigned int side = 0; side < 2; side++) {
		memcpy(ev->tuple.addr[side], kd_flow_addr(f, side), f->v6 ? 16 : 4);
		ev->tuple.port[side] = f->port[side];
	}
	for (unsigned int i = 0; i < KD_FIELDS_MAX; i++)
		ev->field[i].len = KD_FIELD_ABSENT;
	ev->tuple.ip_version = f->v6 ? 6 : 4;
	ev->tuple.ip_proto = (uint8_t)f->proto;
	ev->tuple.opened = (uint8_t)f->opened;
	return ev;
}

/* Copies the fields a parser found; text that does not fit is left out whole, never cut. */
static void copy_fields(struct kd_event *ev, const struct kd_step *s)
{
	const struct kd_protocol *p = kd_protocols[s->app_index];

	ev->app = s->app_index;
	for (unsigned int i = 0; i < KD_FIELDS_MAX; i++) {
		const struct kd_app_field *from = &s->app.field[i];
		struct kd_event_field *to = &ev->field[i];

		to->num = from->num;
		if (p->fields[i].name == NULL || from->p == NULL)
			continue;
		if (p->fields[i].kind == KD_FIELD_HEX16) {
			to->len = 0;
			continue;
		}
		if (from->len > KD_EVENT_TEXT - ev->text_len)
			continue;
		to->off = ev->text_len;
		to->len = from->len;
		memcpy(ev->text + ev->text_len, from->p, from->len);
		ev->text_len = (uint16_t)(ev->text_len + from->len);
	}
	/* What was put together lies elsewhere, and has no place in this packet's frame. */
	if (p->has_name && s->pkt != &s->e->frag.whole.pkt && s->app.field[0].p >= s->pkt->data &&
		s->app.field[0].p < s->pkt->data + s->pkt->len)
		ev->name_at = (uint16_t)(s->app.field[0].p - s->pkt->data);
}

void kd_record_app(struct kd_step *s)
{
	struct kd_event *ev = begin(s->e, s->flow, KD_EVENT_APP);

	if (ev == NULL)
		return;
	ev->time_ns = s->pkt->time_ns;
	ev->number = s->pkt->number;
	ev->n = s->events++;
	ev->reason = s->reason;
	copy_fields(ev, s);
	kd_ring_push(&s->e->ring);
}

void kd_record_verdict(struct kd_step *s, uint16_t rule, uint16_t reason)
{
	struct kd_event *ev = begin(s->e, s->flow, KD_EVENT_VERDICT);

	if (ev == NULL)
		return;
	ev->time_ns = s->pkt->time_ns;
	ev->number = s->pkt->number;
	ev->n = s->events++;
	ev->rule = rule;
	ev->reason = reason;
	if ((s->flow->flags & KD_FLOW_ACTING) != 0 && s->flow->held.until_ns != 0)
		ev->until_ns = s->flow->held.until_ns;
	if (reason == KD_REASON_DECIDE_OBSERVED)
		ev->until_ns = s->ban_until_ns;
	if (s->app_index != KD_APP_NONE)
		copy_fields(ev, s);
	kd_ring_push(&s->e->ring);
}

void kd_record_unseen(struct kd_step *s, uint16_t rule, uint64_t needs, uint16_t looks)
{
	struct kd_event *ev = begin(s->e, s->flow, KD_EVENT_UNSEEN);

	if (ev == NULL)
		return;
	ev->time_ns = s->pkt->time_ns;
	ev->number = s->pkt->number;
	ev->side = s->pkt->side;
	ev->rule = rule;
	ev->spots = needs;
	ev->looks = looks;
	kd_ring_push(&s->e->ring);
}

/* Number 0 sorts it before the first packet that feels it. */
void kd_record_switch(struct kd_engine *e, uint16_t rule, bool bypassed, uint64_t time_ns)
{
	struct kd_event *ev;

	if (e->observer != NULL || e->switches_untold)
		return;
	ev = kd_ring_slot(&e->ring);
	if (ev == NULL) {
		e->count.events_lost++;
		return;
	}
	memset(ev, 0, offsetof(struct kd_event, text));
	ev->type = KD_EVENT_BOX;
	ev->box = e->box;
	ev->app = KD_APP_NONE;
	ev->time_ns = time_ns;
	ev->n = rule;
	ev->rule = rule;
	ev->bypassed = bypassed;
	kd_ring_push(&e->ring);
}

/* What this box could see of a flow that nothing was done to. */
static void tell_sight(struct kd_engine *e, const struct kd_flow *f, struct kd_event *ev)
{
	ev->untouched = 1;
	ev->spots = kd_spots_can(e, f, &ev->looks);
	ev->gave_up = (uint8_t)(f->open.said / KD_SAID_GAVE_UP(0) & 3);
}

static uint8_t outcome_of(const struct kd_flow *f)
{
	if ((f->flags & (KD_FLOW_FORGED | KD_FLOW_TAIL(KD_INSIDE) | KD_FLOW_TAIL(KD_OUTSIDE))) != 0)
		return KD_OUTCOME_BLOCKED;
	return (f->flags & KD_FLOW_HURT) != 0 ? KD_OUTCOME_DEGRADED : KD_OUTCOME_PASSED;
}

void kd_record_flow(struct kd_engine *e, const struct kd_flow *f, uint16_t why, uint64_t time_ns,
	uint64_t number, uint32_t n)
{
	struct kd_event *ev = begin(e, f, KD_EVENT_FLOW);

	if (ev == NULL)
		return;
	ev->time_ns = time_ns;
	ev->number = number;
	ev->n = n;
	ev->end_reason = why;
	ev->outcome = outcome_of(f);
	ev->reason = (uint16_t)f->reason;
	if (ev->outcome == KD_OUTCOME_PASSED)
		ev->armed = (uint16_t)f->rule;
	else
		ev->rule = (uint16_t)f->rule;
	ev->pkts[KD_INSIDE] = f->pkts[KD_INSIDE];
	ev->pkts[KD_OUTSIDE] = f->pkts[KD_OUTSIDE];
	ev->bytes[KD_INSIDE] = f->bytes_inside;
	ev->bytes[KD_OUTSIDE] = f->bytes_outside;
	if (e->cures != NULL && (f->flags & (KD_FLOW_BIT | KD_FLOW_ACTING)) == 0)
		tell_sight(e, f, ev);
	kd_ring_push(&e->ring);
}
