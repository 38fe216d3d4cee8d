/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts segments together by their sequence numbers. Offsets are differences from byte 0 as signed 32-bit
 * numbers, so that a flow may cross 2^32; a segment that begins more than 2^31 away counts as of the past.
 */
#include "engine/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (1u << 20)

static struct kd_gather *at(const struct kd_gathers *p, uint32_t index)
{
	return kd_pool_at(&p->pool, index);
}

int kd_gathers_init(struct kd_gathers *p, uint32_t max, uint32_t depth)
{
	struct kd_gathers n = {.depth = depth};
	int err;

	if (depth == 0 || depth > LIMIT)
		return -EINVAL;
	err = kd_pool_init(&n.pool, max, LIMIT, sizeof(struct kd_gather));
	if (err < 0)
		return err;
	n.bytes = malloc((size_t)max * depth); /* pages nobody touches stay with the kernel */
	if (n.bytes == NULL) {
		kd_gathers_free(&n);
		return -ENOMEM;
	}
	*p = n;
	return 0;
}

void kd_gathers_free(struct kd_gathers *p)
{
	kd_pool_free(&p->pool);
	free(p->bytes);
	memset(p, 0, sizeof(*p));
}

void kd_gathers_reset(struct kd_gathers *p)
{
	kd_pool_reset(&p->pool);
	p->oldest = p->newest = 0;
}

struct kd_gather *kd_gather_find(const struct kd_gathers *p, uint64_t owner)
{
	return kd_pool_find(&p->pool, owner);
}

struct kd_gather *kd_gather_oldest(const struct kd_gathers *p)
{
	return p->oldest != 0 ? at(p, p->oldest) : NULL;
}

struct kd_gather *kd_gather_take(struct kd_gathers *p, uint64_t owner, uint32_t base, uint64_t now_ns)
{
	struct kd_gather *g = kd_pool_take(&p->pool, owner);
	uint32_t index;

	if (g == NULL)
		return NULL;
	index = kd_pool_index(&p->pool, g);
	g->base = base;
	g->since_ns = now_ns;
	g->older = p->newest;
	*(p->newest != 0 ? &at(p, p->newest)->newer : &p->oldest) = index;
	p->newest = index;
	return g;
}

void kd_gather_give(struct kd_gathers *p, struct kd_gather *g)
{
	*(g->older != 0 ? &at(p, g->older)->newer : &p->oldest) = g->newer;
	*(g->newer != 0 ? &at(p, g->newer)->older : &p->newest) = g->older;
	kd_pool_give(&p->pool, g);
}

uint32_t kd_gather_len(const struct kd_gather *g)
{
	return g->nruns > 0 && g->run[0].from == 0 ? g->run[0].to : 0;
}

static uint8_t *bytes_of(const struct kd_gathers *p, const struct kd_gather *g)
{
	return p->bytes + (size_t)(kd_pool_index(&p->pool, g) - 1) * p->depth;
}

const uint8_t *kd_gather_bytes(const struct kd_gathers *p, const struct kd_gather *g)
{
	return bytes_of(p, g);
}

/* Copies [from, to) into the gaps only, or over all of it; whether a byte before `known` changed. */
static bool copy(const struct kd_gathers *p, const struct kd_gather *g, bool over, uint32_t from, uint32_t to,
	const uint8_t *bytes, uint32_t known)
{
	uint8_t *mine = bytes_of(p, g);
	uint32_t at = from, same = known > from ? (known < to ? known : to) - from : 0;
	bool changed = over && memcmp(mine + from, bytes, same) != 0;

	if (over) {
		memcpy(mine + from, bytes, to - from);
		return changed;
	}
	for (uint32_t i = 0; i < g->nruns && at < to; i++) {
		uint32_t gap = g->run[i].from < to ? g->run[i].from : to;

		if (gap > at)
			memcpy(mine + at, bytes + (at - from), gap - at);
		if (g->run[i].to > at)
			at = g->run[i].to;
	}
	if (at < to)
		memcpy(mine + at, bytes + (at - from), to - at);
	return false;
}

/* Whether the runs can take [from, to): it touches one of them, or there is room for another. */
static bool has_room(const struct kd_gather *g, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < g->nruns; i++)
		if (from <= g->run[i].to && g->run[i].from <= to)
			return true;
	return g->nruns < KD_GATHER_RUNS;
}

/* Whether it is all there already. */
static bool is_covered(const struct kd_gather *g, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < g->nruns; i++)
		if (from >= g->run[i].from && to <= g->run[i].to)
			return true;
	return false;
}

/* Whether a byte of [from, to) that is there already is another one. */
static bool differs(const struct kd_gathers *p, const struct kd_gather *g, uint32_t from, uint32_t to,
	const uint8_t *bytes)
{
	const uint8_t *mine = kd_gather_bytes(p, g);

	for (uint32_t i = 0; i < g->nruns; i++) {
		uint32_t lo = g->run[i].from > from ? g->run[i].from : from,
			 hi = g->run[i].to < to ? g->run[i].to : to;

		if (lo < hi && memcmp(mine + lo, bytes + (lo - from), hi - lo) != 0)
			return true;
	}
	return false;
}

/* Joins [from, to) with the runs it touches. */
static void insert(struct kd_gather *g, uint32_t from, uint32_t to)
{
	uint32_t at = 0, end;

	while (at < g->nruns && g->run[at].to < from)
		at++;
	for (end = at; end < g->nruns && g->run[end].from <= to; end++) {
		from = g->run[end].from < from ? g->run[end].from : from;
		to = g->run[end].to > to ? g->run[end].to : to;
	}
	memmove(&g->run[at + 1], &g->run[end], (g->nruns - end) * sizeof(g->run[0]));
	g->nruns = g->nruns - (end - at) + 1;
	g->run[at].from = from;
	g->run[at].to = to;
}

enum kd_gathered kd_gather_add(const struct kd_gathers *p, struct kd_gather *g, struct kd_gather_how how,
	uint32_t seq, const uint8_t *bytes, uint32_t len)
{
	uint32_t known = kd_gather_len(g), from, to;
	int64_t offset = (int32_t)(seq - g->base), end = offset + len;
	bool changed;

	if (end <= 0 && len > 0)
		return KD_GATHERED_PAST;
	if (offset < 0) {
		bytes += -offset;
		offset = 0;
	}
	if (end > p->depth)
		end = p->depth;
	if (offset >= end)
		return KD_GATHERED_NOTHING;
	from = (uint32_t)offset;
	to = (uint32_t)end;
	if (how.strict && differs(p, g, from, to, bytes))
		return KD_GATHERED_DIFFERS;
	if (from > known && !how.any_order)
		return KD_GATHERED_WAITS;
	if (!how.last && is_covered(g, from, to))
		return KD_GATHERED_NOTHING;
	if (!has_room(g, from, to))
		return KD_GATHERED_WAITS;
	changed = copy(p, g, how.last, from, to, bytes, known);
	g->turned = g->turned || from > known;
	insert(g, from, to);
	if (changed || kd_gather_len(g) > known)
		return KD_GATHERED_GREW;
	return from > known ? KD_GATHERED_WAITS : KD_GATHERED_NOTHING;
}

void kd_gather_skip(const struct kd_gathers *p, struct kd_gather *g, uint32_t n)
{
	uint8_t *mine = bytes_of(p, g);

	memmove(mine, mine + n, g->run[g->nruns - 1].to - n);
	g->base += n;
	for (uint32_t i = 0; i < g->nruns; i++) {
		g->run[i].from -= i > 0 ? n : 0;
		g->run[i].to -= n;
	}
}

bool kd_gather_differs(const struct kd_gathers *p, const struct kd_gather *g, uint32_t seq,
	const uint8_t *bytes, uint32_t len)
{
	const uint8_t *mine = kd_gather_bytes(p, g);
	int64_t offset = (int32_t)(seq - g->base), end = offset + len;

	for (uint32_t i = 0; i < g->nruns; i++) {
		int64_t from = g->run[i].from > offset ? g->run[i].from : offset;
		int64_t to = g->run[i].to < end ? g->run[i].to : end;

		if (from < to && memcmp(mine + from, bytes + (from - offset), (size_t)(to - from)) != 0)
			return true;
	}
	return false;
}
