/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands between a match and its mechanism: `after` and `delay_before`, which let packets pass until so
 * much has gone by, and `scope`, which lets all pass but some bytes. A flow that waits keeps where it is in
 * the eight bytes that become the mechanism's when the wait ends; one whose rule has a scope keeps those
 * bytes' place there for good, so that what is sent again of them meets the same fate. How long a flow waits
 * is drawn, not stored. Which rule it is was decided before, what it does comes later.
 */
#include "engine/internal.h"

#include <string.h>

#include "engine/rng.h"

/* The state of a flow that waits: where it is, and a count of packets or bytes, or the time of its end. */
enum stage { STAGE_EVENT, STAGE_AFTER, STAGE_DELAY };

#define STAGE_SHIFT 62
#define VALUE_MASK ((1ull << STAGE_SHIFT) - 1)

/* The state of a flow whose rule has a scope: bytes [from, from + len) of what `side` sends. */
struct extent {
	uint32_t from;
	uint32_t len : 31;
	uint32_t side : 1;
};

_Static_assert(sizeof(struct extent) == KD_MECH_STATE, "kept in a flow's state");

static uint64_t get(const struct kd_flow *f)
{
	uint64_t state;

	memcpy(&state, f->held.state, sizeof(state));
	return state;
}

static void set(struct kd_flow *f, enum stage stage, uint64_t value)
{
	uint64_t state = (uint64_t)stage << STAGE_SHIFT | (value < VALUE_MASK ? value : VALUE_MASK);

	memcpy(f->held.state, &state, sizeof(state));
}

/* So many packets, bytes or nanoseconds for this flow. */
static uint64_t amount(const struct kd_step *s, const struct kd_rule *r)
{
	const struct kd_after *a = &r->after;
	uint64_t draw;

	if (a->lo == a->hi)
		return a->lo;
	draw = kd_draw(s->e->seed, s->e->box, KD_DRAW_AFTER,
		kd_hash_bytes((const uint8_t *)r->id, strlen(r->id)), kd_flow_who(s->flow), s->flow->nonce);
	return a->lo + (uint64_t)((unsigned __int128)draw * (a->hi - a->lo + 1) >> 64);
}

static bool starts_with(const struct kd_step *s, uint8_t type, unsigned int at_5)
{
	const uint8_t *p = s->pkt->data + s->view->payload_off;

	return s->view->payload_len > 5 && p[0] == type && p[1] == 3 && (at_5 == 0 || p[5] == at_5);
}

/* A record of TLS that carries no application data: what a connection begins or ends with. */
static bool is_handshake(const struct kd_step *s)
{
	return starts_with(s, 0x14, 0) || starts_with(s, 0x15, 0) || starts_with(s, 0x16, 0);
}

/* What this packet adds to the count. */
static uint64_t measure(const struct kd_step *s, const struct kd_after *a)
{
	const struct kd_view *v = s->view;
	uint64_t bytes = v->payload_wire_len;

	if (a->side != KD_ANY_SIDE && a->side != s->pkt->side)
		return 0;
	if (a->kind == KD_AFTER_ANY)
		bytes += v->payload_off - v->l3_off;
	else if (bytes == 0 || (a->kind == KD_AFTER_DATA && is_handshake(s)))
		return 0;
	return a->unit == KD_AFTER_BYTES ? bytes : 1;
}

/* What one side sent of that before this packet. Of payload a flow knows how many packets were looked at; of
 * its bytes, what frames came to less headers like this packet's. */
static uint64_t before(const struct kd_step *s, const struct kd_after *a, unsigned int side)
{
	const struct kd_flow *f = s->flow;
	bool own = side == s->pkt->side;
	uint64_t pkts = f->pkts[side] - own;
	uint64_t bytes =
		(side == KD_INSIDE ? f->bytes_inside : f->bytes_outside) - (own ? s->pkt->wire_len : 0);
	uint64_t headers = a->kind == KD_AFTER_ANY ? s->view->l3_off : s->view->payload_off;

	if (a->unit == KD_AFTER_BYTES)
		return bytes > pkts * headers ? bytes - pkts * headers : 0;
	if (a->kind == KD_AFTER_ANY)
		return pkts;
	pkts = f->open.looked_at[side];
	return pkts - (own && pkts > 0 && s->view->payload_wire_len != 0);
}

static uint64_t so_far(const struct kd_step *s, const struct kd_after *a)
{
	uint64_t n = 0;

	for (unsigned int side = 0; side < 2; side++)
		if (a->side == KD_ANY_SIDE || a->side == side)
			n += before(s, a, side);
	return n;
}

void kd_wait_begin(struct kd_step *s, bool lifted)
{
	struct kd_flow *f = s->flow;
	const struct kd_rule *r = &s->e->policy->rules[f->rule];
	bool counts = r->after.unit == KD_AFTER_PACKETS || r->after.unit == KD_AFTER_BYTES;
	uint64_t n = 0;

	if (r->after.unit == KD_AFTER_NONE && r->delay_before_ns == 0)
		f->hold = KD_HOLD_ACTS;
	else
		f->hold = lifted ? KD_HOLD_WAITS_LIFTED : KD_HOLD_WAITS;
	/* Read before it is overwritten. */
	if (counts && r->after.event == KD_EVENT_OF_START)
		n = so_far(s, &r->after);
	set(f, STAGE_EVENT, n);
}

/* What the wait is counted from: this packet, or one before it. */
static bool has_happened(const struct kd_step *s, const struct kd_after *a, bool trigger)
{
	const struct kd_flow *f = s->flow;

	switch (a->event) {
	case KD_EVENT_OF_START:
		return true;
	case KD_EVENT_OF_HANDSHAKE:
		return f->pkts[0] != 0 && f->pkts[1] != 0 &&
		       (f->proto != KD_PROTO_TCP ||
			       (s->pkt->side == f->opened && (s->view->tcp_flags & KD_TCP_SYN) == 0));
	case KD_EVENT_OF_HELLO:
		return (trigger && f->app != 0) || starts_with(s, 0x16, 1);
	case KD_EVENT_OF_APPDATA:
		return starts_with(s, 0x17, 0);
	default:
		return s->view->payload_len != 0 && kd_match_signature(s, a->signature);
	}
}

/* The packet that the counting begins with. */
static bool begin_after(struct kd_step *s, const struct kd_rule *r)
{
	const struct kd_after *a = &r->after;
	uint64_t most = amount(s, r), n = get(s->flow) & VALUE_MASK;

	if (a->unit == KD_AFTER_TIME) {
		set(s->flow, STAGE_AFTER, s->now_ns + most);
		return most == 0;
	}
	if (n >= most)
		return true;
	set(s->flow, STAGE_AFTER, a->event == KD_EVENT_OF_START ? n + measure(s, a) : 0);
	return false;
}

static bool after_is_over(struct kd_step *s, const struct kd_rule *r, bool trigger)
{
	uint64_t state = get(s->flow), n = state & VALUE_MASK;

	if (r->after.unit == KD_AFTER_NONE)
		return true;
	if (state >> STAGE_SHIFT == STAGE_EVENT)
		return has_happened(s, &r->after, trigger) && begin_after(s, r);
	if (r->after.unit == KD_AFTER_TIME)
		return s->now_ns >= n;
	if (n >= amount(s, r))
		return true;
	set(s->flow, STAGE_AFTER, n + measure(s, &r->after));
	return false;
}

static bool is_over(struct kd_step *s, const struct kd_rule *r, bool trigger)
{
	uint64_t state = get(s->flow);

	if (state >> STAGE_SHIFT == STAGE_DELAY)
		return s->now_ns >= (state & VALUE_MASK);
	if (!after_is_over(s, r, trigger))
		return false;
	if (r->delay_before_ns == 0)
		return true;
	set(s->flow, STAGE_DELAY, s->now_ns + r->delay_before_ns);
	return false;
}

/* Sequence numbers of the packet in hand: [*from, *from + *len), a SYN included. */
static void place_of(const struct kd_step *s, uint32_t *from, uint32_t *len)
{
	*from = s->view->seq;
	*len = s->view->payload_wire_len + ((s->view->tcp_flags & KD_TCP_SYN) != 0);
}

/* The bytes that the rule goes on acting on: those of this packet, or the last of the name, wherever it
 * came. */
static void mark(struct kd_step *s, const struct kd_rule *r)
{
	const struct kd_app_field *name = kd_seen_name(s);
	struct extent x = {.side = s->pkt->side};
	uint32_t from, len;

	place_of(s, &from, &len);
	x.from = from;
	x.len = len & 0x7fffffff;
	/* Where records were joined elsewhere, the packet in hand has its end. */
	if (r->scope == KD_EXTENT_NAME_END && name != NULL && name->len != 0 && name->p >= s->look &&
		name->p < s->look + s->look_len) {
		x.from = from + len - (s->look_to - (uint32_t)(name->p - s->look) - name->len) - 1;
		x.len = 1;
	}
	memcpy(s->flow->held.state, &x, sizeof(x));
}

static bool is_in_scope(const struct kd_step *s, bool trigger)
{
	struct extent x;
	uint32_t from, len;

	if (s->key->proto != KD_PROTO_TCP)
		return trigger;
	memcpy(&x, s->flow->held.state, sizeof(x));
	place_of(s, &from, &len);
	/* A packet without a place in the stream is in it only when it matched. */
	if (len == 0 || x.len == 0)
		return trigger && x.len == 0;
	return s->pkt->side == x.side &&
	       ((uint32_t)(x.from - from) < len || (uint32_t)(from - x.from) < x.len);
}

static bool pass(struct kd_step *s, uint16_t reason, bool trigger)
{
	s->rule = s->flow->rule;
	s->fate = KD_EMIT;
	s->reason = reason;
	kd_flow_note(s->flow, reason);
	if (trigger)
		kd_record_verdict(s, s->rule, reason);
	return false;
}

bool kd_wait_lets(struct kd_step *s, bool *trigger)
{
	struct kd_flow *f = s->flow;
	const struct kd_rule *r = &s->e->policy->rules[f->rule];

	if (kd_flow_waits(f)) {
		if (!is_over(s, r, *trigger))
			return pass(s, KD_REASON_DECIDE_WAITS, *trigger);
		f->hold = KD_HOLD_ACTS;
		memset(f->held.state, 0, sizeof(f->held.state));
		*trigger = true;
	}
	if (r->scope == KD_EXTENT_FROM_HERE)
		return true;
	if (*trigger)
		mark(s, r);
	return is_in_scope(s, *trigger) || pass(s, KD_REASON_DECIDE_OTHER_BYTES, *trigger);
}
