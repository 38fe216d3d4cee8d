/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tallies of the rules that count: a hash table of fixed size, made with the engine. A tally whose window or
 * spacing has run out is as good as none, and its place is free; nothing sweeps. What counts and when is
 * decide.c's; this only keeps numbers.
 */
#ifndef KD_TALLY_H
#define KD_TALLY_H

#include <stdbool.h>
#include <stdint.h>

struct kd_counter;

struct kd_count {
	uint64_t key;
	uint64_t first_ns;
	uint64_t until_ns; /* dead from then on */
	uint32_t count;	   /* 0 = never used */
};

struct kd_tally {
	struct kd_count *slot;
	uint32_t *used; /* slots that were, in order: what a reset clears */
	uint32_t mask;	/* slots - 1 */
	uint32_t nused;
};

/* Room for about `most` tallies alive at once. -EINVAL: 0 or over 2^24; -ENOMEM. */
int kd_tally_init(struct kd_tally *t, uint32_t most);
void kd_tally_free(struct kd_tally *t);
/* Empties it; costs what was used. */
void kd_tally_reset(struct kd_tally *t);

/* One more for `key` at now_ns: how many that makes; 0 when there is no room. */
uint32_t kd_tally_add(struct kd_tally *t, const struct kd_counter *c, uint64_t key, uint64_t now_ns);

#endif
