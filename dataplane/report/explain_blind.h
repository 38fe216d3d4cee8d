/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The blind spots of a flow, for people. They come with its record.
 */
#ifndef KD_EXPLAIN_BLIND_H
#define KD_EXPLAIN_BLIND_H

#include <stdio.h>

#include "engine/event.h"

struct kd_policy;

/* Nothing for a flow that has none. */
void kd_explain_blind(FILE *to, const struct kd_event *flow, const struct kd_policy *policy);

#endif
