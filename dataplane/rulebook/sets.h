/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sets of names and of prefixes that the terms of one policy ask for: equal terms share a set. Names of a
 * list go from the book to the matcher once a set, never through a copy a rule.
 */
#ifndef KD_SETS_H
#define KD_SETS_H

#include "rulebook/when.h"

struct kd_sets;

/* For `policy`, whose arena gets every array; `real`: real prefixes of tags too. NULL: no memory. */
struct kd_sets *kd_sets_new(const struct kd_book *book, struct kd_policy *policy, bool real);
void kd_sets_free(struct kd_sets *s);

/* The set of a term; `at` is who asks, for the diagnostic. -EINVAL: too many, which was said; -ENOMEM. */
int kd_sets_names(struct kd_sets *s, const struct kd_name_term *term, const struct kd_at *at, uint16_t *ret);
int kd_sets_addresses(
	struct kd_sets *s, const struct kd_address_term *term, const struct kd_at *at, uint16_t *ret);
/* The pairings of a list of pairs: names with the same prefixes share one. */
int kd_sets_pairs(struct kd_sets *s, const struct kd_list *list, const struct kd_at *at,
	const struct kd_pairing **ret, uint16_t *ret_n);

/* Compiles exprs for `profile`; what does not compile is said. n = 0: *ret stays. */
int kd_sets_patterns(const struct kd_book *book, struct kd_patterns **ret, unsigned int kind,
	const char *const *exprs, const uint16_t *ids, unsigned int n, const char *profile);

/* Builds names, name_patterns and prefixes of the policy. */
int kd_sets_build(struct kd_sets *s);

#endif
