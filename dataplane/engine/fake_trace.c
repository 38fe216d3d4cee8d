/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is kept of an undecided flow for the fakes to come, and what is left of a packet that is one: the
 * bytes beside an urgent one, the name behind a decoy. Which packets are fakes is fake.c's.
 */
#include "engine/fake.h"

#include <string.h>

#include "engine/cursor.h"
#include "engine/internal.h"

#define BIT KD_FAKE_BIT

void kd_fake_forget(struct kd_engine *e, const struct kd_flow *f)
{
	struct kd_trace *t = e->traces.max != 0 ? kd_pool_find(&e->traces, kd_owner(f, 0)) : NULL;

	if (t != NULL)
		kd_pool_give(&e->traces, t);
}

struct kd_trace *kd_fake_trace(const struct kd_step *s)
{
	if ((s->e->traced & kd_transport(s)) == 0 || s->flow == &s->e->untracked.flow)
		return NULL;
	return kd_pool_find(&s->e->traces, kd_owner(s->flow, 0));
}

/* A SYN alone says nothing that the flow does not keep, so that half-open flows take no place. */
struct kd_trace *kd_fake_make_trace(struct kd_step *s)
{
	const struct kd_flow *f = s->flow;
	struct kd_trace *t;

	if ((s->e->traced & kd_transport(s)) == 0 || f == &s->e->untracked.flow)
		return NULL;
	if (s->key->proto == KD_PROTO_TCP && s->view->payload_wire_len == 0 &&
		(s->view->tcp_flags & (KD_TCP_SYN | KD_TCP_ACK)) != KD_TCP_ACK && s->pkt->side == f->opened)
		return NULL;
	kd_flow_make_room(s->e, &s->e->traces, f);
	t = kd_pool_take(&s->e->traces, kd_owner(f, 0));
	if (t == NULL) {
		s->e->count.traces_full++;
		return NULL;
	}
	if ((f->open.track & KD_TRACK_SYN) != 0) {
		t->side[f->opened].start = t->side[f->opened].next = f->nonce + 1;
		t->side[f->opened].has = KD_TRACE_START | KD_TRACE_NEXT;
	}
	return t;
}

static void note_urgent(const struct kd_step *s, struct kd_trace_side *side)
{
	uint32_t at = kd_fake_seq(s) + (uint32_t)kd_fake_urgent_at(s);

	for (unsigned int i = 0; i < side->urgents; i++)
		if (side->urgent[i] == at)
			return;
	if (side->urgents == KD_TRACE_URGENT)
		memmove(side->urgent, side->urgent + 1, --side->urgents * sizeof(side->urgent[0]));
	side->urgent[side->urgents++] = at;
}

/* The numbers of a segment that is believed. */
static void note_segment(const struct kd_step *s, struct kd_trace_side *side)
{
	uint32_t end = kd_fake_seq(s), len = s->view->payload_wire_len;
	const uint8_t *option = (s->e->fakes & BIT(KD_FAKE_TIMESTAMP)) != 0
					? kd_decode_option(s->pkt->data, s->view, KD_OPTION_TIMESTAMPS, 10)
					: NULL;

	if ((s->fakes & BIT(KD_FAKE_SYN_DATA)) == 0)
		end += len;
	if ((s->view->tcp_flags & KD_TCP_SYN) != 0 && s->pkt->side != s->flow->opened) {
		side->start = kd_fake_seq(s);
		side->has |= KD_TRACE_START;
	}
	/* Without payload nothing was sent: an ACK from anywhere moves nothing. */
	if ((side->has & KD_TRACE_NEXT) == 0 || (len != 0 && (int32_t)(end - side->next) > 0)) {
		side->next = end;
		side->has |= KD_TRACE_NEXT;
	}
	if (option != NULL &&
		((side->has & KD_TRACE_TSVAL) == 0 || (int32_t)(kd_get32(option) - side->tsval) > 0)) {
		side->tsval = kd_get32(option);
		side->has |= KD_TRACE_TSVAL;
	}
	if ((s->fakes & BIT(KD_FAKE_URGENT)) != 0)
		note_urgent(s, side);
}

void kd_fake_remember(struct kd_step *s, struct kd_trace_side *side)
{
	uint16_t id;

	if ((s->e->fakes & BIT(KD_FAKE_IP_ID)) != 0 && s->view->payload_wire_len != 0) {
		id = kd_decode_ip_id(s->pkt->data, s->view);
		side->id[side->ids++ % KD_TRACE_IDS] = id;
	}
	if (s->key->proto != KD_PROTO_TCP)
		return;
	if (!s->hidden || (s->fakes & (uint16_t)~KD_FAKES_IN_PART) == BIT(KD_FAKE_SYN_DATA))
		note_segment(s, side);
}

/* Whether an urgent byte of this side has that number. */
static bool is_urgent(const struct kd_step *s, const struct kd_trace_side *side, uint32_t seq)
{
	if ((s->fakes & BIT(KD_FAKE_URGENT)) != 0 && seq == kd_fake_seq(s) + (uint32_t)kd_fake_urgent_at(s))
		return true;
	for (unsigned int i = 0; side != NULL && i < side->urgents; i++)
		if (side->urgent[i] == seq)
			return true;
	return false;
}

bool kd_fake_leave_out(struct kd_step *s, uint32_t seq)
{
	struct kd_trace *t = kd_fake_trace(s);
	const struct kd_trace_side *side = t != NULL ? &t->side[s->pkt->side] : NULL;
	uint32_t len = 0, from = s->look_from, to = s->look_to;

	if ((s->fakes & BIT(KD_FAKE_URGENT)) == 0 && (side == NULL || side->urgents == 0))
		return true;
	for (uint32_t i = 0; i < s->look_len && len < KD_WITHOUT_BYTES; i++) {
		if (!is_urgent(s, side, seq + i)) {
			s->e->without[len++] = s->look[i];
			continue;
		}
		s->look_from -= i < from;
		s->look_to -= i < to;
	}
	s->look = s->e->without;
	s->look_len = len;
	return len != 0;
}

uint32_t kd_fake_with_urgent(const struct kd_step *s, uint32_t seq, uint32_t n)
{
	const struct kd_trace *t = kd_fake_trace(s);
	const struct kd_trace_side *side = t != NULL ? &t->side[s->pkt->side] : NULL;
	uint32_t all = 0;

	for (uint32_t in_band = 0; in_band < n; all++)
		in_band += !is_urgent(s, side, seq + all);
	return all;
}

bool kd_fake_name(struct kd_step *s)
{
	const struct kd_app_field *name = kd_seen_name(s);
	unsigned int value = kd_knob(s, KD_KNOB_FAKE_NAME_LENGTH);
	struct kd_trace *t = kd_fake_trace(s);
	struct kd_trace_side *side;

	if (name == NULL || t == NULL || value == KD_FAKE_IS_BELIEVED)
		return false;
	side = &t->side[s->pkt->side];
	if ((side->has & KD_TRACE_NAME) == 0) {
		side->has |= KD_TRACE_NAME;
		side->name_len = name->len;
		side->closed = s->flow->open.closed;
		s->decoy = true;
		return false;
	}
	if (side->name_len == name->len)
		return true;
	s->fakes |= BIT(KD_FAKE_NAME_LENGTH);
	if (value == KD_FAKE_IS_PUNISHED)
		s->punished |= BIT(KD_FAKE_NAME_LENGTH);
	s->flow->open.closed = side->closed; /* what the decoy was allowed is not for this one */
	return false;
}
