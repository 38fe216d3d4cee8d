/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list of blocks; a piece comes from the newest one or from a fresh block. Old copies of grown arrays stay
 * where they are until the end: a rulebook is loaded once and is small.
 */
#include "rulebook/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_LEN 16384

struct block {
	struct block *older;
	size_t used, room;
	alignas(max_align_t) unsigned char bytes[];
};

struct kd_arena {
	struct block *newest;
};

struct kd_arena *kd_arena_new(void)
{
	return calloc(1, sizeof(struct kd_arena));
}

void kd_arena_free(struct kd_arena *arena)
{
	struct block *older;

	if (arena == NULL)
		return;
	for (struct block *b = arena->newest; b != NULL; b = older) {
		older = b->older;
		free(b);
	}
	free(arena);
}

void *kd_arena_alloc(struct kd_arena *arena, size_t size)
{
	struct block *b = arena->newest;
	size_t step;
	void *piece;

	if (size > SIZE_MAX / 4)
		return NULL;
	step = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (step == 0)
		step = alignof(max_align_t);
	if (b == NULL || b->room - b->used < step) {
		size_t room = step > BLOCK_LEN ? step : BLOCK_LEN;

		b = calloc(1, sizeof(*b) + room);
		if (b == NULL)
			return NULL;
		b->room = room;
		b->older = arena->newest;
		arena->newest = b;
	}
	piece = b->bytes + b->used;
	b->used += step;
	return piece;
}

char *kd_arena_strndup(struct kd_arena *arena, const char *s, size_t len)
{
	char *copy = kd_arena_alloc(arena, len + 1);

	if (copy != NULL && len > 0)
		memcpy(copy, s, len);
	return copy;
}

char *kd_arena_strdup(struct kd_arena *arena, const char *s)
{
	return kd_arena_strndup(arena, s, strlen(s));
}

char *kd_arena_printf(struct kd_arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		return NULL;
	text = kd_arena_alloc(arena, (size_t)len + 1);
	if (text == NULL)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

void *kd_arena_grow(struct kd_arena *arena, void *array, unsigned int count, size_t size)
{
	void *bigger;

	if (array != NULL && (count < 4 || (count & (count - 1)) != 0))
		return array;
	/* The room is always the power of two above count, 4 at least. */
	bigger = kd_arena_alloc(arena, (count < 4 ? 4 : (size_t)count * 2) * size);
	if (bigger != NULL && count > 0)
		memcpy(bigger, array, count * size);
	return bigger;
}
