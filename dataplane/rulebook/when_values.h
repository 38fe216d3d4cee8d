/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Single values of the terms of `when`, as text: ports, lengths, counts, hours, numbers of a field, bytes at
 * an offset. Knows nothing of files; when_read.c says the faults at their place.
 */
#ifndef KD_WHEN_VALUES_H
#define KD_WHEN_VALUES_H

#include <stddef.h>

#include "rulebook/arena.h"
#include "rulebook/fault.h"
#include "rulebook/policy.h"

#define KD_VALUE_SPANS 2 /* of one value, at most */

/*
 * Fills ret and says how many: 1, and 2 for hours that go over midnight. -EINVAL with *fault filled. `words`
 * is what may stand for a number, as in struct kd_field_spec; NULL = none. All but numbers ignore it.
 */
typedef int kd_value_parse(struct kd_span ret[KD_VALUE_SPANS], const char *words, const char *text,
	size_t len, struct kd_fault *fault);

kd_value_parse kd_value_port;	/* "443", "50000-50100" */
kd_value_parse kd_value_length; /* "148 B", ">= 1001 B", "<= 100 B", "100 B..200 B" */
kd_value_parse kd_value_nth;	/* "1", "1..3" */
kd_value_parse kd_value_hours;	/* "08:00-23:00", minutes, the end not included */
kd_value_parse kd_value_number; /* "0xfe0d", "10..20", "1.2", "1.2..1.3": 16 bits */

/* "0x10: 16 03 ??". Bytes and mask in the arena. 0, -EINVAL with *fault filled, -ENOMEM. */
int kd_value_bytes(struct kd_byte_run *ret, struct kd_arena *arena, const char *text, size_t len,
	struct kd_fault *fault);

/* Sorts, and joins what overlaps or touches; how many are left. */
unsigned int kd_spans_tidy(struct kd_span *spans, unsigned int n);

#endif
