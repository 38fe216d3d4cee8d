/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiled matchers on disk, so that a million names cost their build once. An entry is named by a hash of
 * everything it was built from and holds parts, mapped read-only. Whatever is wrong with an entry, it is not
 * there; nothing depends on the cache but time.
 */
#ifndef KD_CACHE_H
#define KD_CACHE_H

#include <stddef.h>
#include <stdint.h>

#define KD_CACHE_PARTS 9
#define KD_CACHE_KEY 65 /* lower-case hex SHA-256 and its end */

struct kd_cache_entry;

struct kd_cache_part {
	const void *bytes; /* 64-byte aligned when it comes from an entry */
	size_t len;	   /* 0 = absent */
};

/* The entry `key` of the folder `dir`; -ENOENT when there is none that is whole and ours. */
int kd_cache_load(struct kd_cache_entry **ret, const char *dir, const char key[KD_CACHE_KEY]);
struct kd_cache_part kd_cache_part(const struct kd_cache_entry *entry, unsigned int part);
/* Parts are gone with it. */
void kd_cache_free(struct kd_cache_entry *entry);

/* Writes an entry, replacing one of the same key at once or not at all; makes the folder; lets go of the
 * oldest entries beyond KD_CACHE_ENTRIES. -errno; a caller may well ignore it. */
#define KD_CACHE_ENTRIES 32
int kd_cache_store(
	const char *dir, const char key[KD_CACHE_KEY], const struct kd_cache_part *parts, unsigned int n);

#endif
