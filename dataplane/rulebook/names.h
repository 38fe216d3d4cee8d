/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plain host names in any number: a hash of every label suffix, read from the right. `example.com` covers
 * itself and all below it, `^example.com` itself only, `*.example.com` all below it only. Names compare
 * without case; a trailing dot is a different name (TSPU 2021: "twitter.com." was not triggered, X-THR-2021).
 *
 * Built once, then read-only and shared.
 */
#ifndef KD_NAMES_H
#define KD_NAMES_H

#include "rulebook/cache.h"

#include <stddef.h>
#include <stdint.h>

/* Sets a policy may have; a name belongs to any number of them. */
#define KD_NAME_SETS 256
#define KD_NAME_MAX 255

struct kd_set_bits {
	uint64_t word[KD_NAME_SETS / 64];
};

static inline void kd_set_bits_add(struct kd_set_bits *b, unsigned int set)
{
	b->word[set / 64] |= 1ull << (set % 64);
}

static inline int kd_set_bits_has(const struct kd_set_bits *b, unsigned int set)
{
	return (int)(b->word[set / 64] >> (set % 64) & 1);
}

#define KD_NAME_SELF 0x1  /* the name itself */
#define KD_NAME_BELOW 0x2 /* every name below it */

struct kd_names;
struct kd_names_builder;

/* A builder copies the text. Sets run from 1 to KD_NAME_SETS - 1. -ENOMEM, -EINVAL (empty, too long, bad
 * set). */
struct kd_names_builder *kd_names_builder_new(void);
int kd_names_add(
	struct kd_names_builder *b, const char *name, size_t len, unsigned int what, unsigned int set);
/* Takes the builder, also on failure. */
int kd_names_build(struct kd_names **ret, struct kd_names_builder *b);
void kd_names_free(struct kd_names *names);

/* Adds to *out the sets that cover host[0..len). No allocation, no lock. */
void kd_names_match(const struct kd_names *names, const uint8_t *host, size_t len, struct kd_set_bits *out);

/* The table as parts of an entry of the cache, and back: the parts must outlive it. -ENOMEM, -EINVAL. */
#define KD_NAMES_PARTS 4
void kd_names_freeze(const struct kd_names *names, struct kd_cache_part ret[KD_NAMES_PARTS]);
int kd_names_thaw(struct kd_names **ret, const struct kd_cache_part parts[KD_NAMES_PARTS]);

size_t kd_names_count(const struct kd_names *names);
size_t kd_names_bytes(const struct kd_names *names);

#endif
