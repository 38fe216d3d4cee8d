/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sampled boxes: the K-th box of a seed draws every ranged number, date, share and variant by itself. A draw
 * is a hash of (seed, K, name, aspect), never a stream: adding a rule redraws no other. Entries with the same
 * draw name share their draws aspect by aspect ("since", "share", "residual.time" ...).
 */
#ifndef KD_SAMPLE_H
#define KD_SAMPLE_H

#include <stdint.h>

#include "rulebook/query.h"
#include "rulebook/units.h"

/* number 0 draws nothing: defaults everywhere. */
struct kd_sample {
	uint64_t seed;
	uint32_t number;
};

/* The box a query asks for; NULL: number 0. */
struct kd_sample kd_sample_of(const struct kd_query *query);

/* Uniform in 0 .. 2^64 - 1; not for number 0. */
uint64_t kd_sample_draw(const struct kd_sample *s, const char *name, const char *aspect);

/* The default when s->number is 0 or n has no range; else uniform in lo..hi, in 1000 to 10000 round steps
 * from lo when the range is wider than that. */
uint64_t kd_sample_number(
	const struct kd_sample *s, const char *name, const char *aspect, const struct kd_number *n);
/* The last day, or a day drawn from first..last. Equal ranges draw the same day, so that what ends in A..B
 * hands over to what begins in A..B; an entry with a draw name of its own (no colon in it) only with its
 * namesakes. */
int32_t kd_sample_day(const struct kd_sample *s, const char *name, const struct kd_dates *dates);
/* Index of a variant: the heaviest (first among equals), or drawn by weight. n and all weights > 0. */
unsigned int kd_sample_variant(
	const struct kd_sample *s, const char *name, const uint32_t *weights, unsigned int n);

#endif
