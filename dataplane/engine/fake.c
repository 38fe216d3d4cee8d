/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells fakes from what the other end will take, as far as a box can see it. Each kind is looked for only
 * where its knob is not `believe`; TCP options, IDs and sums are read only then. The real box of most dates
 * believes everything (P-checksum-ttl-md5-ts-check). Only payload is ever disbelieved: that there was a
 * packet, a SYN or an address is not, so no fake hides a flow from the rules about addresses.
 *
 * What of a packet is real is still read: the bytes beside an urgent one, and those of a segment from before
 * its side's start that lie behind it.
 */
#include "engine/fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/checksum.h"
#include "engine/cursor.h"
#include "engine/internal.h"

#define BIT KD_FAKE_BIT
#define OPTION_MD5 19 /* RFC 2385 */

/* Those that need what the flow sent before. */
#define REMEMBERED_UDP (BIT(KD_FAKE_IP_ID) | BIT(KD_FAKE_NAME_LENGTH))
#define REMEMBERED                                                                                           \
	(REMEMBERED_UDP | BIT(KD_FAKE_SEQUENCE) | BIT(KD_FAKE_PAST_SEQUENCE) | BIT(KD_FAKE_TIMESTAMP) |      \
		BIT(KD_FAKE_URGENT))
/* Those that TCP alone has. */
#define OF_TCP                                                                                               \
	(BIT(KD_FAKE_SEQUENCE) | BIT(KD_FAKE_PAST_SEQUENCE) | BIT(KD_FAKE_MD5) | BIT(KD_FAKE_TIMESTAMP) |    \
		BIT(KD_FAKE_URGENT) | BIT(KD_FAKE_SYN_DATA) | BIT(KD_FAKE_OVERLAP) |                         \
		BIT(KD_FAKE_LOW_TTL_END))

_Static_assert(KD_KNOB_FAKE_NAME_LENGTH - KD_KNOB_FAKE_CHECKSUM == KD_FAKE_NAME_LENGTH, "knobs in order");
_Static_assert(KD_REASON_FAKE_NAME_LENGTH - KD_REASON_FAKE_CHECKSUM == KD_FAKE_NAME_LENGTH, "and reasons");
_Static_assert(KD_FAKE_COUNT <= 16, "struct kd_step.fakes");

static bool is_asked(const struct kd_policy *p, unsigned int knob)
{
	for (uint32_t i = 0; i < p->nknobs; i++)
		if (p->knobs[i].index == knob && p->knobs[i].value_index != 0)
			return true;
	return false;
}

/* Which rules have a `fake` term, wherever in their program it stands. */
static int find_rules(struct kd_engine *e)
{
	const struct kd_policy *p = e->policy;
	bool *has, more = false;

	for (uint32_t i = 0; i < p->nterms; i++)
		more = more || p->terms[i].kind == KD_TERM_FAKE;
	if (!more)
		return 0;
	has = calloc(p->nterms, sizeof(*has));
	e->of_fakes = calloc((size_t)p->nrules + 1, sizeof(*e->of_fakes));
	if (has == NULL || e->of_fakes == NULL) {
		free(has);
		return -ENOMEM;
	}
	while (more) {
		more = false;
		for (uint32_t i = 0; i < p->nterms; i++) {
			const struct kd_term *t = &p->terms[i];

			if (has[i] ||
				(t->kind != KD_TERM_FAKE && (t->on_true >= p->nterms || !has[t->on_true]) &&
					(t->on_false >= p->nterms || !has[t->on_false])))
				continue;
			has[i] = more = true;
		}
	}
	for (uint32_t i = 1; i <= p->nrules; i++)
		e->of_fakes[i] = p->rules[i].first_term < p->nterms && has[p->rules[i].first_term];
	free(has);
	return 0;
}

int kd_fake_init(struct kd_engine *e, const struct kd_engine_config *config)
{
	bool again = is_asked(e->policy, KD_KNOB_TCP_RETRANSMIT);
	int rc;

	for (unsigned int kind = 0; kind < KD_FAKE_COUNT; kind++)
		if (is_asked(e->policy, KD_KNOB_FAKE_CHECKSUM + kind))
			e->fakes |= BIT(kind);
	e->clears = is_asked(e->policy, KD_KNOB_FLOW_FIN_RST);
	e->looks = e->fakes != 0 || again;
	if (!e->looks)
		return 0;
	e->traced = ((e->fakes & REMEMBERED) != 0 || again ? KD_TRANSPORT_TCP : 0) |
		    ((e->fakes & REMEMBERED_UDP) != 0 ? KD_TRANSPORT_UDP : 0);
	rc = find_rules(e);
	if (rc == 0 && e->traced != 0)
		rc = kd_pool_init(&e->traces, config->traces_max, KD_TRACES_LIMIT, sizeof(struct kd_trace));
	if (rc == 0 && (e->fakes & BIT(KD_FAKE_URGENT)) != 0) {
		e->without = malloc(KD_WITHOUT_BYTES);
		rc = e->without != NULL ? 0 : -ENOMEM;
	}
	return rc;
}

void kd_fake_free(struct kd_engine *e)
{
	kd_pool_free(&e->traces);
	free(e->of_fakes);
	free(e->without);
}

static bool is_ttl(const struct kd_step *s)
{
	unsigned int ttl = s->view->ttl, norm = ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
	bool looks_so = norm - ttl > s->e->policy->settings.fake_ttl_slack;

	return s->e->observer != NULL ? kd_observe_dies(s, looks_so) : looks_so;
}

static bool is_checksum(const struct kd_step *s)
{
	struct kd_sums sums;

	if ((s->pkt->flags & (KD_PKT_WRONG_SUM | KD_PKT_SUMS_JUDGED)) != 0)
		return (s->pkt->flags & KD_PKT_WRONG_SUM) != 0;
	kd_sums_judge(&sums, s->pkt->data, s->view);
	return sums.ip == KD_SUM_BAD || sums.transport == KD_SUM_BAD;
}

uint32_t kd_fake_seq(const struct kd_step *s)
{
	return s->view->seq + ((s->view->tcp_flags & KD_TCP_SYN) != 0);
}

/* How far before its side's first byte the payload begins; 0 = it does not, or nobody knows. */
static uint32_t before(const struct kd_step *s, const struct kd_trace *t)
{
	const struct kd_flow *f = s->flow;
	uint32_t start;

	if ((f->open.track & KD_TRACK_SYN) != 0 && s->pkt->side == f->opened)
		start = f->nonce + 1;
	else if (t != NULL && (t->side[s->pkt->side].has & KD_TRACE_START) != 0)
		start = t->side[s->pkt->side].start;
	else
		return 0;
	return (int32_t)(start - kd_fake_seq(s)) > 0 ? start - kd_fake_seq(s) : 0;
}

static bool is_ahead(const struct kd_step *s, const struct kd_trace_side *side)
{
	int32_t by =
		side != NULL && (side->has & KD_TRACE_NEXT) != 0 ? (int32_t)(kd_fake_seq(s) - side->next) : 0;

	return by > 0 && (uint32_t)by > s->e->policy->settings.fake_ahead;
}

static bool is_old(const struct kd_step *s, const struct kd_trace_side *side)
{
	const uint8_t *option = kd_decode_option(s->pkt->data, s->view, KD_OPTION_TIMESTAMPS, 10);

	return option != NULL && side != NULL && (side->has & KD_TRACE_TSVAL) != 0 &&
	       (int32_t)(kd_get32(option) - side->tsval) < 0;
}

static bool has_id(const struct kd_step *s, const struct kd_trace_side *side)
{
	uint16_t id = kd_decode_ip_id(s->pkt->data, s->view);

	for (unsigned int i = 0; id != 0 && side != NULL && i < KD_TRACE_IDS; i++)
		if (side->id[i] == id)
			return true;
	return false;
}

/* The pointer is to the byte behind it, and 0 to the first one, as Linux and the BSDs read it (RFC
 * 6093, 2.2).
 */
int64_t kd_fake_urgent_at(const struct kd_step *s)
{
	uint32_t to;

	if (s->key->proto != KD_PROTO_TCP || (s->view->tcp_flags & KD_TCP_URG) == 0)
		return -1;
	to = kd_decode_urgent(s->pkt->data, s->view);
	to -= to != 0;
	return to < s->view->payload_wire_len ? (int64_t)to : -1;
}

static bool is_end(const struct kd_step *s)
{
	return s->key->proto == KD_PROTO_TCP && (s->view->tcp_flags & (KD_TCP_RST | KD_TCP_FIN)) != 0;
}

static bool is(struct kd_step *s, const struct kd_trace *t, enum kd_fake kind)
{
	const struct kd_trace_side *side = t != NULL ? &t->side[s->pkt->side] : NULL;
	uint64_t near = s->e->policy->settings.fake_near;

	if ((OF_TCP & BIT(kind)) != 0 && s->key->proto != KD_PROTO_TCP)
		return false;
	if (kind == KD_FAKE_LOW_TTL_END)
		return is_end(s) && is_ttl(s);
	if (s->view->payload_wire_len == 0)
		return false;
	switch (kind) {
	case KD_FAKE_CHECKSUM:
		return is_checksum(s);
	case KD_FAKE_TTL:
		return is_ttl(s);
	case KD_FAKE_SEQUENCE:
		return before(s, t) >= near ? before(s, t) != 0 : is_ahead(s, side);
	case KD_FAKE_PAST_SEQUENCE:
		return before(s, t) != 0 && before(s, t) < near;
	case KD_FAKE_MD5:
		return kd_decode_option(s->pkt->data, s->view, OPTION_MD5, 18) != NULL;
	case KD_FAKE_TIMESTAMP:
		return is_old(s, side);
	case KD_FAKE_IP_ID:
		return has_id(s, side);
	case KD_FAKE_URGENT:
		return kd_fake_urgent_at(s) >= 0;
	case KD_FAKE_SYN_DATA:
		return (s->view->tcp_flags & KD_TCP_SYN) != 0;
	case KD_FAKE_OVERLAP:
		return kd_stream_differs(s);
	default: /* name_length: not before the name is known */
		return false;
	}
}

/* Of each kind that the policy asks about: whether it is one, and what this flow's box makes of it. */
static void judge(struct kd_step *s, const struct kd_trace *t)
{
	for (unsigned int kind = 0; kind < KD_FAKE_COUNT; kind++) {
		unsigned int value;

		if ((s->e->fakes & BIT(kind)) == 0)
			continue;
		value = kd_knob(s, KD_KNOB_FAKE_CHECKSUM + kind);
		if (value == KD_FAKE_IS_BELIEVED || !is(s, t, kind))
			continue;
		s->fakes |= BIT(kind);
		if (value == KD_FAKE_IS_PUNISHED)
			s->punished |= BIT(kind);
	}
}

/* What it has of the side's real bytes is read: what lies behind its start. */
static void cut_off(struct kd_step *s, const struct kd_trace *t)
{
	uint16_t of_place = s->fakes & (BIT(KD_FAKE_SEQUENCE) | BIT(KD_FAKE_PAST_SEQUENCE));
	uint32_t cut = of_place != 0 ? before(s, t) : 0;
	uint16_t rest = s->fakes & (uint16_t)~KD_FAKES_IN_PART;

	if (cut != 0 && cut < s->view->payload_wire_len) {
		rest &= (uint16_t)~of_place;
		s->cut = cut;
	}
	s->hidden = rest != 0;
}

/* All of it lies where this side has sent before. */
static bool is_again(struct kd_step *s, const struct kd_trace *t)
{
	uint32_t end = kd_fake_seq(s) + s->view->payload_wire_len;

	return t != NULL && s->key->proto == KD_PROTO_TCP && s->view->payload_wire_len != 0 &&
	       (t->side[s->pkt->side].has & KD_TRACE_NEXT) != 0 &&
	       (int32_t)(end - t->side[s->pkt->side].next) <= 0 &&
	       kd_knob(s, KD_KNOB_TCP_RETRANSMIT) == KD_RETRANSMIT_SKIPPED;
}

__attribute__((noinline)) void kd_fake_look(struct kd_step *s)
{
	struct kd_trace *t;

	if (s->flow->open.looked_at[s->pkt->side] >= kd_stream_budget(s))
		return;
	t = kd_fake_trace(s);
	if (t == NULL)
		t = kd_fake_make_trace(s);
	judge(s, t);
	cut_off(s, t);
	s->again = is_again(s, t);
	if (t != NULL)
		kd_fake_remember(s, &t->side[s->pkt->side]);
}

uint16_t kd_fake_reason(const struct kd_step *s)
{
	unsigned int kind = 0;

	while (kind < KD_FAKE_COUNT - 1 && (s->fakes >> kind & 1) == 0)
		kind++;
	return (uint16_t)(KD_REASON_FAKE_CHECKSUM + kind);
}

bool kd_fake_is_low_end(struct kd_step *s)
{
	return is_end(s) && is_ttl(s) && kd_knob_now(s, KD_KNOB_FAKE_LOW_TTL_END) != KD_FAKE_IS_BELIEVED;
}
