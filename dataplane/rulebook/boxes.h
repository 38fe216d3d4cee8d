/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The policies of all boxes on a profile's path, in order from the inside. Each is compiled by itself; what
 * packets do between them is drivers/chain.h's.
 */
#ifndef KD_BOXES_H
#define KD_BOXES_H

#include "rulebook/book.h"
#include "rulebook/policy.h"

struct kd_boxes {
	struct kd_policy *policy[KD_BOXES_MAX]; /* owned */
	unsigned int n;
	char hash[65]; /* of all of them; that of a box alone when there is one */
};

/* As kd_policy_load, for every box; the request's own box does not count. On failure *ret is untouched. */
int kd_boxes_load(struct kd_boxes *ret, const struct kd_policy_request *request, struct kd_diags *diags);
void kd_boxes_free(struct kd_boxes *boxes);

/* Of a box; `alone` where there are no boxes (NULL). */
static inline const struct kd_policy *kd_boxes_policy(
	const struct kd_boxes *boxes, const struct kd_policy *alone, unsigned int box)
{
	return boxes != NULL && box < boxes->n ? boxes->policy[box] : alone;
}

#endif
