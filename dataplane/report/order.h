/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts event records into their one order, (time_ns, number, box, n, flow_id), whatever order the engine
 * wrote them in: a heap that gives a record out only when the engine's horizon says that nothing earlier can
 * follow. Cold path: may allocate.
 */
#ifndef KD_ORDER_H
#define KD_ORDER_H

#include <stdint.h>

#include "engine/event.h"

struct kd_order;

typedef void kd_order_sink(void *user, const struct kd_event *e);

int kd_order_new(struct kd_order **ret, kd_order_sink *sink, void *user);
/* Copies the record (its text only as long as it is). -ENOMEM. */
int kd_order_add(struct kd_order *o, const struct kd_event *e);
/* Gives out, in order, every record with a time below horizon_ns; UINT64_MAX gives out all. */
void kd_order_flush(struct kd_order *o, uint64_t horizon_ns);
void kd_order_free(struct kd_order *o);

#endif
