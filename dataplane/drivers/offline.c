/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Feeds a capture to an engine and carries out what it says. Decides what is the capture's business: link
 * types, times that go back, checksums that offloading left unfinished, which interface of the output a
 * packet stands on. Decides nothing about a packet's fate. Every packet handed in must come back exactly
 * once; that is checked here, apart from the engine's own books.
 * An interface of a link type we cannot read is left out, counted and said; when that leaves nothing at all,
 * the input is unreadable.
 */
#include "drivers/offline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/capture.h"
#include "drivers/ingress.h"
#include "drivers/lab_nets.h"
#include "drivers/offline_out.h"
#include "engine/checksum.h"
#include "engine/decode.h"
#include "report/blind.h"
#include "report/order.h"
#include "rulebook/boxes.h"

#define HEADROOM 64
#define TAILROOM 128
#define SLOT_BYTES (HEADROOM + KD_CAPTURE_PACKET_MAX + TAILROOM)
/* A capture has the flows it has; untouched entries cost no memory. */
#define FLOWS4_MAX (1u << 20)
#define FLOWS6_MAX (1u << 18)
#define DRAIN 64 /* events taken out of the ring at a time */

/* Where a packet lives from its reading to its final action. */
struct slot {
	struct slot *next_free;
	uint8_t *bytes;	   /* HEADROOM before the packet, TAILROOM behind */
	uint8_t *original; /* the packet as it entered; NULL unless somebody wants to see it */
	struct kd_entered in;
	uint64_t number;
	bool wrong_sum;
	bool out; /* the engine has it */
};

struct chunk {
	struct chunk *next;
	uint8_t *bytes, *originals;
	struct slot slots[];
};

/* Place of a packet or record in the one order of a run. */
struct place {
	uint64_t time_ns, number;
};

struct run {
	const struct kd_offline *o;
	struct kd_offline_result *ret;
	struct kd_capture *capture;
	struct kd_side_judge *judge;
	struct kd_chain *chain;
	unsigned int nboxes;
	struct kd_blind *blind; /* the observers beside it */
	struct kd_guard *guard; /* of the live run whose ingress this is, else NULL */
	struct kd_order *order;
	struct kd_offline_out files;
	struct kd_event *drained;
	struct chunk *chunks;
	struct slot *free;
	struct kd_pkt *pkts;
	unsigned int npkts;
	struct kd_out out;
	uint64_t last_ns; /* time of the latest packet */
	uint64_t owned;	  /* packets the engine has */
	uint64_t given;
	bool originals; /* keep the bytes as they entered */
	bool enforced;	/* something was done to a packet: from here on the capture is open-loop */
	struct place enforced_at;
	bool closed_loop;
};

static bool failed(const struct run *r)
{
	return r->ret->end != KD_OFFLINE_OK;
}

static void no_memory(struct run *r)
{
	kd_offline_fail(r->ret, KD_OFFLINE_ENVIRONMENT, "out of memory");
}

/*
 * The recorded packets are what the endpoints sent under this very policy only in kordon's own ingress
 * capture of a run with the same profile and seed. Such a capture says so, and which lab its guard let the
 * box act on. A live run has one box.
 */
static int recognise_ingress(struct run *r)
{
	const struct kd_policy *policy = r->o->recorded != NULL ? r->o->recorded : r->o->policy;
	uint8_t hops = 0;
	const char *nets = NULL;
	char why[128];

	if (r->nboxes == 1)
		nets = kd_ingress_lab(kd_capture_writer(r->capture), policy, r->o->seed, &hops);
	r->closed_loop = nets != NULL;
	if (r->nboxes == 1)
		r->ret->other_scale =
			kd_ingress_other_scale(kd_capture_writer(r->capture), policy, r->o->seed);
	if (hops != 0 && r->o->endpoint.hops == 0) {
		r->ret->endpoint.hops = hops;
		r->ret->endpoint_guessed = false; /* whoever tells it made the lab: of Linux */
	}
	return nets != NULL ? kd_lab_nets(&r->guard, nets, why, sizeof(why)) : 0;
}

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

/* A burst's worth of slots. More than one chunk is needed only while the engine holds packets, which it
 * bounds. */
static int slots_add(struct run *r)
{
	unsigned int n = r->o->burst;
	struct chunk *c = calloc(1, sizeof(*c) + n * sizeof(c->slots[0]));

	if (c == NULL)
		return -ENOMEM;
	c->bytes = malloc((size_t)n * SLOT_BYTES);
	c->originals = r->originals ? malloc((size_t)n * KD_CAPTURE_PACKET_MAX) : NULL;
	if (c->bytes == NULL || (r->originals && c->originals == NULL)) {
		free(c->originals);
		free(c->bytes);
		free(c);
		return -ENOMEM;
	}
	c->next = r->chunks;
	r->chunks = c;
	for (unsigned int i = n; i-- > 0;) {
		struct slot *s = &c->slots[i];

		s->bytes = c->bytes + (size_t)i * SLOT_BYTES;
		s->original = r->originals ? c->originals + (size_t)i * KD_CAPTURE_PACKET_MAX : NULL;
		s->next_free = r->free;
		r->free = s;
	}
	return 0;
}

static void tell(struct run *r, const struct kd_action *a, const struct slot *s)
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
static void on_seen(void *user, const struct kd_action *a)
{
	tell(user, a, a->handle);
}

/* To hold a packet back is to do something, too. */
static bool was_enforced(const struct kd_action *a, const struct slot *s)
{
	if (a->fate == KD_EMIT)
		return a->rule != 0 && a->time_ns > s->in.time_ns;
	return a->fate != KD_HOLD;
}

static void carry_out(struct run *r, const struct kd_action *a)
{
	struct slot *s = a->handle;

	if (a->fate >= KD_FATE_COUNT || (a->fate != KD_INJECT && (s == NULL || !s->out))) {
		kd_offline_fail(r->ret, KD_OFFLINE_INTERNAL,
			"packet %" PRIu64 " came back twice or in no known way", a->number);
		return;
	}
	r->ret->fates[a->fate]++;
	if (!r->enforced && was_enforced(a, s)) {
		r->enforced = true;
		r->enforced_at = (struct place){a->time_ns, a->number};
	}
	if (kd_blind_action(r->blind, a, s->in.wire_len > a->len ? s->in.wire_len : a->len, s->wrong_sum) < 0)
		no_memory(r);
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

static void on_event(void *user, const struct kd_event *e)
{
	struct run *r = user;
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
static void settle(struct run *r)
{
	unsigned int n;

	for (uint32_t i = 0; i < r->out.count; i++)
		carry_out(r, &r->out.actions[i]);
	while ((n = kd_chain_events(r->chain, r->drained, DRAIN)) > 0)
		for (unsigned int i = 0; i < n; i++)
			if (kd_order_add(r->order, &r->drained[i]) < 0)
				no_memory(r);
	kd_order_flush(r->order, kd_chain_horizon(r->chain));
}

static void burst(struct run *r)
{
	if (r->npkts == 0)
		return;
	kd_chain_burst(r->chain, r->pkts, r->npkts, &r->out);
	r->npkts = 0;
	settle(r);
}

/* --ticks: time passes in steps between two bursts, up to the next packet's. */
static void tick(struct run *r, uint64_t next_ns)
{
	uint64_t gap = next_ns - r->last_ns;

	if (r->given == 0)
		return;
	for (unsigned int i = 1; i <= r->o->ticks; i++) {
		kd_chain_advance(r->chain, r->last_ns + gap / r->o->ticks * i, &r->out);
		settle(r);
	}
}

static void skip(struct run *r, const struct kd_captured *c)
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
static uint8_t look_at_sums(struct run *r, struct slot *s, const uint8_t *data, const struct kd_view *view)
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
static void take(struct run *r, const struct kd_captured *c)
{
	int link = kd_offline_link(c->dlt);
	uint64_t time_ns = c->time_ns;
	struct kd_view view;
	struct slot *s;

	r->ret->packets++;
	if (link < 0) {
		skip(r, c);
		return;
	}
	if (r->given > 0 && time_ns < r->last_ns) {
		time_ns = r->last_ns;
		r->ret->clamped++;
	}
	if (r->free == NULL && slots_add(r) < 0) {
		no_memory(r);
		return;
	}
	if (r->npkts == 0)
		tick(r, time_ns);
	s = r->free;
	r->free = s->next_free;
	memcpy(s->bytes + HEADROOM, c->data, c->len);
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
	r->pkts[r->npkts++] = (struct kd_pkt){.data = s->bytes + HEADROOM,
		.len = c->len,
		.wire_len = c->wire_len,
		.headroom = HEADROOM,
		.tailroom = TAILROOM,
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

static void take_reshaped(struct run *r, const struct kd_captured *c, uint64_t number)
{
	struct kd_captured pieces[KD_OFFLINE_PIECES];
	int link = kd_offline_link(c->dlt);
	unsigned int n;

	if (r->o->reshape == NULL || link < 0) {
		take(r, c);
		return;
	}
	n = r->o->reshape(r->o->reshape_user, c, number, (unsigned int)link, pieces);
	for (unsigned int i = 0; i < n && i < KD_OFFLINE_PIECES && !failed(r); i++)
		take(r, &pieces[i]);
}

/* How the box was switched while its ingress was captured. The notes stand before the packets that felt them.
 */
static void obey_notes(struct run *r)
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

static const char *input_name(const struct run *r)
{
	return strcmp(r->o->input, "-") == 0 ? "standard input" : r->o->input;
}

static void read_all(struct run *r)
{
	struct kd_capture_error err = {0};
	struct kd_captured c;
	uint64_t number = 0;
	int rc = 0;

	while (!failed(r) && (rc = kd_capture_next(r->capture, &c, &err)) > 0) {
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
		kd_offline_fail(r->ret, KD_OFFLINE_INPUT, "%s: offset %" PRIu64 ": %s", input_name(r),
			err.offset, err.message);
	else if (r->given == 0 && r->ret->skipped > 0)
		kd_offline_fail(r->ret, KD_OFFLINE_INPUT,
			"%s: packet 1: link type %" PRIu32
			" cannot be read (Ethernet, raw IP, Linux cooked and loopback can)",
			input_name(r), r->ret->skipped_by[0].dlt);
}

_Static_assert(KD_BOXES_MAX == KD_CHAIN_MAX, "every path can be run");

/* Our books against the engine's, and the engine's against themselves. */
static void audit(struct run *r)
{
	const struct kd_counters *c = kd_chain_counters(r->chain);
	const char *wrong = kd_chain_unbalanced(r->chain);
	const uint64_t *seen = r->ret->fates;

	r->ret->untracked = c->untracked;
	if (wrong != NULL)
		kd_offline_fail(r->ret, KD_OFFLINE_INTERNAL, "conservation broken: %s", wrong);
	for (const struct chunk *k = r->chunks; k != NULL && r->owned > c->consumed; k = k->next)
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
static void sum_up_sides(struct run *r)
{
	r->ret->inside = "none";
	for (unsigned int i = 0; i < KD_SIDE_RULE_COUNT; i++) {
		r->ret->sides[i] = kd_side_count(r->judge, i);
		if (r->ret->sides[i] == 0)
			continue;
		r->ret->inside = strcmp(r->ret->inside, "none") == 0 ? kd_side_rule_name(i) : "mixed";
	}
}

static int make_boxes(struct run *r)
{
	const struct kd_policy *policies[KD_CHAIN_MAX];
	struct kd_chain_config config = {
		.policies = policies, .n = r->nboxes, .engine = KD_ENGINE_CONFIG_DEFAULT};
	int rc;

	for (unsigned int i = 0; i < r->nboxes; i++)
		policies[i] = kd_boxes_policy(r->o->boxes, r->o->policy, i);
	config.engine.guard = r->guard;
	config.engine.flows4_max = FLOWS4_MAX;
	config.engine.flows6_max = FLOWS6_MAX;
	config.engine.seed = r->o->seed;
	config.engine.flow_ids = r->o->sink != NULL && r->o->sink->action != NULL;
	config.seen = config.engine.flow_ids ? on_seen : NULL;
	config.user = r;
	for (unsigned int i = 0; i < r->nboxes; i++) /* else there is nothing not to see */
		config.engine.observed =
			config.engine.observed || (!r->o->unobserved && policies[i]->nrules > 0);
	rc = kd_chain_new(&r->chain, &config);
	return rc == 0 && config.engine.observed ? kd_blind_new(&r->blind, &config, &r->ret->endpoint) : rc;
}

static void open_inputs(struct run *r)
{
	struct kd_capture_error err = {0};
	const char *bad = "";
	int rc;

	rc = kd_side_new(&r->judge, r->o->inside_nets, &bad);
	if (rc == -EINVAL)
		kd_offline_fail(r->ret, KD_OFFLINE_USAGE, "--inside-net: not a network: %s", bad);
	else if (rc < 0)
		no_memory(r);
	if (failed(r))
		return;
	rc = kd_capture_open(&r->capture, r->o->input, &err);
	if (rc < 0) {
		if (rc == -EINVAL)
			kd_offline_fail(r->ret, KD_OFFLINE_INPUT, "%s: offset %" PRIu64 ": %s", input_name(r),
				err.offset, err.message);
		else
			kd_offline_fail(r->ret, KD_OFFLINE_INPUT, "%s: %s", input_name(r),
				err.message[0] != '\0' ? err.message : strerror(-rc));
		return;
	}
	rc = recognise_ingress(r);
	if (rc < 0) {
		kd_offline_fail(r->ret, KD_OFFLINE_INPUT, "%s: the lab's networks in it cannot be used: %s",
			input_name(r), strerror(-rc));
		return;
	}
	rc = make_boxes(r);
	if (rc < 0)
		kd_offline_fail(r->ret, KD_OFFLINE_ENVIRONMENT, "engine: %s", strerror(-rc));
}

static void allocate(struct run *r)
{
	unsigned int n = r->o->burst;

	r->originals =
		(r->o->keep && r->o->output != NULL) || (r->o->sink != NULL && r->o->sink->action != NULL);
	r->pkts = calloc(n, sizeof(*r->pkts));
	r->out.room = kd_chain_out_room(r->nboxes, n);
	r->out.actions = calloc(r->out.room, sizeof(*r->out.actions));
	r->drained = calloc(DRAIN, sizeof(*r->drained));
	if (r->pkts == NULL || r->out.actions == NULL || r->drained == NULL || slots_add(r) < 0 ||
		kd_order_new(&r->order, on_event, r) < 0)
		no_memory(r);
}

static void close_all(struct run *r)
{
	kd_order_free(r->order);
	kd_blind_free(r->blind);
	kd_chain_free(r->chain);
	kd_guard_free(r->guard);
	if (r->capture != NULL)
		kd_capture_close(r->capture);
	kd_side_free(r->judge);
	for (struct chunk *c = r->chunks; c != NULL;) {
		struct chunk *next = c->next;

		free(c->originals);
		free(c->bytes);
		free(c);
		c = next;
	}
	free(r->drained);
	free(r->out.actions);
	free(r->pkts);
}

/* Whether some flow of this box is one whose wrong checksums it sees. */
static bool asks_for_sums(const struct kd_policy *p)
{
	for (uint32_t i = 0; i < p->nknobs; i++)
		if (p->knobs[i].index == KD_KNOB_FAKE_CHECKSUM &&
			p->knobs[i].value_index != KD_FAKE_IS_BELIEVED)
			return true;
	return false;
}

enum kd_offline_end kd_offline_run(const struct kd_offline *o, struct kd_offline_result *ret)
{
	struct run r = {.o = o,
		.ret = ret,
		.files = {.o = o, .ret = ret},
		.nboxes = o->boxes != NULL ? o->boxes->n : 1};

	*ret = (struct kd_offline_result){.inside = "none",
		.verified = o->checksums == KD_CHECKSUMS_VERIFY,
		.endpoint = o->endpoint,
		.endpoint_guessed = true};
	for (unsigned int i = 0; i < r.nboxes; i++)
		ret->sums_matter |= asks_for_sums(kd_boxes_policy(o->boxes, o->policy, i));
	open_inputs(&r);
	if (!failed(&r))
		allocate(&r);
	if (!failed(&r))
		kd_offline_out_open(&r.files, o, ret);
	if (!failed(&r)) {
		read_all(&r);
		audit(&r);
		sum_up_sides(&r);
		kd_offline_out_finish(&r.files);
	}
	kd_offline_out_close(&r.files);
	close_all(&r);
	return ret->end;
}
