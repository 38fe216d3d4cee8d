/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments put together against a plain array that knows for each byte whether it came and what it is. The
 * input is a byte of knobs, then segments: two bytes of offset, one of length, that many bytes. What lies in
 * the pool on both sides of the gathering must not change.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/gather.h"

#define DEPTH 300
#define BASE 0xffffff80u /* so that numbers wrap */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct model {
	uint8_t byte[DEPTH];
	bool came[DEPTH];
};

static uint32_t prefix(const struct model *m)
{
	uint32_t n = 0;

	while (n < DEPTH && m->came[n])
		n++;
	return n;
}

/* Runs that the model would need, to know when the real one may refuse. */
static unsigned int runs(const struct model *m)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < DEPTH; i++)
		n += m->came[i] && (i == 0 || !m->came[i - 1]);
	return n;
}

static void put(struct model *m, struct kd_gather_how how, int32_t at, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		int64_t to = (int64_t)at + i;

		if (to < 0 || to >= DEPTH || (m->came[to] && !how.last))
			continue;
		m->byte[to] = bytes[i];
		m->came[to] = true;
	}
}

static bool differs(const struct model *m, int32_t at, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		int64_t to = (int64_t)at + i;

		if (to >= 0 && to < DEPTH && m->came[to] && m->byte[to] != bytes[i])
			return true;
	}
	return false;
}

/* Some of what is there is let go, and the rest is byte 0 and on. */
static void skip(struct kd_gathers *p, struct kd_gather *g, const struct model *m, uint32_t n)
{
	uint32_t len = prefix(m);

	if (len < 2)
		return;
	n = 1 + n % (len - 1);
	kd_gather_skip(p, g, n);
	must(kd_gather_len(g) == len - n && g->base == BASE + n);
	must(memcmp(kd_gather_bytes(p, g), m->byte + n, len - n) == 0);
	for (uint32_t i = 0, at = len; i + 1 < g->nruns; i++, at = g->run[i].to + n)
		must(g->run[i + 1].from + n > at && g->run[i + 1].to + n <= DEPTH);
	for (uint32_t i = 1; i < g->nruns; i++)
		must(memcmp(kd_gather_bytes(p, g) + g->run[i].from, m->byte + g->run[i].from + n,
			     g->run[i].to - g->run[i].from) == 0);
}

static void segment(struct kd_gathers *p, struct kd_gather *g, struct model *m, struct kd_gather_how how,
	struct kd_cur *c)
{
	int32_t at = (int16_t)kd_cur_be16(c) % (DEPTH + 100);
	uint32_t len = kd_cur_u8(c), before = prefix(m);
	struct model was = *m;
	const uint8_t *from = kd_cur_take(c, len);
	uint8_t *bytes;
	enum kd_gathered got;

	if (from == NULL)
		return;
	bytes = malloc(len);
	must(bytes != NULL || len == 0);
	if (len > 0)
		memcpy(bytes, from, len);
	must(kd_gather_differs(p, g, BASE + (uint32_t)at, bytes, len) == differs(m, at, from, len));
	got = kd_gather_add(p, g, how, BASE + (uint32_t)at, bytes, len);
	if (got == KD_GATHERED_DIFFERS) {
		must(how.strict && differs(m, at, from, len));
		free(bytes);
		return;
	}
	must(!how.strict || !differs(m, at, from, len));
	if (how.any_order || at <= (int32_t)before)
		put(m, how, at, bytes, len);
	if (runs(m) > KD_GATHER_RUNS) {
		must(got == KD_GATHERED_WAITS);
		*m = was;
	}
	free(bytes);
	must(kd_gather_len(g) == prefix(m));
	must(memcmp(kd_gather_bytes(p, g), m->byte, prefix(m)) == 0);
	must((got == KD_GATHERED_GREW) == (prefix(m) > before || memcmp(was.byte, m->byte, before) != 0));
	must((got == KD_GATHERED_PAST) == (len > 0 && at + (int32_t)len <= 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_cur c = kd_cur(data, size);
	uint8_t knobs = kd_cur_u8(&c);
	struct kd_gather_how how = {
		.any_order = (knobs & 1) != 0, .last = (knobs & 2) != 0, .strict = (knobs & 4) != 0};
	struct kd_gathers p;
	struct kd_gather *g[3];
	uint8_t guard[DEPTH];
	struct model m = {0};

	must(kd_gathers_init(&p, 3, DEPTH) == 0);
	memset(guard, 0x5a, sizeof(guard));
	memset(p.bytes, 0x5a, 3 * DEPTH);
	for (uint64_t i = 0; i < 3; i++) {
		g[i] = kd_gather_take(&p, 64 * i, BASE, i);
		must(g[i] != NULL && kd_gather_find(&p, 64 * i) == g[i]);
	}
	must(kd_gather_take(&p, 7, BASE, 9) == NULL);
	while (!c.bad && kd_cur_left(&c) > 3)
		segment(&p, g[1], &m, how, &c);
	if ((knobs & 8) != 0)
		skip(&p, g[1], &m, knobs >> 4);
	must(memcmp(kd_gather_bytes(&p, g[0]), guard, DEPTH) == 0);
	must(memcmp(kd_gather_bytes(&p, g[2]), guard, DEPTH) == 0);
	for (uint64_t i = 0; i < 3; i++) {
		kd_gather_give(&p, g[i]);
		must(kd_gather_find(&p, 64 * i) == NULL);
	}
	must(kd_gather_take(&p, 7, BASE, 9) != NULL);
	kd_gathers_free(&p);
	return 0;
}
