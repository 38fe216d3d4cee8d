/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the endpoint's transport takes. Packets that it throws away are told by fake.c under the endpoint's
 * knobs; here is what only it knows: which of them arrive, and which bytes it has already. What Linux does is
 * taken for every endpoint: RFC 9293 3.10.7.4 (sequence), RFC 7323 5.3 (timestamps), RFC 2385 (MD5), an
 * urgent byte kept out of the stream (tcp_stdurg 0), payload of a SYN dropped without TCP Fast Open.
 */
#include "engine/observe.h"

/* Of each kind of fake what it is to a box that believes it; 0 = the endpoint takes it, too. */
static const uint64_t spots[KD_FAKE_COUNT] = {
	[KD_FAKE_CHECKSUM] = KD_SPOT_BIT(DECOY_CHECKSUM),
	[KD_FAKE_TTL] = KD_SPOT_BIT(DECOY_TTL),
	[KD_FAKE_SEQUENCE] = KD_SPOT_BIT(DECOY_SEQUENCE),
	[KD_FAKE_PAST_SEQUENCE] = KD_SPOT_BIT(DECOY_PAST),
	[KD_FAKE_MD5] = KD_SPOT_BIT(DECOY_MD5),
	[KD_FAKE_TIMESTAMP] = KD_SPOT_BIT(DECOY_TIMESTAMP),
	[KD_FAKE_URGENT] = KD_SPOT_BIT(DECOY_URGENT),
	[KD_FAKE_SYN_DATA] = KD_SPOT_BIT(DECOY_SYN_DATA),
	[KD_FAKE_LOW_TTL_END] = KD_SPOT_BIT(DECOY_END),
};

#define OF_TTL (KD_FAKE_BIT(KD_FAKE_TTL) | KD_FAKE_BIT(KD_FAKE_LOW_TTL_END))

/* Dies between the box and the end that the flow was opened to. Of the other direction nothing is known. */
bool kd_observe_dies(const struct kd_step *s, bool looks_so)
{
	unsigned int hops = s->e->observer->endpoint.hops;

	if (s->pkt->side != s->flow->opened)
		return false;
	return hops == 0 ? looks_so : s->view->ttl <= hops;
}

static uint64_t spot_of(const struct kd_step *s, unsigned int kind)
{
	if ((OF_TTL & KD_FAKE_BIT(kind)) != 0 && s->e->observer->endpoint.hops == 0)
		return KD_SPOT_BIT(UNKNOWN);
	return spots[kind];
}

/* A packet may be thrown away for more than one thing, and a box that knows one of them is not fooled: that
 * one is told then, and what is not known for sure only where nothing else is. */
static uint16_t telling(const struct kd_step *s)
{
	const struct kd_observer *o = s->e->observer;
	uint16_t kinds = s->fakes & (uint16_t)~KD_FAKES_IN_PART;

	if (o->endpoint.hops == 0 && (kinds & (uint16_t)~OF_TTL) != 0)
		kinds &= (uint16_t)~OF_TTL;
	if ((kinds & o->fakes) != 0)
		kinds &= o->fakes;
	return (uint16_t)(kinds & -kinds) | (s->fakes & KD_FAKES_IN_PART);
}

static void note_fakes(const struct kd_step *s, struct kd_watch *w)
{
	uint16_t kinds = telling(s);

	for (unsigned int kind = 0; kind < KD_FAKE_COUNT; kind++)
		if ((kinds >> kind & 1) != 0)
			w->needed |= spot_of(s, kind);
}

/* Whether a segment brings bytes that its receiver waits for. */
static bool is_in_window(struct kd_watch *w, struct kd_watch_side *side, uint32_t seq, uint32_t len)
{
	uint32_t end = seq + len;

	if (!side->begun) {
		side->first = side->next = side->high = seq;
		side->begun = true;
	}
	if ((int32_t)(end - side->next) <= 0)
		return false;
	if ((int32_t)(end - side->high) <= 0)
		w->needed |= KD_SPOT_BIT(AGAIN);
	if ((int32_t)(seq - side->next) <= 0)
		side->next = end;
	if ((int32_t)(end - side->high) > 0)
		side->high = end;
	return true;
}

/* Where a side begins; a SYN that comes again says the same. */
static void begin(const struct kd_step *s, struct kd_watch *w)
{
	struct kd_watch_side *side = &w->side[s->pkt->side];
	struct kd_trace *t = kd_fake_trace(s);
	uint32_t first = s->view->seq + 1;

	if (side->begun && side->high != side->first)
		return;
	side->first = side->next = side->high = first;
	/* Another number than the flow's first SYN had: gathering starts with what comes. */
	if (s->pkt->side == s->flow->opened && s->view->seq != s->flow->nonce)
		s->flow->open.track &= (uint8_t)~KD_TRACK_SYN;
	if (t != NULL) {
		t->side[s->pkt->side].start = t->side[s->pkt->side].next = first;
		t->side[s->pkt->side].has |= KD_TRACE_START | KD_TRACE_NEXT;
	}
	side->begun = true;
}

static bool takes_tcp(struct kd_step *s, struct kd_watch *w)
{
	uint16_t not_syn = s->fakes & (uint16_t) ~(KD_FAKES_IN_PART | KD_FAKE_BIT(KD_FAKE_SYN_DATA));

	if ((s->view->tcp_flags & KD_TCP_SYN) != 0 && not_syn == 0)
		begin(s, w);
	if (s->hidden || s->view->payload_wire_len == 0)
		return false;
	if (!is_in_window(
		    w, &w->side[s->pkt->side], kd_fake_seq(s) + s->cut, s->view->payload_wire_len - s->cut))
		return false;
	if (kd_stream_differs(s))
		w->needed |= KD_SPOT_BIT(OVERLAP);
	return true;
}

bool kd_observe_takes(struct kd_step *s, struct kd_watch *w)
{
	kd_fake_look(s);
	note_fakes(s, w);
	if (s->key->proto == KD_PROTO_TCP ? !takes_tcp(s, w) : s->hidden || s->view->payload_wire_len == 0)
		return false;
	if (s->view->fragment)
		w->needed |= KD_SPOT_BIT(FRAGMENTS);
	return true;
}
