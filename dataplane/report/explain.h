/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The story of each flow of a run, for people: what was done to which packet and why, which rule did it on
 * what evidence, how the flow ended. Each box of a path tells its own story of a flow. Collects from the
 * offline driver's sink and prints at the end.
 */
#ifndef KD_EXPLAIN_H
#define KD_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/engine.h"
#include "engine/event.h"

struct kd_explain;
struct kd_policy;
struct kd_boxes;

/* One flow in short, at one box. Two runs over one capture know it by its tuple, its box and its first
 * packet: a flow_id is drawn from bytes that a run may have changed. */
struct kd_explain_flow {
	uint64_t first; /* number of its first packet */
	size_t number;	/* place in the list, from 1 */
	struct kd_tuple tuple;
	uint16_t reason, rule, armed; /* as in struct kd_event */
	uint8_t outcome, box;
	bool wanted; /* not left out by `flow` or `packet` */
};

struct kd_explain_config {
	const struct kd_policy *policy; /* of the only box, or of the first; borrowed */
	const struct kd_boxes *boxes;	/* when there are several: all; else NULL */
	uint64_t flow;			/* only this one: a number as printed, or a flow_id; 0 = all */
	uint64_t packet;		/* only this packet's flow; 0 = all */
	bool color;
};

/* -ENOMEM. */
int kd_explain_new(struct kd_explain **ret, const struct kd_explain_config *config);
void kd_explain_free(struct kd_explain *x);

/* In the shape of struct kd_offline_sink; user is the struct kd_explain. The engine must hand out flow ids.
 */
void kd_explain_action(void *user, const struct kd_action *a, const uint8_t *original, uint32_t original_len);
void kd_explain_event(void *user, const struct kd_event *e, bool open_loop);

/* Every ended flow so far in order of its first packet, an array for the caller to free. -ENOMEM, also when
 * something was lost on the way. */
int kd_explain_flows(const struct kd_explain *x, struct kd_explain_flow **ret, size_t *ret_n);

/* Somebody who says more of a flow, behind each story that is told. */
typedef void kd_explain_more(void *user, FILE *to, const struct kd_explain_flow *flow);
void kd_explain_after(struct kd_explain *x, kd_explain_more *more, void *user);

#define KD_EXPLAIN_WHY 128

/* 0; -ENOENT: no such flow or packet, or the packet is not in the flow: nothing was printed, `why` tells it;
 * -ENOMEM when something was lost on the way. */
int kd_explain_print(struct kd_explain *x, FILE *to, char why[KD_EXPLAIN_WHY]);

#endif
