/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switches of a box: the whole of it, or one rule, taken out of the packets' way and put back. Somebody
 * on another thread asks, the engine obeys at an exact packet time. What a bypassed box or rule does with a
 * packet is said where that is decided: engine.c, decide.c, residual.c, enforce.c.
 */
#ifndef KD_BYPASS_H
#define KD_BYPASS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Asked for and not obeyed yet, a power of two. */
#define KD_SWITCHES 16

struct kd_switch {
	uint64_t from_ns; /* 0 = from the next packet on */
	uint16_t rule;	  /* 0 = the whole box */
	bool on;
};

struct kd_bypass {
	bool box;	 /* it is a wire */
	bool *rule;	 /* of each: it is bypassed; [0] is unused */
	uint32_t rules;	 /* how many are */
	uint64_t due_ns; /* of the first that waits; UINT64_MAX: none that was heard of */
	uint32_t heard;	 /* head, as last looked at */
	struct kd_switch slot[KD_SWITCHES];
	_Alignas(64) _Atomic uint32_t head; /* of whoever asks */
	_Alignas(64) _Atomic uint32_t tail; /* the engine's */
};

int kd_bypass_init(struct kd_bypass *b, uint32_t nrules);
void kd_bypass_free(struct kd_bypass *b);
/* Nothing is bypassed, and nothing waits. */
void kd_bypass_reset(struct kd_bypass *b, uint32_t nrules);

/* Somebody asked for something since the last look. */
static inline bool kd_bypass_is_asked(const struct kd_bypass *b)
{
	return atomic_load_explicit(&b->head, memory_order_acquire) != b->heard;
}

#endif
