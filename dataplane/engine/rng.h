/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Draws are hashes, never a stream: the same (seed, box, rule, purpose, flow, nonce) gives the same number in
 * any order of arrival, on any worker. The mixer is two rounds of a 64x64->128 multiply with the halves
 * folded.
 */
#ifndef KD_RNG_H
#define KD_RNG_H

#include <stddef.h>
#include <stdint.h>

enum kd_purpose {
	KD_DRAW_FLOW_ID = 1,
	KD_DRAW_TABLE,
	KD_DRAW_MISS,
	KD_DRAW_NODE,
	KD_DRAW_FLAP,
	KD_DRAW_SHARE,
	KD_DRAW_AFTER,
	KD_DRAW_ACT, /* a mechanism's first, others behind it */
};

static inline uint64_t kd_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15ull) * (b ^ 0xd1b54a32d192ed03ull);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* A draw in 0 .. 2^64-1 for one purpose. `about` is a hash of the rule's id (0 = no rule), so that editing a
 * rulebook does not redraw its other rules; `who` is a hash of the canonical 5-tuple and `nonce` the opener's
 * ISN, or a hash of the first UDP payload; for draws about a node, its hash and 0. */
static inline uint64_t kd_draw(
	uint64_t seed, uint8_t box, enum kd_purpose purpose, uint64_t about, uint64_t who, uint32_t nonce)
{
	uint64_t what = (uint64_t)box << 40 | (uint64_t)purpose << 32 | nonce;

	return kd_mix(kd_mix(kd_mix(seed ^ 0xa0761d6478bd642full, what), about), who);
}

/* A hash of bytes that need not be long: names of rules, first payloads. */
static inline uint64_t kd_hash_bytes(const uint8_t *bytes, size_t len)
{
	uint64_t h = 0xe7037ed1a0b428dbull ^ len;

	for (size_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * 0x100000001b3ull;
	return kd_mix(h, len);
}

#endif
