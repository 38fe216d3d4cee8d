/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash of a policy: two policies with the same hash do the same to every packet and say the same about
 * it. Files, lines and the profile's name do not count, so two days without a change between them hash alike;
 * nor does whether real prefixes of tags were asked for, so a replay and a live run of a profile agree; nor
 * --time-scale, which stands beside the hash wherever that names a box.
 */
#ifndef KD_FINGERPRINT_H
#define KD_FINGERPRINT_H

#include "rulebook/picked.h"

/* SHA-256 as lower-case hex over what was picked, as drawn, the signatures and the settings. -ENOMEM. */
int kd_fingerprint(char ret[65], const struct kd_picked *picked, const struct kd_policy *policy);

/* Of the boxes of a path in their order; one box's is its own. -ENOMEM. */
int kd_fingerprint_boxes(char ret[65], struct kd_policy *const *boxes, unsigned int n);

#endif
