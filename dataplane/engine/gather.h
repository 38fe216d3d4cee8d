/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes of one side of a TCP flow put together, and the pool such gatherings are taken from. It knows
 * sequence numbers and nothing else of TCP: what is gathered, for how long, and who reads it is stream.c's.
 * Nothing is allocated after kd_gathers_init.
 */
#ifndef KD_GATHER_H
#define KD_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/pool.h"

/* Pieces behind gaps that are kept; no source gives the real box's number. */
#define KD_GATHER_RUNS 8

struct kd_gather {
	struct kd_pooled pooled;
	uint32_t base; /* sequence number of byte 0 */
	uint64_t since_ns;
	uint32_t older, newer; /* by since_ns */
	uint32_t nruns;
	bool turned; /* something came before what lies in front of it */
	struct {
		uint32_t from, to; /* offsets; in order, with gaps in between */
	} run[KD_GATHER_RUNS];
};

struct kd_gathers {
	struct kd_pool pool; /* of struct kd_gather */
	uint8_t *bytes;	     /* depth of each */
	uint32_t oldest, newest;
	uint32_t depth;
};

/* Room for `max` gatherings of `depth` bytes. -EINVAL: one is 0, or over 2^20 and 2^20; -ENOMEM. */
int kd_gathers_init(struct kd_gathers *p, uint32_t max, uint32_t depth);
void kd_gathers_free(struct kd_gathers *p);
/* Gives all back; costs what was used. */
void kd_gathers_reset(struct kd_gathers *p);

struct kd_gather *kd_gather_find(const struct kd_gathers *p, uint64_t owner);
/* An empty one for an owner that has none; NULL: all are taken. now_ns never decreases. */
struct kd_gather *kd_gather_take(struct kd_gathers *p, uint64_t owner, uint32_t base, uint64_t now_ns);
/* The one taken longest ago; NULL: none is. */
struct kd_gather *kd_gather_oldest(const struct kd_gathers *p);
void kd_gather_give(struct kd_gathers *p, struct kd_gather *g);

enum kd_gathered {
	KD_GATHERED_GREW,    /* what is gathered from byte 0 on is more than before, or other bytes */
	KD_GATHERED_WAITS,   /* it lies behind a gap */
	KD_GATHERED_NOTHING, /* it holds nothing new, or lies past the depth */
	KD_GATHERED_PAST,    /* it ends before byte 0 */
	KD_GATHERED_DIFFERS, /* strict: some of its bytes were there before, and were others */
};

struct kd_gather_how {
	bool any_order; /* what lies behind a gap is kept */
	bool last;	/* of bytes that come twice, the later ones count */
	bool strict;	/* they must be the same both times */
};

/* A segment. What lies before byte 0 or past the depth is cut off. */
enum kd_gathered kd_gather_add(const struct kd_gathers *p, struct kd_gather *g, struct kd_gather_how how,
	uint32_t seq, const uint8_t *bytes, uint32_t len);
/* Byte `n` becomes byte 0; n is less than kd_gather_len. */
void kd_gather_skip(const struct kd_gathers *p, struct kd_gather *g, uint32_t n);
/* Whether one of these bytes is there already and another one. */
bool kd_gather_differs(const struct kd_gathers *p, const struct kd_gather *g, uint32_t seq,
	const uint8_t *bytes, uint32_t len);
/* Bytes from byte 0 on, without a gap. */
uint32_t kd_gather_len(const struct kd_gather *g);
const uint8_t *kd_gather_bytes(const struct kd_gathers *p, const struct kd_gather *g);

#endif
