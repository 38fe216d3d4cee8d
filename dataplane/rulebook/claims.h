/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Evidence: which claims each part of a rule, setting or signature rests on. A part is as good as its weakest
 * claim.
 */
#ifndef KD_CLAIMS_H
#define KD_CLAIMS_H

#include "rulebook/schema.h"

/* Evidence of `group`, which may have none. Names every unknown claim. */
void kd_evidence_read(struct kd_book *book, const config_setting_t *group, struct kd_evidence *ret);

/* For a claim id named outside of any file; false when there is none. */
bool kd_claim_use(struct kd_book *book, const char *id);

#endif
