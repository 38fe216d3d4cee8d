/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lab only; see guard.h. Prefixes are judged when the guard is made; a flow costs a walk over a few of them
 * and, outside the benchmarking ranges, one look into a small table of the inside addresses seen so far.
 */
#include "engine/guard.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/reason.h"
#include "engine/rng.h"

struct net {
	uint8_t addr[16];
	uint8_t bits;
	bool v6;
};

/* Twice the bound, so that a probe ends soon. */
#define SEEN_SLOTS (2 * KD_GUARD_INSIDE_MAX)

struct kd_guard {
	struct net nets[KD_GUARD_NETS_MAX];
	unsigned int nnets;
	_Atomic uint32_t count;
	_Atomic uint64_t seen[SEEN_SLOTS]; /* hashes of inside addresses; 0 = empty */
};

/* Space that nobody routes to a stranger. 100.64/10 is missing on purpose: real subscribers live there. */
static const struct net lab_space[] = {
	{.addr = {10}, .bits = 8}, /* private, RFC 1918 */
	{.addr = {172, 16}, .bits = 12},
	{.addr = {192, 168}, .bits = 16},
	{.addr = {192, 0, 2}, .bits = 24}, /* documentation, RFC 5737, RFC 3849, RFC 9637 */
	{.addr = {198, 51, 100}, .bits = 24},
	{.addr = {203, 0, 113}, .bits = 24},
	{.addr = {0x20, 0x01, 0x0d, 0xb8}, .bits = 32, .v6 = true},
	{.addr = {0x3f, 0xff}, .bits = 20, .v6 = true},
	{.addr = {198, 18}, .bits = 15}, /* benchmarking, RFC 2544, RFC 5180 */
	{.addr = {0x20, 0x01, 0x00, 0x02}, .bits = 48, .v6 = true},
	{.addr = {0xfc}, .bits = 7, .v6 = true}, /* unique local, RFC 4193 */
	{.addr = {169, 254}, .bits = 16},	 /* link-local, RFC 3927, RFC 4291 */
	{.addr = {0xfe, 0x80}, .bits = 10, .v6 = true},
};

/* Where a run may have as many inside addresses as it likes. */
static const struct net benchmarking[] = {
	{.addr = {198, 18}, .bits = 15},
	{.addr = {0x20, 0x01, 0x00, 0x02}, .bits = 48, .v6 = true},
};

static bool covers(const struct net *n, bool v6, const uint8_t *addr)
{
	unsigned int bytes = n->bits / 8, rest = n->bits % 8;

	if (n->v6 != v6 || memcmp(n->addr, addr, bytes) != 0)
		return false;
	return rest == 0 || ((n->addr[bytes] ^ addr[bytes]) >> (8 - rest)) == 0;
}

static bool has_host_bits(const struct net *n)
{
	for (unsigned int bit = n->bits; bit < (n->v6 ? 128u : 32u); bit++)
		if ((n->addr[bit / 8] >> (7 - bit % 8) & 1) != 0)
			return true;
	return false;
}

static bool is_lab_space(const struct net *n)
{
	for (unsigned int i = 0; i < sizeof(lab_space) / sizeof(lab_space[0]); i++)
		if (n->bits >= lab_space[i].bits && covers(&lab_space[i], n->v6, n->addr))
			return true;
	return false;
}

int kd_guard_new(struct kd_guard **ret)
{
	struct kd_guard *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return -ENOMEM;
	*ret = g;
	return 0;
}

int kd_guard_add(struct kd_guard *g, bool v6, const uint8_t *addr, unsigned int bits)
{
	struct net n = {.bits = (uint8_t)bits, .v6 = v6};

	if (bits > (v6 ? 128u : 32u))
		return -EINVAL;
	memcpy(n.addr, addr, v6 ? 16 : 4);
	if (has_host_bits(&n))
		return -EDOM;
	if (!is_lab_space(&n))
		return -EPERM;
	if (g->nnets == KD_GUARD_NETS_MAX)
		return -ENOSPC;
	g->nets[g->nnets++] = n;
	return 0;
}

void kd_guard_free(struct kd_guard *g)
{
	free(g);
}

static bool in_lab(const struct kd_guard *g, bool v6, const uint8_t *addr)
{
	for (unsigned int i = 0; i < g->nnets; i++)
		if (covers(&g->nets[i], v6, addr))
			return true;
	return false;
}

/*
 * Takes an empty slot for one more inside address, unless the bound is reached or another worker was first
 * (then *found is what stands there now). The only locked instructions between rx and tx: at most
 * KD_GUARD_INSIDE_MAX a run and a few lost races. tests/lint.d/hotpath excuses this function by name.
 */
__attribute__((noinline)) bool kd_guard_enrol(
	struct kd_guard *g, _Atomic uint64_t *slot, uint64_t hash, uint64_t *found);

__attribute__((noinline)) bool kd_guard_enrol(
	struct kd_guard *g, _Atomic uint64_t *slot, uint64_t hash, uint64_t *found)
{
	if (atomic_fetch_add(&g->count, 1) < KD_GUARD_INSIDE_MAX &&
		atomic_compare_exchange_strong(slot, found, hash))
		return true;
	atomic_fetch_sub(&g->count, 1);
	return false;
}

/* Whether this inside address is one of the first KD_GUARD_INSIDE_MAX. Two addresses with one 64-bit hash
 * count once. */
static bool among_first(struct kd_guard *g, const uint8_t *addr, size_t len)
{
	uint64_t hash = kd_hash_bytes(addr, len) | 1, found;

	for (unsigned int i = 0; i < SEEN_SLOTS; i++) {
		_Atomic uint64_t *slot = &g->seen[(hash + i) % SEEN_SLOTS];

		found = atomic_load_explicit(slot, memory_order_relaxed);
		if (found == 0) {
			if (atomic_load_explicit(&g->count, memory_order_relaxed) >= KD_GUARD_INSIDE_MAX)
				return false;
			if (kd_guard_enrol(g, slot, hash, &found))
				return true;
		}
		if (found == hash)
			return true;
	}
	return false;
}

uint16_t kd_guard_judge(struct kd_guard *g, bool v6, const uint8_t *inside, const uint8_t *outside)
{
	if (!in_lab(g, v6, inside) || !in_lab(g, v6, outside))
		return KD_REASON_GUARD_OUTSIDE_LAB;
	for (unsigned int i = 0; i < sizeof(benchmarking) / sizeof(benchmarking[0]); i++)
		if (covers(&benchmarking[i], v6, inside))
			return KD_REASON_NONE;
	return among_first(g, inside, v6 ? 16 : 4) ? KD_REASON_NONE : KD_REASON_GUARD_LAB_SIZE;
}
