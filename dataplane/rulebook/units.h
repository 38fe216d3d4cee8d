/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers with units, as every rulebook and option writes them: "75 s", "10 min (5..15)", "0.084 %
 * (0.0..0.14)", "25 pkt", "16 kB", "128 kbit/s (100..150)". Exact integers come out, never a rounded float; a
 * bound of the range without a unit takes the value's. The value must lie in its own range.
 */
#ifndef KD_UNITS_H
#define KD_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rulebook/fault.h"

enum kd_unit_kind {
	KD_UNIT_DURATION, /* nanoseconds, up to 3650 d */
	KD_UNIT_SHARE,	  /* of 2^64, rounded down; 100 % is 2^64 - 1 */
	KD_UNIT_COUNT,	  /* packets or times, up to 2^32 - 1; the unit may be left out */
	KD_UNIT_BYTES,	  /* decimal: kB (or KB) is 1000 */
	KD_UNIT_RATE,	  /* bit/s */
	KD_UNIT_KINDS
};

struct kd_number {
	uint64_t value, lo, hi; /* without a range lo = hi = value */
	bool ranged;
};

/* 0, or -EINVAL with *fault filled and *ret untouched. */
int kd_units_parse(
	struct kd_number *ret, unsigned int kind, const char *text, size_t len, struct kd_fault *fault);

#define KD_UNITS_TEXT 40

/* The shortest exact text that parses to value again; a share is given in millionths of a percent, rounded.
 */
void kd_units_text(char buf[KD_UNITS_TEXT], unsigned int kind, uint64_t value);

#endif
