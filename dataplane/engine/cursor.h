/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cursor over bytes that are not ours: parsers move it and never index. A read past the end sets `bad`,
 * yields zero and stays there, so a parser may read a whole header and ask once. It allocates nothing and
 * owns nothing.
 */
#ifndef KD_CURSOR_H
#define KD_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kd_cur {
	const uint8_t *p;   /* next byte */
	const uint8_t *end; /* one past the last */
	bool bad;	    /* a read went past the end */
};

static inline struct kd_cur kd_cur(const uint8_t *bytes, size_t len)
{
	return (struct kd_cur){.p = bytes, .end = bytes + len};
}

static inline size_t kd_cur_left(const struct kd_cur *c)
{
	return (size_t)(c->end - c->p);
}

/* Whether `n` more bytes are there; if not, the cursor turns bad. */
static inline bool kd_cur_has(struct kd_cur *c, size_t n)
{
#ifdef KD_PLANTED_BUG
	/* -Dplanted_bug=true takes the one check away on which every parser stands: the fuzzers must find it.
	 */
	if (n < 4)
		return !c->bad;
#endif
	if (c->bad || kd_cur_left(c) < n) {
		c->bad = true;
		return false;
	}
	return true;
}

static inline void kd_cur_skip(struct kd_cur *c, size_t n)
{
	if (kd_cur_has(c, n))
		c->p += n;
}

/* `n` bytes in place, or NULL. */
static inline const uint8_t *kd_cur_take(struct kd_cur *c, size_t n)
{
	const uint8_t *at = c->p;

	if (!kd_cur_has(c, n))
		return NULL;
	c->p += n;
	return at;
}

static inline uint8_t kd_cur_u8(struct kd_cur *c)
{
	return kd_cur_has(c, 1) ? *c->p++ : 0;
}

static inline uint16_t kd_cur_be16(struct kd_cur *c)
{
	uint16_t v;

	if (!kd_cur_has(c, 2))
		return 0;
	v = (uint16_t)(c->p[0] << 8 | c->p[1]);
	c->p += 2;
	return v;
}

static inline uint32_t kd_cur_be24(struct kd_cur *c)
{
	uint32_t v;

	if (!kd_cur_has(c, 3))
		return 0;
	v = (uint32_t)c->p[0] << 16 | (uint32_t)c->p[1] << 8 | c->p[2];
	c->p += 3;
	return v;
}

static inline uint32_t kd_cur_be32(struct kd_cur *c)
{
	uint32_t hi = kd_cur_be16(c);

	return hi << 16 | kd_cur_be16(c);
}

/* A sub-cursor over the next `n` bytes, which are consumed; bad (and empty) if they are not all there. */
static inline struct kd_cur kd_cur_sub(struct kd_cur *c, size_t n)
{
	const uint8_t *at = kd_cur_take(c, n);

	if (at == NULL)
		return (struct kd_cur){.p = c->p, .end = c->p, .bad = true};
	return kd_cur(at, n);
}

/* Big-endian loads and stores for bytes whose bounds are already known. */
static inline uint16_t kd_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t kd_get32(const uint8_t *p)
{
	return (uint32_t)kd_get16(p) << 16 | kd_get16(p + 2);
}

static inline void kd_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void kd_put32(uint8_t *p, uint32_t v)
{
	kd_put16(p, (uint16_t)(v >> 16));
	kd_put16(p + 2, (uint16_t)v);
}

#endif
