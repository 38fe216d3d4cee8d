/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is remembered of an undecided flow so that its fakes can be told: numbers each side has used. The pool
 * is bounded and knows nothing of fakes; who asks, and for which flows, is fake.c's. Nothing is allocated
 * after kd_traces_init.
 */
#ifndef KD_TRACE_H
#define KD_TRACE_H

#include <stddef.h>
#include <stdint.h>

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
	uint64_t owner;
	uint32_t next; /* in its chain, or of the free ones */
	struct kd_trace_side side[2];
};

struct kd_traces {
	struct kd_trace *slot; /* [1..max] */
	uint32_t *chain;       /* first of each; 0 = none */
	uint32_t mask, max, top, free;
};

/* -EINVAL: max is 0 or over 2^22; -ENOMEM. */
int kd_traces_init(struct kd_traces *p, uint32_t max);
void kd_traces_free(struct kd_traces *p);
/* Gives all back; costs what was used. */
void kd_traces_reset(struct kd_traces *p);

struct kd_trace *kd_trace_find(const struct kd_traces *p, uint64_t owner);
/* An empty one for an owner that has none; NULL: all are taken. */
struct kd_trace *kd_trace_take(struct kd_traces *p, uint64_t owner);
void kd_trace_give(struct kd_traces *p, struct kd_trace *t);

#endif
