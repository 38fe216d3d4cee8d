/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet's path, on one page. Only this file knows the order of the stages:
 *
 *     driver -> decode -> fragments -> flow -> stream -> classify -> decide -> enforce -> driver
 *                                       |                                       ^
 *                                       +--- fate already known (fast path) ----+
 *
 * Every way out sets a reason. Decode, hash and table look-ups run ahead over a stage of packets so that
 * their cache misses overlap; from `flow` on packets go one by one, in order, because one may make the flow
 * the next one needs.
 */
#include "engine/internal.h"

static void count_in(struct kd_engine *e, const struct kd_pkt *p)
{
	e->count.in[p->side]++;
	e->count.in_bytes[p->side] += p->wire_len;
}

/* Decodes a stage of packets and starts fetching their buckets, then their entries. */
static void look_ahead(struct kd_engine *e, const struct kd_pkt *pkts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		kd_decode(&e->view[i], pkts[i].data, pkts[i].len, pkts[i].wire_len, pkts[i].link);
		if (e->view[i].reason != 0)
			continue;
		kd_flow_key(&e->table, &e->key[i], &e->view[i], pkts[i].side);
		kd_flow_prefetch(&e->table, &e->key[i]);
	}
	for (unsigned int i = 0; i < n; i++)
		e->hint[i] = e->view[i].reason == 0 ? kd_flow_hint(&e->table, &e->key[i]) : 0;
}

/* This box does not see what comes from the outside: such packets make and touch no flow. */
static __attribute__((noinline)) void look_away(
	struct kd_engine *e, const struct kd_pkt *pkts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (pkts[i].side == KD_OUTSIDE)
			e->view[i].reason = KD_REASON_BOX_NOT_SEEN;
}

/* A bypassed box: nothing is read, so nothing is made or touched. */
static __attribute__((noinline)) void pass_by(struct kd_engine *e, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		e->view[i].reason = KD_REASON_BOX_BYPASSED;
}

static void look(struct kd_engine *e, const struct kd_pkt *pkts, unsigned int n)
{
	if (e->bypass.box) {
		pass_by(e, n);
		return;
	}
	look_ahead(e, pkts, n);
	if (e->policy->box.sees == KD_SEES_UPSTREAM)
		look_away(e, pkts, n);
	if (e->policy->settings.overload_pkts != 0)
		kd_bypass_shed(e, pkts, n);
}

/* What a flow that nothing was decided about yet has to show. Kept out of the way of those with a fate. */
static __attribute__((noinline)) void inspect(struct kd_step *s)
{
	s->hidden = s->again = s->decoy = false;
	s->fakes = s->punished = 0;
	s->cut = 0;
	if (!kd_is_tcp_or_udp(s) || (s->e->opening && kd_is_first(s->flow)))
		if (!kd_decide_opening(s))
			return;
	if (s->e->looks)
		kd_fake_look(s);
	if (s->punished != 0 && kd_decide_fake(s))
		return;
	switch (kd_stream_offer(s)) {
	case KD_OFFER_PAYLOAD:
		do {
			kd_classify(s);
			kd_decide(s);
		} while (kd_stream_next(s));
		kd_stream_settle(s);
		break;
	case KD_OFFER_SPENT:
		kd_decide_spent(s);
		break;
	case KD_OFFER_NOTHING:
		break;
	}
}

static inline bool is_end(const struct kd_step *s)
{
	return s->key->proto == KD_PROTO_TCP && (s->view->tcp_flags & (KD_TCP_FIN | KD_TCP_RST)) != 0;
}

/* What the other end waits for: data, or that there is a connection; without connections any packet. */
static inline bool is_awaited(const struct kd_step *s)
{
	return s->view->payload_wire_len != 0 || s->key->proto != KD_PROTO_TCP ||
	       (s->view->tcp_flags & KD_TCP_SYN) != 0;
}

/* Part of every packet's way, though fragments have a use for it, too: no call for it. */
#define ON_THE_WAY static inline __attribute__((always_inline))

/* What a delivered or lost packet says of the flow's outcome (design: effect, not intent). */
ON_THE_WAY void keep_score(struct kd_step *s)
{
	struct kd_flow *f = s->flow;
	uint8_t tail = (uint8_t)KD_FLOW_TAIL(s->pkt->side);

	if (s->fate != KD_EMIT)
		f->flags |= KD_FLOW_BIT | KD_FLOW_HURT;
	if (!is_awaited(s))
		return;
	if (s->fate == KD_EMIT)
		f->flags &= (uint8_t)~tail;
	else if (!s->act.thins)
		f->flags |= tail;
}

/* A packet of a flow that is known by now. */
ON_THE_WAY void judge_flow(struct kd_step *s)
{
	bool held = (s->flow->flags & KD_FLOW_ACTING) != 0;

	if (held && !kd_flow_waits(s->flow)) { /* fast path */
		kd_enforce(s, false);
		return;
	}
	/* A rule that waits lets all pass so far, too. */
	if (kd_has_bans(s) && kd_residual_take(s)) {
		s->banned = true;
		kd_enforce(s, true);
		return;
	}
	if (held) {
		kd_enforce(s, false);
		return;
	}
	if ((s->flow->flags & KD_FLOW_DECIDED) != 0) {
		s->reason = (s->flow->flags & KD_FLOW_BIT) != 0 ? KD_REASON_FLOW_DONE : s->flow->reason;
		return;
	}
	inspect(s);
	if (s->app_index != KD_APP_NONE && s->rule == KD_RULE_NONE && s->e->bans.by_protocol &&
		kd_has_bans(s))
		s->banned = kd_residual_take(s);
	if (s->e->clears && is_end(s) && (s->flow->flags & KD_FLOW_DECIDED) == 0)
		kd_flow_clear(s);
	if (s->rule != KD_RULE_NONE)
		kd_enforce(s, true);
	else if (s->flow == &s->e->untracked.flow)
		s->reason = KD_REASON_FLOW_TABLE_FULL;
}

/* frag.inspect, of the flow that the packet put together belongs to or would open. */
static bool is_read_whole(struct kd_step *s)
{
	bool is;

	s->flow = kd_flow_peek(s->e, s->key);
	if (s->flow == NULL)
		s->flow = kd_flow_would_be(s);
	is = kd_knob_now(s, KD_KNOB_FRAG_INSPECT) == KD_FRAG_INSPECT_YES;
	s->flow = NULL;
	return is;
}

static void judge_whole(struct kd_step *s)
{
	if (kd_has_turns(s))
		kd_turn(s);
	if (!is_read_whole(s)) {
		s->reason = KD_REASON_FRAG_NOT_INSPECTED;
		return;
	}
	kd_flow_take(s, 0);
	if ((s->flow->flags & KD_FLOW_ACTING) != 0 && kd_enforce_needs_frame(s)) {
		s->rule = s->flow->rule;
		s->reason = KD_REASON_FRAG_NOT_EDITED;
	} else {
		judge_flow(s);
	}
	keep_score(s);
}

/* A fragment; with the last of its packet, that is judged as one of its flow. */
static __attribute__((noinline)) void judge_fragment(struct kd_step *s)
{
	struct kd_frag_whole *whole = &s->e->frag.whole;
	struct kd_pkt *pkt = s->pkt;
	struct kd_view *view = s->view;

	if (!kd_frag_take(s))
		return;
	s->pkt = &whole->pkt;
	s->view = &whole->view;
	s->key = &whole->key;
	judge_whole(s);
	s->pkt = pkt;
	s->view = view;
	kd_frag_settle(s);
}

/* One packet from its flow to its fate. */
static void judge(struct kd_step *s)
{
	s->reason = s->view->reason;
	if (s->reason == 0 && (s->pkt->flags & KD_PKT_BAD_CHECKSUM) != 0)
		s->reason = KD_REASON_DECODE_CHECKSUM;
	if (s->reason != 0) {
		if (s->reason == KD_REASON_FRAG_NOT_INSPECTED)
			judge_fragment(s);
		return;
	}
	if (s->e->icmp_errors && kd_transport(s) == KD_TRANSPORT_ICMP && kd_icmp_goes_with_flow(s))
		return;
	if (kd_has_turns(s))
		kd_turn(s);
	kd_flow_take(s, s->hint);
	judge_flow(s);
	if ((s->act.not_before_ns | s->e->later.n) != 0)
		kd_later_take(s);
	keep_score(s);
}

/* The final action of a step, or that it is held; what was injected for it follows in `out`. */
static void settle(struct kd_step *s)
{
	struct kd_engine *e = s->e;
	struct kd_action *a = &s->out->actions[s->final];

	*a = (struct kd_action){.fate = s->fate,
		.side = s->pkt->side ^ 1,
		.link = s->pkt->link,
		.reason = s->reason,
		.rule = s->rule,
		.len = s->pkt->len,
		.data = s->pkt->data,
		.time_ns = s->pkt->time_ns,
		.number = s->pkt->number,
		.flow_id = s->flow != NULL && e->flow_ids ? kd_flow_id(e, s->flow) : 0,
		.handle = s->pkt->handle};
	if (s->later != 0)
		kd_later_keep(s, a);
	e->count.fates[a->fate]++;
	e->count.reasons[a->reason]++;
}

static void step(struct kd_engine *e, struct kd_pkt *pkt, unsigned int i, struct kd_out *out)
{
	struct kd_step s;

	s.e = e;
	s.pkt = pkt;
	s.view = &e->view[i];
	s.key = &e->key[i];
	s.out = out;
	s.flow = NULL;
	s.now_ns = e->now_ns;
	s.final = out->count++;
	out->actions[s.final].fate = KD_EMIT;
	s.hint = e->hint[i];
	s.events = (uint16_t)(pkt->n << 8); /* behind those of the packet it was injected for */
	s.rule = KD_RULE_NONE;
	s.reason = KD_REASON_NONE;
	s.fate = KD_EMIT;
	s.act.injected = 0;
	s.act.overtakes = s.act.thins = false;
	s.act.not_before_ns = 0;
	s.later = 0;
	s.app_index = KD_APP_NONE;
	s.asks = s.banned = s.gathers = false;
	judge(&s);
	settle(&s);
}

static void tick(struct kd_engine *e, uint64_t time_ns)
{
	if (time_ns > KD_TIME_MAX_NS)
		time_ns = KD_TIME_MAX_NS;
	if (time_ns > e->now_ns)
		e->now_ns = time_ns;
}

/* Fragments that waited too long, and what is due to leave: in order of time, the lost before what leaves. */
static __attribute__((noinline)) void end_what_is_due(struct kd_engine *e, struct kd_out *out)
{
	while (e->frag.due_ns <= e->now_ns || e->later.due_ns <= e->now_ns) {
		uint64_t now_ns = e->now_ns;

		if (e->frag.due_ns <= e->later.due_ns)
			kd_frag_expire(e, out, e->later.due_ns < now_ns ? e->later.due_ns : now_ns);
		else
			kd_later_expire(e, out, e->frag.due_ns <= now_ns ? e->frag.due_ns - 1 : now_ns);
	}
	e->due_ns = e->frag.due_ns < e->later.due_ns ? e->frag.due_ns : e->later.due_ns;
}

static void begin(struct kd_engine *e, struct kd_out *out)
{
	out->count = 0;
	e->injects = e->copies = 0;
	if (e->later.spent != 0)
		kd_later_begin(&e->later);
}

/* An observer sees what its box would have: nothing of what was let by. */
static void observe(struct kd_engine *e, struct kd_pkt *pkts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (e->bypass.due_ns <= pkts[i].time_ns)
			kd_bypass_obey(e, pkts[i].time_ns);
		if (!e->bypass.box)
			kd_observe(e, &pkts[i], 1);
	}
}

void kd_engine_burst(struct kd_engine *e, struct kd_pkt *pkts, unsigned int n, struct kd_out *out)
{
	begin(e, out);
	if (kd_bypass_is_asked(&e->bypass))
		kd_bypass_hear(e);
	if (e->observer != NULL) {
		observe(e, pkts, n);
		return;
	}
	if (e->bans.in.slot != NULL)
		kd_residual_hear(e);
	for (unsigned int at = 0, stage; at < n; at += stage) {
		stage = n - at < KD_STAGE ? n - at : KD_STAGE;
		if (e->bypass.due_ns <= pkts[at + stage - 1].time_ns)
			stage = kd_bypass_split(e, pkts + at, stage);
		look(e, pkts + at, stage);
		for (unsigned int i = 0; i < stage; i++) {
			tick(e, pkts[at + i].time_ns);
			if (e->now_ns >= e->due_ns)
				end_what_is_due(e, out);
			count_in(e, &pkts[at + i]);
			step(e, &pkts[at + i], i, out);
		}
	}
	kd_sweep(e, n);
}

void kd_engine_advance(struct kd_engine *e, uint64_t now_ns, struct kd_out *out)
{
	begin(e, out);
	tick(e, now_ns);
	if (kd_bypass_is_asked(&e->bypass))
		kd_bypass_hear(e);
	if (e->bypass.due_ns <= e->now_ns)
		kd_bypass_obey(e, e->now_ns);
	if (e->bans.in.slot != NULL)
		kd_residual_hear(e);
	if (e->now_ns >= e->due_ns)
		end_what_is_due(e, out);
	kd_sweep(e, KD_STAGE);
}

void kd_engine_release(struct kd_engine *e, struct kd_out *out)
{
	begin(e, out);
	kd_frag_release(e, out);
	kd_later_release(e, out);
	e->due_ns = UINT64_MAX;
}
