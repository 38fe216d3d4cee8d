/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The values that a rulebook attests of each knob, on any day and at any place, with what they rest on. No
 * other value is ever tried on somebody's capture.
 */
#ifndef KD_ATTESTED_H
#define KD_ATTESTED_H

#include <stdint.h>

#include "rulebook/arena.h"
#include "rulebook/book.h"

struct kd_attested {
	uint8_t knob, value;	    /* enum kd_knob_index, and its value */
	const char *word;	    /* the value's */
	const char *dates;	    /* "until 2024-08", "since 2024-08..2024-10"; "" = no limits */
	const char *grade, *claims; /* claims "" = assumed without any */
};

/* In order of knobs and values; strings and array belong to the arena. The default is among each knob's.
 * -ENOMEM. */
int kd_attested_list(
	struct kd_arena *arena, const struct kd_book *book, struct kd_attested **ret, unsigned int *ret_n);

#endif
