/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opens what a run of the offline driver needs and closes it: the capture, the boxes with their observers,
 * room for packets. Decides which captures are of kordon's own lab, and so are no open loop. Takes no packet
 * through.
 */
#include "drivers/offline_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/ingress.h"
#include "drivers/lab_nets.h"
#include "rulebook/boxes.h"

#define SLOT_BYTES (KD_OFFLINE_HEADROOM + KD_CAPTURE_PACKET_MAX + KD_OFFLINE_TAILROOM)
/* A capture has the flows it has; untouched entries cost no memory. */
#define FLOWS4_MAX (1u << 20)
#define FLOWS6_MAX (1u << 18)

_Static_assert(KD_BOXES_MAX == KD_CHAIN_MAX, "every path can be run");

void kd_offline_no_memory(struct kd_offline_work *r)
{
	kd_offline_fail(r->ret, KD_OFFLINE_ENVIRONMENT, "out of memory");
}

const char *kd_offline_input_name(const struct kd_offline_work *r)
{
	return strcmp(r->o->input, "-") == 0 ? "standard input" : r->o->input;
}

/*
 * The recorded packets are what the endpoints sent under this very policy only in kordon's own ingress
 * capture of a run with the same profile and seed. Such a capture says so, and which lab its guard let the
 * box act on. A live run has one box.
 */
static int recognise_ingress(struct kd_offline_work *r)
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

/* A burst's worth of slots. More than one chunk is needed only while the engine holds packets, which it
 * bounds. */
int kd_offline_slots_add(struct kd_offline_work *r)
{
	unsigned int n = r->o->burst;
	struct kd_offline_chunk *c = calloc(1, sizeof(*c) + n * sizeof(c->slots[0]));

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
		struct kd_offline_slot *s = &c->slots[i];

		s->bytes = c->bytes + (size_t)i * SLOT_BYTES;
		s->original = r->originals ? c->originals + (size_t)i * KD_CAPTURE_PACKET_MAX : NULL;
		s->next_free = r->free;
		r->free = s;
	}
	return 0;
}

static int make_boxes(struct kd_offline_work *r)
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
	config.seen = config.engine.flow_ids ? kd_offline_on_seen : NULL;
	config.user = r;
	for (unsigned int i = 0; i < r->nboxes; i++) /* else there is nothing not to see */
		config.engine.observed =
			config.engine.observed || (!r->o->unobserved && policies[i]->nrules > 0);
	rc = kd_chain_new(&r->chain, &config);
	return rc == 0 && config.engine.observed ? kd_blind_new(&r->blind, &config, &r->ret->endpoint) : rc;
}

static void open_inputs(struct kd_offline_work *r)
{
	struct kd_capture_error err = {0};
	const char *bad = "";
	int rc;

	rc = kd_side_new(&r->judge, r->o->inside_nets, &bad);
	if (rc == -EINVAL)
		kd_offline_fail(r->ret, KD_OFFLINE_USAGE, "--inside-net: not a network: %s", bad);
	else if (rc < 0)
		kd_offline_no_memory(r);
	if (kd_offline_failed(r))
		return;
	rc = kd_capture_open(&r->capture, r->o->input, &err);
	if (rc < 0) {
		if (rc == -EINVAL)
			kd_offline_fail(r->ret, KD_OFFLINE_INPUT, "%s: offset %" PRIu64 ": %s",
				kd_offline_input_name(r), err.offset, err.message);
		else
			kd_offline_fail(r->ret, KD_OFFLINE_INPUT, "%s: %s", kd_offline_input_name(r),
				err.message[0] != '\0' ? err.message : strerror(-rc));
		return;
	}
	rc = recognise_ingress(r);
	if (rc < 0) {
		kd_offline_fail(r->ret, KD_OFFLINE_INPUT, "%s: the lab's networks in it cannot be used: %s",
			kd_offline_input_name(r), strerror(-rc));
		return;
	}
	rc = make_boxes(r);
	if (rc < 0)
		kd_offline_fail(r->ret, KD_OFFLINE_ENVIRONMENT, "engine: %s", strerror(-rc));
}

static void allocate(struct kd_offline_work *r)
{
	unsigned int n = r->o->burst;

	r->originals =
		(r->o->keep && r->o->output != NULL) || (r->o->sink != NULL && r->o->sink->action != NULL);
	r->pkts = calloc(n, sizeof(*r->pkts));
	r->out.room = kd_chain_out_room(r->nboxes, n);
	r->out.actions = calloc(r->out.room, sizeof(*r->out.actions));
	r->drained = calloc(KD_OFFLINE_DRAIN, sizeof(*r->drained));
	if (r->pkts == NULL || r->out.actions == NULL || r->drained == NULL || kd_offline_slots_add(r) < 0 ||
		kd_order_new(&r->order, kd_offline_on_event, r) < 0)
		kd_offline_no_memory(r);
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

void kd_offline_open(struct kd_offline_work *r)
{
	r->nboxes = r->o->boxes != NULL ? r->o->boxes->n : 1;
	for (unsigned int i = 0; i < r->nboxes; i++)
		r->ret->sums_matter |= asks_for_sums(kd_boxes_policy(r->o->boxes, r->o->policy, i));
	open_inputs(r);
	if (!kd_offline_failed(r))
		allocate(r);
}

void kd_offline_close(struct kd_offline_work *r)
{
	kd_order_free(r->order);
	kd_blind_free(r->blind);
	kd_chain_free(r->chain);
	kd_guard_free(r->guard);
	if (r->capture != NULL)
		kd_capture_close(r->capture);
	kd_side_free(r->judge);
	for (struct kd_offline_chunk *c = r->chunks; c != NULL;) {
		struct kd_offline_chunk *next = c->next;

		free(c->originals);
		free(c->bytes);
		free(c);
		c = next;
	}
	free(r->drained);
	free(r->out.actions);
	free(r->pkts);
}
