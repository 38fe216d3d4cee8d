/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that is given out in pieces and freed at once: a rulebook and the policy compiled from it are a few
 * thousand small strings and arrays with one life. Pieces are zeroed and never moved. Not for the packet
 * path.
 */
#ifndef KD_ARENA_H
#define KD_ARENA_H

#include <stddef.h>

struct kd_arena;

struct kd_arena *kd_arena_new(void); /* NULL: no memory */
void kd_arena_free(struct kd_arena *arena);

/* size bytes of zeros, aligned for any type; NULL: no memory. */
void *kd_arena_alloc(struct kd_arena *arena, size_t size);
char *kd_arena_strndup(struct kd_arena *arena, const char *s, size_t len);
char *kd_arena_strdup(struct kd_arena *arena, const char *s);
char *kd_arena_printf(struct kd_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for one more element behind `count` in an array of the arena, doubled when full; NULL: no memory. */
void *kd_arena_grow(struct kd_arena *arena, void *array, unsigned int count, size_t size);

#endif
