/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --time-scale: a box whose slow timers run faster, so that nobody waits for a residual of minutes.
 */
#ifndef KD_SCALE_H
#define KD_SCALE_H

#include <stdint.h>

struct kd_policy;

#define KD_TIME_SCALE_MAX 1000

/* Divides the slow timers of a policy that no engine reads yet, once, and notes by how much; 0 and 1 leave
 * it as it is. */
void kd_policy_scale(struct kd_policy *policy, uint32_t time_scale);

#endif
