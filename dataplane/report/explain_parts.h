/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the halves of explain share: the story of a flow as it was collected. explain.c fills it,
 * explain_print.c tells it; nobody else includes this.
 */
#ifndef KD_EXPLAIN_PARTS_H
#define KD_EXPLAIN_PARTS_H

#include "report/explain.h"

#include "engine/protocol.h"
#include "report/idmap.h"
#include "rulebook/boxes.h"

struct kd_story_run {
	struct kd_story_run *next;
	uint64_t first, last; /* packet numbers */
	uint64_t first_ns, last_ns;
	uint16_t reason, rule;
	uint8_t fate;
	uint8_t from; /* bit per enum kd_side the packets came from; of injected ones, the side they leave by
		       */
};

/* A record that belongs to a packet: what was recognised, what was decided. */
struct kd_story_note {
	struct kd_story_note *next;
	uint64_t number, time_ns, until_ns;
	uint16_t reason, rule, name_at;
	uint8_t type, app;
	size_t name_len;
	uint8_t name[];
};

struct kd_story {
	struct kd_idnode node;
	uint8_t box;
	struct kd_story *older; /* every story, latest first */
	struct kd_story_run *runs, *last_run, *run_before;
	struct kd_story_note *notes, **last_note;
	bool ended, has_packet;
	struct kd_event flow; /* when ended: the record, without its text */
};

/* What a box did with the one packet asked for. */
struct kd_story_answer {
	uint64_t flow_id;
	uint16_t reason, rule;
	uint8_t fate, box;
};

/* What all boxes may do about one packet: pass it, and answer it. */
#define KD_STORY_ANSWERS_MAX (KD_BOXES_MAX * KD_ACTIONS_PER_PKT)

struct kd_explain {
	struct kd_explain_config config;
	kd_explain_more *more; /* NULL = nobody */
	void *more_user;
	struct kd_idmap live;
	struct kd_story *stories;
	size_t nstories;
	uint64_t homeless[KD_BOXES_MAX][KD_REASON_COUNT]; /* packets of no flow */
	struct kd_story_answer answer[KD_STORY_ANSWERS_MAX];
	unsigned int nanswers;
	bool lost; /* memory was short */
};

static inline bool kd_story_same_run(
	const struct kd_story_run *r, unsigned int fate, unsigned int reason, unsigned int rule)
{
	return r->fate == fate && r->reason == reason && r->rule == rule;
}

/* Every story by its first packet, an array of x->nstories for the caller to free; NULL: no memory. */
struct kd_story **kd_explain_sorted(const struct kd_explain *x);
void kd_story_flow(const struct kd_story *s, size_t number, struct kd_explain_flow *ret);
/* Whether it is asked for; `number` is its place in that order, from 1. */
bool kd_explain_wants(const struct kd_explain *x, const struct kd_story *s, size_t number);

#endif
