/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which payload the box looks at, and whether it puts segments together. With tcp.reassemble = off each
 * segment is inspected alone, so a hello in two segments is never seen whole (X-SEG-1). With in-order and
 * any-order a side is gathered from its first payload byte for as long as a parser asks for more; parsers see
 * what is gathered, terms about the packet still see the packet. In order, the box waits at a gap for a
 * retransmission that the receiver never asks for; that it does is assumed (X-SEG-3 speaks of order only).
 *
 * It looks at the first inspect.packets payload packets of each side, whatever they are, and then gives the
 * flow up. With tls.parser_2021 (X-THR-2021) it looks at inspect.later_packets behind the first; but a
 * payload of inspect.give_up_bytes that is nothing known, before anything known came, ends the look at that
 * side.
 */
#include "engine/internal.h"

/* Messages of one packet that are read; no source has a box that reads more than one. */
#define MESSAGES_MAX 32

static void give_back(struct kd_engine *e, struct kd_flow *f, unsigned int side)
{
	if ((f->open.track & KD_TRACK_GATHERS(side)) == 0)
		return;
	f->open.track &= (uint8_t)~KD_TRACK_GATHERS(side);
	kd_gather_give(&e->gathers, kd_gather_find(&e->gathers, kd_owner(f, side)));
}

/* What a side was gathered into is let go; its next segment is a new start. */
static void start_anew(struct kd_engine *e, struct kd_flow *f, unsigned int side)
{
	give_back(e, f, side);
	f->open.track |= (uint8_t)KD_TRACK_STARTED(side);
}

static bool is_over(const struct kd_engine *e, const struct kd_gather *g)
{
	return e->now_ns - g->since_ns >= e->policy->settings.stream_timeout_ns;
}

/* A gathering past its time is over whether or not anybody came by before. */
static struct kd_gather *gathering(struct kd_step *s)
{
	struct kd_gather *g;

	if ((s->flow->open.track & KD_TRACK_GATHERS(s->pkt->side)) == 0)
		return NULL;
	g = kd_gather_find(&s->e->gathers, kd_owner(s->flow, s->pkt->side));
	if (!is_over(s->e, g))
		return g;
	start_anew(s->e, s->flow, s->pkt->side);
	return NULL;
}

const struct kd_gather *kd_stream_gathering(
	const struct kd_engine *e, const struct kd_flow *f, unsigned int side)
{
	if ((f->open.track & KD_TRACK_GATHERS(side)) == 0)
		return NULL;
	return kd_gather_find(&e->gathers, kd_owner(f, side));
}

void kd_stream_forget(struct kd_engine *e, struct kd_flow *f)
{
	give_back(e, f, KD_INSIDE);
	give_back(e, f, KD_OUTSIDE);
	kd_fake_forget(e, f);
}

static struct kd_gather_how how(struct kd_step *s)
{
	return (struct kd_gather_how){
		.any_order = kd_knob(s, KD_KNOB_TCP_REASSEMBLE) == KD_REASSEMBLE_ANY_ORDER,
		.last = kd_knob(s, KD_KNOB_TCP_OVERLAP) == KD_OVERLAP_LAST,
		.strict = kd_knob(s, KD_KNOB_TCP_OVERLAP) == KD_OVERLAP_STRICT};
}

static void look_at(struct kd_step *s, const uint8_t *bytes, uint32_t len, uint32_t from, uint32_t to)
{
	s->look = bytes;
	s->look_len = len;
	s->look_from = from;
	s->look_to = to;
}

static enum kd_offer alone(struct kd_step *s)
{
	uint32_t len = s->view->payload_len > s->cut ? s->view->payload_len - s->cut : 0;

	if (len == 0) {
		s->reason = KD_REASON_TRUNCATED_CAPTURE;
		return KD_OFFER_NOTHING;
	}
	look_at(s, s->pkt->data + s->view->payload_off + s->cut, len, 0, len);
	return KD_OFFER_PAYLOAD;
}

static enum kd_offer nothing(struct kd_step *s, uint16_t reason)
{
	s->reason = reason;
	kd_flow_note_nearest(s->flow, reason);
	return KD_OFFER_NOTHING;
}

/* Where a side begins: behind the SYN that opened the flow, else with the first payload seen of it. */
static uint32_t start_of(const struct kd_step *s)
{
	const struct kd_flow *f = s->flow;

	if ((f->open.track & KD_TRACK_SYN) != 0 && s->pkt->side == f->opened &&
		(f->open.track & KD_TRACK_STARTED(s->pkt->side)) == 0)
		return f->nonce + 1;
	return s->seq + s->cut;
}

/* Who says two things of one byte is not put together any more: each segment stands for itself. */
static enum kd_offer contradicted(struct kd_step *s)
{
	give_back(s->e, s->flow, s->pkt->side);
	s->flow->open.said |= (uint8_t)KD_SAID_TWO_THINGS(s->pkt->side);
	kd_flow_note(s->flow, KD_REASON_STREAM_DIFFERS);
	s->gathers = false;
	return alone(s);
}

static enum kd_offer gathered(struct kd_step *s, const struct kd_gather *g, enum kd_gathered got)
{
	int32_t from = (int32_t)(s->seq - g->base);
	uint32_t len = kd_gather_len(g), to = (uint32_t)(from + (int32_t)s->view->payload_len);

	switch (got) {
	case KD_GATHERED_GREW:
		look_at(s, kd_gather_bytes(&s->e->gathers, g), len, from > 0 ? (uint32_t)from : 0,
			to < len ? to : len);
		return KD_OFFER_PAYLOAD;
	case KD_GATHERED_WAITS:
		return nothing(s, KD_REASON_STREAM_WAITS);
	case KD_GATHERED_PAST:
		s->gathers = false;
		return alone(s);
	case KD_GATHERED_DIFFERS:
		return contradicted(s);
	default:
		return nothing(s, KD_REASON_STREAM_NOTHING_NEW);
	}
}

/* A gathering for this side; NULL: no room, and the packet says so. */
static struct kd_gather *begin(struct kd_step *s, uint32_t base)
{
	struct kd_gather *g = kd_gather_oldest(&s->e->gathers);

	/* One that is over makes room for one that begins, so the pool holds only what is alive. */
	if (g != NULL && is_over(s->e, g))
		start_anew(s->e, kd_owner_flow(&g->pooled), (unsigned int)(g->pooled.owner & 1));
	kd_flow_make_room(s->e, &s->e->gathers.pool, s->flow);
	g = kd_gather_take(&s->e->gathers, kd_owner(s->flow, s->pkt->side), base, s->e->now_ns);
	if (g != NULL)
		s->flow->open.track |= (uint8_t)KD_TRACK_GATHERS(s->pkt->side);
	else
		s->e->count.gathers_full++;
	return g;
}

static __attribute__((noinline)) enum kd_offer gather(struct kd_step *s)
{
	const uint8_t *payload = s->pkt->data + s->view->payload_off;
	struct kd_gather *g = gathering(s);
	uint32_t base;

	s->gathers = true;
	s->seq = s->view->seq + ((s->view->tcp_flags & KD_TCP_SYN) != 0);
	base = g != NULL ? g->base : start_of(s);
	if (g == NULL && s->seq == base)
		return alone(s); /* as most hellos come: whole, so that nothing is copied */
	if (g == NULL && (int32_t)(s->seq - base) > 0 &&
		(!how(s).any_order || s->seq - base >= s->e->gathers.depth))
		return nothing(s, KD_REASON_STREAM_WAITS);
	if (g == NULL && (int32_t)(s->seq + s->view->payload_len - base) <= 0) {
		s->gathers = false;
		return alone(s);
	}
	if (g == NULL)
		g = begin(s, base);
	if (g == NULL)
		return alone(s);
	return gathered(
		s, g, kd_gather_add(&s->e->gathers, g, how(s), s->seq, payload, s->view->payload_len));
}

/* SOCKS 4 and 5, RFC 1928: what opens a connection to a proxy. */
static bool is_socks(const uint8_t *p, uint32_t len)
{
	return len >= 3 && ((p[0] == 5 && p[1] + 2u == len) || (p[0] == 4 && (p[1] == 1 || p[1] == 2)));
}

uint16_t kd_stream_budget_of(struct kd_engine *e, const struct kd_flow *f, const struct kd_knob_set *set)
{
	uint64_t more = e->policy->settings.later_pkts;

	if (f->proto != KD_PROTO_TCP || set->value[KD_KNOB_TLS_PARSER_2021] != KD_PARSER_2021_ON)
		return e->budget;
	return more < UINT16_MAX - 2 ? (uint16_t)(more + 1) : UINT16_MAX - 1;
}

uint32_t kd_stream_budget(struct kd_step *s)
{
	if (s->key->proto != KD_PROTO_TCP)
		return s->e->budget;
	kd_knob(s, KD_KNOB_TLS_PARSER_2021);
	return kd_stream_budget_of(s->e, s->flow, &s->e->knobs.set[s->flow->open.knobs]);
}

/* X-THR-2021: a first packet that looks like nothing known and is long ends the look; one that looks like
 * TLS, a proxy's HTTP or SOCKS, or is short, does not. */
static void give_up_or_not(struct kd_step *s)
{
	struct kd_flow *f = s->flow;
	unsigned int side = s->pkt->side;

	if (s->key->proto != KD_PROTO_TCP || kd_knob(s, KD_KNOB_TLS_PARSER_2021) != KD_PARSER_2021_ON ||
		(f->open.track & KD_TRACK_KNOWN(side)) != 0)
		return;
	if (s->app_index != KD_APP_NONE || s->reason != KD_REASON_CLASSIFY_UNKNOWN ||
		is_socks(s->look, s->look_len)) {
		f->open.track |= (uint8_t)KD_TRACK_KNOWN(side);
	} else if (s->view->payload_wire_len >= s->e->policy->settings.give_up_bytes) {
		f->open.looked_at[side] = (uint16_t)kd_stream_budget(s);
		f->open.said |= (uint8_t)KD_SAID_GAVE_UP(side);
	}
}

bool kd_stream_next(struct kd_step *s)
{
	uint32_t n;

	if (s->app_index == KD_APP_NONE || s->app.next == 0 || s->app.next >= s->look_len ||
		(s->flow->flags & KD_FLOW_DECIDED) != 0 || ++s->messages >= MESSAGES_MAX)
		return false;
	n = s->app.next;
	look_at(s, s->look + n, s->look_len - n, s->look_from > n ? s->look_from - n : 0,
		s->look_to > n ? s->look_to - n : 0);
	s->skipped += n;
	s->app_index = KD_APP_NONE;
	return true;
}

/* A gathering that begins with what is at look; NULL: no room. Bytes cut off the start of a packet do not
 * come here: gather() began one with what lies behind them, or found no room either. */
static struct kd_gather *go_on(struct kd_step *s)
{
	struct kd_gather *g = gathering(s);
	uint32_t skipped = s->skipped;

	/* Counted without the bytes that parsers do not see. */
	if (skipped > 0 && s->e->without != NULL)
		skipped = kd_fake_with_urgent(s, g != NULL ? g->base : s->seq, skipped);
	if (g != NULL) {
		if (skipped > 0)
			kd_gather_skip(&s->e->gathers, g, skipped);
		return g;
	}
	g = begin(s, skipped > 0 ? s->seq + skipped : start_of(s));
	if (g != NULL)
		kd_gather_add(&s->e->gathers, g, how(s), s->seq + skipped,
			s->pkt->data + s->view->payload_off + skipped, s->view->payload_len - skipped);
	return g;
}

/* What the parsers made of it: more is gathered, or the next segment is a new start. */
void kd_stream_settle(struct kd_step *s)
{
	struct kd_flow *f = s->flow;
	unsigned int side = s->pkt->side;
	struct kd_gather *g;

	if ((f->flags & KD_FLOW_DECIDED) == 0)
		give_up_or_not(s);
	if (!s->gathers || (f->flags & KD_FLOW_DECIDED) != 0)
		return;
	if (!s->wants_more) {
		start_anew(s->e, f, side);
		return;
	}
	g = go_on(s);
	if (g == NULL) {
		s->reason = KD_REASON_STREAM_NO_ROOM;
	} else if (kd_gather_len(g) == s->e->gathers.depth) {
		start_anew(s->e, f, side);
		s->reason = KD_REASON_CLASSIFY_BYTES;
	} else {
		return;
	}
	kd_flow_note(f, s->reason);
}

/* A flow that found no place has none to gather for either, nor has a packet that the capture cut. */
static inline bool may_gather(struct kd_step *s)
{
	return s->e->gathers.pool.max != 0 && s->key->proto == KD_PROTO_TCP &&
	       s->flow != &s->e->untracked.flow && s->view->payload_len == s->view->payload_wire_len &&
	       (s->flow->open.said & KD_SAID_TWO_THINGS(s->pkt->side)) == 0 &&
	       kd_knob(s, KD_KNOB_TCP_REASSEMBLE) != KD_REASSEMBLE_OFF;
}

bool kd_stream_differs(struct kd_step *s)
{
	const struct kd_gather *g = may_gather(s) ? gathering(s) : NULL;

	return g != NULL &&
	       kd_gather_differs(&s->e->gathers, g, s->view->seq + ((s->view->tcp_flags & KD_TCP_SYN) != 0),
		       s->pkt->data + s->view->payload_off, s->view->payload_len);
}

/* What the parsers see of it, without the bytes that are sent out of band. */
static enum kd_offer in_band(struct kd_step *s, enum kd_offer offer)
{
	const struct kd_gather *g;
	uint32_t seq;

	if (offer != KD_OFFER_PAYLOAD || s->e->without == NULL || s->key->proto != KD_PROTO_TCP)
		return offer;
	g = s->gathers ? gathering(s) : NULL;
	seq = g != NULL ? g->base : s->view->seq + ((s->view->tcp_flags & KD_TCP_SYN) != 0) + s->cut;
	return kd_fake_leave_out(s, seq) ? offer : nothing(s, KD_REASON_FAKE_URGENT);
}

enum kd_offer kd_stream_offer(struct kd_step *s)
{
	struct kd_flow *f = s->flow;
	uint16_t *looked_at = &f->open.looked_at[s->pkt->side];
	uint32_t most;

	s->gathers = false;
	s->messages = 0;
	s->skipped = 0;
	if (s->view->payload_len == 0) {
		s->reason = s->view->payload_wire_len != 0 ? KD_REASON_TRUNCATED_CAPTURE
			    : s->fakes != 0		   ? kd_fake_reason(s)
							   : KD_REASON_FLOW_NO_PAYLOAD;
		return KD_OFFER_NOTHING;
	}
	most = kd_stream_budget(s);
	if (*looked_at >= most) {
		s->reason = KD_REASON_CLASSIFY_BUDGET;
		kd_flow_note_nearest(f, s->reason);
		if (*looked_at > most)
			return KD_OFFER_NOTHING;
		++*looked_at;
		give_back(s->e, f, s->pkt->side);
		return KD_OFFER_SPENT;
	}
	if (s->hidden)
		return nothing(s, kd_fake_reason(s));
	if (s->again) {
		s->reason = KD_REASON_STREAM_RETRANSMITTED;
		return KD_OFFER_NOTHING;
	}
	++*looked_at;
	if (may_gather(s))
		return in_band(s, gather(s));
	/* Behind a packet that the capture cut nothing can be put together. */
	if (s->view->payload_len != s->view->payload_wire_len)
		start_anew(s->e, f, s->pkt->side);
	return in_band(s, alone(s));
}
