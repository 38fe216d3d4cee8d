/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hash of records by 64-bit id, for reports that collect something per flow. Intrusive: the record's first
 * member is the node, the map never owns it. Ids are hashes already (flow ids), so their low bits will do.
 * Cold path.
 */
#ifndef KD_IDMAP_H
#define KD_IDMAP_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct kd_idnode {
	struct kd_idnode *next;
	uint64_t id;
};

struct kd_idmap {
	struct kd_idnode **bucket;
	size_t nbuckets; /* a power of two */
	size_t count;
};

static inline int kd_idmap_init(struct kd_idmap *m)
{
	m->nbuckets = 1024;
	m->count = 0;
	m->bucket = calloc(m->nbuckets, sizeof(*m->bucket));
	return m->bucket != NULL ? 0 : -ENOMEM;
}

/* The link that holds the record of this id, or the NULL link where it would go. */
static inline struct kd_idnode **kd_idmap_at(const struct kd_idmap *m, uint64_t id)
{
	struct kd_idnode **at = &m->bucket[(id ^ id >> 32) & (m->nbuckets - 1)];

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* Twice the buckets; when memory is short the chains just grow longer. */
static inline void kd_idmap_widen(struct kd_idmap *m)
{
	struct kd_idmap wide = {.nbuckets = m->nbuckets * 2, .count = m->count};

	wide.bucket = calloc(wide.nbuckets, sizeof(*wide.bucket));
	if (wide.bucket == NULL)
		return;
	for (size_t i = 0; i < m->nbuckets; i++)
		while (m->bucket[i] != NULL) {
			struct kd_idnode *n = m->bucket[i];

			m->bucket[i] = n->next;
			n->next = NULL;
			*kd_idmap_at(&wide, n->id) = n;
		}
	free(m->bucket);
	*m = wide;
}

/* No record of this id may be in the map. */
static inline void kd_idmap_add(struct kd_idmap *m, struct kd_idnode *n)
{
	if (m->count >= m->nbuckets)
		kd_idmap_widen(m);
	n->next = NULL;
	*kd_idmap_at(m, n->id) = n;
	m->count++;
}

/* Takes a record out and gives it back; NULL if there is none. */
static inline struct kd_idnode *kd_idmap_take(struct kd_idmap *m, uint64_t id)
{
	struct kd_idnode **at = kd_idmap_at(m, id), *n = *at;

	if (n == NULL)
		return NULL;
	*at = n->next;
	m->count--;
	return n;
}

/* Any record, taken out; NULL when the map is empty. For clean-up. */
static inline struct kd_idnode *kd_idmap_pop(struct kd_idmap *m)
{
	for (size_t i = 0; m->bucket != NULL && i < m->nbuckets; i++)
		if (m->bucket[i] != NULL)
			return kd_idmap_take(m, m->bucket[i]->id);
	return NULL;
}

#endif
