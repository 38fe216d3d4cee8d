/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells why a box did nothing about a flow whose bytes match one of its rules: the rule, and a line for each
 * blind spot. Which change would have been enough is not told here.
 */
#include "report/explain_blind.h"

#include "engine/spot.h"
#include "rulebook/policy.h"

void kd_explain_blind(FILE *to, const struct kd_event *flow, const struct kd_policy *policy)
{
	if (flow->unseen != KD_RULE_NONE && flow->unseen <= policy->nrules)
		fprintf(to, "  unseen   what the endpoint gets matches rule %s\n",
			policy->rules[flow->unseen].id);
	for (unsigned int i = 0; i < KD_SPOT_COUNT; i++)
		if ((flow->spots >> i & 1) != 0)
			fprintf(to, "  blind    %s: %s\n", kd_spots[i].name, kd_spots[i].sentence);
}
