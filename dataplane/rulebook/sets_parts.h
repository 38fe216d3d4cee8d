/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What sets.c and pairs.c share: how sets are remembered until the matchers are built. Nobody else's.
 */
#ifndef KD_SETS_PARTS_H
#define KD_SETS_PARTS_H

#include "rulebook/sets.h"

/* Of a term, or of a group of a list of pairs. */
struct kd_name_source {
	const struct kd_name_term *term;
	const struct kd_name **paired;
	unsigned int npaired;
};

struct kd_prefix_source {
	struct kd_address_term term; /* `own` in order, without doubles */
	bool of_pairs;		     /* shared with no term */
};

/* A list of pairs that was asked for already. */
struct kd_pair_source {
	const struct kd_list *list;
	const struct kd_pairing *pairings;
	uint16_t n;
};

struct kd_sets {
	const struct kd_book *book;
	struct kd_policy *policy;
	struct kd_arena *scratch;
	bool real;
	struct kd_name_source names[KD_NAME_SETS]; /* [1..nnames] */
	struct kd_prefix_source prefixes[KD_NAME_SETS];
	struct kd_pair_source *pairs;
	unsigned int nnames, nprefixes, npairs;
};

/* Whether one more set fits beside `used`; -EINVAL when not, which was said. */
int kd_sets_room(const struct kd_sets *s, unsigned int used, const char *noun, const struct kd_at *at);
/* By family, length, address; 0 = the same prefix. */
int kd_sets_prefix_order(const struct kd_prefix *a, const struct kd_prefix *b);

#endif
