/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guard of a live run: the engine acts only on flows whose two addresses lie in the lab's declared
 * prefixes, and these must be private, documentation, benchmarking, unique-local or link-local space; at most
 * 256 distinct inside addresses outside the benchmarking ranges. Everything else is forwarded untouched and
 * counted. It prevents accidents, not malice (docs/ethics.md); no switch turns it off.
 *
 * Which 256 come first is settled as flows arrive; with several workers, and more addresses than that, a
 * replay may settle it otherwise. Shared by the workers of one run: the set of inside addresses is bounded
 * and grows without locks.
 */
#ifndef KD_GUARD_H
#define KD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

struct kd_guard;

#define KD_GUARD_INSIDE_MAX 256
#define KD_GUARD_NETS_MAX 64

/* An empty guard, which lets nothing be acted on. -ENOMEM. */
int kd_guard_new(struct kd_guard **ret);
/* Declares ADDR/bits (4 or 16 bytes) a part of the lab. -EDOM: bits behind the prefix length; -EPERM: not lab
 * space (100.64/10 and everything public is refused); -ENOSPC: too many; -EINVAL: more bits than an address
 * has. */
int kd_guard_add(struct kd_guard *g, bool v6, const uint8_t *addr, unsigned int bits);
void kd_guard_free(struct kd_guard *g);

/* 0 when a flow between these ends (4 or 16 bytes) may be acted on, else KD_REASON_GUARD_OUTSIDE_LAB or
 * KD_REASON_GUARD_LAB_SIZE. Called once a flow; no allocation, no lock. */
uint16_t kd_guard_judge(struct kd_guard *g, bool v6, const uint8_t *inside, const uint8_t *outside);

#endif
