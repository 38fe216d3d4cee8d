/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiles a profile once for each box of its path. Decides nothing about a box; what is said of the rulebook
 * is said once.
 */
#include "rulebook/boxes.h"

#include <errno.h>
#include <string.h>

#include "rulebook/diag.h"
#include "rulebook/fingerprint.h"

int kd_boxes_load(struct kd_boxes *ret, const struct kd_policy_request *request, struct kd_diags *diags)
{
	struct kd_policy_request one = *request;
	struct kd_boxes boxes = {0};
	unsigned int of = 1;
	int rc = 0;

	for (one.box = 0; one.box < of && rc == 0; one.box++) {
		struct kd_diags again = {0};

		rc = kd_policy_load(&boxes.policy[one.box], &one, one.box == 0 ? diags : &again);
		if (rc == 0) {
			boxes.n++;
			of = boxes.policy[0]->box.of;
		} else if (one.box > 0)
			kd_policy_load(&boxes.policy[one.box], &one, diags); /* what is wrong there */
		kd_diags_free(&again);
	}
	if (rc == 0)
		rc = kd_fingerprint_boxes(boxes.hash, boxes.policy, boxes.n);
	if (rc < 0) {
		kd_boxes_free(&boxes);
		return rc;
	}
	*ret = boxes;
	return 0;
}

void kd_boxes_free(struct kd_boxes *boxes)
{
	for (unsigned int i = 0; i < boxes->n; i++)
		kd_policy_free(boxes->policy[i]);
	boxes->n = 0;
}
