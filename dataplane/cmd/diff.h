/* SPDX-License-Identifier: BSD-3-Clause */
/* Between diff.c, which compares and prints, and diff_items.c, which says what there is to compare. */
#ifndef KD_CMD_DIFF_H
#define KD_CMD_DIFF_H

#include "cmd/list.h"

/* Parts of an item beside its names. */
enum kd_diff_part {
	KD_DIFF_PLACE,
	KD_DIFF_PHASE,
	KD_DIFF_MATCH,
	KD_DIFF_THEN,
	KD_DIFF_RESIDUAL,
	KD_DIFF_MISS,
	KD_DIFF_SHARE,
	KD_DIFF_FLAP,
	KD_DIFF_ELSE,
	KD_DIFF_VALUE,
	KD_DIFF_DRAWN,
	KD_DIFF_PENDING,
	KD_DIFF_EVIDENCE,
	KD_DIFF_PARTS
};

extern const char *const kd_diff_parts[KD_DIFF_PARTS];

/* A rule, knob, setting or path that is in force. Texts are never NULL. */
struct kd_diff_item {
	const char *kind, *id, *words;
	const char *match; /* part[KD_DIFF_MATCH] is compared; this is shown where it differs too */
	const char *part[KD_DIFF_PARTS];
	const char **names; /* of a rule, sorted */
	unsigned int nnames;
	const struct kd_evidence *evidence; /* NULL: there cannot be any */
};

struct kd_diff_side {
	struct kd_list_view view; /* of this side's book */
	struct kd_book *book;
	struct kd_query query;
	struct kd_diff_item *items; /* in order of evaluation */
	unsigned int nitems;
};

/* Fills items. -ENOMEM. */
int kd_diff_items(struct kd_diff_side *side);

#endif
