/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Joins what observers saw with what their boxes recorded: by addresses and ports, and in time, for they may
 * come again; the two need not agree where a flow begins. What observers are shown is what left the path: a
 * packet that was lost before any rule looked at it reached nobody, one that a rule dropped is shown to those
 * of the boxes it came to, so that what is counted over many flows stays the same.
 */
#include "report/blind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/spot.h"
#include "engine/rng.h"
#include "report/idmap.h"
#include "rulebook/policy.h"

/* One packet goes in at a time, and tells of one flow at most. */
#define RING 16

struct note {
	struct kd_idnode node;
	struct note *later; /* of the same ends, and of the same box */
	struct kd_event event;
};

struct kd_blind {
	struct kd_engine *observer[KD_CHAIN_MAX];
	unsigned int n;
	struct kd_idmap notes;
	struct kd_event drained[RING];
};

int kd_blind_new(
	struct kd_blind **ret, const struct kd_chain_config *config, const struct kd_endpoint *endpoint)
{
	struct kd_blind *b = calloc(1, sizeof(*b));
	struct kd_engine_config engine = config->engine;
	int rc;

	if (b == NULL)
		return -ENOMEM;
	engine.guard = NULL; /* it does nothing to anybody */
	engine.observed = false;
	engine.endpoint = endpoint;
	engine.events_max = RING;
	rc = kd_idmap_init(&b->notes);
	for (; b->n < config->n && rc == 0; b->n += rc == 0) {
		engine.policy = config->policies[b->n];
		engine.box = (uint8_t)b->n;
		rc = kd_engine_new(&b->observer[b->n], &engine);
	}
	if (rc < 0) {
		kd_blind_free(b);
		return rc;
	}
	*ret = b;
	return 0;
}

void kd_blind_free(struct kd_blind *b)
{
	struct note *n;

	if (b == NULL)
		return;
	while ((n = (struct note *)kd_idmap_pop(&b->notes)) != NULL)
		for (struct note *later; n != NULL; n = later) {
			later = n->later;
			free(n);
		}
	free(b->notes.bucket);
	for (unsigned int i = 0; i < b->n; i++)
		kd_engine_free(b->observer[i]);
	free(b);
}

/* What a flow's ends are called, at one box. */
static uint64_t id_of(const struct kd_event *e)
{
	uint8_t text[2 * 16 + 2 * 2 + 3], *p = text;

	for (unsigned int side = 0; side < 2; side++) {
		memcpy(p, e->tuple.addr[side], 16);
		memcpy(p + 16, &e->tuple.port[side], 2);
		p += 18;
	}
	p[0] = e->tuple.ip_version;
	p[1] = e->tuple.ip_proto;
	p[2] = e->box;
	return kd_hash_bytes(text, sizeof(text));
}

static int keep(struct kd_blind *b, const struct kd_event *e)
{
	uint64_t id = id_of(e);
	struct note *n = malloc(sizeof(*n)), *at;

	if (n == NULL)
		return -ENOMEM;
	*n = (struct note){.node = {.id = id}};
	n->event = (struct kd_event){.time_ns = e->time_ns,
		.number = e->number,
		.spots = e->spots,
		.rule = e->rule,
		.looks = e->looks,
		.side = e->side};
	at = (struct note *)*kd_idmap_at(&b->notes, id);
	if (at == NULL) {
		kd_idmap_add(&b->notes, &n->node);
		return 0;
	}
	while (at->later != NULL)
		at = at->later;
	at->later = n;
	return 0;
}

/* Whether an observer is shown what became of a packet: its box had it, and what left is for the endpoint. */
static bool is_shown(const struct kd_action *a, unsigned int box)
{
	switch (a->fate) {
	case KD_EMIT:
		return a->reason != KD_REASON_DECODE_CHECKSUM && a->reason != KD_REASON_BOX_OVERLOADED;
	case KD_REWRITE:
		return a->rule == KD_RULE_NONE || a->box != box;
	case KD_DROP:
		return a->rule != KD_RULE_NONE && (a->side == KD_OUTSIDE ? box <= a->box : box >= a->box);
	default:
		return false;
	}
}

int kd_blind_action(struct kd_blind *b, const struct kd_action *a, uint32_t wire_len, bool wrong_sum)
{
	struct kd_out out = {.actions = NULL}; /* an observer gives out none */
	struct kd_pkt pkt = {.data = a->data,
		.len = a->len,
		.wire_len = wire_len,
		.side = a->side ^ 1,
		.link = a->link,
		.flags = wrong_sum ? KD_PKT_SUMS_JUDGED | KD_PKT_WRONG_SUM : KD_PKT_SUMS_JUDGED,
		.time_ns = a->time_ns,
		.number = a->number};
	int rc = 0;

	for (unsigned int box = 0; b != NULL && box < b->n && rc == 0; box++) {
		unsigned int n;

		if (!is_shown(a, box))
			continue;
		kd_engine_burst(b->observer[box], &pkt, 1, &out);
		n = kd_engine_events(b->observer[box], b->drained, RING);
		for (unsigned int i = 0; i < n && rc == 0; i++)
			rc = keep(b, &b->drained[i]);
	}
	return rc;
}

int kd_blind_bypass(struct kd_blind *b, unsigned int box, uint16_t rule, bool on, uint64_t from_ns)
{
	return b != NULL ? kd_engine_bypass(b->observer[box], rule, on, from_ns) : 0;
}

static bool is_before(const struct kd_event *a, const struct kd_event *b)
{
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->number < b->number;
}

void kd_blind_event(struct kd_blind *b, struct kd_event *e)
{
	struct note *n, *next;
	const struct kd_event *first = NULL;

	if (b == NULL || e->type != KD_EVENT_FLOW)
		return;
	n = (struct note *)kd_idmap_take(&b->notes, id_of(e));
	if (n != NULL && is_before(&n->event, e))
		first = &n->event;
	kd_spots_join(e, first);
	/* All up to the flow's end were of it; what came later is of the next flow of these ends. */
	for (; n != NULL && is_before(&n->event, e); n = next) {
		next = n->later;
		free(n);
	}
	if (n != NULL)
		kd_idmap_add(&b->notes, &n->node);
}
