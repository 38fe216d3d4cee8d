/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of words for `list`: printed as aligned columns for people, or as a JSON array of objects keyed by the
 * heads. The last column is not padded. Empty cells are left out of the JSON.
 */
#ifndef KD_TABLE_H
#define KD_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "rulebook/arena.h"

#define KD_TABLE_COLUMNS 7

struct kd_table {
	struct kd_arena *arena; /* of the caller */
	const char *heads[KD_TABLE_COLUMNS];
	unsigned int columns, rows;
	const char *(*cells)[KD_TABLE_COLUMNS];
};

/* One row; cells must live as long as the table. NULL is empty. -ENOMEM. */
int kd_table_row(struct kd_table *t, const char *const cells[KD_TABLE_COLUMNS]);
/* -ENOMEM. */
int kd_table_print(const struct kd_table *t, bool json, FILE *to);

#define KD_TABLE_JSON_ROOM (1u << 20)

#endif
