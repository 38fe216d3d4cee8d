/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The matchers of a policy between memory and the cache. An entry's key is a hash of every name, pattern and
 * prefix that went in, of the library and of the CPU.
 */
#ifndef KD_FROZEN_H
#define KD_FROZEN_H

#include "rulebook/sets.h"

/* Whether so much is to be built that a cache is worth its file: some list waits with its lines. */
bool kd_frozen_worth(const struct kd_sets *s);
/* Fills the policy's names, name_patterns and prefixes from the book's cache. -ENOENT, -ENOMEM. */
int kd_frozen_load(struct kd_sets *s, const char key[KD_CACHE_KEY]);
/* Writes them; that it could not is of no consequence. */
void kd_frozen_store(const struct kd_sets *s, const char key[KD_CACHE_KEY]);
/* -ENOMEM. */
int kd_frozen_key(char ret[KD_CACHE_KEY], const struct kd_sets *s);

#endif
