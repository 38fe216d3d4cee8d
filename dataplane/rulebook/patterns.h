/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a suffix hash cannot say runs in Hyperscan, block mode: wildcards and regexes over names (unanchored),
 * and payload signatures (anchored). One database per use, immutable and shared; one scratch per engine.
 */
#ifndef KD_PATTERNS_H
#define KD_PATTERNS_H

#include <stddef.h>
#include <stdint.h>

#include "rulebook/names.h"

struct kd_patterns;
struct kd_scratch; /* one thread's; see kd_scratch_new */

#define KD_PATTERN_NAMES 0   /* caseless, dot matches all, unanchored unless the expression says so */
#define KD_PATTERN_PAYLOAD 1 /* bytes, dot matches all; every expression must start with ^ */

/*
 * Compiles n expressions; a match of expression i sets bit ids[i] (1..KD_NAME_SETS - 1). -EINVAL with *bad
 * the index and *why a heap string (caller frees) when an expression does not compile or, for payload, is not
 * anchored.
 */
int kd_patterns_new(struct kd_patterns **ret, unsigned int kind, const char *const *exprs,
	const uint16_t *ids, unsigned int n, unsigned int *bad, char **why);
void kd_patterns_free(struct kd_patterns *patterns);

/* The database as bytes (heap, the caller frees), and back; good for the same library and CPU only.
 * -ENOMEM, -EINVAL. */
int kd_patterns_freeze(const struct kd_patterns *patterns, char **ret, size_t *ret_len);
int kd_patterns_thaw(struct kd_patterns **ret, const void *bytes, size_t len);
#define KD_PATTERNS_PLATFORM 128
/* Version of the library and features of this CPU: what compiled bytes depend on. */
void kd_patterns_platform(char ret[KD_PATTERNS_PLATFORM]);

/* Scratch big enough for both; either may be NULL. *ret may come back NULL when both are. -ENOMEM. */
int kd_scratch_new(struct kd_scratch **ret, const struct kd_patterns *a, const struct kd_patterns *b);
void kd_scratch_free(struct kd_scratch *scratch);

/* Adds the ids that match. No allocation. */
void kd_patterns_match(const struct kd_patterns *patterns, struct kd_scratch *scratch, const uint8_t *bytes,
	size_t len, struct kd_set_bits *out);

#endif
