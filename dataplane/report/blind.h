/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An observer beside each box of a path: takes what left the path, and puts blind spots into the box's flow
 * records.
 * Cold path: may allocate, with each match that an observer tells of.
 */
#ifndef KD_BLIND_H
#define KD_BLIND_H

#include "drivers/chain.h"

struct kd_blind;

/* `config` is that of the boxes, which must say `observed`. -ENOMEM, -EINVAL. */
int kd_blind_new(
	struct kd_blind **ret, const struct kd_chain_config *config, const struct kd_endpoint *endpoint);
void kd_blind_free(struct kd_blind *b);

/* What became of a packet, in the path's order; wrong_sum: its checksum is wrong, so the endpoint discards
 * it. -ENOMEM. NULL is an observer that sees nothing, here and below. */
int kd_blind_action(struct kd_blind *b, const struct kd_action *a, uint32_t wire_len, bool wrong_sum);

/* Its box is switched so (kd_chain_bypass): what is let by on purpose is no blind spot. -EAGAIN. */
int kd_blind_bypass(struct kd_blind *b, unsigned int box, uint16_t rule, bool on, uint64_t from_ns);

/* A record of a box, in the one order of a run and after every action up to its time: blind spots and the
 * rule not seen into those of flows; others are left alone. */
void kd_blind_event(struct kd_blind *b, struct kd_event *e);

#endif
