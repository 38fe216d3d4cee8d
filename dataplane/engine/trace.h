/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is remembered of an undecided flow so that its fakes can be told: numbers each side has used. The pool
 * is bounded (engine/pool.h) and knows nothing of fakes; who asks, and for which flows, is fake.c's.
 */
#ifndef KD_TRACE_H
#define KD_TRACE_H

#include <stdint.h>

#include "engine/pool.h"

/* Latest IP IDs and urgent bytes of a side that are kept; no source gives the real box's numbers. */
#define KD_TRACE_IDS 8
#define KD_TRACE_URGENT 4

/* struct kd_trace_side.has */
#define KD_TRACE_START 0x1
#define KD_TRACE_NEXT 0x2
#define KD_TRACE_TSVAL 0x4
#define KD_TRACE_NAME 0x8

struct kd_trace_side {
	uint32_t start; /* sequence number of its first byte */
	uint32_t next;	/* the one behind the furthest byte it sent */
	uint32_t tsval; /* its latest TCP timestamp */
	uint32_t urgent[KD_TRACE_URGENT];
	uint16_t id[KD_TRACE_IDS]; /* 0 = none */
	uint16_t name_len;	   /* of the first host it named */
	uint8_t has;		   /* which of these are known */
	uint8_t ids, urgents;	   /* where the next ID goes; how many urgent bytes are known */
	uint8_t closed;		   /* phases that were closed before it named that host */
};

struct kd_trace {
	struct kd_pooled pooled;
	struct kd_trace_side side[2];
};

#define KD_TRACES_LIMIT (1u << 22)

#endif
