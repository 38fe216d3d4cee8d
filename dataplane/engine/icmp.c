/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ties an ICMP error to the flow it is about: the error quotes the start of a packet that went the other way.
 * With flow.icmp_errors = with_flow it is lost if the rule that has hold of that flow only drops, and would
 * drop a packet of this direction. No source says whether the real box does either.
 *
 * The error makes no flow, keeps none alive and is no packet of it: it counts for nothing but itself.
 * Deliberately not asked: whether what is quoted was ever sent.
 */
#include "engine/icmp.h"

#include "engine/cursor.h"
#include "engine/internal.h"

/* More than any header says: a quotation ends before its packet does, RFC 792, and that is no lie. */
#define QUOTED_WIRE_LEN (1u << 17)
/* Of the transport, what every router quotes, RFC 792; ports come first. */
#define QUOTED_TRANSPORT 8u

/* RFC 792 and RFC 4443 2.1. */
static bool is_error(const struct kd_view *v, uint8_t type)
{
	if (v->ip_version == 6)
		return type < 128;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* Ports stand in the first fragment only. */
static bool is_later_fragment(const struct kd_view *q, const uint8_t *quoted)
{
	if (!q->fragment)
		return false;
	if (q->ip_version == 4)
		return (kd_get16(quoted + 6) & 0x1fff) != 0;
	return (kd_get16(quoted + q->l4_off - 6) & 0xfff8) != 0;
}

bool kd_icmp_quoted(struct kd_view *ret, const struct kd_view *v, const uint8_t *data, size_t len)
{
	const uint8_t *quoted = data + v->payload_off;
	struct kd_view q;

	if (v->reason != KD_REASON_NONE || v->payload_off + v->payload_len > len ||
		v->ip_proto != (v->ip_version == 4 ? KD_PROTO_ICMP : KD_PROTO_ICMP6) ||
		!is_error(v, data[v->l4_off]))
		return false;
	kd_decode(&q, quoted, v->payload_len, QUOTED_WIRE_LEN, KD_LINK_RAW);
	/* Down to the transport, of which the rest may be missing. */
	if (q.ip_version != v->ip_version || q.l4_off == 0 || q.l4_off + QUOTED_TRANSPORT > q.ip_end ||
		is_later_fragment(&q, quoted))
		return false;
	q.sport = q.dport = 0;
	if (q.ip_proto == KD_PROTO_TCP || q.ip_proto == KD_PROTO_UDP) {
		q.sport = kd_get16(quoted + q.l4_off);
		q.dport = kd_get16(quoted + q.l4_off + 2);
	}
	*ret = q;
	return true;
}

/* Something has hold of it, and its residual is not over. */
static bool is_held(const struct kd_step *s, const struct kd_flow *f)
{
	return f != NULL && (f->flags & KD_FLOW_ACTING) != 0 &&
	       (f->held.until_ns == 0 || s->now_ns < f->held.until_ns);
}

/* The packet's own ends must be in the lab too: a router's address need not be. */
static bool is_guarded(const struct kd_step *s)
{
	return s->e->guard == NULL || kd_guard_judge(s->e->guard, s->key->v6, s->key->addr[KD_INSIDE],
					      s->key->addr[KD_OUTSIDE]) == KD_REASON_NONE;
}

bool kd_icmp_goes_with_flow(struct kd_step *s)
{
	const struct kd_flow_key *own = s->key;
	struct kd_flow_key key;
	struct kd_view quoted;
	bool goes;

	if (!kd_icmp_quoted(&quoted, s->view, s->pkt->data, s->pkt->len))
		return false;
	kd_flow_key(&s->e->table, &key, &quoted, s->pkt->side ^ 1u);
	s->flow = kd_flow_peek(s->e, &key);
	s->key = &key;
	goes = is_held(s, s->flow) && kd_knob_now(s, KD_KNOB_FLOW_ICMP_ERRORS) == KD_ICMP_ERRORS_WITH_FLOW &&
	       kd_enforce_would_drop(s);
	s->key = own;
	if (!goes || !is_guarded(s)) {
		s->flow = NULL;
		return false;
	}
	s->fate = KD_DROP;
	s->reason = KD_REASON_FLOW_ICMP_ERROR;
	s->rule = s->flow->rule;
	return true;
}
