/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From trees of `when` to the flat program that engines run. Jumps only go forward, so a program ends; `not`
 * swaps where its child jumps and leaves nothing behind.
 */
#ifndef KD_LOWER_H
#define KD_LOWER_H

#include "rulebook/sample.h"
#include "rulebook/sets.h"

struct kd_lower {
	const struct kd_book *book;
	struct kd_policy *policy; /* its rules carry their ids already, for `already` */
	struct kd_sets *sets;
	struct kd_sample sample;
	unsigned int nseen; /* bits of a flow's `seen` in use */
};

/* Adds the program of rule `index`, which `rule` (or its variant) is: its first_term and counter. `draw`
 * names its draws. -EINVAL with a diagnostic: too many sets, terms or counters; -ENOMEM. */
int kd_lower_when(struct kd_lower *l, const struct kd_book_rule *rule, const char *draw, uint16_t index);

#endif
