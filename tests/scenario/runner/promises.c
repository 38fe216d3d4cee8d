/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every engine promises whatever the scenario: one final action for each handle, sums that add up,
 * frames that a receiver would accept, and forged packets that bear the addresses and the link header of the
 * flow they are forged on.
 */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#define ETHERNET_MIN 60
#define VLAN_TAG 4
#define NO_ACTION 0xffffffffu

static void check_final(struct run *r, unsigned int i)
{
	struct run_action *x = &r->actions[i];
	const struct scn_packet *p = &r->scn->packets[x->packet];

	if (x->a.handle != p)
		run_broken(r, "packet %u: its final action has another packet's handle", x->packet + 1);
	if (x->a.side == p->side)
		run_broken(r, "packet %u: leaves by the side it came from", x->packet + 1);
	if (x->a.link != r->scn->link.kind)
		run_broken(r, "packet %u: changed its link type", x->packet + 1);
	if (r->final_of[x->packet] != NO_ACTION)
		run_broken(r, "packet %u has two final actions", x->packet + 1);
	r->final_of[x->packet] = i;
	if (x->a.fate == KD_EMIT && (x->a.len != p->len || memcmp(x->a.data, p->frame, p->len) != 0))
		run_broken(r, "packet %u: emitted, but its bytes changed", x->packet + 1);
	if (x->a.fate == KD_REWRITE && x->a.len == p->len && memcmp(x->a.data, p->frame, p->len) == 0)
		run_broken(r, "packet %u: rewritten, but its bytes are the same", x->packet + 1);
}

/* Bytes behind a datagram that the engine made: only zeros, only up to Ethernet's minimum. */
static void check_trailer(struct run *r, const struct run_action *x, const struct wire *w)
{
	size_t least =
		r->scn->link.kind == KD_LINK_ETHERNET ? ETHERNET_MIN + VLAN_TAG * r->scn->link.vlans : 0;

	if (w->trailer_len != 0 && x->a.len > least)
		run_broken(r, "packet %u: %zu bytes left behind the datagram", x->packet + 1, w->trailer_len);
	for (size_t i = 0; i < w->trailer_len; i++)
		if (w->trailer[i] != 0)
			run_broken(r, "packet %u: old payload in the padding", x->packet + 1);
}

/* Cooked captures hold the address of the sender, which nobody between can know of the other end. */
static void forget_address(unsigned int link, uint8_t *header)
{
	if (link == KD_LINK_SLL)
		memset(header + 6, 0, 8);
	if (link == KD_LINK_SLL2)
		memset(header + 12, 0, 8);
}

static bool same_link(const struct run *r, const struct run_action *x, const uint8_t *header, size_t len)
{
	uint8_t want[64], got[64];

	memcpy(want, header, len);
	memcpy(got, x->a.data, len);
	forget_address(r->scn->link.kind, want);
	forget_address(r->scn->link.kind, got);
	return memcmp(want, got, len) == 0;
}

/* Its outside end's address was changed, on purpose: to which, steps expect with outside=ADDRESS. */
static bool is_redirected(const struct run_action *x)
{
	const char *reason = kd_reason_name(x->a.reason);

	return x->a.fate == KD_REWRITE &&
	       (strcmp(reason, "redirect.sent") == 0 || strcmp(reason, "redirect.turned") == 0);
}

/* A frame that the engine made or changed, against what the scenario itself would have built for that
 * direction. */
static void check_made(struct run *r, const struct run_action *x, const struct wire *w)
{
	const struct scn *s = r->scn;
	const struct scn_flow *f = &s->flows[s->packets[x->packet].flow];
	unsigned int from = 1u - x->a.side, bytes = f->version == 4 ? 4 : 16;
	uint8_t header[64];
	size_t len;

	check_trailer(r, x, w);
	len = scn_link_header(&s->link, from, f->version, x->a.len - w->trailer_len - w->link_len, header);
	if (w->version != f->version || len != w->link_len || !same_link(r, x, header, len))
		run_broken(
			r, "packet %u: link header of what left is not that of its direction", x->packet + 1);
	for (unsigned int end = 0; end < 2; end++) {
		unsigned int side = end == 0 ? from : 1 - from;

		if (memcmp(w->addr[end], f->addr[side], bytes) != 0 &&
			!(side == KD_OUTSIDE && is_redirected(x)))
			run_broken(
				r, "packet %u: what left has another address than its flow", x->packet + 1);
		if (w->proto == f->proto && w->port[end] != 0 && w->port[end] != f->port[side])
			run_broken(r, "packet %u: what left has another port than its flow", x->packet + 1);
	}
}

/* One flipped bit, on purpose. */
static bool is_corrupted(const struct run_action *x)
{
	return x->a.fate == KD_REWRITE && strcmp(kd_reason_name(x->a.reason), "impair.corrupted") == 0;
}

static void check_bytes(struct run *r, const struct run_action *x)
{
	const struct scn_packet *p = &r->scn->packets[x->packet];
	struct wire w;

	if (x->a.fate == KD_DROP)
		return;
	wire_read(&w, x->a.link, x->a.data, x->a.len);
	if (is_corrupted(x)) {
		if (w.wrong == NULL)
			run_broken(r, "packet %u: corrupted, and its checksum is right", x->packet + 1);
		return;
	}
	if (w.wrong != NULL && !(x->a.fate == KD_EMIT && p->bad_sum)) {
		run_broken(r, "packet %u: what left is no valid frame: %s", x->packet + 1, w.wrong);
		return;
	}
	if (x->a.fate != KD_EMIT)
		check_made(r, x, &w);
}

/* n counts from 0 without a gap, so that outputs of many boxes merge the same way. */
static void check_ordinals(struct run *r)
{
	for (unsigned int i = 0; i < r->nactions; i++) {
		const struct kd_action *a = &r->actions[i].a;
		bool first = i == 0 || r->actions[i - 1].a.number != a->number;

		if (a->n != (first ? 0 : r->actions[i - 1].a.n + 1))
			run_broken(r, "packet %u: action ordinals are not 0, 1, 2 ...",
				r->actions[i].packet + 1);
		if (a->n >= KD_ACTIONS_PER_PKT * r->boxes->n)
			run_broken(r, "packet %u: more than %u actions", r->actions[i].packet + 1,
				KD_ACTIONS_PER_PKT * r->boxes->n);
	}
}

/* The counters tell the same story as the actions. */
static void check_counters(struct run *r)
{
	const struct kd_counters *c = &r->counters;
	uint64_t in[2] = {0}, fates[KD_FATE_COUNT] = {0},
		 *reasons = calloc(KD_REASON_COUNT, sizeof(*reasons));

	for (unsigned int i = 0; i < r->scn->npackets; i++)
		in[r->scn->packets[i].side]++;
	for (unsigned int i = 0; i < r->nactions && reasons != NULL; i++) {
		const struct kd_action *a = &r->actions[i].a;

		fates[a->fate]++;
		if (a->fate != KD_INJECT)
			reasons[a->reason]++;
	}
	for (unsigned int i = 0; i < KD_FATE_COUNT; i++)
		if (fates[i] != c->fates[i])
			run_broken(r, "counters: fate %u happened %llu times, counted %llu", i,
				(unsigned long long)fates[i], (unsigned long long)c->fates[i]);
	for (unsigned int i = 0; i < KD_REASON_COUNT && reasons != NULL; i++)
		if (reasons[i] != c->reasons[i])
			run_broken(r, "counters: %s happened %llu times, counted %llu",
				kd_reason_name((uint16_t)i), (unsigned long long)reasons[i],
				(unsigned long long)c->reasons[i]);
	free(reasons);
	if (c->in[0] != in[0] || c->in[1] != in[1])
		run_broken(r, "counters: packets in are counted wrong");
	if (c->held != 0)
		run_broken(r, "%llu packets are still held at the end", (unsigned long long)c->held);
	if (c->flows_live != 0 || c->flows_new != c->flows_ended)
		run_broken(r, "flows: %llu new, %llu ended, %llu live at the end",
			(unsigned long long)c->flows_new, (unsigned long long)c->flows_ended,
			(unsigned long long)c->flows_live);
}

static void check_events(struct run *r)
{
	uint64_t flows = 0;

	for (unsigned int i = 0; i < r->nevents; i++) {
		const struct kd_event *e = &r->events[i];

		flows += e->type == KD_EVENT_FLOW;
		if ((e->flow_id == 0) != (e->type == KD_EVENT_BOX))
			run_broken(r, "a record without a flow id");
		if (e->type != KD_EVENT_BOX && event_flow(r->scn, e) < 0)
			run_broken(r, "a record of a flow that is none of the scenario's");
		if (e->box >= r->boxes->n) {
			run_broken(r, "a record of a box that is not on the path");
			continue;
		}
		if (e->rule > r->boxes->policy[e->box]->nrules || e->armed > r->boxes->policy[e->box]->nrules)
			run_broken(r, "a record names a rule that does not exist");
	}
	if (r->counters.events_lost == 0 && flows != r->counters.flows_ended)
		run_broken(r, "%llu flow records for %llu ended flows", (unsigned long long)flows,
			(unsigned long long)r->counters.flows_ended);
}

void run_check_promises(struct run *r)
{
	for (unsigned int i = 0; i < r->scn->npackets; i++)
		r->final_of[i] = NO_ACTION;
	for (unsigned int i = 0; i < r->nactions; i++) {
		struct run_action *x = &r->actions[i];

		if (x->a.fate >= KD_FATE_COUNT || x->a.reason == KD_REASON_NONE ||
			x->a.reason >= KD_REASON_COUNT || kd_reason(x->a.reason) == NULL) {
			run_broken(r, "packet %u: an action without a fate or a reason with a name",
				x->packet + 1);
			continue;
		}
		if (x->a.box >= r->boxes->n || x->a.rule > r->boxes->policy[x->a.box]->nrules)
			run_broken(r, "packet %u: names a rule that does not exist", x->packet + 1);
		if (x->a.fate != KD_HOLD && x->a.fate != KD_DROP &&
			x->a.time_ns < r->scn->packets[x->packet].time_ns)
			run_broken(r, "packet %u: leaves before it came", x->packet + 1);
		if (x->a.fate != KD_INJECT && x->a.fate != KD_HOLD)
			check_final(r, i);
		if (x->a.fate != KD_HOLD)
			check_bytes(r, x);
	}
	for (unsigned int i = 0; i < r->scn->npackets; i++)
		if (r->final_of[i] == NO_ACTION) {
			run_broken(r, "packet %u has no final action", i + 1);
			r->final_of[i] = 0;
		}
	check_ordinals(r);
	check_counters(r);
	check_events(r);
}
