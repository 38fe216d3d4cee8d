/* SPDX-License-Identifier: BSD-3-Clause */
/* Between list.c and list_rules.c only. */
#ifndef KD_CMD_LIST_H
#define KD_CMD_LIST_H

#include "cmd/cmd.h"
#include "rulebook/book.h"

/* The rules of the book in force at query (all of them when NULL), in order of evaluation. -ENOMEM. */
int kd_list_rules(const struct kd_book *book, const struct kd_query *query, bool json, bool cite);

#endif
