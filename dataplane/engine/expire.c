/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow's life: found, made, reopened, dead. Expiry is a function of time alone: a flow past its idle time
 * is dead to any look-up, whether or not the sweep has come by, and its record carries the time it died. So
 * the sweep's pace changes no output; it only bounds memory and how far kd_engine_horizon lags.
 */
#include "engine/internal.h"

#include <string.h>

#include "engine/rng.h"

/* A round over the table takes this much packet time. */
#define SWEEP_ROUND_NS 1000000000ull
/* Entries a call may visit for each packet it was given, so that a long silence costs no long burst. */
#define SWEEP_PER_PKT 8

/* Only one side has spoken. A box that sees one side cannot tell. */
static inline bool is_half_open(const struct kd_engine *e, const struct kd_flow *f)
{
	return (f->pkts[0] == 0 || f->pkts[1] == 0) && e->policy->box.sees != KD_SEES_UPSTREAM;
}

static uint64_t idle_ns(const struct kd_engine *e, const struct kd_flow *f)
{
	const struct kd_settings *s = &e->policy->settings;

	if (f->proto == KD_PROTO_TCP)
		return is_half_open(e, f) ? s->idle_syn_ns : s->idle_established_ns;
	return f->proto == KD_PROTO_UDP ? s->idle_udp_ns : s->idle_other_ns;
}

/* No flow of which something comes now or later dies sooner than this after it: an answer may shorten the
 * time. */
static uint64_t least_idle_ns(const struct kd_engine *e, const struct kd_flow *f)
{
	uint64_t answered = e->policy->settings.idle_established_ns, idle = idle_ns(e, f);

	return f->proto == KD_PROTO_TCP && answered < idle ? answered : idle;
}

/* When the flow is forgotten: idle past its time, and no residual left to keep. */
static uint64_t dies_ns(const struct kd_engine *e, const struct kd_flow *f)
{
	uint64_t at = f->last_ns + idle_ns(e, f);

	if ((f->flags & KD_FLOW_ACTING) != 0 && f->held.until_ns > at)
		return f->held.until_ns;
	return at;
}

void kd_flow_end(
	struct kd_engine *e, struct kd_flow *f, uint16_t why, uint64_t time_ns, uint64_t number, uint32_t n)
{
	if ((f->flags & KD_FLOW_DECIDED) == 0)
		kd_stream_forget(e, f);
	kd_record_flow(e, f, why, time_ns, number, n);
	kd_flow_remove(&e->table, f);
	e->count.flows_ended++;
	e->count.flows_live--;
}

static void end_idle(struct kd_engine *e, struct kd_flow *f)
{
	kd_flow_end(e, f, KD_REASON_FLOW_IDLE, dies_ns(e, f), 0, (uint32_t)kd_flow_id(e, f));
}

/* A SYN that begins another connection: the last one closed, or its ISN is new. Which SYN it is that takes a
 * flow from the rule that has hold of it, if any does (flow.new_syn), no source says: the same is assumed. */
static bool reopens(const struct kd_step *s)
{
	const struct kd_flow *f = s->flow;
	bool held = (f->flags & KD_FLOW_ACTING) != 0;

	if ((s->view->tcp_flags & (KD_TCP_SYN | KD_TCP_ACK | KD_TCP_RST)) != KD_TCP_SYN)
		return false;
	if (f->proto != KD_PROTO_TCP || (held && !s->e->syn_clears))
		return false;
	if ((f->flags & KD_FLOW_CLOSED) == 0 && (s->pkt->side != f->opened || s->view->seq == f->nonce))
		return false;
	return !held || kd_knob_now(s, KD_KNOB_FLOW_NEW_SYN) == KD_NEW_SYN_CLEARS;
}

/* Nothing will look at this flow again. */
static void leave_alone(struct kd_flow *f, uint16_t why)
{
	f->flags |= KD_FLOW_DECIDED;
	f->reason = why;
}

static void open_flow(struct kd_step *s)
{
	uint16_t why;
	struct kd_flow *f = s->flow;
	const uint8_t *payload = s->pkt->data + s->view->payload_off;

	f->opened = s->pkt->side;
	f->reason = KD_REASON_FLOW_NO_PAYLOAD;
	f->nonce = s->view->seq;
	if (f->proto == KD_PROTO_TCP && (s->view->tcp_flags & KD_TCP_SYN) != 0)
		f->open.track = KD_TRACK_SYN;
	if (f->proto == KD_PROTO_UDP)
		f->nonce = (uint32_t)kd_hash_bytes(
			payload, s->view->payload_len < 64 ? s->view->payload_len : 64);
	/* What is injected takes its addresses from a packet of its flow, so a flow the guard refuses sends
	 * nothing. */
	if (s->e->guard != NULL) {
		why = kd_guard_judge(
			s->e->guard, f->v6, kd_flow_addr(f, KD_INSIDE), kd_flow_addr(f, KD_OUTSIDE));
		if (why != KD_REASON_NONE)
			leave_alone(f, why);
	}
}

struct kd_flow *kd_flow_would_be(struct kd_step *s)
{
	struct kd_flow *f = &s->e->untracked.flow;

	memset(&s->e->untracked, 0, sizeof(s->e->untracked));
	for (unsigned int side = 0; side < 2; side++) {
		f->port[side] = s->key->port[side];
		if (s->key->v6)
			memcpy(s->e->untracked.addr[side], s->key->addr[side], 16);
		else
			memcpy(&f->addr[side], s->key->addr[side], 4);
	}
	f->proto = s->key->proto;
	f->v6 = s->key->v6;
	f->opened = s->pkt->side;
	return f;
}

/* No room: the packet is judged alone, on a flow that lives as long as it does. */
static void stand_in(struct kd_step *s)
{
	s->flow = kd_flow_would_be(s);
	s->e->count.untracked++;
	open_flow(s);
	s->flow->reason = KD_REASON_FLOW_TABLE_FULL;
}

static uint64_t add_bytes(uint64_t bytes, uint32_t more)
{
	const uint64_t most = (1ull << 40) - 1;

	return bytes + more < most ? bytes + more : most;
}

void kd_flow_clear(struct kd_step *s)
{
	struct kd_flow *f = s->flow;

	if (kd_knob_now(s, KD_KNOB_FLOW_FIN_RST) != KD_FIN_RST_CLEARS || kd_fake_is_low_end(s))
		return;
	if ((f->flags & KD_FLOW_DECIDED) == 0)
		kd_stream_forget(s->e, f);
	kd_flow_note_nearest(f, KD_REASON_FLOW_CLEARED);
	if ((f->flags & KD_FLOW_ACTING) != 0) {
		f->flags &= (uint8_t)~KD_FLOW_ACTING;
		f->held.until_ns = 0; /* nor is anything left of it where an undecided flow keeps its own */
		kd_flow_note(f, KD_REASON_FLOW_CLEARED);
		kd_record_verdict(s, (uint16_t)f->rule, KD_REASON_FLOW_CLEARED);
		memset(&f->open, 0, sizeof(f->open));
	}
	f->flags |= KD_FLOW_DECIDED;
}

/* What a rule has hold of is let go before the packet that says the flow is over; what is not decided is
 * looked at first, see engine.c. */
static __attribute__((noinline)) void note_begin_or_end(struct kd_step *s)
{
	struct kd_flow *f = s->flow;

	if ((s->view->tcp_flags & (KD_TCP_FIN | KD_TCP_RST)) != 0) {
		f->flags |= KD_FLOW_CLOSED;
		if (s->e->clears && (f->flags & KD_FLOW_ACTING) != 0)
			kd_flow_clear(s);
	}
	if (s->pkt->side != f->opened && (f->flags & KD_FLOW_DECIDED) == 0 &&
		(s->view->tcp_flags & (KD_TCP_SYN | KD_TCP_ACK | KD_TCP_RST)) == KD_TCP_SYN)
		f->open.track |= KD_TRACK_REMOTE_SYN;
}

static void note(struct kd_step *s)
{
	struct kd_flow *f = s->flow;

	f->last_ns = s->now_ns;
	f->pkts[s->pkt->side] += f->pkts[s->pkt->side] != UINT32_MAX;
	if (s->pkt->side == KD_INSIDE)
		f->bytes_inside = add_bytes(f->bytes_inside, s->pkt->wire_len);
	else
		f->bytes_outside = add_bytes(f->bytes_outside, s->pkt->wire_len);
	if (f->proto == KD_PROTO_TCP && (s->view->tcp_flags & (KD_TCP_SYN | KD_TCP_FIN | KD_TCP_RST)) != 0)
		note_begin_or_end(s);
}

/* A residual that has ended lets go of the flow, which is looked at anew from this packet on: what an allow
 * had closed is open again, too. Only its addresses were looked at for good. */
static void let_go(struct kd_step *s)
{
	struct kd_flow *f = s->flow;
	uint16_t rule = f->rule;

	if ((f->flags & KD_FLOW_ACTING) == 0 || f->held.until_ns == 0 || s->now_ns < f->held.until_ns)
		return;
	if (kd_has_bans(s) && kd_residual_goes_on(s))
		return;
	f->flags &= (uint8_t) ~(KD_FLOW_ACTING | KD_FLOW_DECIDED);
	memset(&f->open, 0, sizeof(f->open));
	memset(f->held.state, 0, sizeof(f->held.state));
	kd_record_verdict(s, rule, KD_REASON_DECIDE_RESIDUAL_OVER);
}

/* Of a full pool, place `index`: a flow, or of what flows own. */
static struct kd_flow *flow_at(
	const struct kd_engine *e, const struct kd_pool *owned, unsigned int v6, uint32_t index)
{
	if (owned != NULL)
		return kd_owner_flow(kd_pool_at(owned, index));
	return kd_flow_entry(&e->table.pool[v6], v6, index);
}

/*
 * Room in a full pool of `top` places: ends one flow that died unnoticed, so that dead flows never cost a
 * live one its place and the sweep's pace stays invisible. A look around that finds none is not repeated
 * before the earliest death it saw.
 */
static bool end_a_dead(struct kd_engine *e, struct kd_search *search, uint32_t top,
	const struct kd_pool *owned, unsigned int v6)
{
	uint64_t earliest = KD_TIME_MAX_NS;

	if (e->now_ns < search->none_dies_ns)
		return false;
	for (uint32_t n = 0; n < top; n++) {
		struct kd_flow *f;
		uint64_t dies;

		search->at = search->at >= top ? 1 : search->at + 1;
		f = flow_at(e, owned, v6, search->at);
		dies = dies_ns(e, f);
		if (e->now_ns >= dies) {
			end_idle(e, f);
			return true;
		}
		if (e->now_ns + least_idle_ns(e, f) < dies)
			dies = e->now_ns + least_idle_ns(e, f);
		if (dies < earliest)
			earliest = dies;
	}
	search->none_dies_ns = earliest;
	return false;
}

/* One more there may die. */
static void may_die(const struct kd_engine *e, struct kd_search *search, const struct kd_flow *f)
{
	if (e->now_ns + least_idle_ns(e, f) < search->none_dies_ns)
		search->none_dies_ns = e->now_ns + least_idle_ns(e, f);
}

void kd_flow_make_room(struct kd_engine *e, struct kd_pool *p, const struct kd_flow *f)
{
	if (kd_pool_is_full(p))
		end_a_dead(e, &p->search, p->top, p, 0);
	may_die(e, &p->search, f);
}

/* A new flow for this packet, or the stand-in. */
static void make_flow(struct kd_step *s)
{
	struct kd_engine *e = s->e;
	struct kd_flow_pool *p = &e->table.pool[s->key->v6];

	s->gap_ns = UINT64_MAX;
	s->flow = kd_flow_insert(&e->table, s->key);
	if (s->flow == NULL && end_a_dead(e, &p->search, p->top, NULL, s->key->v6))
		s->flow = kd_flow_insert(&e->table, s->key);
	if (s->flow == NULL) {
		stand_in(s);
		return;
	}
	open_flow(s);
	e->count.flows_new++;
	e->count.flows_live++;
	may_die(e, &p->search, s->flow);
}

struct kd_flow *kd_flow_peek(const struct kd_engine *e, const struct kd_flow_key *key)
{
	struct kd_flow *f = kd_flow_find(&e->table, key, 0);

	return f != NULL && e->now_ns < dies_ns(e, f) ? f : NULL;
}

void kd_flow_take(struct kd_step *s, uint32_t hint)
{
	struct kd_engine *e = s->e;

	s->flow = kd_flow_find(&e->table, s->key, hint);
	if (s->flow != NULL) {
		s->gap_ns = s->now_ns - s->flow->last_ns;
		/* Nearly all are younger than any idle time there is: they need not know which is theirs. */
		if (s->gap_ns >= e->idle_least_ns && s->now_ns >= dies_ns(e, s->flow)) {
			end_idle(e, s->flow);
			s->flow = NULL;
		}
	}
	if (s->flow != NULL) {
		let_go(s);
		if (reopens(s)) {
			kd_flow_end(e, s->flow, KD_REASON_FLOW_REOPENED, s->pkt->time_ns, s->pkt->number,
				s->events++);
			s->flow = NULL;
		}
	}
	if (s->flow == NULL)
		make_flow(s);
	note(s);
}

static void next_round(struct kd_engine *e)
{
	e->sweep.horizon_ns = e->sweep.pass_ns;
	e->sweep.pass_ns = e->now_ns;
	e->sweep.due_ns = e->now_ns + SWEEP_ROUND_NS;
	e->sweep.at = 1;
	e->sweep.pool = 0;
}

/* Entries this call should visit to end the round in time. */
static uint32_t sweep_share(const struct kd_engine *e, unsigned int pkts)
{
	uint64_t left = (uint64_t)e->table.pool[0].top + e->table.pool[1].top;
	uint64_t most = (uint64_t)pkts * SWEEP_PER_PKT;
	uint64_t since = e->now_ns - e->sweep.pass_ns;
	uint64_t done = e->sweep.at + (e->sweep.pool != 0 ? e->table.pool[0].top : 0);
	uint64_t want;

	if (e->now_ns >= e->sweep.due_ns)
		return (uint32_t)most;
	/* Thousandths keep the product within 64 bits for any table. */
	want = left * (since / (SWEEP_ROUND_NS / 1000)) / 1000;
	if (want <= done)
		return 0;
	return (uint32_t)(want - done < most ? want - done : most);
}

void kd_sweep(struct kd_engine *e, unsigned int pkts)
{
	uint32_t share = sweep_share(e, pkts);

	while (share > 0) {
		struct kd_flow_pool *p = &e->table.pool[e->sweep.pool];
		struct kd_flow *f;

		if (e->sweep.at == 0 || e->sweep.at > p->top) {
			if (e->sweep.at != 0 && e->sweep.pool == 0) {
				e->sweep.pool = 1;
				e->sweep.at = 1;
				continue;
			}
			if (e->now_ns >= e->sweep.due_ns || e->sweep.at == 0)
				next_round(e);
			return;
		}
		/* Flow records give way to verdicts: the sweep waits while the ring is half full. */
		if (kd_ring_room(&e->ring) <= (e->ring.mask + 1) / 2)
			return;
		f = kd_flow_entry(p, e->sweep.pool, e->sweep.at++);
		if (kd_flow_is_live(f) && e->now_ns >= dies_ns(e, f))
			end_idle(e, f);
		share--;
	}
}

unsigned int kd_engine_finish(struct kd_engine *e)
{
	for (; e->finish.pool < 2; e->finish.pool++, e->finish.at = 0) {
		struct kd_flow_pool *p = &e->table.pool[e->finish.pool];

		while (e->finish.at < p->top) {
			struct kd_flow *f = kd_flow_entry(p, e->finish.pool, e->finish.at + 1);

			if (kd_ring_room(&e->ring) == 0)
				return e->table.pool[0].live + e->table.pool[1].live;
			e->finish.at++;
			if (!kd_flow_is_live(f))
				continue;
			if (e->now_ns >= dies_ns(e, f))
				end_idle(e, f);
			else
				kd_flow_end(e, f, KD_REASON_FLOW_FINISHED, e->now_ns, KD_NUMBER_END,
					(uint32_t)kd_flow_id(e, f));
		}
	}
	return 0;
}
