/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hash of a policy: two policies with the same hash do the same to every packet and say the same about
 * it. Files, lines and the profile's name do not count, so two days without a change between them hash alike.
 */
#ifndef KD_FINGERPRINT_H
#define KD_FINGERPRINT_H

#include "rulebook/book.h"

/* SHA-256 as lower-case hex over picked[1..policy->nrules], the signatures and the settings. -ENOMEM. */
int kd_fingerprint(char ret[65], const struct kd_book *book, const struct kd_book_rule *const *picked,
	const struct kd_policy *policy);

#endif
