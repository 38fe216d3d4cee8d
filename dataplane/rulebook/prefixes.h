/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address prefixes in any number, IPv4 and IPv6: a multibit trie on the heap that answers with the sets of
 * every prefix that covers an address, so that nested prefixes of different tags add up.
 *
 * Built once, then read-only and shared.
 */
#ifndef KD_PREFIXES_H
#define KD_PREFIXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rulebook/names.h"

struct kd_prefixes;
struct kd_prefixes_builder;

/* NULL: no memory. */
struct kd_prefixes_builder *kd_prefixes_builder_new(void);
/* addr: 4 or 16 bytes, network order, bits beyond `bits` ignored. Sets run from 1 to KD_NAME_SETS - 1.
 * -EINVAL (bits, set), -ENOMEM. */
int kd_prefixes_add(
	struct kd_prefixes_builder *b, const uint8_t *addr, bool v6, unsigned int bits, unsigned int set);
/* Takes the builder, also on failure. -ENOMEM, -E2BIG: more combinations of sets than 65535. */
int kd_prefixes_build(struct kd_prefixes **ret, struct kd_prefixes_builder *b);
void kd_prefixes_free(struct kd_prefixes *p);

/* The sets that cover addr (4 or 16 bytes); empty, never NULL. No allocation, no lock. */
const struct kd_set_bits *kd_prefixes_match(const struct kd_prefixes *p, const uint8_t *addr, bool v6);

/* The trie as parts of an entry of the cache, and back: the parts must outlive it. -ENOMEM, -EINVAL. */
#define KD_PREFIXES_PARTS 4
void kd_prefixes_freeze(const struct kd_prefixes *p, struct kd_cache_part ret[KD_PREFIXES_PARTS]);
int kd_prefixes_thaw(struct kd_prefixes **ret, const struct kd_cache_part parts[KD_PREFIXES_PARTS]);

size_t kd_prefixes_count(const struct kd_prefixes *p);
size_t kd_prefixes_bytes(const struct kd_prefixes *p);

#endif
