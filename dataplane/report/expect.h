/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Expectations about the flows of a run, `[NAME=]passed|degraded|blocked[:RULE]`, judged from the event
 * stream. With a NAME (SNI or Host, without case) it must hold for every flow of that name; without, for
 * every flow that has a name, or if none has one for every flow. No such flow is a mismatch; but when no flow
 * has the NAME and some had payload without one that the box could read, it may be theirs: inconclusive, as
 * is a flow that met a rule whose mechanism is still pending. RULE is the acting rule, for `passed` the armed
 * one.
 */
#ifndef KD_EXPECT_H
#define KD_EXPECT_H

#include <stdint.h>

#include "engine/event.h"

struct kd_expect;
struct kd_policy;
struct kd_boxes;

enum kd_expect_status { KD_EXPECT_MET, KD_EXPECT_NOT_MET, KD_EXPECT_INCONCLUSIVE };

struct kd_expect_result {
	const char *text; /* as the user wrote it */
	enum kd_expect_status status;
	uint64_t flows;	   /* that it was held against */
	char message[640]; /* expected, got and reason; empty when met */
};

/* policy is borrowed. -ENOMEM. */
int kd_expect_new(struct kd_expect **ret, const struct kd_policy *policy);
void kd_expect_free(struct kd_expect *x);

/* There are several boxes on the path: a flow is what it is to all of them, its outcome the worst, by the
 * first that said so and named a rule. Borrowed; before anything is added. */
void kd_expect_boxes(struct kd_expect *x, const struct kd_boxes *boxes);

/* text is borrowed. -EINVAL: not of that form, no such rule; *why then says what is wrong (static). -ENOMEM.
 */
int kd_expect_add(struct kd_expect *x, const char *text, const char **why);

/* Events in their order. -ENOMEM. */
int kd_expect_event(struct kd_expect *x, const struct kd_event *e);

/* After the last event, where there are several boxes. */
void kd_expect_end(struct kd_expect *x);
/* Then: number of expectations, and the i-th result. */
unsigned int kd_expect_count(const struct kd_expect *x);
void kd_expect_result(const struct kd_expect *x, unsigned int i, struct kd_expect_result *ret);

#endif
