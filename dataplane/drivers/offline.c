/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds a capture to an engine and carries out what it says. Decides what is the capture's business: link
 * types, times that go back, checksums that offloading left unfinished, which interface of the output a
 * packet stands on. Decides nothing about a packet's fate. Every packet handed in must come back exactly
 * once; that is checked here, apart from the engine's own books.
 * An interface of a link type we cannot read is left out, counted and said; when that leaves nothing at all,
 * the input is unreadable.
 */
#include "drivers/offline_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "drivers/ingress.h"
#include "engine/checksum.h"
#include "engine/decode.h"

int kd_offline_link(uint32_t dlt)
{
	switch (dlt) {
	case 1:
		return KD_LINK_ETHERNET;
	case 12: /* DLT_RAW of most systems, of OpenBSD, LINKTYPE_RAW, _IPV4, _IPV6 */
	case 14:
	case 101:
	case 228:
	case 229:
		return KD_LINK_RAW;
	case 113:
		return KD_LINK_SLL;
	case 276:
		return KD_LINK_SLL2;
	case 0:
	case 108: /* the address family in network order; decode takes either */
		return KD_LINK_NULL;
	default:
		return -ENOTSUP;
	}
}

static void tell(struct kd_offline_work *r, const struct kd_action *a, const struct kd_offline_slot *s)
{
	const struct kd_offline_sink *sink = r->o->sink;

	if (sink == NULL || sink->action == NULL)
		return;
	if (a->fate == KD_INJECT || s == NULL)
		sink->action(sink->user, a, NULL, 0);
	else
		sink->action(sink->user, a, s->original, s->in.len);
}

/* What one of several boxes did. */
void kd_offline_on_seen(void *user, const struct kd_action *a)
{
	tell(user, a, a->handle);
}

/* To hold a packet back is to do something, too. */
static bool was_enforced(const struct kd_action *a, const struct kd_offline_slot *s)
{
	if (a->fate == KD_EMIT)
		return a->rule != 0 && a->time_ns > s->in.time_ns;
	return a->fate != KD_HOLD;
}

static void carry_out(struct kd_offline_work *r, const struct kd_action *a)
{
	struct kd_offline_slot *s = a->handle;

	if (a->fate >= KD_FATE_COUNT || (a->fate != KD_INJECT && (s == NULL || !s->out))) {
		kd_offline_fail(r->ret, KD_OFFLINE_INTERNAL,
			"packet %" PRIu64 " came back twice or in no known way", a->number);
		return;
	}
	r->ret->fates[a->fate]++;
	if (!r->enforced && was_enforced(a, s)) {
		r->enforced = true;
		r->enforced_at = (struct kd_offline_place){a->time_ns, a->number};
	}
	if (kd_blind_action(r->blind, a, s->in.wire_len > a->len ? s->in.wire_len : a->len, s->wrong_sum) < 0)
		kd_offline_no_memory(r);
	switch (a->fate) {
	case KD_EMIT:
		kd_offline_out_left(&r->files, a, s->in.wire_len > a->len ? s->in.wire_len : a->len);
		break;
	case KD_REWRITE:
		kd_offline_out_entered(&r->files, a, &s->in);
		kd_offline_out_left(&r->files, a, a->len == s->in.len ? s->in.wire_len : a->len);
		break;
	case KD_INJECT:
		kd_offline_out_left(&r->files, a, a->len);
		break;
	case KD_DROP:
		kd_offline_out_entered(&r->files, a, &s->in);
		break;
	}
	if (r->nboxes == 1)
		tell(r, a, s);
	if (a->fate == KD_INJECT || a->fate == KD_HOLD)
		return;
	s->out = false;
	r->owned--;
	s->next_free = r->free;
	r->free = s;
}

void kd_offline_on_event(void *user, const struct kd_event *e)
{
	struct kd_offline_work *r = user;
	const struct kd_offline_sink *sink = r->o->sink;
	struct kd_event joined;
	bool open_loop;

	if (e->type == KD_EVENT_FLOW) {
		joined = *e;
		kd_blind_event(r->blind, &joined);
		e = &joined;
	}
	open_loop = r->enforced && !r->closed_loop &&
		    (e->time_ns > r->enforced_at.time_ns ||
			    (e->time_ns == r->enforced_at.time_ns && e->number > r->enforced_at.number));
	if (e->type == KD_EVENT_FLOW && e->outcome < KD_OUTCOME_COUNT)
		r->ret->outcomes[e->box % KD_CHAIN_MAX][e->outcome]++;
	kd_offline_out_event(&r->files, e, open_loop);
	if (sink != NULL && sink->event != NULL)
		sink->event(sink->user, e, open_loop);
}

/* What the engine said in the last call: actions first, then the records that nothing can precede any more.
 */
static void settle(struct kd_offline_work *r)
{
	unsigned int n;

	for (uint32_t i = 0; i < r->out.count; i++)
		carry_out(r, &r->out.actions[i]);
	while ((n = kd_chain_events(r->chain, r->drained, KD_OFFLINE_DRAIN)) > 0)
		for (unsigned int i = 0; i < n; i++)
			if (kd_order_add(r->order, &r->drained[i]) < 0)
				kd_offline_no_memory(r);
	kd_order_flush(r->order, kd_chain_horizon(r->chain));
}

static void burst(struct kd_offline_work *r)
{
	if (r->npkts == 0)
		return;
	kd_chain_burst(r->chain, r->pkts, r->npkts, &r->out);
	r->npkts = 0;
	settle(r);
}

/* --ticks: time passes in steps between two bursts, up to the next packet's. */
static void tick(struct kd_offline_work *r, uint64_t next_ns)
{
	uint64_t gap = next_ns - r->last_ns;

	if (r->given == 0)
		return;
	for (unsigned int i = 1; i <= r->o->ticks; i++) {
		kd_chain_advance(r->chain, r->last_ns + gap / r->o->ticks * i, &r->out);
		settle(r);
	}
}

static void skip(struct kd_offline_work *r, const struct kd_captured *c)
{
	struct kd_offline_result *ret = r->ret;
	unsigned int i = 0;

	ret->skipped++;
	while (i < ret->nskipped_by && ret->skipped_by[i].iface != c->iface)
		i++;
	if (i == KD_OFFLINE_SKIPPED_MAX)
		return;
	if (i == ret->nskipped_by) {
		ret->nskipped_by++;
		ret->skipped_by[i].iface = c->iface;
		ret->skipped_by[i].dlt = c->dlt;
		snprintf(ret->skipped_by[i].name, sizeof(ret->skipped_by[i].name), "%s", c->if_name);
	}
	ret->skipped_by[i].packets++;
}

static bool spoilt(uint8_t state)
{
	return state == KD_SUM_PARTIAL || state == KD_SUM_BAD;
}

/* The packet's flags, after counting what its checksums and length tell. */
static uint8_t look_at_sums(
	struct kd_offline_work *r, struct kd_offline_slot *s, const uint8_t *data, const struct kd_view *view)
{
	struct kd_sums sums;

	s->wrong_sum = false;
	if (r->o->checksums == KD_CHECKSUMS_TRUST || view->ip_version == 0)
		return KD_PKT_SUMS_JUDGED;
	kd_sums_judge(&sums, data, view);
	r->ret->super += sums.super_frame;
	if (!spoilt(sums.ip) && !spoilt(sums.transport))
		return KD_PKT_SUMS_JUDGED;
	s->wrong_sum = sums.ip == KD_SUM_BAD || sums.transport == KD_SUM_BAD;
	if (s->wrong_sum)
		r->ret->wrong++;
	else
		r->ret->unfinished++;
	if (r->o->checksums == KD_CHECKSUMS_VERIFY)
		return KD_PKT_BAD_CHECKSUM;
	return s->wrong_sum ? KD_PKT_SUMS_JUDGED | KD_PKT_WRONG_SUM : KD_PKT_SUMS_JUDGED;
}

/* One packet of the capture into the burst. */
static void take(struct kd_offline_work *r, const struct kd_captured *c)
{
	int link = kd_offline_link(c->dlt);
	uint64_t time_ns = c->time_ns;
	struct kd_view view;
	struct kd_offline_slot *s;

	r->ret->packets++;
	if (link < 0) {
		skip(r, c);
		return;
	}
	if (r->given > 0 && time_ns < r->last_ns) {
		time_ns = r->last_ns;
		r->ret->clamped++;
	}
	if (r->free == NULL && kd_offline_slots_add(r) < 0) {
		kd_offline_no_memory(r);
		return;
	}
	if (r->npkts == 0)
		tick(r, time_ns);
	s = r->free;
	r->free = s->next_free;
	memcpy(s->bytes + KD_OFFLINE_HEADROOM, c->data, c->len);
	if (s->original != NULL)
		memcpy(s->original, c->data, c->len);
	kd_decode(&view, c->data, c->len, c->wire_len, (unsigned int)link);
	s->in = (struct kd_entered){.bytes = s->original,
		.time_ns = time_ns,
		.len = c->len,
		.wire_len = c->wire_len,
		.side = (uint8_t)kd_side_of(r->judge, r->capture, c, &view),
		.link = (uint8_t)link};
	s->number = r->ret->packets;
	s->out = true;
	r->pkts[r->npkts++] = (struct kd_pkt){.data = s->bytes + KD_OFFLINE_HEADROOM,
		.len = c->len,
		.wire_len = c->wire_len,
		.headroom = KD_OFFLINE_HEADROOM,
		.tailroom = KD_OFFLINE_TAILROOM,
		.side = s->in.side,
		.link = s->in.link,
		.flags = look_at_sums(r, s, c->data, &view),
		.time_ns = time_ns,
		.number = s->number,
		.handle = s};
	r->last_ns = time_ns;
	r->given++;
	r->owned++;
	if (r->npkts == r->o->burst)
		burst(r);
}

static void take_reshaped(struct kd_offline_work *r, const struct kd_captured *c, uint64_t number)
{
	struct kd_captured pieces[KD_OFFLINE_PIECES];
	int link = kd_offline_link(c->dlt);
	unsigned int n;

	if (r->o->reshape == NULL || link < 0) {
		take(r, c);
		return;
	}
	n = r->o->reshape(r->o->reshape_user, c, number, (unsigned int)link, pieces);
	for (unsigned int i = 0; i < n && i < KD_OFFLINE_PIECES && !kd_offline_failed(r); i++)
		take(r, &pieces[i]);
}

/* How the box was switched while its ingress was captured. The notes stand before the packets that felt them.
 */
static void obey_notes(struct kd_offline_work *r)
{
	struct kd_capture_note note;
	uint16_t rule;
	bool on;

	while (kd_capture_note(r->capture, &note)) {
		if (!r->closed_loop || !kd_ingress_switched(note.text, r->o->policy, &rule, &on))
			continue;
		if (kd_chain_bypass(r->chain, 0, rule, on, note.time_ns) == -EAGAIN) {
			burst(r); /* those of before are thrown by now, or never will be */
			kd_chain_bypass(r->chain, 0, rule, on, note.time_ns);
		}
		kd_blind_bypass(r->blind, 0, rule, on, note.time_ns);
	}
}

static void read_all(struct kd_offline_work *r)
{
	struct kd_capture_error err = {0};
	struct kd_captured c;
	uint64_t number = 0;
	int rc = 0;

	while (!kd_offline_failed(r) && (rc = kd_capture_next(r->capture, &c, &err)) > 0) {
		obey_notes(r);
		take_reshaped(r, &c, ++number);
	}
	obey_notes(r);
	burst(r);
	if (r->given > 0) {
		/* a live run goes on after its last packet, and so do the flows' idle times */
		if (r->closed_loop && kd_capture_end_ns(r->capture) > r->last_ns)
			r->last_ns = kd_capture_end_ns(r->capture);
		kd_chain_advance(r->chain, r->last_ns, &r->out);
		settle(r);
		kd_chain_release(r->chain, &r->out);
		settle(r);
	}
	r->out.count = 0;
	while (kd_chain_finish(r->chain) > 0)
		settle(r);
	settle(r);
	kd_order_flush(r->order, UINT64_MAX);
	if (rc < 0)
		kd_offline_fail(r->ret, KD_OFFLINE_INPUT, "%s: offset %" PRIu64 ": %s",
			kd_offline_input_name(r), err.offset, err.message);
	else if (r->given == 0 && r->ret->skipped > 0)
		kd_offline_fail(r->ret, KD_OFFLINE_INPUT,
			"%s: packet 1: link type %" PRIu32
			" cannot be read (Ethernet, raw IP, Linux cooked and loopback can)",
			kd_offline_input_name(r), r->ret->skipped_by[0].dlt);
}

/* Our books against the engine's, and the engine's against themselves. */
static void audit(struct kd_offline_work *r)
{
	const struct kd_counters *c = kd_chain_counters(r->chain);
	const char *wrong = kd_chain_unbalanced(r->chain);
	const uint64_t *seen = r->ret->fates;

	r->ret->untracked = c->untracked;
	if (wrong != NULL)
		kd_offline_fail(r->ret, KD_OFFLINE_INTERNAL, "conservation broken: %s", wrong);
	for (const struct kd_offline_chunk *k = r->chunks; k != NULL && r->owned > c->consumed; k = k->next)
		for (unsigned int i = 0; i < r->o->burst; i++)
			if (k->slots[i].out)
				kd_offline_fail(r->ret, KD_OFFLINE_INTERNAL,
					"packet %" PRIu64 " never came back", k->slots[i].number);
	if (c->in[KD_INSIDE] + c->in[KD_OUTSIDE] != r->given || c->fates[KD_EMIT] != seen[KD_EMIT] ||
		c->fates[KD_REWRITE] != seen[KD_REWRITE] || c->fates[KD_DROP] != seen[KD_DROP] ||
		c->fates[KD_HOLD] != seen[KD_HOLD] || c->fates[KD_INJECT] != seen[KD_INJECT])
		kd_offline_fail(
			r->ret, KD_OFFLINE_INTERNAL, "the engine counted other packets than came out of it");
	if (c->events_lost > 0)
		kd_offline_fail(r->ret, KD_OFFLINE_INTERNAL, "%" PRIu64 " events were lost in a full ring",
			c->events_lost);
}

/* Which rule told inside from outside: its name, "mixed" if several did. */
static void sum_up_sides(struct kd_offline_work *r)
{
	r->ret->inside = "none";
	for (unsigned int i = 0; i < KD_SIDE_RULE_COUNT; i++) {
		r->ret->sides[i] = kd_side_count(r->judge, i);
		if (r->ret->sides[i] == 0)
			continue;
		r->ret->inside = strcmp(r->ret->inside, "none") == 0 ? kd_side_rule_name(i) : "mixed";
	}
}

enum kd_offline_end kd_offline_run(const struct kd_offline *o, struct kd_offline_result *ret)
{
	struct kd_offline_work r = {.o = o, .ret = ret, .files = {.o = o, .ret = ret}};

	*ret = (struct kd_offline_result){.inside = "none",
		.verified = o->checksums == KD_CHECKSUMS_VERIFY,
		.endpoint = o->endpoint,
		.endpoint_guessed = true};
	kd_offline_open(&r);
	if (!kd_offline_failed(&r))
		kd_offline_out_open(&r.files, o, ret);
	if (!kd_offline_failed(&r)) {
		read_all(&r);
		audit(&r);
		sum_up_sides(&r);
		kd_offline_out_finish(&r.files);
	}
	kd_offline_out_close(&r.files);
	kd_offline_close(&r);
	return ret->end;
}
