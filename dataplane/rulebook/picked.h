/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a query picked from the book, beside the policy that is made of it: for its hash and for the list of
 * what a sampled box drew. Lives while a policy is compiled.
 */
#ifndef KD_PICKED_H
#define KD_PICKED_H

#include "rulebook/book.h"

struct kd_picked_rule {
	const struct kd_book_rule *rule; /* its id, dates, place and draws */
	const struct kd_book_rule *body; /* the variant taken: all the rest; the rule itself if it has none */
	const struct kd_miss *miss;	 /* NULL = never misses */
};

struct kd_picked {
	const struct kd_book *book;
	const struct kd_query *query; /* NULL = no day asked for */
	const char *const *set;	      /* --set, may be NULL */
	struct kd_sample sample;
	const struct kd_book_box *box;
	struct kd_picked_rule *rules;	   /* [1..policy->nrules] */
	const struct kd_book_knob **knobs; /* [0..policy->nknobs); NULL: of the command line */
};

/* Fills policy->drawn. -ENOMEM. */
int kd_drawn_list(const struct kd_picked *picked, struct kd_policy *policy);

/* Whether a number of a rule is the box's own: not one of its misses, of which only the picked one counts,
 * and not one that each flow draws anew. */
bool kd_picked_counts(const struct kd_book_rule *body, const struct kd_book_number *number);
/* Drawn anew for each flow, so that a box has no value of it. */
bool kd_picked_per_flow(const struct kd_book_rule *body, const struct kd_book_number *number);

#endif
